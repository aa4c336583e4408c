//! The protocol's state space, enumerated with `model::log`'s own functions.
//!
//! Each model drives the machine through every interleaving of its steps, of crashes and of
//! creates that are lost, late or doubled, and asserts every invariant in every state.
//! `docs/protocol.md` says what is enumerated and what is not.

#[cfg(test)]
mod explore;
#[cfg(test)]
mod network;
#[cfg(test)]
mod ours;
#[cfg(test)]
mod world;

#[cfg(test)]
mod enumeration {
    use crate::explore::{Marks, explore};
    use crate::ours::{Facts, Ours, Size};

    #[test]
    fn a_job_with_its_own_log_loses_and_doubles_nothing() {
        let size = Size {
            incarnations: 2,
            epochs: 3,
            in_flight: 2,
            facts: Facts::JobFirst,
        };
        let mut model = Ours::new(size);
        let report = explore(&mut model);
        report.print("ours");
        println!("    slots, logs, proposers: {:?}", model.sizes());
        report.expect_sound("ours");
        assert!(report.complete > 0);
        for mark in [
            Marks::LATE,
            Marks::RACE,
            Marks::REPLAY,
            Marks::DELETED,
            Marks::FENCED,
        ] {
            assert!(report.marked(mark) > 0, "{mark:?} never happened");
        }
    }
}
