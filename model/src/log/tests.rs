//! What the slot machine promises, one fact per test.
//!
//! Invariant: every refusal has a test that provokes it.

mod bytes;
mod carrying;
mod collecting;
mod listed;
mod opening;
mod property;
mod refusals;
mod tokens;

use super::*;
use crate::digest::Digest;

fn writer() -> WriterName {
    WriterName::from("job")
}

fn segment(name: &str) -> SegmentRef {
    SegmentRef {
        name: name.into(),
        partition: 0,
        attempt: 0,
        format: SegmentFormat::Arrow,
        rows: 1,
        bytes: 100,
        digest: Digest { rows: 1, sum: 1 },
    }
}

fn commit(generation: Generation, n: Ordinal, to: u64, segments: &[&str]) -> Commit {
    Commit {
        writer: writer(),
        generation,
        n,
        token: None,
        run: "run".into(),
        source_offsets: SourceOffsets::of("in", to),
        schema_version: 1,
        watermark_ms: Some(to as i64),
        checkpoint_ref: None,
        lineage: Vec::new(),
        segments: segments.iter().map(|name| segment(name)).collect(),
        manifest: None,
    }
}

fn fence(generation: Generation, restored: Ordinal) -> Intent {
    let incarnation = format!("incarnation {generation}");
    Intent::Fence {
        writer: writer(),
        generation,
        restored,
        rewind: false,
        drops: false,
        incarnation,
    }
}

fn epoch(generation: Generation, n: Ordinal) -> Intent {
    Intent::Commit(commit(generation, n, n * 10, &[&format!("s{n}")]))
}

fn abort(generation: Generation, n: Ordinal, segment: &str) -> Intent {
    Intent::Abort {
        writer: writer(),
        generation,
        n,
        segments: vec![segment.into()],
    }
}

/// The log after these intents, each of which must be created.
fn log(intents: impl IntoIterator<Item = Intent>) -> View {
    let mut view = View::empty();
    for intent in intents {
        append(&mut view, &intent);
    }
    view
}

fn append(view: &mut View, intent: &Intent) {
    match view.decide(intent) {
        Decision::Create(attempt) => view.apply(attempt.slot, &attempt.body).unwrap(),
        other => panic!("{intent:?} becomes {other:?}"),
    }
}

fn refusal(view: &View, intent: &Intent) -> Refusal {
    match view.decide(intent) {
        Decision::Refuse(refusal) => refusal,
        other => panic!("{intent:?} becomes {other:?}"),
    }
}
