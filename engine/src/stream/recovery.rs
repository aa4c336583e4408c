//! Decides how an incarnation goes on once it owns the job: what is still to be committed, and whether
//! anything is left to do.
//!
//! Facts in, decision out: it reads no log and no clock; `takeover` carries the decisions out.
//! `model::recovery` decides what holds for every engine; this adds what is in a checkpoint of this one.
//! Invariant: what a checkpoint promised needs no program; a run goes on with the program that it was
//! started with, or not at all.

use super::checkpoint::Body;
use super::error::damaged;
use super::program::Identity;
use flinkspark_model::log::{Commit, Generation, LogId, Manifest};
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

/// What the latest checkpoint promised, in this generation, in order. It needs no program, nor what
/// else is in the checkpoint.
pub(crate) fn promised(
    latest: Option<&Commit>,
    generation: Generation,
) -> Result<Vec<(LogId, Commit)>> {
    match latest {
        None => Ok(Vec::new()),
        Some(latest) => Ok(recovery::pending(manifest(latest)?, generation).collect()),
    }
}

/// What a checkpoint says besides its promises.
pub(crate) fn body(checkpoint: &Commit) -> Result<Body> {
    Body::decode(&manifest(checkpoint)?.body)
}

/// How a program goes on from the latest checkpoint.
pub(crate) fn restore(latest: Option<&Commit>, program: &Identity) -> Result<Restore> {
    let Some(latest) = latest else {
        return Ok(Restore::Fresh);
    };
    let body = body(latest)?;
    if !program.owns(&body) {
        return Err(Error::new(
            Kind::Conflict,
            "FS0614",
            "the run was started with another program",
        )
        .with_detail(format!(
            "checkpoint {} belongs to program {}, not {}; what it promised is committed",
            latest.n, body.program, program.plan
        ))
        .with_hint("give the new program a new run id"));
    }
    Ok(if body.finished {
        Restore::Finished(body)
    } else {
        Restore::From(body)
    })
}

fn manifest(checkpoint: &Commit) -> Result<&Manifest> {
    checkpoint.manifest.as_ref().ok_or_else(|| {
        damaged(format!(
            "commit {} of the job's log has no manifest",
            checkpoint.n
        ))
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
    use super::super::checkpoint::BODY_VERSION;
    use super::super::counts::Totals;
    use super::*;
    use flinkspark_model::digest::Digest;
    use flinkspark_model::log::{Manifest, Pending, SegmentFormat, SegmentRef, SourceOffsets};

    fn commit(manifest: Option<Manifest>) -> Commit {
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
            manifest,
        }
    }

    fn checkpoint(finished: bool) -> Commit {
        let body = Body {
            version: BODY_VERSION,
            program: "p1-x".into(),
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

    fn program(plan: &str, operators: &[&str]) -> Identity {
        Identity {
            plan: plan.into(),
            text: "p".into(),
            operators: operators.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_first_incarnation_has_nothing_to_restore() {
        assert!(promised(None, 1).unwrap().is_empty());
        let restore = restore(None, &program("p1-x", &[]));
        assert_eq!(restore.unwrap(), Restore::Fresh);
    }

    #[test]
    fn what_is_promised_is_committed_in_the_new_generation_with_its_own_number() {
        let promised = promised(Some(&checkpoint(false)), 9).unwrap();
        let (_, pending) = &promised[0];
        assert_eq!(
            (pending.generation, pending.n, &pending.source_offsets),
            (9, 7, &SourceOffsets::of("s/0", "1.0.5"))
        );
        let restore = restore(Some(&checkpoint(false)), &program("p1-x", &[])).unwrap();
        assert!(matches!(restore, Restore::From(_)));
    }

    #[test]
    fn a_finished_job_has_promises_and_nothing_to_read() {
        assert_eq!(promised(Some(&checkpoint(true)), 9).unwrap().len(), 1);
        let restore = restore(Some(&checkpoint(true)), &program("p1-x", &[])).unwrap();
        assert!(matches!(restore, Restore::Finished(_)));
    }

    #[test]
    fn another_program_does_not_take_the_state_and_the_promises_are_kept() {
        let latest = checkpoint(false);
        let error = restore(Some(&latest), &program("p1-y", &[])).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0614"));
        assert_eq!(promised(Some(&latest), 9).unwrap().len(), 1);
    }

    /// What a build before canonical plans wrote: it knew a program by its text.
    const FORMAT_1: &str = r#"{"version":1,"program":"P","finished":false,"through":1,"partitions":[],"states":[{"uid":"windows","first_group":0,"last_group":127,"segment":SEGMENT}],"totals":{"rows_read":4,"rows_late":0,"windows_fired":1,"rows_written":2}}"#;

    #[test]
    fn a_checkpoint_of_format_1_goes_on_though_its_text_is_printed_otherwise_now() {
        let segment = serde_json::to_string(&segment()).unwrap();
        let old = |program: &str| {
            let mut latest = checkpoint(false);
            let body = FORMAT_1
                .replace("SEGMENT", &segment)
                .replace("\"P\"", program);
            latest.manifest.as_mut().unwrap().body = body;
            latest
        };
        for recorded in ["\"p\"", "\"printed otherwise\""] {
            let restore = restore(Some(&old(recorded)), &program("p1-x", &["windows"])).unwrap();
            let Restore::From(body) = restore else {
                panic!("it goes on");
            };
            assert_eq!((body.totals.rows_read, body.states.len()), (4, 1));
        }
        // State of an operator that the program does not have fits it in no case.
        let other = program("p1-x", &["other"]);
        let error = restore(Some(&old("\"printed otherwise\"")), &other).unwrap_err();
        assert_eq!(error.code(), "FS0614");
    }

    fn segment() -> SegmentRef {
        SegmentRef {
            name: "p0-a0-1".into(),
            partition: 0,
            attempt: 0,
            format: SegmentFormat::Arrow,
            rows: 1,
            bytes: 1,
            digest: Digest::default(),
        }
    }

    #[test]
    fn promises_are_kept_though_the_rest_was_written_by_a_newer_build() {
        let mut latest = checkpoint(false);
        latest.manifest.as_mut().unwrap().body = "{\"version\": 3}".into();
        let refused = restore(Some(&latest), &program("p1-x", &[])).unwrap_err();
        assert_eq!(refused.code(), "FS0613");
        assert_eq!(promised(Some(&latest), 9).unwrap().len(), 1);
    }

    #[test]
    fn a_commit_without_a_manifest_is_not_a_checkpoint() {
        assert_eq!(
            promised(Some(&commit(None)), 9).unwrap_err().code(),
            "FS0611"
        );
    }
}
