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
        if !belongs_with(part, first) {
            return Assembly::Conflict(format!(
                "part {} of {} of commit {} and part {} of {} of commit {} do not belong together",
                part.index, part.of, part.n, first.index, first.of, first.n
            ));
        }
        if let Some(other) = by_index.insert(part.index, part)
            && (&other.source_offsets, &other.segments) != (&part.source_offsets, &part.segments)
        {
            return Assembly::Conflict(format!(
                "part {} came with offsets {} and with {}, or with other segments",
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
    for (source, position) in by_index.values().flat_map(|part| &part.source_offsets.0) {
        let before = source_offsets.0.insert(source.clone(), position.clone());
        if before.is_some_and(|before| before != *position) {
            return Assembly::Conflict(format!("two parts disagree where source {source} stood"));
        }
    }
    Assembly::Ready(Commit {
        writer: first.writer.clone(),
        generation,
        n: first.n,
        // Of the parts' runs the least: whichever arrived first would depend on the order.
        run: parts
            .iter()
            .map(|part| &part.run)
            .min()
            .cloned()
            .unwrap_or_default(),
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

/// Whether two parts can be pieces of one commit.
fn belongs_with(part: &Part, first: &Part) -> bool {
    let key = |part: &Part| (part.n, part.of, part.schema_version);
    part.writer == first.writer && key(part) == key(first) && part.index < part.of
}
