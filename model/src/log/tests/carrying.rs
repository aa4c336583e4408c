//! The proposer: lost races, lost responses.

use super::*;

fn attempt(step: Step) -> Attempt {
    match step {
        Step::Create(attempt) => attempt,
        other => panic!("{other:?} is no create"),
    }
}

#[test]
fn a_create_that_wins_is_done() {
    let view = log([fence(1, 0)]);
    let mut proposer = Proposer::new(epoch(1, 1));
    assert_eq!(attempt(proposer.next(&view)).slot, 2);
    let done = Appended {
        slot: 2,
        replayed: false,
        same_rows: true,
    };
    assert_eq!(proposer.created(), Step::Done(done));
}

#[test]
fn a_lost_race_is_decided_again_at_the_next_slot() {
    let mut view = log([fence(1, 0)]);
    let mut proposer = Proposer::new(epoch(1, 1));
    attempt(proposer.next(&view));
    let winner = Intent::Schema {
        version: 2,
        schema: "{}".into(),
    };
    append(&mut view, &winner);
    let body = Slot::Schema {
        version: 2,
        schema: "{}".into(),
    };
    assert_eq!(proposer.exists(&body), Step::CatchUp);
    assert_eq!(attempt(proposer.next(&view)).slot, 3);
}

#[test]
fn a_race_lost_to_a_fence_is_fenced() {
    let mut view = log([fence(1, 0)]);
    let mut proposer = Proposer::new(epoch(1, 1));
    attempt(proposer.next(&view));
    append(&mut view, &fence(2, 0));
    proposer.exists(&Slot::Fence {
        writer: writer(),
        generation: 2,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "incarnation 2".into(),
    });
    assert!(matches!(
        proposer.next(&view),
        Step::Refuse(Refusal::Fenced { by: 2, .. })
    ));
}

#[test]
fn in_doubt_means_the_same_create_again_whatever_the_log_says() {
    let mut view = log([fence(1, 0)]);
    let mut proposer = Proposer::new(epoch(1, 1));
    let first = attempt(proposer.next(&view));
    assert_eq!(attempt(proposer.in_doubt()), first);
    append(&mut view, &fence(2, 0));
    assert_eq!(attempt(proposer.next(&view)), first);
    assert_eq!(proposer.attempt(), Some(&first));
}

#[test]
fn a_create_that_finds_itself_is_done() {
    let view = log([fence(1, 0)]);
    let mut proposer = Proposer::new(epoch(1, 1));
    let first = attempt(proposer.next(&view));
    proposer.in_doubt();
    let done = Appended {
        slot: 2,
        replayed: false,
        same_rows: true,
    };
    assert_eq!(proposer.exists(&first.body), Step::Done(done));
}

#[test]
fn two_that_fence_one_generation_are_told_apart() {
    let view = View::empty();
    let mut ours = Proposer::new(fence(1, 0));
    attempt(ours.next(&view));
    let theirs = Slot::Fence {
        writer: writer(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "somebody else".into(),
    };
    assert_eq!(ours.exists(&theirs), Step::CatchUp);
}

#[test]
fn a_proposer_without_an_attempt_reads_again() {
    let mut proposer = Proposer::new(epoch(1, 1));
    assert_eq!(proposer.created(), Step::CatchUp);
    assert_eq!(proposer.in_doubt(), Step::CatchUp);
}
