//! Arrow IPC: the file format both ways, the stream format on reading.
//!
//! Walks the messages itself and hands each to [`crate::ipc`], which holds what it states against what there is
//! before anything is allocated. Invariant: a file without its footer, or a stream without its end marker, is
//! torn.

mod messages;
mod write;

use super::conform::{conform, stored_schema};
use super::error::{cannot_open, described, guarded, unread_form};
use super::{BatchReader, BatchWriter, FileKind, Format, Input, ReadOptions, WriteOptions};
use crate::ipc::{Decoder, Limits};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::{Block, MessageHeader, MetadataVersion, root_as_footer};
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
pub(super) use messages::has_days;
use messages::{Bytes, header};
use std::collections::HashMap;
use std::io::{SeekFrom, Write};
use write::Writer;

const MAGIC: &[u8; 6] = b"ARROW1";
/// What a file of Feather's first version begins with.
const FEATHER: &[u8; 4] = b"FEA1";
/// Footer length and magic at the end of a file, in bytes.
const TRAILER_BYTES: u64 = 10;
/// What a batch of a file may hold: more than a message that arrives, as files are read where they lie.
const BATCH_LIMITS: Limits = Limits {
    rows_max: i32::MAX as u64,
    run_rows_max: i32::MAX as u64,
    unpacked_bytes_max: 2 << 30,
};

/// The kind of file.
pub(super) struct Arrow;

impl FileKind for Arrow {
    fn name(&self) -> (&'static str, &'static str) {
        ("an", "Arrow IPC")
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["arrow", "arrows", "ipc", "feather"]
    }

    fn read(
        &self,
        input: Box<dyn Input>,
        name: &str,
        _: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        Ok(Box::new(Reader::new(input, name)?))
    }

    fn write(
        &self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        _: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        Ok(Box::new(Writer::new(output, name, schema)?))
    }
}

/// Reads a file or a stream.
struct Reader {
    bytes: Bytes,
    /// The schema of the file's own encodings.
    encoded: SchemaRef,
    version: MetadataVersion,
    dictionaries: HashMap<i64, ArrayRef>,
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
    fn new(mut input: Box<dyn Input>, name: &str) -> Result<Self> {
        let length = input
            .seek(SeekFrom::End(0))
            .map_err(|cause| cannot_open(name, cause))?;
        let mut bytes = Bytes {
            input,
            length,
            name: name.into(),
        };
        guarded(Format::ARROW, name, || {
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
        let blocks = footer
            .recordBatches()
            .map(|blocks| blocks.iter().rev().copied().collect());
        let mut reader = Self {
            bytes,
            stored: stored_schema(&schema)?,
            encoded: schema,
            version: footer.version(),
            dictionaries: HashMap::new(),
            messages: Messages::Blocks(blocks.unwrap_or_default()),
        };
        for block in footer.dictionaries().into_iter().flatten() {
            let message = reader.block(block)?;
            reader.dictionary(block, &message)?;
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
        let version = header.version();
        let next = block.metaDataLength() as u64 + block.bodyLength() as u64;
        Ok(Self {
            bytes,
            stored: stored_schema(&schema)?,
            encoded: schema,
            version,
            dictionaries: HashMap::new(),
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
        self.bytes.check(&message)?;
        Ok(message)
    }

    fn dictionary(&mut self, block: &Block, message: &Buffer) -> Result<()> {
        let (header, body) = self.bytes.parts(block, message)?;
        let known = self.decoder().dictionary(header, &self.encoded, &body);
        let (id, values) = known.map_err(|refusal| self.bytes.refused(refusal))?;
        self.dictionaries.insert(id, values);
        Ok(())
    }

    fn decoder(&self) -> Decoder<'_> {
        Decoder {
            limits: BATCH_LIMITS,
            version: self.version,
            dictionaries: &self.dictionaries,
        }
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
                    self.bytes.check(&message)?;
                    (block, message)
                }
            };
            let (header, body) = self.bytes.parts(&block, &message)?;
            match header.header_type() {
                MessageHeader::DictionaryBatch => self.dictionary(&block, &message)?,
                MessageHeader::NONE => {}
                _ => {
                    let batch = self.decoder().rows(header, &self.encoded, &body, None);
                    let batch = batch.map_err(|refusal| self.bytes.refused(refusal))?;
                    let stored = conform(&batch, &self.stored);
                    return stored
                        .map(Some)
                        .map_err(|misfit| self.bytes.damaged(described(&misfit)));
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.bytes.name.clone();
        let batch = guarded(Format::ARROW, &name, || self.decode());
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
