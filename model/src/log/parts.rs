//! Assembles an epoch from parts, where an engine commits piece by piece.
//!
//! A part is durable before it is acknowledged; the epoch's slot is written when the expected
//! parts are there. Invariant: an assembly of the same parts is the same commit, in whatever
//! order they arrived and however often.

use super::slot::{Commit, Generation, Ordinal, SegmentRef, SourceOffsets, WriterName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One piece of a commit, from one of the engine's committers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The writer.
    pub writer: WriterName,
    /// The number of the commit that it belongs to.
    pub n: Ordinal,
    /// Which piece, from 0.
    pub index: u32,
    /// How many pieces the commit has.
    pub of: u32,
    /// The run, for people.
    pub run: String,
    /// Where this piece's sources stood.
    pub source_offsets: SourceOffsets,
    /// The schema that its segments follow.
    pub schema_version: u32,
    /// Its sealed segments.
    pub segments: Vec<SegmentRef>,
}

/// What the durable parts of one commit amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembly {
    /// Some are missing, by index.
    Waiting(Vec<u32>),
    /// All are there.
    Ready(Commit),
    /// Two parts contradict each other; the text says how.
    Conflict(String),
}

/// Assembles the durable parts of one (writer, n) for the given generation.
pub fn assemble(parts: &[Part], generation: Generation) -> Assembly {
    let Some(first) = parts.first() else {
        return Assembly::Waiting(vec![0]);
    };
    let mut by_index: BTreeMap<u32, &Part> = BTreeMap::new();
    for part in parts {
        if (&part.writer, part.n, part.of) != (&first.writer, first.n, first.of)
            || part.index >= part.of
        {
            return Assembly::Conflict(format!(
                "part {} of {} of commit {} and part {} of {} of commit {} do not belong together",
                part.index, part.of, part.n, first.index, first.of, first.n
            ));
        }
        if let Some(other) = by_index.insert(part.index, part)
            && other.source_offsets != part.source_offsets
        {
            return Assembly::Conflict(format!(
                "part {} came with offsets {} and with {}",
                part.index, other.source_offsets, part.source_offsets
            ));
        }
    }
    let missing: Vec<u32> = (0..first.of)
        .filter(|index| !by_index.contains_key(index))
        .collect();
    if !missing.is_empty() {
        return Assembly::Waiting(missing);
    }
    let mut source_offsets = SourceOffsets::default();
    for part in by_index.values() {
        source_offsets.0.extend(part.source_offsets.0.clone());
    }
    Assembly::Ready(Commit {
        writer: first.writer.clone(),
        generation,
        n: first.n,
        run: first.run.clone(),
        source_offsets,
        schema_version: first.schema_version,
        watermark_ms: None,
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments: by_index
            .values()
            .flat_map(|part| part.segments.clone())
            .collect(),
        manifest: None,
    })
}
