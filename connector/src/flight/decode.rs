//! Decodes Flight data from a peer that is not trusted.
//!
//! [`crate::ipc`] decodes each message; here is what order they come in, and the words for what was
//! refused. Invariant: whatever bytes arrive, the outcome is a value or an error, in memory bounded by
//! the message's own size.

use super::wire;
use crate::blocking::blocking;
use crate::ipc::{self, Refusal};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_flight::FlightData;
use arrow_ipc::{Message, MessageHeader};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use flinkspark_model::digest::Digester;
use flinkspark_model::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// A message that is decoded where it is: going to another thread takes longer.
const INLINE_BYTES_MAX: usize = 16 << 10;

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
    /// What the compressed buffers of the next message say that they unpack to, in bytes.
    pub(super) fn unpacks_to(&self, data: &FlightData) -> u64 {
        match ipc::message(&data.data_header) {
            Ok(message) => ipc::unpacks_to(message, &data.data_body),
            Err(_) => 0,
        }
    }

    /// Decodes the next message, a large one off the runtime's workers.
    pub(super) async fn decode_apart(&mut self, data: FlightData) -> Result<Decoded> {
        if data.data_header.len() + data.data_body.len() <= INLINE_BYTES_MAX {
            return self.decode(data);
        }
        let mut decoder = std::mem::take(self);
        let decode = move || {
            let decoded = decoder.decode(data)?;
            Ok((decoder, decoded))
        };
        let (decoder, decoded) = blocking(decode).await?;
        *self = decoder;
        Ok(decoded)
    }

    /// Decodes the next message.
    pub(super) fn decode(&mut self, data: FlightData) -> Result<Decoded> {
        if data.data_header.is_empty() {
            return Ok(Decoded::Metadata(data.app_metadata));
        }
        let header = data.data_header.clone();
        let message = ipc::message(&header).map_err(refused)?;
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

/// Decodes framed messages one after another and makes their rows plain, as a put does.
pub(crate) fn decode_messages(mut bytes: &[u8]) -> Result<u64> {
    fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(taken)
    }
    fn length(bytes: &mut &[u8]) -> Option<usize> {
        let length = take(bytes, 4)?.first_chunk()?;
        Some(u32::from_le_bytes(*length) as usize)
    }
    let mut decoder = Decoder::default();
    let mut rows = 0;
    while !bytes.is_empty() {
        let mut frame = || {
            let (header, body) = (length(&mut bytes)?, length(&mut bytes)?);
            Some((take(&mut bytes, header)?, take(&mut bytes, body)?))
        };
        let (header, body) = frame().ok_or_else(|| damaged("a frame is torn".into()))?;
        let data = FlightData::new()
            .with_data_header(Bytes::copy_from_slice(header))
            .with_data_body(Bytes::copy_from_slice(body));
        if let Decoded::Batch(batch, _) = decoder.decode(data)? {
            let plain = wire::plain(batch.schema_ref())?;
            for piece in wire::pieces(&batch)? {
                rows += wire::conform(&piece, &plain)?.num_rows() as u64;
            }
        }
    }
    Ok(rows)
}

fn schema(message: Message<'_>) -> Result<Schema> {
    let schema = ipc::schema(message).map_err(refused)?;
    // Refuses, by column, the types and the nesting that no dataset holds.
    Digester::new(&schema)?;
    Ok(schema)
}

fn batch(message: Message<'_>, schema: &SchemaRef, body: Bytes) -> Result<RecordBatch> {
    // Arrow wants 64-byte alignment, which gRPC's buffers do not have by themselves.
    let aligned = body.as_ptr().align_offset(64) == 0;
    let body = if aligned {
        Buffer::from(body)
    } else {
        Buffer::from(body.as_ref())
    };
    ipc::rows(message, schema, &HashMap::new(), &body, None).map_err(refused)
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Damaged(why) => damaged(why),
        Refusal::TooLarge(why) => too_large(why),
        Refusal::Bug(why) => Error::new(
            Kind::Internal,
            "FS0437",
            "a message passed every check and could not be decoded",
        )
        .with_detail(format!("a bug of this build: {why}"))
        .with_hint("report it with the server's log; nothing of the message was kept"),
    }
}

pub(super) fn damaged(why: String) -> Error {
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
    fn a_large_message_is_decoded_off_the_threads_that_answer() {
        use arrow_array::{ArrayRef, Int64Array};
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            for (rows, apart) in [(1, false), (1 << 20, true)] {
                let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
                let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
                let mut decoder = Decoder::default();
                let schema = crate::flight::encode::schema(&batch.schema(), None);
                decoder.decode(schema).unwrap();
                let message = crate::flight::encode::Encoder::new()
                    .encode(&batch)
                    .unwrap();
                // The one other thread is busy until it is let go: what is decoded there is not there yet.
                let (go, gone) = std::sync::mpsc::channel::<()>();
                let busy = tokio::task::spawn_blocking(move || gone.recv().is_err());
                let mut decoding = Box::pin(decoder.decode_apart(message));
                let first = futures::poll!(decoding.as_mut());
                assert_eq!(first.is_pending(), apart, "{rows} rows");
                drop(go);
                assert!(busy.await.unwrap());
                let decoded = match first {
                    std::task::Poll::Ready(decoded) => decoded,
                    std::task::Poll::Pending => decoding.await,
                };
                assert!(matches!(decoded.unwrap(), Decoded::Batch(there, _) if there == batch));
            }
        });
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
