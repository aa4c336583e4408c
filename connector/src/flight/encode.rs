//! Encodes rows as Flight data, in messages of bounded rows and bytes.
//!
//! Our own, because arrow-flight's encoder cuts by memory it does not send, drops empty batches,
//! retypes large lists and cannot put metadata beside a batch. Invariant: one batch in, messages
//! out in row order whose metadata counts the stored rows they consume; never one above
//! [`limits::MESSAGE_BYTES_MAX`].

use super::limits;
use crate::fit::{self, Cut};
use arrow_array::RecordBatch;
use arrow_flight::{FlightData, FlightDescriptor, SchemaAsIpc};
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_schema::{ArrowError, Schema};
use flinkspark_model::{Error, Kind, Result};

/// What a message adds to its buffers at most: headers of buffers and fields, protobuf framing.
const FRAMING_BYTES: usize = 64 << 10;

/// The first message of a stream.
pub(super) fn schema(schema: &Schema, descriptor: Option<FlightDescriptor>) -> FlightData {
    let mut data = FlightData::from(SchemaAsIpc::new(schema, &IpcWriteOptions::default()));
    data.flight_descriptor = descriptor;
    data
}

/// Encodes the batches of one stream.
pub(super) struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(true),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }

    /// Encodes one message as it is.
    pub(super) fn encode(&mut self, batch: &RecordBatch) -> Result<FlightData> {
        let encoded = self.generator.encode(
            batch,
            &mut self.dictionaries,
            &self.options,
            &mut self.context,
        );
        let (dictionaries, data) = encoded.map_err(not_encoded)?;
        if !dictionaries.is_empty() {
            return Err(not_encoded(ArrowError::SchemaError(
                "a dictionary was not hydrated".into(),
            )));
        }
        let data = FlightData::from(data);
        let bytes = data.data_header.len() + data.data_body.len() + FRAMING_BYTES;
        if bytes > limits::MESSAGE_BYTES_MAX {
            return Err(Error::new(Kind::Invalid, "FS0413", "a row is too large for a message")
                .with_detail(format!(
                    "{} rows take {bytes} bytes; the limit is {}",
                    batch.num_rows(),
                    limits::MESSAGE_BYTES_MAX
                ))
                .with_hint("read fewer columns, or store such values outside and their address in the dataset"));
        }
        Ok(data)
    }
}

fn not_encoded(cause: ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0499", "rows could not be encoded").with_source(cause)
}

/// Cuts a batch into pieces that make messages of bounded rows and bytes; an empty batch has none.
pub(super) fn pieces(batch: &RecordBatch, bytes_target: usize) -> Vec<RecordBatch> {
    let cut = Cut {
        rows_max: limits::GET_ROWS_MAX,
        bytes_max: bytes_target as u64,
    };
    fit::cut(batch, cut)
}

/// Bytes that the rows take on the wire, without framing.
pub(crate) fn slice_bytes(batch: &RecordBatch) -> usize {
    usize::try_from(fit::bytes_of(batch)).unwrap_or(usize::MAX)
}
