//! Decodes Arrow IPC messages, believing nothing of them.
//!
//! Each decoder is one pure function over bytes: [`message`], [`schema`], [`rows`]. arrow-ipc asserts what
//! a well-meaning writer guarantees, and reserves what a message claims; so everything that a message says
//! of itself is held against what arrived before anything is decoded by it. Invariant: whatever bytes
//! arrive, the outcome is a value or a [`Refusal`], and what is reserved is bounded by what arrived, for
//! compressed bodies by [`UNPACKED_BYTES_MAX`].

mod layout;
#[cfg(test)]
mod tests;
mod types;
mod unpack;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::{Message, MetadataVersion, root_as_message_with_opts};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat;
use flatbuffers::VerifierOptions;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The largest header of a message, in bytes: schemas and lists of buffers, not data.
pub(crate) const HEADER_BYTES_MAX: usize = 4 << 20;

/// The most flatbuffer tables in one header; a schema has about three for each column.
pub(crate) const HEADER_TABLES_MAX: usize = 128 << 10;

/// The most fields of a schema, nested ones included: three tables each, and one for the schema.
const FIELDS_MAX: usize = HEADER_TABLES_MAX / 4;

/// Flatbuffer nesting: a level of a schema takes two tables.
const HEADER_DEPTH_MAX: usize = 2 * flinkspark_model::schema::DEPTH_MAX + 8;

/// The most bytes that the compressed buffers of one message may unpack to.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 256 << 20;

/// The most rows of one message, and the most elements of it that take no bits at all.
pub(crate) const ROWS_MAX: u64 = 16 << 20;

/// The most elements of a message that run ends may stand for.
pub(crate) const RUN_ROWS_MAX: u64 = 2 << 20;

/// How much a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Its rows, and its elements that take no bits at all.
    pub(crate) rows_max: u64,
    /// Its elements that run ends stand for.
    pub(crate) run_rows_max: u64,
    /// What its compressed buffers unpack to, and what its views stand for, in bytes.
    pub(crate) unpacked_bytes_max: u64,
}

impl Limits {
    /// Of what arrives, and of segments.
    pub(crate) const MESSAGE: Self = Self {
        rows_max: ROWS_MAX,
        run_rows_max: RUN_ROWS_MAX,
        unpacked_bytes_max: UNPACKED_BYTES_MAX,
    };
}

/// Why a message was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It contradicts itself, or is nothing that can be read.
    Damaged(String),
    /// It may be right and is beyond a limit.
    TooLarge(String),
    /// The checks let something through that the decoder cannot take: a bug of this build.
    Bug(String),
}

type Result<T> = std::result::Result<T, Refusal>;

fn damaged<T>(why: impl Into<String>) -> Result<T> {
    Err(Refusal::Damaged(why.into()))
}

/// The message of a header, verified.
pub(crate) fn message(header: &[u8]) -> Result<Message<'_>> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(Refusal::TooLarge(format!(
            "its header has {} bytes; the limit is {HEADER_BYTES_MAX}",
            header.len()
        )));
    }
    let options = VerifierOptions {
        max_depth: HEADER_DEPTH_MAX,
        max_tables: HEADER_TABLES_MAX,
        max_apparent_size: 8 * HEADER_BYTES_MAX,
        ..VerifierOptions::default()
    };
    root_as_message_with_opts(&options, header).map_err(|cause| Refusal::Damaged(cause.to_string()))
}

/// The schema that a message holds.
pub(crate) fn schema(message: Message<'_>) -> Result<Schema> {
    match message.header_as_schema() {
        Some(schema) => schema_of(schema),
        None => damaged("its schema is missing"),
    }
}

/// A schema, verified as a flatbuffer, as arrow's.
pub(crate) fn schema_of(schema: arrow_ipc::Schema<'_>) -> Result<Schema> {
    types::check(schema)?;
    walled(|| Ok(arrow_ipc::convert::fb_to_schema(schema)))
}

/// Refuses a schema, verified as a flatbuffer, that arrow's conversion cannot take. The byte order may be any:
/// it is a description, and no rows follow it.
pub(crate) fn check_description(schema: arrow_ipc::Schema<'_>) -> Result<()> {
    types::check_fields(schema)
}

/// Refuses a schema whose message, of so many bytes, or whose rows' headers a reader would refuse.
pub(crate) fn check_width(bytes: usize, schema: &Schema) -> Result<()> {
    let mut fields = 0;
    let mut waiting: Vec<&Field> = schema.fields().iter().map(AsRef::as_ref).collect();
    while let Some(field) = waiting.pop() {
        fields += 1;
        match field.data_type() {
            DataType::Struct(children) => waiting.extend(children.iter().map(AsRef::as_ref)),
            DataType::List(item) | DataType::LargeList(item) => waiting.push(item.as_ref()),
            DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
                waiting.push(item.as_ref())
            }
            _ => {}
        }
    }
    if fields > FIELDS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(Refusal::TooLarge(format!(
            "it has {fields} fields and takes {bytes} bytes; the limits are {FIELDS_MAX} and {HEADER_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// The rows that a message holds; with `projection`, sorted and without repetition, those columns alone.
pub(crate) fn rows(
    message: Message<'_>,
    schema: &SchemaRef,
    dictionaries: &HashMap<i64, ArrayRef>,
    body: &Buffer,
    projection: Option<&[usize]>,
) -> Result<RecordBatch> {
    Decoder {
        limits: Limits::MESSAGE,
        version: message.version(),
        dictionaries,
    }
    .rows(message, schema, body, projection)
}

/// What the compressed buffers of a message of rows say that they unpack to, in bytes; 0 where it has none,
/// or is refused for what they say.
pub(crate) fn unpacks_to(message: Message<'_>, body: &[u8]) -> u64 {
    match message.header_as_record_batch() {
        Some(header) if header.compression().is_some() => layout::unpacked_bytes(header, body),
        _ => 0,
    }
}

/// Adds the dictionary that a message holds to those that are known.
pub(crate) fn dictionary(
    message: Message<'_>,
    schema: &Schema,
    dictionaries: &mut HashMap<i64, ArrayRef>,
    body: &Buffer,
) -> Result<()> {
    let decoder = Decoder {
        limits: Limits::MESSAGE,
        version: message.version(),
        dictionaries,
    };
    let (id, values) = decoder.dictionary(message, schema, body)?;
    dictionaries.insert(id, values);
    Ok(())
}

/// What the messages of one stream or file are decoded by.
pub(crate) struct Decoder<'a> {
    /// What a message may hold.
    pub(crate) limits: Limits,
    /// What the messages follow.
    pub(crate) version: MetadataVersion,
    /// The dictionaries that came before.
    pub(crate) dictionaries: &'a HashMap<i64, ArrayRef>,
}

impl Decoder<'_> {
    /// The rows that a message holds; with `projection`, sorted and without repetition, those columns alone.
    pub(crate) fn rows(
        &self,
        message: Message<'_>,
        schema: &SchemaRef,
        body: &Buffer,
        projection: Option<&[usize]>,
    ) -> Result<RecordBatch> {
        let Some(header) = message.header_as_record_batch() else {
            return damaged("its rows are missing");
        };
        self.decode(header, schema, body, projection)
    }

    /// The dictionary that a message holds, whole, and the number that it has.
    pub(crate) fn dictionary(
        &self,
        message: Message<'_>,
        schema: &Schema,
        body: &Buffer,
    ) -> Result<(i64, ArrayRef)> {
        let Some(batch) = message.header_as_dictionary_batch() else {
            return damaged("its dictionary is missing");
        };
        let Some(header) = batch.data() else {
            return damaged("its dictionary has no values");
        };
        let id = batch.id();
        let Some(values) = types::values_of(schema, id) else {
            return damaged(format!("no column has the dictionary {id}"));
        };
        let schema = Arc::new(Schema::new(vec![Field::new("values", values, true)]));
        let values = self.decode(header, &schema, body, None)?;
        let mut values = Arc::clone(values.column(0));
        if batch.isDelta() {
            let Some(known) = self.dictionaries.get(&id) else {
                return damaged(format!(
                    "it adds to the dictionary {id}, which did not come"
                ));
            };
            values =
                concat(&[known, &values]).map_err(|cause| Refusal::Damaged(cause.to_string()))?;
        }
        Ok((id, values))
    }

    fn decode(
        &self,
        header: arrow_ipc::RecordBatch<'_>,
        schema: &SchemaRef,
        body: &Buffer,
        projection: Option<&[usize]>,
    ) -> Result<RecordBatch> {
        let (limits, version) = (&self.limits, self.version);
        let layout = layout::check(schema.fields(), header, body, version, limits)?;
        let wanted =
            |column: usize| projection.is_none_or(|columns| columns.binary_search(&column).is_ok());
        let unpacked = unpack::unpack(header, &layout, body, wanted)?;
        let (header, body) = match &unpacked {
            None => (header, body),
            Some(unpacked) => (unpacked.header()?, &unpacked.body),
        };
        let views = layout.views.iter().filter_map(|at| {
            let buffer = header.buffers()?.iter().nth(*at)?;
            let start = usize::try_from(buffer.offset()).ok()?;
            body.get(start..start.checked_add(usize::try_from(buffer.length()).ok()?)?)
        });
        layout::check_views(views, limits)?;
        walled(|| {
            RecordBatchDecoder::try_new(
                body,
                header,
                Arc::clone(schema),
                self.dictionaries,
                &version,
            )?
            .with_projection(projection)
            .read_record_batch()
        })
    }
}

/// The last wall: the checks make panics impossible, and where one of arrow's assertions fails all the
/// same the process goes on and its log says so.
fn walled<T>(decode: impl FnOnce() -> std::result::Result<T, ArrowError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(cause)) => damaged(cause.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("it says nothing");
            tracing::error!(
                panic = text,
                "a bug: a message that passed the checks made its decoder panic"
            );
            Err(Refusal::Bug(text.into()))
        }
    }
}
