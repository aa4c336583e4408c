//! A journal that is bytes in memory: read, never written.
//!
//! Invariant: it is judged as the same bytes in a file are.

use super::header::{HEADER_BYTES, Header};
use super::{Extent, Visit, scan};
use crate::disk::File;
use flinkspark_model::Result;
use std::io;

/// Visits every record; the high-water mark is the journal's own.
pub(crate) fn read(bytes: &[u8], visit: &mut Visit<'_>) -> Result<Extent> {
    let head = bytes.get(..HEADER_BYTES as usize).unwrap_or(bytes);
    let header = Header::decode(head)?;
    scan::greatest(&Bytes(bytes))?;
    scan::scan(&Bytes(bytes), &header, header.mark, visit)
}

struct Bytes<'a>(&'a [u8]);

impl File for Bytes<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
