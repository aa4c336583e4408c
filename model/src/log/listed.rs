//! Slots of large commits: their segments lie in list objects beside the log.
//!
//! A list object is named by the hash of its bytes and is durable before the slot that names it, so that
//! a slot stays small however many segments its commit has. It exists in bytes only: in memory a commit
//! holds its segments. Invariant: a record survives being outlined and inlined unchanged.

use super::slot::{ListRef, Replacement, SegmentRef, Slot, SlotRecord};
use crate::error::{Error, Kind, Result};

/// The most segments that a slot names itself; of more its commit is in list objects.
pub const SLOT_SEGMENTS_MAX: usize = 256;

/// The most segments in one list object.
pub const LIST_SEGMENTS_MAX: usize = 16 << 10;

/// The most segments of one commit.
pub const COMMIT_SEGMENTS_MAX: usize = 256 << 10;

impl ListRef {
    /// The list object of these segments, with its bytes.
    fn of(segments: &[SegmentRef]) -> Result<ListObject> {
        let bytes = serde_json::to_vec(segments).map_err(|cause| {
            Error::new(Kind::Internal, "FS0201", "a slot could not be encoded").with_source(cause)
        })?;
        let list = Self {
            name: name(&bytes),
            segments: segments.len(),
        };
        Ok((list, bytes))
    }

    /// The segments in the object's bytes. Anything but what was written is `Data`.
    fn read(&self, bytes: &[u8]) -> Result<Vec<SegmentRef>> {
        let torn = |why: &str| {
            Error::new(Kind::Data, "FS0203", "a slot of the log is damaged")
                .with_detail(format!("its list of segments {}: {why}", self.name))
                .with_hint("restore the object from a backup; `flinkspark explain FS0203` says what is safe")
        };
        if name(bytes) != self.name {
            return Err(torn("its bytes are not those that were written"));
        }
        let segments: Vec<SegmentRef> =
            serde_json::from_slice(bytes).map_err(|cause| torn(&cause.to_string()))?;
        if segments.len() != self.segments {
            return Err(torn("it has another number of segments"));
        }
        Ok(segments)
    }
}

/// A list object with its bytes.
pub type ListObject = (ListRef, Vec<u8>);

fn name(bytes: &[u8]) -> String {
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(bytes))
}

impl Slot {
    fn segments_mut(&mut self) -> Option<&mut Vec<SegmentRef>> {
        match self {
            Self::Epoch(commit) => Some(&mut commit.segments),
            Self::Replace { with, .. } => match with {
                Replacement::Overwrite(commit) => Some(&mut commit.segments),
                Replacement::Compaction { segments } => Some(segments),
            },
            _ => None,
        }
    }
}

impl SlotRecord {
    /// The record as it is stored, and the list objects that are to be durable before it.
    pub fn outlined(&self) -> Result<(Self, Vec<ListObject>)> {
        let mut outlined = self.clone();
        let Some(segments) = outlined.body.segments_mut() else {
            return Ok((outlined, Vec::new()));
        };
        if segments.len() <= SLOT_SEGMENTS_MAX {
            return Ok((outlined, Vec::new()));
        }
        if segments.len() > COMMIT_SEGMENTS_MAX {
            let why = format!(
                "it has {} segments; the limit is {COMMIT_SEGMENTS_MAX}",
                segments.len()
            );
            return Err(Error::new(
                Kind::Invalid,
                "FS0202",
                "a commit is too large for one slot",
            )
            .with_detail(why)
            .with_hint("write fewer, larger segments in one commit"));
        }
        let segments = std::mem::take(segments);
        let lists = segments.chunks(LIST_SEGMENTS_MAX).map(ListRef::of);
        let lists = lists.collect::<Result<Vec<_>>>()?;
        outlined.lists = lists.iter().map(|(list, _)| list.clone()).collect();
        Ok((outlined, lists))
    }

    /// The record with its segments, from the bytes of its lists in their order.
    pub fn inlined(mut self, lists: &[impl AsRef<[u8]>]) -> Result<Self> {
        let named = std::mem::take(&mut self.lists);
        if let Some(segments) = self.body.segments_mut() {
            for (list, bytes) in named.iter().zip(lists) {
                segments.extend(list.read(bytes.as_ref())?);
            }
        }
        Ok(self)
    }
}
