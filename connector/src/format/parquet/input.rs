//! The input as the decoder wants it: readable at several places at once.
//!
//! Invariant: nothing is read, and no memory taken, beyond the input's end, or by what a page states of its texts.

use super::deltas;
use super::footer::page_header;
use crate::format::Input;
use ::parquet::column::page::PageReader;
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{ChunkReader, Length};
use ::parquet::file::serialized_reader::SerializedPageReader;
use bytes::Bytes;
use std::collections::HashSet;
use std::io::{self, BufReader, Read, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much is looked at for a page's header, in bytes: its statistics may hold whole values.
const HEADER_WINDOWS: [u64; 4] = [512, 16 << 10, 1 << 20, 64 << 20];

/// The most bytes that a page may say that it unpacks to: the decoder takes room for them at once.
const PAGE_BYTES_MAX: i64 = 256 << 20;

/// The encodings of `parquet.thrift`, by number, whose pages state how many lengths they have.
const WITH_LENGTHS: [i64; 2] = [6, 7];

/// A column's bytes in a row group.
struct Chunk {
    first: u64,
    end: u64,
    /// The greatest end of this one and of those before it.
    reach: u64,
    group: usize,
    column: usize,
    /// Whether the lengths in its pages were looked at.
    known: AtomicBool,
}

/// An input that several decoders read.
#[derive(Clone)]
pub(super) struct Shared {
    pages: Pages,
    footer: Arc<ParquetMetaData>,
    /// By their beginnings.
    chunks: Arc<Vec<Chunk>>,
}

impl Shared {
    /// The input of a file with this footer, none of whose columns lies before it.
    pub(super) fn new(bare: Bare, footer: Arc<ParquetMetaData>) -> Self {
        let mut chunks = Vec::new();
        for (group, columns) in footer.row_groups().iter().enumerate() {
            for (column, chunk) in columns.columns().iter().enumerate() {
                let (first, bytes) = chunk.byte_range();
                chunks.push(Chunk {
                    first,
                    end: first.saturating_add(bytes),
                    reach: 0,
                    group,
                    column,
                    known: AtomicBool::new(false),
                });
            }
        }
        chunks.sort_unstable_by_key(|chunk| chunk.first);
        let (mut reach, mut apart) = (0, true);
        for chunk in &mut chunks {
            apart &= chunk.first >= reach;
            reach = chunk.end.max(reach);
            chunk.reach = reach;
        }
        Self {
            pages: Pages {
                bare,
                bodies: apart.then(Arc::default),
            },
            footer,
            chunks: Arc::new(chunks),
        }
    }

    /// Looks once at the pages of each column that has one here.
    fn check_lengths(&self, start: u64) -> ParquetResult<()> {
        let before = self.chunks.partition_point(|chunk| chunk.first <= start);
        let reaching = self.chunks[..before].iter().rev();
        for chunk in reaching.take_while(|chunk| chunk.reach > start) {
            if chunk.end > start && !chunk.known.swap(true, Ordering::Relaxed) {
                self.check_chunk(chunk)?;
            }
        }
        Ok(())
    }

    fn check_chunk(&self, chunk: &Chunk) -> ParquetResult<()> {
        let group = self.footer.row_group(chunk.group);
        let column = group.column(chunk.column);
        let rows = usize::try_from(group.num_rows())?;
        let pages = Arc::new(self.pages.clone());
        let mut pages = SerializedPageReader::new(pages, column, rows, None)?;
        while let Some(page) = pages.get_next_page()? {
            deltas::check(&page, column.column_descr()).map_err(ParquetError::General)?;
        }
        Ok(())
    }
}

impl Length for Shared {
    fn len(&self) -> u64 {
        self.pages.bare.length
    }
}

impl ChunkReader for Shared {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        if WITH_LENGTHS.contains(&self.pages.encoding(start)?) {
            self.check_lengths(start)?;
        }
        self.pages.bare.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.pages.get_bytes(start, length)
    }
}

/// An input whose pages have whole headers: wherever it is read from, one stands, or the rest of a page whose header
/// was looked at.
#[derive(Clone)]
struct Pages {
    bare: Bare,
    /// Where the rests of pages begin that have one: the decoder reads on from there when it has looked at a header
    /// first. None where columns lie over one another: a rest could be another one's header.
    bodies: Option<Arc<Mutex<HashSet<u64>>>>,
}

impl Pages {
    /// The encoding that a page's header states; refuses a place at which no header stands. The decoder reads it
    /// from here, and does not notice where it ends early.
    fn encoding(&self, start: u64) -> ParquetResult<i64> {
        if self.bodies().is_some_and(|bodies| bodies.contains(&start)) {
            return Ok(0);
        }
        let left = self.bare.length.saturating_sub(start);
        for window in HEADER_WINDOWS {
            let bytes = self.bare.get_bytes(start, left.min(window) as usize)?;
            if let Some(header) = page_header(&bytes) {
                if header.unpacked > PAGE_BYTES_MAX {
                    return Err(ParquetError::General(format!(
                        "the page at {start} unpacks to {} bytes; the limit is {PAGE_BYTES_MAX}",
                        header.unpacked
                    )));
                }
                if let Some(mut bodies) = self.bodies().filter(|_| header.body > 0) {
                    bodies.insert(start + header.length as u64);
                }
                return Ok(header.encoding);
            }
            if left <= window {
                break;
            }
        }
        Err(ParquetError::General(format!(
            "the header of the page at {start} is damaged"
        )))
    }

    fn bodies(&self) -> Option<MutexGuard<'_, HashSet<u64>>> {
        let bodies = self.bodies.as_ref()?.lock();
        Some(bodies.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.bare.length
    }
}

impl ChunkReader for Pages {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        self.encoding(start)?;
        self.bare.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.bare.get_bytes(start, length)
    }
}

/// An input as it is: what a footer is read from.
#[derive(Clone)]
pub(super) struct Bare {
    input: Arc<Mutex<Box<dyn Input>>>,
    length: u64,
}

impl Bare {
    pub(super) fn new(input: Box<dyn Input>, length: u64) -> Self {
        Self {
            input: Arc::new(Mutex::new(input)),
            length,
        }
    }
}

impl Length for Bare {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Bare {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let input = Arc::clone(&self.input);
        Ok(BufReader::new(Section { input, at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} of a file of {}",
                self.length
            )));
        }
        let mut bytes = vec![0; length];
        Section {
            input: Arc::clone(&self.input),
            at: start,
        }
        .read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A place in the input. Its end is an error: the decoder takes what it passes over for passed over, however little of it
/// there is.
pub(super) struct Section {
    input: Arc<Mutex<Box<dyn Input>>>,
    at: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input.seek(SeekFrom::Start(self.at))?;
        let read = input.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}
