//! Decides when a job that met trouble is tried again, and when it is no longer started by itself.
//!
//! Facts in, decision out: it reads no clock and draws no lot. Invariant: trouble that may pass ends no
//! job whose options do not say so, and no job is what keeps a server from staying up.

use super::end::Outcome;
use super::run::Ended;
use flinkspark_model::{Error, Kind, Result};
use std::time::Duration;

/// The first pause before a job is tried again; each is twice the last.
const PAUSE_MIN_MS: u64 = 1_000;
/// The longest pause.
const PAUSE_MAX_MS: u64 = 60_000;
/// So often a server may die with a job at work that came no further, before the job is parked.
const DEATHS_MAX: usize = 3;
/// An incarnation that has lived so long is not what its server dies of at once.
pub(super) const LIFE_MIN: Duration = Duration::from_secs(60);

/// What follows when an incarnation has ended.
#[derive(Debug)]
pub(super) enum Next {
    /// The job has ended.
    End(Outcome),
    /// It goes on at the next start of the server.
    Suspend,
    /// It is tried again after a pause: what stopped it may pass.
    Again(Error),
}

/// Decides what follows an incarnation; `tries` counts those that failed since the job last came
/// further, this one too, and `closed` says that the server stops.
pub(super) fn after(
    ended: Result<Ended>,
    closed: bool,
    tries: u32,
    retries_max: Option<u32>,
) -> Next {
    match ended {
        Ok(Ended::Finished) => Next::End(Outcome::Finished),
        Ok(Ended::Stopped) => Next::End(Outcome::Stopped),
        Ok(Ended::Suspended) => Next::Suspend,
        Err(error) if may_pass(&error) && closed => {
            tracing::warn!(%error, "let go without a last checkpoint");
            Next::Suspend
        }
        // Asked to stop, it comes back to commit what its last checkpoint promised.
        Err(error) if may_pass(&error) && retries_max.is_none_or(|most| tries <= most) => {
            Next::Again(error)
        }
        Err(error) => Next::End(Outcome::Failed((&error).into())),
    }
}

fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), Kind::Unavailable | Kind::InDoubt)
}

/// The pause before the next try, after so many that failed: doubled each time, and shortened by up to a
/// half by the lot, so that jobs that failed together do not come back together.
pub(super) fn pause(tries: u32, lot: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let longest = (PAUSE_MIN_MS << doublings).min(PAUSE_MAX_MS);
    let shortest = longest / 2;
    Duration::from_millis(shortest + u64::from(lot) % (longest - shortest + 1))
}

/// Whether a job that was started so often without coming further is parked instead; with what error.
pub(super) fn parked(starts: usize) -> Option<Error> {
    (starts >= DEATHS_MAX).then(|| {
        Error::new(
            Kind::Conflict,
            "FS0918",
            "the job is parked: its server died each time that it ran",
        )
        .with_detail(format!(
            "{starts} servers died with it at work, without a checkpoint or {} s of life between",
            LIFE_MIN.as_secs()
        ))
        .with_hint(
            "`flinkspark job resume ID` starts it again, `flinkspark job stop ID` ends it; look at the \
             memory that the machine has for it first",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Error {
        Error::new(Kind::Unavailable, "FS1001", "a full disk")
    }

    #[test]
    fn what_may_pass_ends_no_job_unless_its_options_say_so() {
        for tries in [1, 10, 1_000_000] {
            assert!(matches!(
                after(Err(full()), true, tries, Some(0)),
                Next::Suspend
            ));
            assert!(matches!(
                after(Err(full()), false, tries, None),
                Next::Again(_)
            ));
        }
        for (tries, most, again) in [(1, 0, false), (1, 1, true), (2, 1, false), (10, 10, true)] {
            let next = after(Err(full()), false, tries, Some(most));
            assert_eq!(matches!(next, Next::Again(_)), again, "{tries} of {most}");
        }
        let broken = Error::new(Kind::Data, "FS1005", "a segment is missing");
        for closed in [false, true] {
            let ended = after(Err(broken.clone()), closed, 1, None);
            assert!(matches!(ended, Next::End(Outcome::Failed(_))));
        }
    }

    #[test]
    fn pauses_double_to_a_minute_and_differ_by_lot() {
        for (tries, longest) in [
            (1, 1_000),
            (2, 2_000),
            (6, 32_000),
            (7, 60_000),
            (u32::MAX, 60_000),
        ] {
            for lot in [0, 1, 12_345, u32::MAX] {
                let pause = pause(tries, lot).as_millis();
                assert!((longest / 2..=longest).contains(&pause), "{tries}: {pause}");
            }
            assert_ne!(pause(tries, 0), pause(tries, 1));
        }
    }

    #[test]
    fn three_deaths_park_a_job_and_two_do_not() {
        assert!(parked(2).is_none());
        let error = parked(3).unwrap();
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0918"));
    }
}
