//! Reads a journal from its first record to its last and judges its tail.
//!
//! Never writes. Invariant: either every record up to the high-water mark was visited in order, or
//! the result is an error; a tail is called torn only where nothing in it can have been acknowledged.

use super::frame::{self, FRAME_BYTES_MAX, Flaw};
use super::header::{HEADER_BYTES, Header, u64_at};
use super::place::Place;
use super::{GROUP_RECORDS_MAX, Visit};
use crate::disk::File;
use crate::error;
use flinkspark_model::Result;
use std::io;

/// Bytes read from the file at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// The longest tail that one interrupted group can leave, in bytes.
const TORN_BYTES_MAX: u64 = (GROUP_RECORDS_MAX * FRAME_BYTES_MAX) as u64;

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The sequence of the last whole record; one less than the header's first if there is none.
    pub(crate) last: u64,
    /// The offset behind the last whole record.
    pub(crate) end: u64,
    /// Bytes behind `end` that an interrupted write left.
    pub(crate) torn_bytes: u64,
}

/// Visits every record. `high_water` is the greatest sequence that is known from
/// anywhere to have been acknowledged.
pub(crate) fn scan(
    file: &dyn File,
    header: &Header,
    high_water: u64,
    visit: &mut Visit<'_>,
) -> Result<Extent> {
    let mut frames = Frames::open(file).map_err(unreadable)?;
    let (mut at, mut next) = (HEADER_BYTES, header.first);
    while at < frames.len {
        let flaw = match frame::decode(frames.at(at).map_err(unreadable)?) {
            Ok(frame) if frame.sequence == next => {
                let place = Place::of(next, at, frame.payload);
                visit(place, frame.payload)?;
                at = place.end();
                next += 1;
                continue;
            }
            Ok(frame) => Err(format!(
                "record {} stands where record {next} belongs",
                frame.sequence
            )),
            Err(flaw) => Ok(flaw),
        };
        return judge_tail(&mut frames, at, next, high_water, flaw);
    }
    if high_water >= next {
        return Err(error::ends_early(next - 1, high_water));
    }
    Ok(Extent {
        last: next - 1,
        end: at,
        torn_bytes: 0,
    })
}

/// Decides whether the bytes from `at`, where record `next` cannot be read, were ever acknowledged.
fn judge_tail(
    frames: &mut Frames<'_>,
    at: u64,
    next: u64,
    high_water: u64,
    flaw: Result<Flaw, String>,
) -> Result<Extent> {
    if high_water >= next && flaw == Ok(Flaw::Short) {
        return Err(error::ends_early(next - 1, high_water));
    }
    let why = match flaw {
        Ok(flaw) => flaw.to_string(),
        Err(why) => why,
    };
    if high_water >= next {
        return Err(error::damaged(
            at,
            format!("{why} (record {next}, acknowledged up to {high_water})"),
        ));
    }
    let torn_bytes = frames.len - at;
    if torn_bytes > TORN_BYTES_MAX {
        return Err(error::damaged(
            at,
            format!("{why} (record {next}), and {torn_bytes} bytes follow"),
        ));
    }
    for offset in at..frames.len {
        if let Some(later) = later_group(frames.at(offset).map_err(unreadable)?, next) {
            return Err(error::damaged(
                at,
                format!("{why} (record {next}), but record {later} follows"),
            ));
        }
    }
    Ok(Extent {
        last: next - 1,
        end: at,
        torn_bytes,
    })
}

/// The sequence of the record at the beginning of `bytes`, if it proves that `next` was synced.
///
/// A group is written only after the group before it was synced, so a record of a group that began
/// above `next` proves it; records of the same interrupted group may have reached the disk in any order.
fn later_group(bytes: &[u8], next: u64) -> Option<u64> {
    let plausible = |number: u64| number > next && number - next <= 2 * GROUP_RECORDS_MAX as u64;
    if !u64_at(bytes, 8).is_some_and(plausible) || !u64_at(bytes, 16).is_some_and(plausible) {
        return None;
    }
    frame::decode(bytes).ok().map(|frame| frame.sequence)
}

/// The greatest sequence of any whole record in the file, whatever lies between them; 0 where there is none.
pub(crate) fn greatest(file: &dyn File) -> Result<u64> {
    let mut frames = Frames::open(file).map_err(unreadable)?;
    let (mut at, mut greatest) = (HEADER_BYTES, 0);
    while at < frames.len {
        match frame::decode(frames.at(at).map_err(unreadable)?) {
            Ok(frame) => {
                greatest = greatest.max(frame.sequence);
                at = Place::of(frame.sequence, at, frame.payload).end();
            }
            Err(_) => at += 1,
        }
    }
    Ok(greatest)
}

fn unreadable(cause: io::Error) -> flinkspark_model::Error {
    error::file("read its journal", std::path::Path::new("journal"), cause)
}

/// A buffered view of a file as frames.
pub(crate) struct Frames<'a> {
    file: &'a dyn File,
    buffer: Vec<u8>,
    start: u64,
    /// The file's length when it was opened, in bytes.
    pub(crate) len: u64,
}

impl<'a> Frames<'a> {
    /// A view of the file as long as it is now.
    pub(crate) fn open(file: &'a dyn File) -> io::Result<Self> {
        Ok(Self {
            file,
            buffer: Vec::new(),
            start: 0,
            len: file.len()?,
        })
    }

    /// The bytes at `offset`: at least as many as the largest frame has, or up to the end of the file.
    pub(crate) fn at(&mut self, offset: u64) -> io::Result<&[u8]> {
        let want = FRAME_BYTES_MAX
            .min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        let held = offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok());
        let skip = match held {
            Some(skip) if skip + want <= self.buffer.len() => skip,
            _ => {
                self.buffer.resize(CHUNK_BYTES, 0);
                let count = self.file.read_at(offset, &mut self.buffer)?;
                self.buffer.truncate(count);
                self.start = offset;
                0
            }
        };
        Ok(self.buffer.get(skip..).unwrap_or_default())
    }
}
