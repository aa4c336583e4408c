//! Reads a segment's file, batch by batch, believing nothing of it.
//!
//! Invariant: nothing is allocated by a number from the file that the file's size does not bear out.

use super::{damaged, fit, foreign, metadata};
use crate::store::{Opened, ReadSeek};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, Footer, convert::fb_to_schema, root_as_footer};
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_model::Result;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::log::{LogId, SegmentFormat, SegmentRef};
use std::collections::BTreeMap;
use std::io::{self, Read, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The trailer: the footer's length and the magic.
const TRAILER_BYTES: u64 = 10;

/// An open segment.
pub(in crate::store) struct SegmentFile {
    log: LogId,
    segment: SegmentRef,
    bytes: u64,
    content: Box<dyn ReadSeek>,
    blocks: Vec<(Block, u64)>,
    decoder: FileDecoder,
    /// What callers get.
    output: SchemaRef,
    /// For each output column its place in a decoded batch.
    sources: Vec<Option<usize>>,
    /// How many columns are decoded.
    decoded: usize,
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
        if segment.format != SegmentFormat::Arrow {
            return Err(super::unsupported(segment.format));
        }
        guarded(
            log,
            &segment.clone(),
            AssertUnwindSafe(move || Self::parse(log, segment, opened, output)),
        )
    }

    fn parse(
        log: LogId,
        segment: SegmentRef,
        opened: Opened,
        output: Option<SchemaRef>,
    ) -> Result<Self> {
        let Opened { bytes, mut content } = opened;
        if bytes != segment.bytes {
            let why = format!("it has {bytes} bytes, {} were sealed", segment.bytes);
            return Err(damaged(log, &segment, &why));
        }
        let torn = |why: String| damaged(log, &segment, &why);
        let footer = read_footer(&mut *content, bytes).map_err(|why| torn(why.to_string()))?;
        let footer =
            root_as_footer(&footer).map_err(|cause| torn(format!("its footer: {cause}")))?;
        let blocks = rows_and_blocks(log, &segment, &footer, bytes)?;
        let stored = footer
            .schema()
            .map(fb_to_schema)
            .ok_or_else(|| torn("it has no schema".into()))?;
        let output = output.unwrap_or_else(|| Arc::new(stored.clone()));
        let (projection, sources) = sources(&stored, &output).map_err(torn)?;
        let decoded = projection.len();
        let mut decoder =
            FileDecoder::new(Arc::new(stored), footer.version()).with_projection(projection);
        for block in footer.dictionaries().iter().flatten() {
            let buffer =
                read_block(&mut *content, block, bytes).map_err(|cause| torn(cause.to_string()))?;
            decoder
                .read_dictionary(block, &buffer)
                .map_err(|cause| torn(cause.to_string()))?;
        }
        Ok(Self {
            log,
            bytes,
            content,
            blocks,
            decoder,
            output,
            sources,
            decoded,
            segment,
        })
    }

    /// The schema of what is read.
    pub(in crate::store) fn schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The rows of each stored batch.
    pub(in crate::store) fn batch_rows(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.blocks.iter().map(|(_, rows)| *rows)
    }

    /// The stored batch with this index, at the output schema.
    pub(in crate::store) fn read(&mut self, index: usize) -> Result<RecordBatch> {
        let (log, segment) = (self.log, self.segment.clone());
        guarded(log, &segment, AssertUnwindSafe(|| self.decode(index)))
    }

    fn decode(&mut self, index: usize) -> Result<RecordBatch> {
        let torn = |why: String| damaged(self.log, &self.segment, &why);
        let Some((block, rows)) = self.blocks.get(index) else {
            return Err(torn(format!("it has no batch {index}")));
        };
        let rows = *rows as usize;
        let mut columns: Vec<ArrayRef> = Vec::new();
        if self.decoded > 0 {
            let buffer = read_block(&mut *self.content, block, self.bytes)
                .map_err(|cause| torn(cause.to_string()))?;
            let batch = self.decoder.read_record_batch(block, &buffer);
            let batch = batch.map_err(|cause| torn(cause.to_string()))?;
            let batch = batch.ok_or_else(|| torn(format!("batch {index} is empty")))?;
            if batch.num_rows() != rows {
                return Err(torn(format!(
                    "batch {index} has {} rows, {rows} were sealed",
                    batch.num_rows()
                )));
            }
            columns = batch.columns().to_vec();
        }
        let pick = |(field, source): (&Arc<Field>, &Option<usize>)| match source
            .and_then(|at| columns.get(at))
        {
            Some(column) => fit::widen(field, column),
            None => Ok(new_null_array(field.data_type(), rows)),
        };
        let picked = self
            .output
            .fields()
            .iter()
            .zip(&self.sources)
            .map(pick)
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.output), picked, &options)
            .map_err(|cause| torn(cause.to_string()))
    }

    /// The digest of all rows, computed from them.
    pub(in crate::store) fn digest(&mut self) -> Result<Digest> {
        let mut digester = Digester::new(&self.output)?;
        for index in 0..self.blocks.len() {
            digester.update(&self.read(index)?)?;
        }
        Ok(digester.finish())
    }
}

/// Runs decoding that may panic on bytes that nobody has checked.
fn guarded<T>(
    log: LogId,
    segment: &SegmentRef,
    work: AssertUnwindSafe<impl FnOnce() -> Result<T>>,
) -> Result<T> {
    catch_unwind(work).unwrap_or_else(|_| Err(damaged(log, segment, "it could not be decoded")))
}

fn read_footer(content: &mut dyn ReadSeek, bytes: u64) -> io::Result<Vec<u8>> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let body = bytes
        .checked_sub(TRAILER_BYTES)
        .ok_or_else(|| invalid("it is too short"))?;
    let mut trailer = [0; TRAILER_BYTES as usize];
    content.seek(SeekFrom::Start(body))?;
    content.read_exact(&mut trailer)?;
    let length = read_footer_length(trailer).map_err(|cause| invalid(&cause.to_string()))?;
    let start = body
        .checked_sub(length as u64)
        .ok_or_else(|| invalid("its footer is longer than it"))?;
    let mut footer = vec![0; length];
    content.seek(SeekFrom::Start(start))?;
    content.read_exact(&mut footer)?;
    Ok(footer)
}

fn read_block(content: &mut dyn ReadSeek, block: &Block, bytes: u64) -> io::Result<Buffer> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a block lies outside of it");
    let offset = u64::try_from(block.offset()).map_err(|_| invalid())?;
    let head = u64::try_from(block.metaDataLength()).map_err(|_| invalid())?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| invalid())?;
    let length = head.checked_add(body).ok_or_else(invalid)?;
    if head < 8 || offset.checked_add(length).is_none_or(|end| end > bytes) {
        return Err(invalid());
    }
    content.seek(SeekFrom::Start(offset))?;
    // Read into room that nobody has cleared: a block is some megabytes.
    let mut buffer = Vec::with_capacity(length as usize);
    content.take(length).read_to_end(&mut buffer)?;
    if buffer.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(buffer.into())
}

/// Every stored batch's block and rows, after the footer's metadata was found to be this segment's.
fn rows_and_blocks(
    log: LogId,
    segment: &SegmentRef,
    footer: &Footer<'_>,
    bytes: u64,
) -> Result<Vec<(Block, u64)>> {
    let torn = |why: &str| damaged(log, segment, why);
    let entries = footer.custom_metadata().into_iter().flatten();
    let entries: BTreeMap<&str, &str> = entries
        .filter_map(|entry| Some((entry.key()?, entry.value()?)))
        .collect();
    let entry = |name: &str| {
        entries
            .get(name)
            .copied()
            .ok_or_else(|| torn(&format!("its footer lacks {name}")))
    };
    if entry(metadata::VERSION)? != metadata::CURRENT {
        return Err(torn("it has a newer format")
            .with_hint("start a build at least as new as the one that wrote it"));
    }
    let (its_log, its_name) = (entry(metadata::LOG)?, entry(metadata::NAME)?);
    if its_log != log.to_string() || its_name != segment.name.as_str() {
        return Err(foreign(
            log,
            segment,
            &format!("the file is segment {its_name} of dataset {its_log}"),
        ));
    }
    let rows = entry(metadata::ROWS)?
        .split(',')
        .filter(|text| !text.is_empty());
    let rows: Vec<u64> = rows
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| torn("its row counts are torn"))?;
    let blocks = footer
        .recordBatches()
        .ok_or_else(|| torn("its footer has no batches"))?;
    let sum = rows
        .iter()
        .try_fold(0_u64, |sum, rows| sum.checked_add(*rows));
    if rows.len() != blocks.len()
        || sum != Some(segment.rows)
        || rows.iter().any(|rows| *rows > bytes)
    {
        return Err(torn("its row counts are not the ones that were sealed"));
    }
    Ok(blocks.iter().copied().zip(rows).collect())
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
