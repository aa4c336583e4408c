//! `flinkspark.v1.Catalog`: the catalogue, with what each dataset's log holds.
//!
//! Invariant: a dataset's record comes from the catalogue, its totals from its log, never mixed.

use super::jobs::caller;
use crate::damage::{Damage, Object};
use flinkspark_connector::administration::Records;
use flinkspark_connector::evolution::{self, Agreed};
use flinkspark_model::Result;
use flinkspark_model::access::{Caller, Verb};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::digest::Digest;
use flinkspark_model::handle::RddPartition;
use flinkspark_model::log::{LiveEpoch, Replacement, Slot, View};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Catalog, Damaged, Datasets, EventKind, Reference, Registration};
use flinkspark_proto::convert;
use flinkspark_proto::error::to_status;
use flinkspark_proto::v1;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The most datasets or epochs in one answer.
const PAGE_MAX: usize = 1000;
/// The most events that one read of the feed gives.
const EVENTS_MAX: usize = 256;

/// The service.
pub(super) struct Service {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) datasets: Arc<dyn Datasets>,
    pub(super) damage: Damage,
    /// Where clients read: the preferred location of every partition.
    pub(super) location: String,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    result.map(Response::new).map_err(|error| to_status(&error))
}

impl Service {
    fn records(&self) -> Records {
        Records {
            catalog: Arc::clone(&self.catalog),
            datasets: Arc::clone(&self.datasets),
        }
    }

    async fn log(&self, dataset: &Dataset) -> Result<Arc<dyn flinkspark_model::port::Dataset>> {
        self.datasets
            .dataset(dataset.id, Arc::clone(&dataset.schema))
            .await
    }

    /// The dataset, if the caller may do this with it. A name that the caller may not is refused before anybody
    /// looks whether it is there.
    async fn allowed(
        &self,
        reference: Option<v1::Reference>,
        allow: impl Fn(&DatasetName) -> Result<()>,
    ) -> Result<Arc<Dataset>> {
        let reference = Reference::try_from(reference.unwrap_or_default())?;
        if let Reference::Name(name) = &reference {
            allow(name)?;
        }
        let dataset = self.catalog.lookup(&reference).await?;
        allow(&dataset.name)?;
        Ok(dataset)
    }

    async fn view(
        &self,
        reference: Option<v1::Reference>,
        caller: &Caller,
    ) -> Result<v1::DatasetView> {
        let dataset = self.allowed(reference, |name| caller.sees(name)).await?;
        let object = || Object::Dataset(dataset.id, dataset.name.to_string());
        let agreed = evolution::agree(&*self.catalog, &*self.datasets, Arc::clone(&dataset));
        let Agreed { dataset, log, view } = self.damage.seen(object, agreed.await)?;
        let epochs = log.at_schema(view.live().cloned().collect()).await?;
        let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
        for segment in view.live().flat_map(|epoch| &epoch.segments) {
            *rows.entry(segment.partition).or_default() += segment.rows;
        }
        let partition = |(index, rows)| {
            v1::RddPartition::from(&RddPartition {
                index,
                rows,
                preferred_locations: vec![self.location.clone()],
            })
        };
        Ok(v1::DatasetView {
            dataset: Some(dataset.as_ref().try_into()?),
            head: Some(head(&view, &epochs)),
            partitions: rows.into_iter().map(partition).collect(),
        })
    }

    async fn page(&self, request: v1::ListRequest, caller: &Caller) -> Result<v1::ListResponse> {
        let after = (!request.after.is_empty())
            .then(|| DatasetName::new(&request.after))
            .transpose()?;
        let mut page = self
            .catalog
            .list(&request.prefix, after.as_ref(), limit(request.limit))
            .await?;
        page.datasets
            .retain(|dataset| caller.sees(&dataset.name).is_ok());
        page.damaged
            .retain(|damaged| caller.sees(&damaged.name).is_ok());
        let mut response = v1::ListResponse::try_from(&page)?;
        for dataset in &page.datasets {
            if let Some(error) = self.damage.of(dataset.id) {
                let damaged = Damaged {
                    id: dataset.id,
                    name: dataset.name.clone(),
                    error,
                };
                response.damaged.push((&damaged).into());
            }
        }
        Ok(response)
    }

    async fn epochs_after(
        &self,
        request: v1::EpochsRequest,
        caller: &Caller,
    ) -> Result<v1::EpochsResponse> {
        let allow = |name: &DatasetName| caller.may(Verb::Read, name);
        let dataset = self.allowed(request.reference, allow).await?;
        let log = self.log(&dataset).await?;
        let head = log.refresh().await?.head();
        let mut epochs = Vec::new();
        let mut slot = request.after_slot.min(head);
        while slot < head && epochs.len() < limit(request.limit) {
            slot += 1;
            let record = log.slot(slot).await?;
            match &record.body {
                Slot::Epoch(commit)
                | Slot::Replace {
                    with: Replacement::Overwrite(commit),
                    ..
                } => {
                    epochs.push(convert::epoch(slot, record.committed_at_ms, commit));
                }
                _ => {}
            }
        }
        Ok(v1::EpochsResponse {
            epochs,
            next_after_slot: (slot < head).then_some(slot),
        })
    }

    async fn change(&self, request: v1::UpdateRequest, caller: &Caller) -> Result<v1::Dataset> {
        let (id, version, update) = request.parts()?;
        let changed = self.records().change(caller, id, version, update).await?;
        changed.as_ref().try_into()
    }

    async fn forget(&self, request: v1::DropRequest, caller: &Caller) -> Result<v1::DropResponse> {
        let id = request.id.parse()?;
        let leaving = self.records().forget(caller, id, request.version).await?;
        Ok(v1::DropResponse {
            bytes: leaving.bytes,
            until_ms: leaving.until_ms,
        })
    }

    async fn edges(
        &self,
        reference: Option<v1::Reference>,
        caller: &Caller,
    ) -> Result<v1::LineageResponse> {
        let dataset = self.allowed(reference, |name| caller.sees(name)).await?;
        let mut edges = Vec::new();
        for edge in self.catalog.edges(dataset.id).await? {
            if visible(&*self.catalog, caller, edge.from.dataset).await
                && visible(&*self.catalog, caller, edge.to.dataset).await
            {
                edges.push(edge);
            }
        }
        Ok(v1::LineageResponse {
            edges: edges.iter().map(Into::into).collect(),
        })
    }
}

/// Whether the caller may know a dataset; of one that is gone, only who administers the bridge.
async fn visible(catalog: &dyn Catalog, caller: &Caller, id: DatasetId) -> bool {
    if caller.administers().is_ok() {
        return true;
    }
    let found = catalog.lookup(&Reference::Id(id)).await;
    found.is_ok_and(|dataset| caller.sees(&dataset.name).is_ok())
}

/// Whether the caller may know what happened.
async fn told(catalog: &dyn Catalog, caller: &Caller, event: &EventKind) -> bool {
    match event {
        EventKind::Put(dataset) => caller.sees(&dataset.name).is_ok(),
        EventKind::Dropped { name, .. } => caller.sees(name).is_ok(),
        EventKind::Advanced { id, .. } => visible(catalog, caller, *id).await,
        EventKind::Edge(edge) => {
            visible(catalog, caller, edge.from.dataset).await
                && visible(catalog, caller, edge.to.dataset).await
        }
    }
}

fn limit(asked: u32) -> usize {
    if asked == 0 {
        PAGE_MAX
    } else {
        PAGE_MAX.min(asked as usize)
    }
}

/// What a log holds; its digest is the one at the schema in force.
fn head(view: &View, epochs: &[Arc<LiveEpoch>]) -> v1::LogHead {
    let (rows, bytes, _) = view.totals();
    let segments = epochs.iter().flat_map(|epoch| &epoch.segments);
    let digest: Digest = segments.map(|segment| segment.digest).sum();
    v1::LogHead {
        slot: view.head(),
        rows,
        bytes,
        digest: digest.to_string(),
        watermark_ms: view.watermark_ms(),
    }
}

#[tonic::async_trait]
impl v1::catalog_server::Catalog for Service {
    type WatchStream = BoxStream<'static, std::result::Result<v1::ChangeEvent, Status>>;

    async fn register(&self, request: Request<v1::RegisterRequest>) -> Answer<v1::Dataset> {
        let caller = caller(&request);
        let registered = async {
            let registration: Registration = request.into_inner().try_into()?;
            let dataset = self.records().register(&caller, registration).await?;
            dataset.as_ref().try_into()
        };
        answer(registered.await)
    }

    async fn lookup(&self, request: Request<v1::LookupRequest>) -> Answer<v1::DatasetView> {
        let caller = caller(&request);
        answer(self.view(request.into_inner().reference, &caller).await)
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Answer<v1::ListResponse> {
        let caller = caller(&request);
        answer(self.page(request.into_inner(), &caller).await)
    }

    async fn update(&self, request: Request<v1::UpdateRequest>) -> Answer<v1::Dataset> {
        let caller = caller(&request);
        answer(self.change(request.into_inner(), &caller).await)
    }

    async fn drop(&self, request: Request<v1::DropRequest>) -> Answer<v1::DropResponse> {
        let caller = caller(&request);
        answer(self.forget(request.into_inner(), &caller).await)
    }

    async fn lineage(&self, request: Request<v1::LineageRequest>) -> Answer<v1::LineageResponse> {
        let caller = caller(&request);
        answer(self.edges(request.into_inner().reference, &caller).await)
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        let caller = caller(&request);
        let catalog = Arc::clone(&self.catalog);
        let pages = futures::stream::try_unfold(request.into_inner().since, move |since| {
            let (catalog, caller) = (Arc::clone(&catalog), caller.clone());
            async move {
                let events = catalog.watch(since, EVENTS_MAX).await?;
                let last = events.last().map_or(since, |event| event.sequence);
                let mut theirs = Vec::with_capacity(events.len());
                for event in events {
                    if told(&*catalog, &caller, &event.kind).await {
                        theirs.push(event);
                    }
                }
                Ok::<_, flinkspark_model::Error>(Some((theirs, last)))
            }
        });
        let events = pages
            .map_ok(|events| futures::stream::iter(events.into_iter().map(Ok)))
            .try_flatten()
            .and_then(|event| async move { v1::ChangeEvent::try_from(&event) });
        Ok(Response::new(
            events.map_err(|error| to_status(&error)).boxed(),
        ))
    }

    async fn epochs(&self, request: Request<v1::EpochsRequest>) -> Answer<v1::EpochsResponse> {
        let caller = caller(&request);
        answer(self.epochs_after(request.into_inner(), &caller).await)
    }

    async fn head(&self, request: Request<v1::HeadRequest>) -> Answer<v1::LogHead> {
        let caller = caller(&request);
        let view = self.view(request.into_inner().reference, &caller).await;
        answer(view.map(|view| view.head.unwrap_or_default()))
    }
}
