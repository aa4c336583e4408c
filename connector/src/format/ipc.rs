//! Arrow IPC: the file format both ways, the stream format on reading.
//!
//! Walks the messages itself and hands each to arrow's decoder, because the lengths that a file
//! states must be checked against the file before anything is allocated. Invariant: a file
//! without its footer, or a stream without its end marker, is torn.

mod write;

pub(super) use write::Writer;

use super::conform::{conform, stored_schema};
use super::error::{
    cannot_open, damaged, described, foreign_calendar, guarded, unread_codec, unread_form,
};
use super::parquet;
use super::{BatchReader, Format, Input};
use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{
    Block, CompressionType, Endianness, MessageHeader, convert::fb_to_schema, root_as_footer,
    root_as_message,
};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use flinkspark_model::{Error, Result};
use std::io::SeekFrom;
use std::sync::Arc;

const MAGIC: &[u8; 6] = b"ARROW1";
/// What a file of Feather's first version begins with.
const FEATHER: &[u8; 4] = b"FEA1";
/// Footer length and magic at the end of a file, in bytes.
const TRAILER_BYTES: u64 = 10;
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The largest footer or message header, in bytes.
const METADATA_BYTES_MAX: u64 = 256 << 20;
/// The largest batch of a file, in bytes, after decompression.
const BATCH_BYTES_MAX: u64 = 2 << 30;
/// The largest batch of a file, in rows.
const BATCH_ROWS_MAX: i64 = i32::MAX as i64;

/// Reads a file or a stream.
pub(super) struct Reader {
    bytes: Bytes,
    decoder: FileDecoder,
    stored: SchemaRef,
    messages: Messages,
}

enum Messages {
    /// A file's batches, the next one last.
    Blocks(Vec<Block>),
    /// A stream's next message begins here.
    Stream(u64),
    Ended,
}

impl Reader {
    pub(super) fn new(mut input: Box<dyn Input>, name: &str) -> Result<Self> {
        let length = input
            .seek(SeekFrom::End(0))
            .map_err(|cause| cannot_open(name, cause))?;
        let mut bytes = Bytes {
            input,
            length,
            name: name.into(),
        };
        guarded(Format::Arrow, name, || {
            let start = bytes.read(0, length.min(8))?;
            if start.starts_with(MAGIC) {
                Self::file(bytes)
            } else if start.starts_with(FEATHER) {
                let why = "that format came before Arrow's own and is not it";
                let hint = "read it with pyarrow.feather.read_table and write it again";
                Err(unread_form(
                    name,
                    "is a Feather file of version 1",
                    why,
                    hint,
                ))
            } else {
                Self::stream(bytes)
            }
        })
    }

    fn file(mut bytes: Bytes) -> Result<Self> {
        let start = bytes
            .length
            .checked_sub(TRAILER_BYTES)
            .ok_or_else(|| bytes.damaged("it ends before its footer"))?;
        let trailer = bytes.read(start, TRAILER_BYTES)?;
        let (footer_bytes, magic) = trailer.split_at(4);
        if magic != MAGIC {
            return Err(bytes.damaged(
                "it ends before its footer: the writer did not finish, or the copy is short",
            ));
        }
        let footer_bytes = footer_bytes
            .try_into()
            .map(u32::from_le_bytes)
            .unwrap_or_default();
        let at = start.checked_sub(footer_bytes.into());
        let footer = bytes.read(at.unwrap_or(u64::MAX), footer_bytes.into())?;
        let footer = root_as_footer(&footer)
            .map_err(|cause| bytes.damaged(format!("its footer: {cause}")))?;
        let schema = footer
            .schema()
            .ok_or_else(|| bytes.damaged("its footer has no schema"))?;
        let schema = bytes.schema(schema)?;
        let decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
        let blocks = footer
            .recordBatches()
            .map(|blocks| blocks.iter().rev().copied().collect());
        let mut reader = Self {
            bytes,
            decoder,
            stored: stored_schema(&schema)?,
            messages: Messages::Blocks(blocks.unwrap_or_default()),
        };
        for block in footer.dictionaries().into_iter().flatten() {
            let message = reader.block(block)?;
            reader
                .decoder
                .read_dictionary(block, &message)
                .map_err(|cause| reader.bytes.wrong(cause))?;
        }
        Ok(reader)
    }

    fn stream(mut bytes: Bytes) -> Result<Self> {
        let Some((block, message)) = bytes.message(0)? else {
            return Err(bytes.damaged("it begins neither as a file nor as a stream"));
        };
        let header = header(&message).map_err(|why| bytes.damaged(why))?;
        let schema = header
            .header_as_schema()
            .ok_or_else(|| bytes.damaged("it does not begin with a schema"))?;
        let schema = bytes.schema(schema)?;
        let decoder = FileDecoder::new(Arc::clone(&schema), header.version());
        let next = block.metaDataLength() as u64 + block.bodyLength() as u64;
        Ok(Self {
            bytes,
            decoder,
            stored: stored_schema(&schema)?,
            messages: Messages::Stream(next),
        })
    }

    /// Reads the message that a footer points at.
    fn block(&mut self, block: &Block) -> Result<Buffer> {
        let lengths = u64::try_from(block.offset()).and_then(|offset| {
            Ok((
                offset,
                u64::try_from(block.metaDataLength())?,
                u64::try_from(block.bodyLength())?,
            ))
        });
        let (offset, metadata, body) =
            lengths.map_err(|_| self.bytes.damaged("its footer points outside of it"))?;
        let message = self.bytes.read(offset, metadata.saturating_add(body))?;
        self.bytes.check(&message, metadata as usize)?;
        Ok(message)
    }

    fn decode(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let (block, message) = match &mut self.messages {
                Messages::Ended => return Ok(None),
                Messages::Blocks(blocks) => {
                    let Some(block) = blocks.pop() else {
                        return Ok(None);
                    };
                    let message = self.block(&block)?;
                    (block, message)
                }
                Messages::Stream(at) => {
                    let Some((block, message)) = self.bytes.message(*at)? else {
                        return Ok(None);
                    };
                    *at += block.metaDataLength() as u64 + block.bodyLength() as u64;
                    self.bytes
                        .check(&message, block.metaDataLength() as usize)?;
                    (block, message)
                }
            };
            let kind = header(&message)
                .map_err(|why| self.bytes.damaged(why))?
                .header_type();
            if kind == MessageHeader::DictionaryBatch {
                self.decoder
                    .read_dictionary(&block, &message)
                    .map_err(|cause| self.bytes.wrong(cause))?;
                continue;
            }
            let batch = self
                .decoder
                .read_record_batch(&block, &message)
                .map_err(|cause| self.bytes.wrong(cause))?;
            if let Some(batch) = batch {
                let stored = conform(&batch, &self.stored);
                return stored
                    .map(Some)
                    .map_err(|misfit| self.bytes.damaged(described(&misfit)));
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.bytes.name.clone();
        let batch = guarded(Format::Arrow, &name, || self.decode());
        if !matches!(batch, Ok(Some(_))) {
            self.messages = Messages::Ended;
        }
        batch.transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.stored)
    }
}

/// The input with its length.
struct Bytes {
    input: Box<dyn Input>,
    length: u64,
    name: String,
}

impl Bytes {
    fn damaged(&self, why: impl Into<String>) -> Error {
        damaged(Format::Arrow, &self.name, why)
    }

    fn wrong(&self, cause: ArrowError) -> Error {
        self.damaged(cause.to_string())
    }

    /// The schema, where the bytes are in this machine's order and the days in Arrow's calendar.
    fn schema(&self, schema: arrow_ipc::Schema<'_>) -> Result<SchemaRef> {
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
        let schema = fb_to_schema(schema);
        let days = schema
            .fields()
            .iter()
            .any(|field| has_days(field.data_type()));
        match parquet::marker(schema.metadata()) {
            Some(marker) if days => Err(foreign_calendar(&self.name, marker)),
            _ => Ok(schema.into()),
        }
    }

    /// Refuses a batch that this build cannot read, or that would take more than any file may.
    fn check(&self, message: &Buffer, metadata_bytes: usize) -> Result<()> {
        let header = header(message).map_err(|why| self.damaged(why))?;
        let codec = batch_of(&header).and_then(|batch| Some(batch.compression()?.codec()));
        match codec {
            None | Some(CompressionType::LZ4_FRAME | CompressionType::ZSTD) => {}
            Some(CompressionType(number)) => {
                let hint = "write it again with lz4, zstd or without compression";
                return Err(unread_codec(&self.name, &format!("codec {number}"), hint));
            }
        }
        check_batch(&header, message, metadata_bytes).map_err(|why| self.damaged(why))
    }

    fn read(&mut self, at: u64, length: u64) -> Result<Buffer> {
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
    fn message(&mut self, at: u64) -> Result<Option<(Block, Buffer)>> {
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

fn header(message: &Buffer) -> Result<arrow_ipc::Message<'_>, String> {
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
fn has_days(data_type: &DataType) -> bool {
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

/// Refuses a batch that would take more rows or memory than any file may ask for.
fn check_batch(
    header: &arrow_ipc::Message<'_>,
    message: &Buffer,
    metadata_bytes: usize,
) -> Result<(), String> {
    let Some(batch) = batch_of(header) else {
        return Ok(());
    };
    if !(0..=BATCH_ROWS_MAX).contains(&batch.length()) {
        return Err(format!("a batch says that it has {} rows", batch.length()));
    }
    if batch.compression().is_none() {
        return Ok(());
    }
    let body = message.get(metadata_bytes..).unwrap_or_default();
    let mut bytes = 0u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let stated = usize::try_from(buffer.offset())
            .ok()
            .and_then(|at| body.get(at..)?.first_chunk::<8>());
        if buffer.length() > 0 {
            let stated = i64::from_le_bytes(*stated.ok_or("a buffer lies outside of its batch")?);
            bytes = bytes.saturating_add(stated.max(0) as u64);
        }
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(format!(
            "a compressed batch says that it has {bytes} bytes; the limit is {BATCH_BYTES_MAX}"
        ));
    }
    Ok(())
}
