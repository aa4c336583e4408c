//! Reads a segment's file, batch by batch, believing nothing of it.
//!
//! Invariant: nothing is decoded before its checksum was compared, where it has one, and nothing is
//! allocated by a number from the file that the file's size does not bear out.

use super::footer::{END_OF_STREAM, Parsed, SEAL_BYTES, StoredBlock, TRAILER_BYTES, parse};
use super::known::Known;
use super::{damaged, fit, refused};
use crate::ipc;
use crate::store::{Opened, ReadSeek};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::Buffer;
use arrow_ipc::Block;
use arrow_ipc::reader::read_footer_length;
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_model::checksum;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::filter::Bound;
use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use flinkspark_model::{Error, Result};
use std::collections::HashMap;
use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

/// What a block begins with: a marker, and the length of its header.
const BLOCK_PREFIX_BYTES: usize = 8;

/// An open segment.
pub(in crate::store) struct SegmentFile {
    log: LogId,
    segment: SegmentRef,
    content: Box<dyn ReadSeek>,
    blocks: Vec<StoredBlock>,
    /// The checksum of what lies before the first block.
    head: Option<u32>,
    /// Where the seal begins, or the footer of a file without one.
    end: u64,
    stored: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
    /// Of the columns that were asked for, where it was written with it.
    known: Option<Known>,
    /// What callers get.
    output: SchemaRef,
    /// For each output column its place in a decoded batch.
    sources: Vec<Option<usize>>,
    /// The stored columns that are decoded.
    projection: Vec<usize>,
}

impl SegmentFile {
    /// Opens a segment to be read at `output`: columns by name; a nullable one that the segment is
    /// too old to have reads as null. Without `output`, the segment's own schema.
    pub(in crate::store) fn open(
        log: LogId,
        segment: SegmentRef,
        opened: Opened,
        output: Option<SchemaRef>,
    ) -> Result<Self> {
        Self::open_knowing(log, segment, opened, output, &[])
    }

    /// The same, with what the segment knows of these columns.
    pub(in crate::store) fn open_knowing(
        log: LogId,
        segment: SegmentRef,
        opened: Opened,
        output: Option<SchemaRef>,
        columns: &[String],
    ) -> Result<Self> {
        if segment.format != SegmentFormat::Arrow {
            return Err(super::unsupported(segment.format));
        }
        let Opened { bytes, mut content } = opened;
        let torn = |why: String| damaged(log, &segment, &why);
        if bytes != segment.bytes {
            let why = format!("it has {bytes} bytes, {} were sealed", segment.bytes);
            return Err(torn(why));
        }
        let footer = read_footer(&mut *content, bytes).map_err(|why| torn(why.to_string()))?;
        let parsed = parse(log, &segment, &footer.seal, &footer.bytes, columns)?;
        let stored = Arc::new(parsed.schema.clone());
        let output = output.unwrap_or_else(|| Arc::clone(&stored));
        let (projection, sources) = sources(&stored, &output).map_err(torn)?;
        let mut file = Self {
            log,
            segment,
            content,
            head: parsed.head,
            end: footer.start - footer.seal.len() as u64,
            blocks: Vec::new(),
            stored,
            dictionaries: HashMap::new(),
            known: None,
            output,
            sources,
            projection,
        };
        file.read_dictionaries(&parsed)?;
        file.blocks = parsed.blocks;
        file.known = parsed.known;
        Ok(file)
    }

    /// Version 1 has dictionaries where they are nested.
    fn read_dictionaries(&mut self, parsed: &Parsed) -> Result<()> {
        for block in &parsed.dictionaries {
            let bytes = self.read_block(block)?;
            let (message, body) = self.message(block, &bytes)?;
            ipc::dictionary(message, &parsed.schema, &mut self.dictionaries, &body)
                .map_err(|refusal| refused(self.log, &self.segment, refusal))?;
        }
        Ok(())
    }

    fn torn(&self, why: &str) -> Error {
        damaged(self.log, &self.segment, why)
    }

    /// The schema of what is read.
    pub(in crate::store) fn schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The rows of each stored batch.
    pub(in crate::store) fn batch_rows(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.blocks.iter().map(|block| block.rows)
    }

    /// The bytes of a stored batch.
    pub(in crate::store) fn batch_bytes(&self, index: usize) -> u64 {
        let block = self.blocks.get(index).map(|stored| stored.block);
        let bytes = block.map(|block| {
            block
                .bodyLength()
                .saturating_add(block.metaDataLength().into())
        });
        bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0)
    }

    /// Whether a row of the stored batch with this index, or any row without one, may match a filter that is bound
    /// to `schema`. It may where nothing is known.
    pub(in crate::store) fn may_match(
        &self,
        filter: &Bound,
        schema: &Schema,
        index: Option<usize>,
    ) -> bool {
        let known = self.known.as_ref();
        known.is_none_or(|known| known.may_match(filter, schema, &self.stored, index))
    }

    /// The stored batch with this index, at the output schema.
    pub(in crate::store) fn read(&mut self, index: usize) -> Result<RecordBatch> {
        let Some(stored) = self.blocks.get(index).copied() else {
            return Err(self.torn(&format!("it has no batch {index}")));
        };
        let rows = stored.rows as usize;
        let columns = if self.projection.is_empty() {
            Vec::new()
        } else {
            self.decode(index, stored)?.columns().to_vec()
        };
        let pick = |(field, source): (&Arc<Field>, &Option<usize>)| match source
            .and_then(|at| columns.get(at))
        {
            Some(column) => fit::widen(field, column),
            None => Ok(new_null_array(field.data_type(), rows)),
        };
        let picked = self.output.fields().iter().zip(&self.sources).map(pick);
        let picked = picked.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.output), picked, &options)
            .map_err(|cause| self.torn(&cause.to_string()))
    }

    fn decode(&mut self, index: usize, stored: StoredBlock) -> Result<RecordBatch> {
        let bytes = self.read_block(&stored.block)?;
        let is_other = |sealed: u32| checksum::crc32c(&bytes) != sealed;
        if stored.checksum.is_some_and(is_other) {
            let why = format!("batch {index} does not have the checksum that was sealed");
            return Err(self.torn(&why));
        }
        let (message, body) = self.message(&stored.block, &bytes)?;
        let all = self.projection.len() == self.stored.fields().len();
        let projection = (!all).then_some(self.projection.as_slice());
        let batch = ipc::rows(message, &self.stored, &self.dictionaries, &body, projection);
        let batch = batch.map_err(|refusal| refused(self.log, &self.segment, refusal))?;
        if batch.num_rows() as u64 != stored.rows {
            let (found, sealed) = (batch.num_rows(), stored.rows);
            let why = format!("batch {index} has {found} rows, {sealed} were sealed");
            return Err(self.torn(&why));
        }
        Ok(batch)
    }

    fn read_block(&mut self, block: &Block) -> Result<Buffer> {
        let bytes = self.segment.bytes;
        let read = read_block(&mut *self.content, block, bytes);
        read.map_err(|cause| self.torn(&cause.to_string()))
    }

    /// A block's message and its body.
    fn message<'a>(
        &self,
        block: &Block,
        bytes: &'a Buffer,
    ) -> Result<(arrow_ipc::Message<'a>, Buffer)> {
        let head = usize::try_from(block.metaDataLength()).unwrap_or(usize::MAX);
        let Some(header) = bytes.get(BLOCK_PREFIX_BYTES..head) else {
            return Err(self.torn("a block ends before its header does"));
        };
        let message =
            ipc::message(header).map_err(|refusal| refused(self.log, &self.segment, refusal))?;
        Ok((message, bytes.slice(head)))
    }

    /// The digest of all rows, computed from them, after every byte of the file was checked.
    pub(in crate::store) fn digest(&mut self) -> Result<Digest> {
        if let Some(head) = self.head {
            self.check_rest(head)?;
        }
        let mut digester = Digester::new(&self.output)?;
        for index in 0..self.blocks.len() {
            digester.update(&self.read(index)?)?;
        }
        Ok(digester.finish())
    }

    /// Checks what no block holds: the beginning of the file, and the end of its messages.
    fn check_rest(&mut self, head: u32) -> Result<()> {
        let torn = |file: &Self, cause: io::Error| file.torn(&cause.to_string());
        let tail = self.end.saturating_sub(END_OF_STREAM.len() as u64);
        let first = self.blocks.first().map_or(tail, |first| {
            u64::try_from(first.block.offset()).unwrap_or(u64::MAX)
        });
        let begin =
            read_range(&mut *self.content, 0, first.min(tail)).map_err(|c| torn(self, c))?;
        if checksum::crc32c(&begin) != head {
            return Err(self.torn("its beginning does not have the checksum that was sealed"));
        }
        let mut end = first;
        for StoredBlock { block, .. } in &self.blocks {
            let length = i64::from(block.metaDataLength()).saturating_add(block.bodyLength());
            let follows = u64::try_from(block.offset()).is_ok_and(|offset| offset == end);
            if !follows {
                return Err(self.torn("its batches do not follow one another"));
            }
            end = end.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        let eos = read_range(&mut *self.content, tail, self.end).map_err(|c| torn(self, c))?;
        if end != tail || eos != END_OF_STREAM {
            return Err(self.torn("the end of its batches is torn"));
        }
        Ok(())
    }
}

/// The end of a file.
struct FooterBytes {
    /// Where the footer begins.
    start: u64,
    /// What lies before it, where the seal would be.
    seal: Vec<u8>,
    /// The footer and the trailer.
    bytes: Vec<u8>,
}

fn read_footer(content: &mut dyn ReadSeek, bytes: u64) -> io::Result<FooterBytes> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let body = bytes
        .checked_sub(TRAILER_BYTES as u64)
        .ok_or_else(|| invalid("it is too short"))?;
    let mut trailer = [0; TRAILER_BYTES];
    content.seek(SeekFrom::Start(body))?;
    content.read_exact(&mut trailer)?;
    let length = read_footer_length(trailer).map_err(|cause| invalid(&cause.to_string()))?;
    let start = body
        .checked_sub(length as u64)
        .ok_or_else(|| invalid("its footer is longer than it"))?;
    let before = start.min(SEAL_BYTES as u64);
    let mut all = read_range(content, start - before, bytes)?;
    let footer = all.split_off(before as usize);
    Ok(FooterBytes {
        start,
        seal: all,
        bytes: footer,
    })
}

fn read_block(content: &mut dyn ReadSeek, block: &Block, bytes: u64) -> io::Result<Buffer> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a block lies outside of it");
    let offset = u64::try_from(block.offset()).map_err(|_| invalid())?;
    let head = u64::try_from(block.metaDataLength()).map_err(|_| invalid())?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| invalid())?;
    let length = head.checked_add(body).ok_or_else(invalid)?;
    let end = offset.checked_add(length).ok_or_else(invalid)?;
    if head < BLOCK_PREFIX_BYTES as u64 || end > bytes {
        return Err(invalid());
    }
    read_range(content, offset, end).map(Buffer::from)
}

/// The bytes from `start` to `end`, which lies within the file, in room that nobody has cleared: a block is
/// some megabytes.
fn read_range(content: &mut dyn ReadSeek, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = end.saturating_sub(start);
    content.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::with_capacity(length as usize);
    let taken = content.take(length).read_to_end(&mut bytes)?;
    match taken as u64 == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Which stored columns to decode, and where each output column is among them.
fn sources(stored: &Schema, output: &Schema) -> Result<(Vec<usize>, Vec<Option<usize>>), String> {
    let mut places = Vec::with_capacity(output.fields().len());
    for field in output.fields() {
        match stored.index_of(field.name()) {
            Ok(index) => places.push(Some(index)),
            Err(_) if field.is_nullable() => places.push(None),
            Err(_) => {
                return Err(format!(
                    "it has no column \"{}\", which may not be null",
                    field.name()
                ));
            }
        }
    }
    let mut projection: Vec<usize> = places.iter().flatten().copied().collect();
    projection.sort_unstable();
    projection.dedup();
    let place = |index: usize| projection.binary_search(&index).ok();
    let sources = places
        .into_iter()
        .map(|index| index.and_then(place))
        .collect();
    Ok((projection, sources))
}
