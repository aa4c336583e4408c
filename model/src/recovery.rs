//! Checkpoint meets lineage: what an engine does when a part of a job is lost.
//!
//! A stream goes back to its latest checkpoint, a batch job computes a lost partition again. A
//! committed epoch is where the two meet: it is never computed again, and nothing below it is.
//! Facts in, decision out: it reads no log and no clock. The engines carry the decisions out, and
//! `model/tests/enumeration` drives them through every interleaving of two incarnations.
//! Invariant: a pending epoch is committed in the generation of whoever commits it, with the number,
//! offsets and segments that its manifest recorded.

use crate::digest::Digest;
use crate::log::{Commit, Generation, Intent, LogId, Manifest, Ordinal, WriterName, WriterState};
use crate::{Error, Kind, Result};

/// How an incarnation takes a job over: with this fence on the job's log, then on each output's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeOver {
    /// One above the highest.
    pub generation: Generation,
    /// The last completed checkpoint; 0 for none.
    pub restored: Ordinal,
}

impl TakeOver {
    /// What follows from what the job's log says of the run.
    pub fn next(job: Option<&WriterState>) -> Self {
        Self {
            generation: job.map_or(0, |state| state.generation) + 1,
            restored: job.map_or(0, WriterState::last),
        }
    }

    /// The fence for one of the job's logs.
    pub fn fence(self, writer: &WriterName, incarnation: &str) -> Intent {
        Intent::Fence {
            writer: writer.clone(),
            generation: self.generation,
            restored: self.restored,
            rewind: false,
            drops: false,
            incarnation: incarnation.to_owned(),
        }
    }
}

/// What a checkpoint promised and may not have been committed, for an incarnation that owns the job.
pub fn pending(
    manifest: &Manifest,
    generation: Generation,
) -> impl Iterator<Item = (LogId, Commit)> + '_ {
    manifest.pending.iter().map(move |pending| {
        let commit = Commit {
            generation,
            ..pending.commit.clone()
        };
        (pending.log, commit)
    })
}

/// Whether computing a partition again gives the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Determinism {
    /// The same rows, and so the same digest.
    Deterministic,
    /// Perhaps other rows: what was made from the lost ones and is not committed has to be made again.
    Indeterminate,
}

/// Whether a partition that was lost and computed again may take the lost one's place.
///
/// Errors: `Data` where it must have been the same and is not.
pub fn recomputed(determinism: Determinism, lost: Digest, found: Digest) -> Result<()> {
    if determinism == Determinism::Indeterminate || lost == found {
        return Ok(());
    }
    Err(Error::new(
        Kind::Data,
        "FS0711",
        "a partition that was computed again has other rows",
    )
    .with_detail(format!("{found} now, {lost} before it was lost"))
    .with_hint("verify the dataset that it is read from: `flinkspark dataset verify NAME`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Pending, SourceOffsets};

    fn commit() -> Commit {
        Commit {
            writer: "run".into(),
            generation: 3,
            n: 7,
            token: None,
            run: "run".into(),
            source_offsets: SourceOffsets::of("s/0", "1.0.5"),
            schema_version: 1,
            watermark_ms: Some(5),
            checkpoint_ref: None,
            lineage: vec![],
            segments: vec![],
            manifest: None,
        }
    }

    #[test]
    fn the_first_incarnation_has_generation_one_and_nothing_to_restore() {
        let first = TakeOver {
            generation: 1,
            restored: 0,
        };
        assert_eq!(TakeOver::next(None), first);
    }

    #[test]
    fn what_is_pending_is_committed_in_the_new_generation_with_its_own_number() {
        let manifest = Manifest {
            pending: vec![Pending {
                log: LogId(uuid::Uuid::nil()),
                commit: commit(),
            }],
            body: String::new(),
        };
        let commits: Vec<_> = pending(&manifest, 9).collect();
        let expected = Commit {
            generation: 9,
            ..commit()
        };
        assert_eq!(commits, [(LogId(uuid::Uuid::nil()), expected)]);
    }

    #[test]
    fn only_a_deterministic_partition_must_be_what_it_was() {
        let some = Digest {
            rows: 1,
            ..Digest::default()
        };
        let nothing = Digest::default();
        let judge = |determinism, lost| recomputed(determinism, lost, some).map_err(|e| e.kind());
        assert_eq!(judge(Determinism::Deterministic, some), Ok(()));
        assert_eq!(judge(Determinism::Deterministic, nothing), Err(Kind::Data));
        assert_eq!(judge(Determinism::Indeterminate, nothing), Ok(()));
    }
}
