//! Decides how an incarnation goes on once it owns the job: what is still to be committed, and whether
//! anything is left to do.
//!
//! Facts in, decision out: it reads no log and no clock; `takeover` carries the decisions out.
//! `model::recovery` decides what holds for every engine; this adds what is in a checkpoint of this one.
//! Invariant: a run goes on with the program that it was started with, or not at all.

use super::checkpoint::Body;
use flinkspark_model::log::{Commit, Generation, LogId};
use flinkspark_model::{Error, Kind, Result, recovery};

/// How the incarnation goes on once it owns the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restore {
    /// There is no checkpoint: from the beginning.
    Fresh,
    /// From the latest checkpoint.
    From(Body),
    /// The latest checkpoint is the job's end: only what is pending is left.
    Finished(Body),
}

/// What to commit, in order, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Epochs of the latest manifest, in this generation.
    pub(crate) commits: Vec<(LogId, Commit)>,
    /// What follows.
    pub(crate) restore: Restore,
}

/// Decides from the latest checkpoint; `program` is the fingerprint of the program to be run.
pub(crate) fn plan(latest: Option<&Commit>, generation: Generation, program: &str) -> Result<Plan> {
    let Some(latest) = latest else {
        return Ok(Plan {
            commits: Vec::new(),
            restore: Restore::Fresh,
        });
    };
    let manifest = latest.manifest.as_ref().ok_or_else(|| {
        super::checkpoint::damaged(format!(
            "commit {} of the job's log has no manifest",
            latest.n
        ))
    })?;
    let body = Body::decode(&manifest.body)?;
    if body.program != program {
        return Err(Error::new(
            Kind::Conflict,
            "FS0614",
            "the run was started with another program",
        )
        .with_detail(format!(
            "checkpoint {} belongs to program {}, not {program}",
            latest.n, body.program
        ))
        .with_hint("give the new program a new run id"));
    }
    Ok(Plan {
        commits: recovery::pending(manifest, generation).collect(),
        restore: if body.finished {
            Restore::Finished(body)
        } else {
            Restore::From(body)
        },
    })
}

/// Another incarnation that got between the job's fence and an output's is newer: this one stops.
pub(crate) fn beaten(refusal: Error, output: &str) -> Error {
    match refusal.kind() {
        Kind::Conflict => Error::new(
            Kind::Fenced,
            "FS0615",
            "a newer incarnation of the job took an output over",
        )
        .with_detail(format!("{output}: {}", refusal.message()))
        .with_hint("leave this incarnation; the newer one goes on"),
        _ => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::{BODY_VERSION, Totals};
    use super::*;
    use flinkspark_model::log::{Manifest, Pending, SourceOffsets};

    fn commit(manifest: Option<Manifest>) -> Commit {
        Commit {
            writer: "run".into(),
            generation: 3,
            n: 7,
            run: "run".into(),
            source_offsets: SourceOffsets::of("s/0", "1.0.5"),
            schema_version: 1,
            watermark_ms: Some(5),
            checkpoint_ref: None,
            lineage: vec![],
            segments: vec![],
            manifest,
        }
    }

    fn checkpoint(finished: bool) -> Commit {
        let body = Body {
            version: BODY_VERSION,
            program: "p".into(),
            finished,
            through: 1,
            partitions: vec![],
            states: vec![],
            totals: Totals::default(),
        };
        let pending = Pending {
            log: LogId(uuid::Uuid::nil()),
            commit: commit(None),
        };
        commit(Some(Manifest {
            pending: vec![pending],
            body: body.encode().unwrap(),
        }))
    }

    #[test]
    fn the_first_incarnation_has_nothing_to_restore() {
        let plan = plan(None, 1, "p").unwrap();
        assert_eq!((plan.commits.len(), plan.restore), (0, Restore::Fresh));
    }

    #[test]
    fn what_is_pending_is_committed_in_the_new_generation_with_its_own_number() {
        let plan = plan(Some(&checkpoint(false)), 9, "p").unwrap();
        let (_, pending) = &plan.commits[0];
        assert_eq!(
            (pending.generation, pending.n, &pending.source_offsets),
            (9, 7, &SourceOffsets::of("s/0", "1.0.5"))
        );
        assert!(matches!(plan.restore, Restore::From(_)));
    }

    #[test]
    fn a_finished_job_commits_what_is_pending_and_reads_nothing() {
        let plan = plan(Some(&checkpoint(true)), 9, "p").unwrap();
        assert_eq!(plan.commits.len(), 1);
        assert!(matches!(plan.restore, Restore::Finished(_)));
    }

    #[test]
    fn another_program_does_not_take_the_state() {
        let error = plan(Some(&checkpoint(false)), 9, "q").unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0614"));
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut latest = checkpoint(false);
        latest.manifest.as_mut().unwrap().body = "{\"version\": 2}".into();
        assert_eq!(plan(Some(&latest), 9, "p").unwrap_err().code(), "FS0613");
    }

    #[test]
    fn a_commit_without_a_manifest_is_not_a_checkpoint() {
        assert_eq!(
            plan(Some(&commit(None)), 9, "p").unwrap_err().code(),
            "FS0611"
        );
    }
}
