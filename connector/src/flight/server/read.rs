//! What can be read: listings, schemas, and a pinned range of rows as endpoints.
//!
//! Invariant: the endpoints of one `FlightInfo` are the rows of one range at one view of the log, so that reading all
//! of them is a consistent read however the log grows meanwhile.

use super::endpoints::{self, Mint};
use super::range::{self, Range};
use super::selection::{Selection, not_written, select};
use super::{Answers, Components};
use crate::flight::body::{self, InfoMetadata, ReadCommand, Slots};
use crate::flight::{limits, wire};
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{
    Criteria, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, SchemaResult,
};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::{Schema, SchemaRef};
use flinkspark_model::access::Verb;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{LiveEpoch, SegmentRef, View};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Query;
use flinkspark_model::split::{self, By, Split, Start};
use flinkspark_model::{Error, Kind, Result, filter};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a descriptor asks for.
pub(super) enum Asked {
    /// Rows of a dataset.
    Rows(Box<ReadCommand>),
    /// The rows that a statement gives.
    Query(Query),
}

/// What a descriptor asks for.
pub(super) fn asked(descriptor: &FlightDescriptor) -> Result<Asked> {
    let what = "descriptor's command";
    match (descriptor.r#type(), descriptor.path.as_slice()) {
        (DescriptorType::Cmd, _) if body::is_query(&descriptor.cmd) => {
            body::parse(what, &descriptor.cmd).map(Asked::Query)
        }
        (DescriptorType::Cmd, _) => body::parse(what, &descriptor.cmd)
            .map(Box::new)
            .map(Asked::Rows),
        (DescriptorType::Path, [dataset]) => Ok(Asked::Rows(Box::new(ReadCommand {
            dataset: dataset.clone(),
            ..ReadCommand::default()
        }))),
        (_, path) => Err(
            Error::new(Kind::Invalid, "FS0403", "the descriptor names no dataset")
                .with_detail(format!(
                    "its path has {} parts; a dataset is one part, dots included",
                    path.len()
                ))
                .with_hint("use FlightDescriptor.for_path(\"web.clicks\")"),
        ),
    }
}

/// `GetSchema` of rows.
pub(super) async fn schema(components: &Components, command: ReadCommand) -> Result<SchemaRef> {
    Ok(select(components, command).await?.schema)
}

/// A schema as `GetSchema` answers with it.
pub(super) fn schema_result(schema: &Schema) -> Result<SchemaResult> {
    let IpcMessage(schema) = SchemaAsIpc::new(schema, &IpcWriteOptions::default())
        .try_into()
        .map_err(not_written)?;
    Ok(SchemaResult { schema })
}

/// `GetFlightInfo` of rows.
pub(super) async fn info(
    components: &Components,
    descriptor: FlightDescriptor,
    command: ReadCommand,
) -> Result<FlightInfo> {
    let planned = plan(components, command).await?;
    let flight = flight(&planned.selection.schema, descriptor, &planned.metadata)?;
    Ok(flight.with_endpoints(planned.endpoints))
}

/// A read, planned.
pub(super) struct Plan {
    selection: Selection,
    metadata: InfoMetadata,
    /// Where its rows are.
    pub(super) endpoints: Vec<FlightEndpoint>,
}

/// Plans a read of the log as it is now.
pub(super) async fn plan(components: &Components, command: ReadCommand) -> Result<Plan> {
    let selection = select(components, command).await?;
    let name = selection.dataset.name.as_str();
    let log = components.open(&selection.dataset).await?;
    let view = log.refresh().await?;
    let Range { start, slots } = range::of(&selection.command, name, &view)?;
    let mut metadata = metadata(&selection.dataset, &view, slots);
    metadata.filter.clone_from(&selection.filter);
    let mut epochs = slots.map_or_else(Vec::new, |slots| view.as_of(slots.first, slots.last));
    // A view that somebody holds is copied when the next slot comes.
    drop(view);
    if let Some(partition) = selection.command.partition {
        keep(&mut epochs, partition);
    }
    let mint = Mint::new(components, &selection);
    let endpoints = if selection.command.follow {
        follow(&mint, &epochs, &start)?
    } else {
        let epochs = log.at_schema(epochs).await?;
        let splits = endpoints::splits(&selection, &epochs, &start, mint.endpoint_bytes()?)?;
        total(&mut metadata, &epochs, &splits);
        let through = slots.map_or(metadata.head, |slots| slots.last);
        let endpoints = splits.iter().map(|split| mint.split(split, through));
        let mut endpoints = endpoints.collect::<Result<Vec<_>>>()?;
        if let (Some(partition), true) = (selection.command.partition, endpoints.is_empty()) {
            endpoints.push(mint.nothing(partition, start.of(partition), through)?);
        }
        endpoints
    };
    components.unchanged(&selection.dataset, &*log).await?;
    Ok(Plan {
        selection,
        metadata,
        endpoints,
    })
}

/// Leaves the segments of one partition; places of segments are what they were.
fn keep(epochs: &mut Vec<Arc<LiveEpoch>>, partition: u32) {
    epochs.retain(|epoch| {
        let mut segments = epoch.segments.iter();
        segments.any(|segment| segment.partition == partition)
    });
    for epoch in epochs {
        let others = |segment: &SegmentRef| segment.partition != partition;
        if epoch.segments.iter().any(others) {
            let epoch = Arc::make_mut(epoch);
            for segment in epoch.segments.iter_mut().filter(|other| others(other)) {
                (segment.rows, segment.bytes, segment.digest) = (0, 0, Digest::EMPTY);
            }
        }
    }
}

/// One endpoint for each partition that there is, and one at least.
fn follow(
    mint: &Mint<'_>,
    epochs: &[Arc<LiveEpoch>],
    start: &Start,
) -> Result<Vec<FlightEndpoint>> {
    let command = &mint.selection.command;
    let known = start.partitions.keys().copied();
    let partitions: BTreeSet<u32> = match command.partition {
        Some(partition) => BTreeSet::from([partition]),
        None => {
            let last = known.chain(endpoints::partitions(epochs)).max();
            (0..=last.unwrap_or(0)).collect()
        }
    };
    if partitions.len() > limits::ENDPOINTS_MAX {
        return Err(split::too_many(partitions.len(), limits::ENDPOINTS_MAX));
    }
    let endpoint = |partition: u32| mint.follow(partition, start.of(partition));
    partitions.into_iter().map(endpoint).collect()
}

fn flight(
    schema: &Schema,
    descriptor: FlightDescriptor,
    metadata: &InfoMetadata,
) -> Result<FlightInfo> {
    let answers = |split: &filter::Split| split.answered.is_some();
    let rows = match metadata.filter.as_ref().is_some_and(answers) {
        true => -1,
        false => i64::try_from(metadata.rows).unwrap_or(-1),
    };
    Ok(FlightInfo::new()
        .try_with_schema(schema)
        .map_err(not_written)?
        .with_descriptor(descriptor)
        .with_total_records(rows)
        .with_total_bytes(i64::try_from(metadata.bytes).unwrap_or(-1))
        .with_app_metadata(body::write(metadata)?))
}

/// All slots that have not expired; none where there is none.
fn unexpired(view: &View) -> Option<Slots> {
    let all = Slots {
        first: view.horizon() + 1,
        last: view.head(),
    };
    (all.first <= all.last).then_some(all)
}

fn metadata(dataset: &Dataset, view: &View, slots: Option<Slots>) -> InfoMetadata {
    let kinds = slots.map(|slots| {
        let most = limits::KIND_RUNS_MAX;
        view.kinds().runs(slots.first, slots.last, most)
    });
    InfoMetadata {
        id: dataset.id.to_string(),
        name: dataset.name.to_string(),
        schema_version: dataset.schema_version,
        slots,
        head: view.head(),
        rows: 0,
        bytes: 0,
        digest: Some(Digest::EMPTY),
        watermark_ms: None,
        data_head: view.kinds().data_head(),
        kinds: kinds.unwrap_or_default(),
        filter: None,
    }
}

/// Counts the rows of the splits.
fn total(metadata: &mut InfoMetadata, epochs: &[Arc<LiveEpoch>], splits: &[Split]) {
    let watermarks = epochs.iter().filter_map(|epoch| epoch.watermark_ms);
    metadata.watermark_ms = watermarks.max();
    let add = |sum: u64, more: u64| sum.saturating_add(more);
    metadata.rows = splits.iter().map(|split| split.rows).fold(0, add);
    metadata.bytes = splits.iter().map(|split| split.bytes).fold(0, add);
    // Splits that cut segments may still hold all of their rows.
    let all = epochs.iter().flat_map(|epoch| &epoch.segments);
    let digest: Digest = all.map(|segment| segment.digest).sum();
    let split: Option<Digest> = splits.iter().map(|split| split.digest).sum();
    metadata.digest = match digest.rows == metadata.rows {
        true => Some(digest),
        false => split,
    };
}

/// `ListFlights`: every dataset that the caller may read and whose name begins with the criteria's text, page by page as the
/// client reads; totals, but no endpoints.
pub(super) fn list(
    components: &Arc<Components>,
    criteria: &Criteria,
) -> Result<Answers<FlightInfo>> {
    let prefix = std::str::from_utf8(&criteria.expression)
        .map(String::from)
        .map_err(|cause| {
            Error::new(
                Kind::Invalid,
                "FS0403",
                "the listing's criteria is not text",
            )
            .with_source(cause)
            .with_hint("leave it empty, or give the beginning of the names that are wanted")
        })?;
    let components = Arc::clone(components);
    let pages = stream::try_unfold(Some(None::<DatasetName>), {
        let components = Arc::clone(&components);
        move |after| {
            let (components, prefix) = (Arc::clone(&components), prefix.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = components
                    .catalog
                    .list(&prefix, after.as_ref(), limits::LIST_PAGE)
                    .await?;
                let caller = components.caller.clone();
                let readable =
                    move |dataset: &Arc<Dataset>| caller.may(Verb::Read, &dataset.name).is_ok();
                Ok::<_, Error>(Some((
                    stream::iter(page.datasets.into_iter().filter(readable).map(Ok)),
                    page.next.map(Some),
                )))
            }
        }
    });
    let flights = pages
        .try_flatten()
        .and_then(move |dataset| listed(Arc::clone(&components), dataset));
    Ok(flights.map_err(|error| to_status(&error)).boxed())
}

async fn listed(components: Arc<Components>, dataset: Arc<Dataset>) -> Result<FlightInfo> {
    let dataset = components.agreed(dataset).await?;
    let log = components.open(&dataset).await?;
    let view = log.refresh().await?;
    let slots = unexpired(&view);
    let mut metadata = metadata(&dataset, &view, slots);
    let epochs = log.at_schema(view.live().cloned().collect()).await?;
    let whole = split::plan(&epochs, &Start::default(), By::Partition, usize::MAX)?;
    total(&mut metadata, &epochs, &whole);
    flight(
        &*wire::plain(&dataset.schema)?,
        FlightDescriptor::new_path(vec![dataset.name.to_string()]),
        &metadata,
    )
}
