//! The protocol's state space, enumerated with `model::log`'s own functions.
//!
//! Each model drives the machine through every interleaving of its steps, of crashes and of
//! creates that are lost, late or doubled, and asserts every invariant in every state.
//! `docs/protocol.md` says what is enumerated and what is not. The long tests enumerate three
//! incarnations over three epochs and walk longer; `FLINKSPARK_SEED=N` walks from that seed.

#[cfg(test)]
mod batched;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod gathered;
#[cfg(test)]
mod network;
#[cfg(test)]
mod ours;
#[cfg(feature = "faults")]
#[cfg(test)]
mod plant;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod transaction;
#[cfg(test)]
mod world;

#[cfg(test)]
mod enumeration {
    use crate::batched::{self, Batched};
    use crate::explore::{Marks, Model, Report, explore, walk};
    use crate::foreign::{self, Foreign, Restore};
    use crate::gathered::{self, Gathered};
    use crate::ours::{Facts, Ours, Size};
    use crate::transaction::Transaction;
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::sync::{PoisonError, RwLock, RwLockReadGuard};

    /// A planted defect is seen by the whole process: whoever plants takes this alone.
    static PLANTING: RwLock<()> = RwLock::new(());

    fn nothing_planted() -> RwLockReadGuard<'static, ()> {
        PLANTING.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seed of the walks: one that an earlier run printed, or a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "a choice of the test run, not of the product"
    )]
    fn seed() -> u64 {
        let given = std::env::var("FLINKSPARK_SEED");
        let given = given.ok().and_then(|value| value.parse().ok());
        given.unwrap_or_else(|| RandomState::new().build_hasher().finish())
    }

    fn sound<M: Model>(title: &str, mut model: M, marks: &[Marks]) -> Report {
        let _alone = nothing_planted();
        let report = explore(&mut model);
        report.print(title);
        report.expect_sound(title);
        assert!(report.complete > 0, "nothing was ever committed whole");
        for mark in marks {
            assert!(report.marked(*mark) > 0, "{mark:?} never happened");
        }
        report
    }

    fn ours(incarnations: usize) -> Size {
        Size {
            incarnations,
            epochs: 3,
            in_flight: 2,
            facts: Facts::JobFirst,
        }
    }

    fn engine(restore: Restore) -> Foreign {
        Foreign::new(foreign::Size {
            incarnations: 2,
            epochs: 3,
            restore,
        })
    }

    const ZOMBIES: [Marks; 5] = [
        Marks::LATE,
        Marks::RACE,
        Marks::REPLAY,
        Marks::FENCED,
        Marks::DOUBLED,
    ];

    #[test]
    fn a_job_with_its_own_log_loses_and_doubles_nothing() {
        let report = sound("ours", Ours::new(ours(2)), &ZOMBIES);
        assert!(report.marked(Marks::DELETED) > 0);
    }

    #[test]
    fn three_incarnations_lose_and_double_nothing() {
        three_incarnations(1);
    }

    #[test]
    #[ignore = "long: 39 million states"]
    fn three_incarnations_over_three_epochs_lose_and_double_nothing() {
        three_incarnations(3);
    }

    fn three_incarnations(epochs: u8) {
        let size = Size { epochs, ..ours(3) };
        sound(
            &format!("ours, three incarnations, {epochs} epochs"),
            Ours::new(size),
            &ZOMBIES,
        );
    }

    #[test]
    fn a_collector_that_reads_the_output_before_the_job_would_delete_live_data() {
        let _alone = nothing_planted();
        let size = Size {
            facts: Facts::OutputFirst,
            ..ours(2)
        };
        let report = explore(&mut Ours::new(size));
        let violation = report.violation.expect("the order of facts matters");
        println!(
            "output first: {} after {} steps",
            violation.what, violation.steps
        );
        println!("{}", violation.trace);
        assert!(
            violation.what.contains("deleted segment"),
            "{}",
            violation.what
        );
    }

    #[test]
    fn a_transaction_commits_whole_or_not_at_all() {
        let marks = [
            Marks::LATE,
            Marks::REPLAY,
            Marks::ABORT,
            Marks::DELETED,
            Marks::CONFLICT,
        ];
        sound("transaction", Transaction::new(), &marks);
    }

    #[test]
    fn an_engine_that_restores_its_latest_checkpoint_commits_each_row_once() {
        sound(
            "foreign, latest checkpoint",
            engine(Restore::Latest),
            &ZOMBIES,
        );
    }

    #[test]
    fn an_engine_that_restores_any_checkpoint_is_refused_or_commits_each_row_once() {
        let report = sound("foreign, any checkpoint", engine(Restore::Any), &ZOMBIES);
        assert!(report.marked(Marks::REWIND) > 0);
    }

    #[test]
    fn a_rewind_that_the_user_asked_for_replays_or_is_refused() {
        let report = sound("foreign, rewound", engine(Restore::AnyRewound), &ZOMBIES);
        assert!(report.marked(Marks::CONFLICT) > 0);
    }

    #[test]
    fn a_rewind_by_an_engine_that_numbers_on_would_double_rows() {
        let _alone = nothing_planted();
        let report = explore(&mut engine(Restore::RewoundNumberingOn));
        let violation = report.violation.expect("numbers are not replayed");
        assert!(violation.what.contains("doubled"), "{}", violation.what);
    }

    fn gathered(restore: gathered::Restore) -> gathered::Size {
        use gathered::Restore;
        gathered::Size {
            incarnations: 2,
            rounds: if restore == Restore::AnyDropped { 3 } else { 4 },
            aborts: 1,
            late: 1,
            in_flight: 2,
            other: restore == Restore::Latest,
            history: true,
            restore,
        }
    }

    /// Fewer rounds; where any checkpoint is restored, no late call and one create in flight.
    fn gathered_thrice(restore: gathered::Restore) -> gathered::Size {
        let latest = restore == gathered::Restore::Latest;
        gathered::Size {
            incarnations: 3,
            rounds: 2,
            late: if latest { 1 } else { 0 },
            aborts: if restore == gathered::Restore::AnyDropped {
                0
            } else {
                1
            },
            in_flight: if latest { 2 } else { 1 },
            other: false,
            ..gathered(restore)
        }
    }

    const RESTARTS: [Marks; 3] = [Marks::RESTART, Marks::OPENED, Marks::FENCED];

    #[test]
    fn a_gathered_set_of_the_latest_checkpoint_is_committed_once() {
        let size = gathered(gathered::Restore::Latest);
        let report = sound("gathered, latest checkpoint", Gathered::new(size), &ZOMBIES);
        assert!(report.marked(Marks::CALL) > 0 && report.marked(Marks::SKIP) > 0);
    }

    #[test]
    fn a_gathered_set_of_any_checkpoint_is_refused_or_committed_once() {
        let size = gathered(gathered::Restore::Any);
        let report = sound("gathered, any checkpoint", Gathered::new(size), &ZOMBIES);
        assert!(report.marked(Marks::REWIND) > 0 && report.marked(Marks::CONFLICT) > 0);
    }

    #[test]
    fn a_gathered_history_that_is_dropped_is_committed_anew() {
        let size = gathered(gathered::Restore::AnyDropped);
        let report = sound("gathered, dropped", Gathered::new(size), &ZOMBIES);
        assert!(report.marked(Marks::DELETED) > 0);
    }

    #[test]
    fn a_restart_of_whoever_was_refused_goes_on() {
        for (title, restore) in [
            ("gathered, latest, three", gathered::Restore::Latest),
            ("gathered, any, three", gathered::Restore::Any),
            ("gathered, dropped, three", gathered::Restore::AnyDropped),
        ] {
            sound(title, Gathered::new(gathered_thrice(restore)), &RESTARTS);
        }
    }

    /// A checkpoint of a history that was left behind lies above what another has committed since.
    #[test]
    fn a_restore_that_says_its_number_alone_would_double_or_lose_rows() {
        let _alone = nothing_planted();
        for (restore, what) in [
            (gathered::Restore::Any, "a doubled row"),
            (gathered::Restore::AnyDropped, "a lost row"),
        ] {
            let size = gathered::Size {
                history: false,
                aborts: if restore == gathered::Restore::Any {
                    1
                } else {
                    0
                },
                ..gathered_thrice(restore)
            };
            let report = explore(&mut Gathered::new(size));
            let violation = report
                .violation
                .expect("numbers do not tell histories apart");
            println!(
                "{restore:?} by number: {} after {} steps",
                violation.what, violation.steps
            );
            println!("{}", violation.trace);
            assert!(violation.what.contains(what), "{}", violation.what);
        }
    }

    fn batched(offsets_in_token: bool) -> batched::Size {
        batched::Size {
            drivers: 2,
            records: 4,
            throws: 1,
            deletes: 1,
            offsets_in_token,
        }
    }

    #[test]
    fn a_batch_that_is_run_again_is_committed_once_and_another_plan_is_a_conflict() {
        let marks = [Marks::ABORT, Marks::CONFLICT, Marks::REWIND, Marks::RESTART];
        let report = sound("batched", Batched::new(batched(true)), &ZOMBIES[..1]);
        assert!(marks.iter().all(|mark| report.marked(*mark) > 0));
        let three = batched::Size {
            drivers: 3,
            records: 3,
            ..batched(true)
        };
        sound("batched, three", Batched::new(three), &marks);
    }

    #[test]
    fn a_token_without_its_offsets_would_lose_rows() {
        let _alone = nothing_planted();
        let report = explore(&mut Batched::new(batched(false)));
        let violation = report.violation.expect("another plan has the same token");
        println!(
            "batched without offsets: {} after {} steps",
            violation.what, violation.steps
        );
        println!("{}", violation.trace);
        assert!(violation.what.contains("is lost"), "{}", violation.what);
    }

    #[test]
    fn walks_beyond_the_enumeration_lose_and_double_nothing() {
        walks("ours", &mut Ours::new(walked()), 10_000);
    }

    #[test]
    #[ignore = "long: 200,000 walks"]
    fn long_walks_beyond_the_enumeration_lose_and_double_nothing() {
        walks("ours", &mut Ours::new(walked()), 200_000);
    }

    #[test]
    fn walks_of_gathered_sets_lose_and_double_nothing() {
        use gathered::Restore;
        for restore in [Restore::Latest, Restore::Any, Restore::AnyDropped] {
            let size = gathered::Size {
                incarnations: 4,
                rounds: 4,
                aborts: 2,
                ..gathered(restore)
            };
            let title = format!("gathered, {restore:?}");
            walks(&title, &mut Gathered::new(size), 5_000);
        }
    }

    fn walked() -> Size {
        Size {
            incarnations: 4,
            epochs: 5,
            in_flight: 4,
            facts: Facts::JobFirst,
        }
    }

    fn walks<M: Model>(title: &str, model: &mut M, walks: usize) {
        let _alone = nothing_planted();
        let seed = seed();
        println!("{title}, walks: seed {seed}; FLINKSPARK_SEED={seed} replays");
        let mut state = seed | 1;
        let mut random = |below: usize| {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        let mut steps = 0;
        for number in 0..walks {
            match walk(model, &mut random, 400) {
                Ok((taken, _)) => steps += taken,
                Err(violation) => panic!(
                    "{title}, walk {number} of seed {seed}: {} after {} steps\n{}",
                    violation.what, violation.steps, violation.trace
                ),
            }
        }
        println!("{title}: {walks} walks, {steps} steps");
        assert!(steps > walks);
    }

    #[cfg(feature = "faults")]
    #[test]
    fn every_planted_defect_is_found() {
        let _alone = PLANTING.write().unwrap_or_else(PoisonError::into_inner);
        crate::plant::every_defect_is_found();
    }
}
