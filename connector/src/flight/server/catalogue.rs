//! Actions on records of datasets: whoever speaks Flight needs no second protocol.
//!
//! Invariant: they do what the catalogue's own service does, by the same grants.

use super::Components;
use super::read::schema_result;
use crate::administration::Records;
use crate::flight::body::{
    self, AlterRequest, DamagedRecord, DatasetRecord, DropRequest, Dropped, ListRequest, Listed,
    LookupRequest, RegisterRequest,
};
use crate::flight::decode::schema_of_info;
use crate::flight::limits;
use arrow_schema::SchemaRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::access::Verb;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::handle::Handle;
use flinkspark_model::port::{Change, Damaged, Registration, Update};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

impl Components {
    fn records(&self) -> Records {
        Records {
            catalog: Arc::clone(&self.catalog),
            datasets: Arc::clone(&self.datasets),
        }
    }
}

/// Action `register`.
pub(super) async fn register(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: RegisterRequest = body::parse("body of register", json)?;
    let name = request.name.parse()?;
    // Whoever may not learns nothing of what is wrong with the rest.
    components.caller.may(Verb::Create, &name)?;
    request.handles.iter().try_for_each(Handle::check)?;
    let registration = Registration {
        name,
        schema: schema("register", &request.schema)?,
        traits: request.traits,
        handles: request.handles,
    };
    let registered = components
        .records()
        .register(&components.caller, registration)
        .await?;
    body::write(&record(&registered)?)
}

/// Action `lookup`.
pub(super) async fn lookup(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: LookupRequest = body::parse("body of lookup", json)?;
    let allow = |name: &_| components.caller.sees(name);
    let dataset = components.found(&request.dataset.parse()?, allow).await?;
    body::write(&record(&*components.agreed(dataset).await?)?)
}

/// Action `alter`.
pub(super) async fn alter(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: AlterRequest = body::parse("body of alter", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Admin).await?;
    let version = request.version.unwrap_or(dataset.version);
    let update = update(request)?;
    let changed = components
        .records()
        .change(&components.caller, dataset.id, version, update)
        .await?;
    body::write(&record(&changed)?)
}

/// The one change that is asked for.
fn update(request: AlterRequest) -> Result<Update> {
    let AlterRequest {
        rename,
        traits,
        handle,
        schema: new,
        compatibility,
        ..
    } = request;
    let mode = compatibility.unwrap_or_default();
    match (rename, traits, handle, new) {
        (Some(name), None, None, None) => Ok(Update::Record(Change::Rename(name.parse()?))),
        (None, Some(traits), None, None) => Ok(Update::Record(Change::Traits(traits))),
        (None, None, Some(handle), None) => {
            handle.check()?;
            Ok(Update::Record(Change::SetHandle(handle)))
        }
        (None, None, None, Some(text)) => Ok(Update::Schema {
            schema: schema("alter", &text)?,
            mode,
        }),
        _ => Err(not_understood(
            "alter",
            "it has not exactly one of rename, traits, handle and schema".into(),
        )),
    }
}

/// Action `drop`.
pub(super) async fn forget(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: DropRequest = body::parse("body of drop", json)?;
    let dataset = components
        .known(&request.dataset.parse()?, Verb::Admin)
        .await?;
    let (id, version) = (dataset.id, request.version.unwrap_or(dataset.version));
    let leaving = components
        .records()
        .forget(&components.caller, id, version)
        .await?;
    body::write(&Dropped {
        id,
        bytes: leaving.bytes,
        until_ms: leaving.until_ms,
    })
}

/// Action `list`.
pub(super) async fn list(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: ListRequest = body::parse("body of list", json)?;
    let after = request.after.map(|name| name.parse()).transpose()?;
    let most = request.limit.unwrap_or(limits::LIST_PAGE);
    let page = components
        .catalog
        .list(&request.prefix, after.as_ref(), most.min(limits::LIST_PAGE))
        .await?;
    let seen = |name: &_| components.caller.sees(name).is_ok();
    let datasets = page.datasets.iter().filter(|dataset| seen(&dataset.name));
    let damaged = page.damaged.into_iter().filter(|other| seen(&other.name));
    body::write(&Listed {
        datasets: datasets.map(|dataset| named(dataset)).collect(),
        damaged: damaged.map(unread).collect(),
        next: page.next,
    })
}

fn unread(damaged: Damaged) -> DamagedRecord {
    DamagedRecord {
        id: damaged.id,
        name: damaged.name,
        code: damaged.error.code().into(),
        message: damaged.error.message().into(),
    }
}

/// A record without its schema.
fn named(dataset: &Dataset) -> DatasetRecord {
    DatasetRecord {
        id: dataset.id,
        name: dataset.name.clone(),
        version: dataset.version,
        schema_version: dataset.schema_version,
        schema: None,
        traits: dataset.traits.clone(),
        handles: dataset.handles.clone(),
        created_at_ms: dataset.created_at_ms,
    }
}

fn record(dataset: &Dataset) -> Result<DatasetRecord> {
    let message = schema_result(&dataset.schema)?;
    Ok(DatasetRecord {
        schema: Some(STANDARD.encode(message.schema)),
        ..named(dataset)
    })
}

fn schema(action: &str, text: &str) -> Result<SchemaRef> {
    let message = STANDARD.decode(text);
    let message = message
        .map_err(|cause| not_understood(action, format!("its schema is not base64: {cause}")))?;
    schema_of_info(&message.into()).map(Arc::new)
}

fn not_understood(action: &str, why: String) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0411",
        format!("the body of {action} was not understood"),
    )
    .with_detail(why)
    .with_hint("docs/flight.md shows each JSON body with an example")
}
