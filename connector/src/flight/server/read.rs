//! What can be read: listings, schemas, and a pinned range of slots as endpoints.
//!
//! Invariant: the endpoints of one `FlightInfo` are the segments of one range of slots at one view
//! of the log, so that reading all of them is a consistent read however the log grows meanwhile.

use super::{Answers, Components};
use crate::flight::body::{self, EndpointMetadata, InfoMetadata, ReadCommand, Slots};
use crate::flight::ticket::{Signed, Ticket};
use crate::flight::{limits, wire};
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{
    Criteria, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, SchemaResult,
};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::digest::Digest;
use flinkspark_model::filter::Split;
use flinkspark_model::log::{LiveEpoch, SegmentRef, View};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Query;
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result, profile};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt, TryStreamExt};
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A read that was asked for, checked against the catalogue's schema.
struct Selection {
    dataset: Arc<Dataset>,
    command: ReadCommand,
    columns: Option<Vec<usize>>,
    schema: SchemaRef,
    filter: Option<Split>,
}

/// The columns and casts of a read: indexes of the dataset's columns, and the schema that is sent.
pub(super) fn result_schema(
    schema: &SchemaRef,
    columns: Option<&[usize]>,
    profile: profile::Profile,
    lossy: profile::Lossy,
) -> Result<SchemaRef> {
    let projected = match columns {
        None => Schema::clone(schema),
        Some(columns) => schema.project(columns).map_err(not_written)?,
    };
    wire::plain(&profile::check(&projected, profile, lossy)?.schema)
}

async fn select(components: &Components, command: ReadCommand) -> Result<Selection> {
    let dataset = components.lookup(&command.dataset).await?;
    let columns = command
        .columns
        .as_ref()
        .map(|names| indexes(&dataset, names))
        .transpose()?;
    let schema = result_schema(
        &dataset.schema,
        columns.as_deref(),
        command.profile,
        command.lossy,
    )?;
    let filter = command.filter.as_ref();
    let filter = filter.map(|filter| filter.bind(&dataset.schema));
    Ok(Selection {
        filter: filter.transpose()?.map(|bound| bound.split()),
        dataset,
        command,
        columns,
        schema,
    })
}

/// What a descriptor asks for.
pub(super) enum Asked {
    /// Rows of a dataset.
    Rows(ReadCommand),
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
        (DescriptorType::Cmd, _) => body::parse(what, &descriptor.cmd).map(Asked::Rows),
        (DescriptorType::Path, [dataset]) => Ok(Asked::Rows(ReadCommand {
            dataset: dataset.clone(),
            ..ReadCommand::default()
        })),
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

fn indexes(dataset: &Dataset, names: &[String]) -> Result<Vec<usize>> {
    let refuse = |why: String| {
        Error::new(
            Kind::Invalid,
            "FS0416",
            "the columns that were asked for cannot be read",
        )
        .with_detail(format!("{why} (dataset {})", dataset.name))
        .with_hint(format!(
            "`flinkspark dataset show {}` prints the columns",
            dataset.name
        ))
    };
    let mut seen = BTreeSet::new();
    if names.is_empty() {
        return Err(refuse("the list is empty".into()));
    }
    let index = |name: &String| match dataset.schema.index_of(name) {
        Err(_) => Err(refuse(format!(
            "there is no column \"{}\"",
            name.escape_debug()
        ))),
        Ok(index) if !seen.insert(index) => {
            Err(refuse(format!("column \"{name}\" is named twice")))
        }
        Ok(index) => Ok(index),
    };
    names.iter().map(index).collect()
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
    let selection = select(components, command).await?;
    let log = components.open(&selection.dataset).await?;
    let view = log.refresh().await?;
    let slots = pinned(&selection, &view)?;
    let epochs = slots.map_or_else(Vec::new, |slots| view.as_of(slots.first, slots.last));
    let epochs = log.at_schema(epochs).await?;
    components.unchanged(&selection.dataset, &*log).await?;
    let mut metadata = metadata(&selection.dataset, view.head(), slots, &epochs);
    metadata.filter.clone_from(&selection.filter);
    let segments: Vec<_> = segments(&epochs).collect();
    let expires_at_ms = components
        .clock
        .now_ms()
        .saturating_add(limits::TICKET_LIFE_MS);
    let mint = |group: &[Found<'_>]| endpoint(components, &selection, group, expires_at_ms);
    let first = segments
        .first()
        .map(|first| mint(std::slice::from_ref(first)));
    let size = first.transpose()?.map_or(0, |first| first.encoded_len());
    let endpoints = segments.chunks(group(segments.len(), size)).map(mint);
    let endpoints = endpoints.collect::<Result<Vec<_>>>()?;
    Ok(flight(&selection.schema, descriptor, &metadata)?.with_endpoints(endpoints))
}

/// How many segments an endpoint has, so that the flight keeps its limits.
fn group(segments: usize, endpoint_bytes: usize) -> usize {
    let most = limits::ENDPOINTS_BYTES_MAX / endpoint_bytes.max(1);
    let most = most.clamp(1, limits::ENDPOINTS_MAX);
    segments.div_ceil(most).max(1)
}

fn flight(
    schema: &Schema,
    descriptor: FlightDescriptor,
    metadata: &InfoMetadata,
) -> Result<FlightInfo> {
    let answers = |split: &Split| split.answered.is_some();
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

/// The slots that were asked for, or all that have not expired; none where the log is empty.
fn pinned(selection: &Selection, view: &View) -> Result<Option<Slots>> {
    let Some(asked) = selection.command.slots else {
        return Ok(unexpired(view));
    };
    let refuse = |kind, why: String| {
        Error::new(
            kind,
            "FS0417",
            format!("slots {} to {} cannot be read", asked.first, asked.last),
        )
        .with_detail(format!("{why} (dataset {})", selection.dataset.name))
        .with_hint(format!(
            "`flinkspark dataset epochs {}` prints the slots that can",
            selection.dataset.name
        ))
    };
    if asked.first == 0 || asked.first > asked.last {
        return Err(refuse(
            Kind::Invalid,
            "the first slot is 1, and the last is not below the first".into(),
        ));
    }
    if asked.last > view.head() {
        return Err(refuse(
            Kind::Invalid,
            format!("the last slot of the log is {}", view.head()),
        ));
    }
    if asked.first <= view.horizon() {
        return Err(refuse(
            Kind::Data,
            format!("slots up to {} have expired", view.horizon()),
        ));
    }
    Ok(Some(asked))
}

/// All slots that have not expired; none where there is none.
fn unexpired(view: &View) -> Option<Slots> {
    let all = Slots {
        first: view.horizon() + 1,
        last: view.head(),
    };
    (all.first <= all.last).then_some(all)
}

/// A segment, its epoch and its index there.
type Found<'a> = (&'a LiveEpoch, u32, &'a SegmentRef);

/// The segments of epochs, each with its epoch and its index there.
fn segments(epochs: &[Arc<LiveEpoch>]) -> impl Iterator<Item = Found<'_>> {
    epochs.iter().flat_map(|epoch| {
        (0..)
            .zip(&epoch.segments)
            .map(move |(index, segment)| (epoch.as_ref(), index, segment))
    })
}

fn metadata(
    dataset: &Dataset,
    head: SlotNo,
    slots: Option<Slots>,
    epochs: &[Arc<LiveEpoch>],
) -> InfoMetadata {
    let mut metadata = InfoMetadata {
        id: dataset.id.to_string(),
        name: dataset.name.to_string(),
        schema_version: dataset.schema_version,
        slots,
        head,
        rows: 0,
        bytes: 0,
        digest: Digest::EMPTY,
        watermark_ms: None,
        filter: None,
    };
    for (epoch, _, segment) in segments(epochs) {
        metadata.rows += segment.rows;
        metadata.bytes += segment.bytes;
        metadata.digest += segment.digest;
        metadata.watermark_ms = metadata.watermark_ms.max(epoch.watermark_ms);
    }
    metadata
}

/// One or more segments that follow one another in log order.
fn endpoint(
    components: &Components,
    selection: &Selection,
    group: &[Found<'_>],
    expires_at_ms: u64,
) -> Result<FlightEndpoint> {
    let Some(((epoch, index, segment), more)) = group.split_first() else {
        return Err(Error::new(
            Kind::Internal,
            "FS0499",
            "an endpoint without segments was asked for",
        ));
    };
    let rows = group.iter().map(|(_, _, segment)| segment.rows).sum();
    let ticket = Ticket {
        dataset: selection.dataset.id,
        schema_version: selection.dataset.schema_version,
        slot: epoch.slot,
        segment: *index,
        name: segment.name.clone(),
        more: more
            .iter()
            .map(|(epoch, index, _)| (epoch.slot, *index))
            .collect(),
        first_row: 0,
        rows,
        columns: selection.columns.clone(),
        profile: selection.command.profile,
        lossy: selection.command.lossy,
        filter: selection
            .filter
            .as_ref()
            .and_then(|split| split.answered.clone()),
        expires_at_ms,
    };
    let metadata = EndpointMetadata {
        slot: epoch.slot,
        segment: *index,
        name: segment.name.clone(),
        partition: segment.partition,
        segments: group.len() as u64,
        rows,
        bytes: group.iter().map(|(_, _, segment)| segment.bytes).sum(),
        digest: group.iter().map(|(_, _, segment)| segment.digest).sum(),
    };
    Ok(FlightEndpoint::new()
        .with_ticket(arrow_flight::Ticket::new(ticket.sign(&components.key)?))
        .with_expiration_time(expiry(expires_at_ms))
        .with_app_metadata(body::write(&metadata)?))
}

/// Until when a ticket can be redeemed.
pub(super) fn expiry(at_ms: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(at_ms / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(at_ms % 1000 * 1_000_000).unwrap_or(0),
    }
}

/// `ListFlights`: every dataset whose name begins with the criteria's text, page by page as the
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
                Ok::<_, Error>(Some((
                    stream::iter(page.datasets.into_iter().map(Ok)),
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
    let epochs = log.at_schema(view.live().cloned().collect()).await?;
    let metadata = metadata(&dataset, view.head(), slots, &epochs);
    flight(
        &*wire::plain(&dataset.schema)?,
        FlightDescriptor::new_path(vec![dataset.name.to_string()]),
        &metadata,
    )
}

pub(super) fn not_written(cause: ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0499", "a schema could not be written").with_source(cause)
}
