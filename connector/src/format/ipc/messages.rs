//! The messages of a file or a stream, read within its bounds.
//!
//! Invariant: nothing is reserved for a length that the input states before it was compared with the input's own.

use crate::format::error::{cannot_open, damaged, foreign_calendar, unread_codec, unread_form};
use crate::format::{Format, Input, parquet};
use crate::ipc::{self, Refusal};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::{Block, CompressionType, Endianness, MessageHeader, root_as_message};
use arrow_schema::{DataType, SchemaRef};
use flinkspark_model::{Error, Result};
use std::io::SeekFrom;

const CONTINUATION: [u8; 4] = [0xff; 4];

/// The largest footer or message header, in bytes.
const METADATA_BYTES_MAX: u64 = 256 << 20;

/// The input with its length.
pub(super) struct Bytes {
    pub(super) input: Box<dyn Input>,
    pub(super) length: u64,
    pub(super) name: String,
}

impl Bytes {
    pub(super) fn damaged(&self, why: impl Into<String>) -> Error {
        damaged(Format::ARROW, &self.name, why)
    }

    pub(super) fn refused(&self, refusal: Refusal) -> Error {
        let (Refusal::Damaged(why) | Refusal::TooLarge(why) | Refusal::Bug(why)) = refusal;
        self.damaged(why)
    }

    /// A message's header and its body.
    pub(super) fn parts<'m>(
        &self,
        block: &Block,
        message: &'m Buffer,
    ) -> Result<(arrow_ipc::Message<'m>, Buffer)> {
        let header = header(message).map_err(|why| self.damaged(why))?;
        let metadata = usize::try_from(block.metaDataLength()).unwrap_or(usize::MAX);
        if metadata > message.len() {
            return Err(self.damaged("a message ends before its body begins"));
        }
        Ok((header, message.slice(metadata)))
    }

    /// The schema, where the bytes are in this machine's order and the days in Arrow's calendar.
    pub(super) fn schema(&self, schema: arrow_ipc::Schema<'_>) -> Result<SchemaRef> {
        if schema.endianness() != Endianness::Little {
            let why = "its schema says that numbers stand with their first byte last";
            let hint = "write it again on a little-endian machine, or as Parquet";
            return Err(unread_form(
                &self.name,
                "is in big-endian byte order",
                why,
                hint,
            ));
        }
        let schema = ipc::schema_of(schema).map_err(|refusal| self.refused(refusal))?;
        let days = schema
            .fields()
            .iter()
            .any(|field| has_days(field.data_type()));
        match parquet::marker(schema.metadata()) {
            Some(marker) if days => {
                let why = format!(
                    "its metadata has {marker}: what read the Parquet file kept the marker and left the days as they were"
                );
                let hint = "transfer the Parquet file that Spark wrote; its dates are brought to today's calendar";
                Err(foreign_calendar(&self.name, why, hint))
            }
            _ => Ok(schema.into()),
        }
    }

    /// Refuses a batch whose codec this build does not read.
    pub(super) fn check(&self, message: &Buffer) -> Result<()> {
        let header = header(message).map_err(|why| self.damaged(why))?;
        let codec = batch_of(&header).and_then(|batch| Some(batch.compression()?.codec()));
        match codec {
            None | Some(CompressionType::LZ4_FRAME | CompressionType::ZSTD) => Ok(()),
            Some(CompressionType(number)) => {
                let hint = "write it again with lz4, zstd or without compression";
                Err(unread_codec(&self.name, &format!("codec {number}"), hint))
            }
        }
    }

    pub(super) fn read(&mut self, at: u64, length: u64) -> Result<Buffer> {
        if at.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(self.damaged(format!(
                "it has {} bytes and says that it has more",
                self.length
            )));
        }
        let mut buffer = MutableBuffer::from_len_zeroed(length as usize);
        let read = self
            .input
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.input.read_exact(&mut buffer));
        read.map_err(|cause| cannot_open(&self.name, cause))?;
        Ok(buffer.into())
    }

    /// The stream's message at `at`; `None` at its end marker.
    pub(super) fn message(&mut self, at: u64) -> Result<Option<(Block, Buffer)>> {
        let torn = "it ends before its end marker: the writer did not finish, or the copy is short";
        let word = |bytes: &Buffer| <[u8; 4]>::try_from(bytes.as_slice()).unwrap_or_default();
        if self.length.saturating_sub(at) < 4 {
            return Err(self.damaged(torn));
        }
        let mut prefix = 4;
        let mut length = word(&self.read(at, 4)?);
        if length == CONTINUATION {
            if self.length.saturating_sub(at) < 8 {
                return Err(self.damaged(torn));
            }
            prefix = 8;
            length = word(&self.read(at + 4, 4)?);
        }
        let metadata = u64::from(u32::from_le_bytes(length));
        if metadata == 0 {
            return Ok(None);
        }
        if metadata > METADATA_BYTES_MAX {
            return Err(self.damaged(format!("a message header of {metadata} bytes is too large")));
        }
        let metadata = metadata + prefix;
        let body = {
            let message = self.read(at, metadata)?;
            let header = header(&message).map_err(|why| self.damaged(why))?;
            u64::try_from(header.bodyLength())
                .map_err(|_| self.damaged("a message has a negative length"))?
        };
        let message = self.read(at, metadata.saturating_add(body))?;
        Ok(Some((Block::new(0, metadata as i32, body as i64), message)))
    }
}

/// The header of a message.
pub(super) fn header(message: &Buffer) -> Result<arrow_ipc::Message<'_>, String> {
    let prefix = if message.starts_with(&CONTINUATION) {
        8
    } else {
        4
    };
    let metadata = message.get(prefix..).ok_or("a message is empty")?;
    root_as_message(metadata).map_err(|cause| format!("a message header: {cause}"))
}

/// The rows of a message, or the values of a dictionary.
fn batch_of<'a>(header: &arrow_ipc::Message<'a>) -> Option<arrow_ipc::RecordBatch<'a>> {
    match header.header_type() {
        MessageHeader::DictionaryBatch => header
            .header_as_dictionary_batch()
            .and_then(|batch| batch.data()),
        _ => header.header_as_record_batch(),
    }
}

/// Whether the type holds dates or moments.
pub(in crate::format) fn has_days(data_type: &DataType) -> bool {
    use DataType as D;
    match data_type {
        D::Date32 | D::Date64 | D::Timestamp(..) => true,
        D::Dictionary(_, values) => has_days(values),
        D::RunEndEncoded(_, item)
        | D::List(item)
        | D::LargeList(item)
        | D::ListView(item)
        | D::LargeListView(item)
        | D::FixedSizeList(item, _)
        | D::Map(item, _) => has_days(item.data_type()),
        D::Struct(fields) => fields.iter().any(|field| has_days(field.data_type())),
        _ => false,
    }
}
