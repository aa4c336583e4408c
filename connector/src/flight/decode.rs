//! Decodes Flight data from a peer that is not trusted.
//!
//! arrow-ipc asserts what a well-meaning writer guarantees. So every message is checked against
//! the limits first (header size, flatbuffer tables, rows, unpacked bytes) and then decoded behind
//! a boundary that turns a panic into `FS0406`. Invariant: whatever bytes arrive, the outcome is
//! a value or an error, in memory bounded by the message's own size.

use super::limits;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_flight::FlightData;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_ipc::{Endianness, Message, MessageHeader, root_as_message_with_opts};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use bytes::Bytes;
use flatbuffers::VerifierOptions;
use flinkspark_model::digest::Digester;
use flinkspark_model::{Error, Kind, Result};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Flatbuffer nesting: a level of a schema takes two tables.
const HEADER_DEPTH_MAX: usize = 2 * flinkspark_model::schema::DEPTH_MAX + 8;

/// What one message says.
#[derive(Debug)]
pub(super) enum Decoded {
    /// The schema of the batches that follow; always the first message.
    Schema(SchemaRef),
    /// Rows, and the metadata beside them.
    Batch(RecordBatch, Bytes),
    /// Metadata without data.
    Metadata(Bytes),
}

/// Decodes one stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    schema: Option<SchemaRef>,
}

impl Decoder {
    /// Decodes the next message.
    pub(super) fn decode(&mut self, data: FlightData) -> Result<Decoded> {
        if data.data_header.is_empty() {
            return Ok(Decoded::Metadata(data.app_metadata));
        }
        if data.data_header.len() > limits::HEADER_BYTES_MAX {
            return Err(too_large(format!(
                "its header has {} bytes; the limit is {}",
                data.data_header.len(),
                limits::HEADER_BYTES_MAX
            )));
        }
        let header = data.data_header.clone();
        let options = VerifierOptions {
            max_depth: HEADER_DEPTH_MAX,
            max_tables: limits::HEADER_TABLES_MAX,
            max_apparent_size: 8 * limits::HEADER_BYTES_MAX,
            ..VerifierOptions::default()
        };
        let message = root_as_message_with_opts(&options, &header)
            .map_err(|cause| damaged(cause.to_string()))?;
        match (message.header_type(), &self.schema) {
            (MessageHeader::Schema, None) => {
                let schema = Arc::new(schema(message)?);
                self.schema = Some(Arc::clone(&schema));
                Ok(Decoded::Schema(schema))
            }
            (MessageHeader::Schema, Some(_)) => Err(damaged("it is a second schema".into())),
            (MessageHeader::RecordBatch, Some(schema)) => {
                Ok(Decoded::Batch(batch(message, schema, data.data_body)?, data.app_metadata))
            }
            (MessageHeader::RecordBatch, None) => Err(damaged("rows came before their schema".into())),
            (MessageHeader::DictionaryBatch, _) => Err(damaged("it is a dictionary".into())
                .with_hint("decode dictionary columns before the put, in pyarrow with column.dictionary_decode()")),
            (other, _) => {
                Err(damaged(format!("it is of kind {}", other.variant_name().unwrap_or("unknown"))))
            }
        }
    }
}

/// The schema of a `FlightInfo`: an encapsulated message.
pub(super) fn schema_of_info(bytes: &Bytes) -> Result<Schema> {
    // A continuation marker, the message's length, the message.
    let header = match bytes.as_ref() {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, ..] => bytes.slice(8..),
        [_, _, _, _, ..] => bytes.slice(4..),
        _ => return Err(damaged("the schema is missing".into())),
    };
    match Decoder::default().decode(FlightData::new().with_data_header(header))? {
        Decoded::Schema(schema) => Ok(Schema::clone(&schema)),
        Decoded::Batch(..) | Decoded::Metadata(_) => {
            Err(damaged("rows came in a schema's place".into()))
        }
    }
}

fn schema(message: Message<'_>) -> Result<Schema> {
    let schema = message
        .header_as_schema()
        .ok_or_else(|| damaged("its schema is missing".into()))?;
    if schema.fields().is_none() {
        return Err(damaged("its schema has no list of fields".into()));
    }
    if schema.endianness() != Endianness::Little {
        return Err(damaged("its numbers are in big-endian byte order".into())
            .with_hint("swap the bytes before the put, or put from a little-endian machine"));
    }
    let schema = guarded(|| Ok(arrow_ipc::convert::fb_to_schema(schema)))?;
    // Refuses, by column, the types and the nesting that no dataset holds.
    Digester::new(&schema)?;
    Ok(schema)
}

fn batch(message: Message<'_>, schema: &SchemaRef, body: Bytes) -> Result<RecordBatch> {
    let header = message
        .header_as_record_batch()
        .ok_or_else(|| damaged("its rows are missing".into()))?;
    let rows = header.length();
    if usize::try_from(rows).is_err() {
        return Err(damaged(format!("it states {rows} rows")));
    }
    if rows > limits::PUT_ROWS_MAX as i64 {
        return Err(too_large(format!(
            "it has {rows} rows; the limit is {}",
            limits::PUT_ROWS_MAX
        )));
    }
    if header.compression().is_some() {
        check_unpacked(header, &body)?;
    }
    // Arrow wants 64-byte alignment, which gRPC's buffers do not have by themselves.
    let aligned = body.as_ptr().align_offset(64) == 0;
    let buffer = if aligned {
        Buffer::from(body)
    } else {
        Buffer::from(body.as_ref())
    };
    let dictionaries: HashMap<i64, ArrayRef> = HashMap::new();
    guarded(|| {
        RecordBatchDecoder::try_new(
            &buffer,
            header,
            Arc::clone(schema),
            &dictionaries,
            &message.version(),
        )?
        .read_record_batch()
    })
}

/// Each compressed buffer begins with the size that it unpacks to: believed only up to a limit.
fn check_unpacked(header: arrow_ipc::RecordBatch<'_>, body: &Bytes) -> Result<()> {
    let mut total: u64 = 0;
    for buffer in header.buffers().into_iter().flatten() {
        let prefix = usize::try_from(buffer.offset())
            .ok()
            .and_then(|at| body.get(at..at.checked_add(8)?));
        let Some(prefix) = prefix.filter(|_| buffer.length() > 0) else {
            continue;
        };
        let unpacked = prefix
            .try_into()
            .map(i64::from_le_bytes)
            .unwrap_or_default();
        // -1 says that the buffer is stored as it is.
        total = total.saturating_add(u64::try_from(unpacked).unwrap_or(0));
    }
    if total > limits::UNPACKED_BYTES_MAX {
        return Err(too_large(format!(
            "its buffers unpack to {total} bytes; the limit is {}",
            limits::UNPACKED_BYTES_MAX
        )));
    }
    Ok(())
}

/// Runs arrow-ipc where its assertions cannot take the process along.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(cause)) => Err(damaged(cause.to_string())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(damaged(text.unwrap_or("it contradicts itself").into()))
        }
    }
}

fn damaged(why: String) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0406",
        "a message is not a valid Arrow stream",
    )
    .with_detail(why)
    .with_hint("send one schema, then record batches of it, as a Flight client's writer does")
}

fn too_large(why: String) -> Error {
    Error::new(Kind::Invalid, "FS0407", "a message is too large")
        .with_detail(why)
        .with_hint("write smaller batches, in pyarrow with write_table(table, max_chunksize=65536)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_big_endian_order_are_refused() {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../integration-tests/data/cases/ipc-big-endian"
        );
        for (name, refused) in [("big", true), ("little", false)] {
            // Behind the file's magic stands the message of its schema.
            let file = std::fs::read(format!("{folder}/{name}.arrow")).unwrap();
            let schema = schema_of_info(&Bytes::from(file).slice(8..));
            match schema {
                Err(error) if refused => {
                    assert_eq!(error.code(), "FS0406");
                    assert!(error.detail().unwrap().contains("big-endian"), "{error}");
                }
                schema => assert!(!refused && schema.unwrap().fields().len() == 2),
            }
        }
    }

    #[test]
    fn whatever_registers_fits_a_schema_message() {
        use arrow_schema::{DataType, Field, Fields, TimeUnit};
        use flinkspark_model::schema::names::{self, COLUMNS_MAX, FIELDS_MAX};
        let fields = |count: usize, bytes: usize, kind: &DataType| -> Fields {
            let name = |index: usize| format!("{index:0bytes$}");
            (0..count)
                .map(|index| Field::new(name(index), kind.clone(), true))
                .collect()
        };
        let zoned = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into()));
        let nested = DataType::Struct(fields(1_000, 8, &DataType::Decimal128(38, 10)));
        let described = |count: usize| -> Fields {
            let pairs = (0..4).map(|pair| (pair.to_string(), "v".to_owned()));
            let field = Field::new("f", DataType::Int8, false).with_metadata(pairs.collect());
            (0..count)
                .map(|index| field.clone().with_name(format!("f{index}")))
                .collect()
        };
        for fields in [
            fields(COLUMNS_MAX, 270, &zoned),
            fields(FIELDS_MAX / 1_001, 8, &nested),
            described(COLUMNS_MAX),
        ] {
            let schema = Schema::new(fields);
            names::check(&schema).unwrap();
            let message = crate::flight::encode::schema(&schema, None);
            let decoded = Decoder::default().decode(message).unwrap();
            assert!(matches!(decoded, Decoded::Schema(given) if *given == schema));
        }
    }
}
