//! Garbage: what may be deleted, and what only looks like it.

use super::*;

fn staged(owner: Owner, receipted: bool) -> Staged {
    Staged {
        name: "s1".into(),
        receipted,
        owner,
    }
}

fn listing(generation: Generation) -> Manifest {
    let pending = Pending {
        log: LogId(uuid::Uuid::nil()),
        commit: commit(generation, 1, 10, &["s1"]),
    };
    Manifest {
        pending: vec![pending],
        body: String::new(),
    }
}

#[test]
fn what_a_slot_names_is_kept_whoever_asks() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let job = JobFacts {
        generation: 9,
        retained: &[],
    };
    for owner in [Owner::Job(1), Owner::OpenTransaction, Owner::Elsewhere] {
        assert_eq!(
            verdict(&staged(owner, false), &view, Some(job)),
            Verdict::Keep
        );
    }
}

#[test]
fn what_an_abort_names_is_garbage() {
    let view = log([fence(1, 0), abort(1, 1, "s1")]);
    assert_eq!(
        verdict(&staged(Owner::Elsewhere, true), &view, None),
        Verdict::Garbage
    );
}

#[test]
fn a_generation_alone_is_no_reason_to_delete() {
    let retained = [listing(1)];
    let job = JobFacts {
        generation: 2,
        retained: &retained,
    };
    let listed = verdict(&staged(Owner::Job(1), true), &View::empty(), Some(job));
    assert_eq!(listed, Verdict::Keep);
    let unknown = verdict(&staged(Owner::Job(1), true), &View::empty(), None);
    assert_eq!(unknown, Verdict::Keep);
}

#[test]
fn what_a_fenced_incarnation_staged_and_no_manifest_lists_is_garbage() {
    let job = JobFacts {
        generation: 2,
        retained: &[],
    };
    let judged = verdict(&staged(Owner::Job(1), true), &View::empty(), Some(job));
    assert_eq!(judged, Verdict::Garbage);
    let current = verdict(&staged(Owner::Job(2), true), &View::empty(), Some(job));
    assert_eq!(current, Verdict::Keep);
}

#[test]
fn an_open_transaction_keeps_everything() {
    let judged = verdict(&staged(Owner::OpenTransaction, false), &View::empty(), None);
    assert_eq!(judged, Verdict::Keep);
}

#[test]
fn a_receipt_is_a_promise_to_a_foreign_engine() {
    let kept = verdict(&staged(Owner::Elsewhere, true), &View::empty(), None);
    let gone = verdict(&staged(Owner::Elsewhere, false), &View::empty(), None);
    assert_eq!((kept, gone), (Verdict::Keep, Verdict::Garbage));
}
