//! Garbage: what may be deleted, and what only looks like it.

use super::*;
use std::collections::BTreeSet;

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

#[test]
fn a_run_without_a_log_keeps_what_its_incarnation_may_still_commit() {
    let own = |generation| staged(Owner::Run(writer(), generation), true);
    let judged = |view: &View, generation| verdict(&own(generation), view, None);
    let running = log([fence(1, 0)]);
    assert_eq!(judged(&running, 1), Verdict::Keep);
    assert_eq!(
        judged(&View::empty(), 1),
        Verdict::Keep,
        "its fence was not read yet"
    );
    let taken_over = log([fence(1, 0), fence(2, 0)]);
    assert_eq!(judged(&taken_over, 1), Verdict::Garbage);
    assert_eq!(judged(&taken_over, 2), Verdict::Keep);
    let given_up = log([fence(1, 0), fence(2, 0), abort(2, 1, "other")]);
    assert_eq!(judged(&given_up, 2), Verdict::Garbage);
    // The epoch holds s1; what else the incarnation staged is a lost attempt.
    let committed = log([fence(1, 0), epoch(1, 1)]);
    assert_eq!(judged(&committed, 1), Verdict::Keep);
    let lost = Staged {
        name: "lost".into(),
        ..own(1)
    };
    assert_eq!(verdict(&lost, &committed, None), Verdict::Garbage);
}

#[test]
fn what_was_taken_out_goes_after_its_grace_and_past_every_pin() {
    // Slot 2 holds s1 and slot 3 takes it out.
    let overwrite = Intent::Replace {
        read_at: 2,
        serializable: false,
        first: 1,
        last: 2,
        with: Replacement::Overwrite(commit(1, 2, 20, &["s2"])),
    };
    let view = log([fence(1, 0), epoch(1, 1), overwrite]);
    let s1 = BTreeSet::from([SegmentName::from("s1")]);
    assert_eq!(spent(&view, &[], |_| true), s1);
    assert_eq!(
        spent(&view, &[], |until| until != 3),
        BTreeSet::new(),
        "in its grace"
    );
    assert_eq!(
        spent(&view, &[2], |_| true),
        BTreeSet::new(),
        "pinned while it was live"
    );
    for pin in [1, 3, 9] {
        assert_eq!(
            spent(&view, &[pin], |_| true),
            s1,
            "pin {pin} does not read it"
        );
    }
    assert!(view.as_of(1, 2).iter().any(|epoch| epoch.slot == 2));
}

#[test]
fn nothing_that_a_pin_reads_is_spent() {
    // Every pin of a log with overwrites of overwrites and a compaction that keeps a segment.
    let compaction = Intent::Replace {
        read_at: 4,
        serializable: false,
        first: 3,
        last: 4,
        with: Replacement::Compaction {
            segments: [commit(1, 2, 20, &["s2"]), commit(1, 3, 30, &["s3"])]
                .into_iter()
                .flat_map(|commit| commit.segments)
                .collect(),
        },
    };
    let over = |first, last, n: u64, name: &str| Intent::Replace {
        read_at: last,
        serializable: false,
        first,
        last,
        with: Replacement::Overwrite(commit(1, n, n * 10, &[name])),
    };
    let slots = [
        fence(1, 0),
        epoch(1, 1),
        Intent::Commit(commit(1, 2, 20, &["s2"])),
        Intent::Commit(commit(1, 3, 30, &["s3"])),
        compaction,
        over(1, 5, 4, "s4"),
        over(1, 6, 5, "s5"),
    ];
    let view = log(slots);
    for pin in 0..=view.head() {
        let gone = spent(&view, &[pin], |_| true);
        for epoch in view.as_of(1, pin) {
            for segment in &epoch.segments {
                assert!(!gone.contains(&segment.name), "pin {pin}: {}", segment.name);
            }
        }
        assert!(!gone.contains(&"s5".into()), "what is live is never spent");
    }
    assert_eq!(spent(&view, &[], |_| true).len(), 4);
}
