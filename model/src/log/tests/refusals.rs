//! Each refusal, and what stands just beside it and is allowed.

use super::*;
use crate::error::{Error, Kind};
use crate::position::SlotNo;

fn code(view: &View, intent: &Intent) -> &'static str {
    refusal(view, intent).code()
}

#[test]
fn a_stale_writer_is_fenced() {
    let view = log([fence(1, 0), fence(2, 0)]);
    let refused = refusal(&view, &epoch(1, 1));
    assert_eq!(
        refused,
        Refusal::Fenced {
            writer: writer(),
            by: 2
        }
    );
    assert_eq!(Error::from(refused).kind(), Kind::Fenced);
}

#[test]
fn a_writer_that_never_fenced_may_not_commit() {
    assert_eq!(code(&View::empty(), &epoch(0, 1)), "FS0211");
    assert_eq!(code(&log([fence(1, 0)]), &epoch(2, 1)), "FS0211");
}

#[test]
fn a_generation_belongs_to_one_incarnation() {
    let view = log([fence(3, 0)]);
    assert_eq!(code(&view, &fence(3, 0)), "FS0212");
    assert_eq!(code(&view, &fence(2, 0)), "FS0212");
    assert!(matches!(view.decide(&fence(5, 0)), Decision::Create(_)));
}

#[test]
fn a_restore_below_what_is_committed_is_refused_unless_it_is_asked_for() {
    let view = log([fence(1, 0), epoch(1, 1), epoch(1, 2)]);
    assert_eq!(code(&view, &fence(2, 1)), "FS0213");
    assert!(matches!(view.decide(&fence(2, 2)), Decision::Create(_)));
    let rewind = Intent::Fence {
        writer: writer(),
        generation: 2,
        restored: 1,
        rewind: true,
        drops: false,
        incarnation: "i".into(),
    };
    assert!(matches!(view.decide(&rewind), Decision::Create(_)));
}

#[test]
fn an_aborted_number_never_commits() {
    let view = log([fence(1, 0), abort(1, 1, "s1")]);
    let slot = 2;
    assert_eq!(
        refusal(&view, &epoch(1, 1)),
        Refusal::Aborted {
            writer: writer(),
            n: 1,
            slot
        }
    );
}

#[test]
fn an_abort_closes_its_number_only() {
    let view = log([fence(1, 0), abort(1, 1, "s1"), epoch(1, 2)]);
    assert_eq!(view.writer(&writer()).unwrap().last(), 2);
}

#[test]
fn a_committed_number_cannot_be_aborted() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    assert_eq!(code(&view, &abort(1, 1, "s1")), "FS0215");
}

#[test]
fn an_abort_is_done_once_it_is_there() {
    let view = log([fence(1, 0), abort(1, 1, "s1")]);
    let done = Appended {
        slot: 2,
        replayed: true,
        same_rows: true,
    };
    assert_eq!(view.decide(&abort(1, 1, "s1")), Decision::Done(done));
}

#[test]
fn a_stale_writer_cannot_abort() {
    assert_eq!(
        code(&log([fence(1, 0), fence(2, 0)]), &abort(1, 1, "s1")),
        "FS0210"
    );
}

#[test]
fn a_replay_is_success_and_the_first_one_stands() {
    let view = log([fence(1, 0), epoch(1, 1), fence(2, 1)]);
    let done = Appended {
        slot: 2,
        replayed: true,
        same_rows: true,
    };
    assert_eq!(view.decide(&epoch(2, 1)), Decision::Done(done));
}

#[test]
fn a_replay_with_other_rows_is_told_apart() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let replay = Intent::Commit(commit(1, 1, 10, &["x", "y"]));
    let done = Appended {
        slot: 2,
        replayed: true,
        same_rows: false,
    };
    assert_eq!(view.decide(&replay), Decision::Done(done));
}

#[test]
fn the_same_number_with_other_offsets_is_a_conflict_that_names_both() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let refused = refusal(&view, &Intent::Commit(commit(1, 1, 11, &["x"])));
    assert_eq!(refused.code(), "FS0216");
    let text = refused.to_string();
    assert!(
        text.contains("in=10 there") && text.contains("in=11 here"),
        "{text}"
    );
}

#[test]
fn a_number_below_the_last_is_refused() {
    let view = log([fence(1, 0), epoch(1, 5)]);
    assert_eq!(code(&view, &epoch(1, 4)), "FS0217");
    assert_eq!(code(&log([fence(1, 0)]), &epoch(1, 0)), "FS0217");
    assert!(matches!(view.decide(&epoch(1, 9)), Decision::Create(_)));
}

#[test]
fn a_segment_is_committed_once() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    assert_eq!(
        code(&view, &Intent::Commit(commit(1, 2, 20, &["s1"]))),
        "FS0218"
    );
}

#[test]
fn a_receipt_that_an_abort_voided_is_refused_under_any_number() {
    let view = log([fence(1, 0), abort(1, 1, "s1")]);
    assert_eq!(
        code(&view, &Intent::Commit(commit(1, 2, 20, &["s1"]))),
        "FS0218"
    );
}

#[test]
fn another_writer_is_not_concerned() {
    let mut view = log([fence(1, 0), epoch(1, 1), fence(2, 1)]);
    let other = WriterName::from("other");
    let intent = Intent::Fence {
        writer: other.clone(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "o".into(),
    };
    append(&mut view, &intent);
    let theirs = Commit {
        writer: other,
        ..commit(1, 1, 1, &["o1"])
    };
    append(&mut view, &Intent::Commit(theirs));
    assert_eq!(view.totals().0, 2);
}

#[test]
fn a_schema_follows_the_one_in_force() {
    let schema = |version| Intent::Schema {
        version,
        schema: "{}".into(),
    };
    let view = log([schema(2)]);
    assert_eq!(view.schema_version(), 2);
    assert_eq!(view.schema(), Some("{}"));
    assert_eq!(code(&view, &schema(2)), "FS0220");
    assert_eq!(code(&view, &schema(4)), "FS0220");
}

fn overwrite(read_at: u64, first: u64, last: u64, n: Ordinal) -> Intent {
    let with = Replacement::Overwrite(commit(1, n, n * 10, &[&format!("r{n}")]));
    Intent::Replace {
        read_at,
        serializable: false,
        first,
        last,
        with,
    }
}

fn compaction(read_at: u64, first: u64, last: u64, rows: u64) -> Intent {
    let digest = Digest {
        rows,
        sum: u128::from(rows),
    };
    let segments = vec![SegmentRef {
        rows,
        digest,
        ..segment("compacted")
    }];
    Intent::Replace {
        read_at,
        serializable: false,
        first,
        last,
        with: Replacement::Compaction { segments },
    }
}

fn three_epochs() -> View {
    log([fence(1, 0), epoch(1, 1), epoch(1, 2), epoch(1, 3)])
}

#[test]
fn an_overwrite_leaves_later_slots_alone() {
    let mut view = three_epochs();
    append(&mut view, &overwrite(3, 2, 3, 4));
    let slots: Vec<_> = view.live().map(|epoch| epoch.slot).collect();
    assert_eq!(slots, [4, 5]);
    assert!(!view.is_live(&"s1".into()) && view.is_live(&"r4".into()));
}

#[test]
fn an_overwrite_is_a_commit_by_the_same_rules() {
    let mut view = three_epochs();
    assert_eq!(code(&view, &overwrite(4, 2, 3, 0)), "FS0217");
    append(&mut view, &overwrite(4, 2, 3, 4));
    assert!(matches!(
        view.decide(&overwrite(4, 2, 3, 4)),
        Decision::Done(_)
    ));
    append(&mut view, &fence(2, 4));
    assert_eq!(code(&view, &overwrite(4, 2, 3, 5)), "FS0210");
}

#[test]
fn a_range_that_was_rewritten_since_it_was_read_is_refused() {
    let mut view = three_epochs();
    append(&mut view, &overwrite(4, 3, 3, 4));
    assert_eq!(code(&view, &overwrite(4, 2, 3, 5)), "FS0219");
    assert!(matches!(
        view.decide(&overwrite(5, 2, 3, 5)),
        Decision::Create(_)
    ));
    assert!(matches!(
        view.decide(&overwrite(4, 4, 4, 5)),
        Decision::Create(_)
    ));
}

#[test]
fn a_range_reaches_no_further_than_what_was_read() {
    let view = three_epochs();
    assert_eq!(code(&view, &overwrite(3, 2, 4, 4)), "FS0219");
    assert_eq!(code(&view, &overwrite(9, 2, 9, 4)), "FS0219");
    assert_eq!(code(&view, &overwrite(4, 3, 2, 4)), "FS0219");
}

#[test]
fn a_compaction_keeps_the_rows() {
    let mut view = three_epochs();
    let before = view.totals();
    assert_eq!(code(&view, &compaction(4, 2, 4, 2)), "FS0219");
    append(&mut view, &compaction(4, 2, 4, 3));
    assert_eq!((view.totals().0, view.totals().2), (before.0, before.2));
    assert_eq!(view.live().count(), 1);
    assert_eq!(view.watermark_ms(), Some(30));
    let slots = |last| {
        view.as_of(1, last)
            .iter()
            .map(|epoch| epoch.slot)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        slots(4),
        [2, 3, 4],
        "a pinned reader's positions do not move"
    );
    assert_eq!(slots(3), [2, 3]);
    assert_eq!(slots(5), [4]);
}

#[test]
fn what_expired_is_gone_and_cannot_be_rewritten() {
    let mut view = three_epochs();
    append(
        &mut view,
        &Intent::Expire {
            read_at: 4,
            through: 3,
        },
    );
    assert_eq!((view.horizon(), view.live().count()), (3, 1));
    assert_eq!(code(&view, &overwrite(5, 3, 4, 4)), "FS0219");
    assert_eq!(
        code(
            &view,
            &Intent::Expire {
                read_at: 5,
                through: 3
            }
        ),
        "FS0219"
    );
}

#[test]
fn slots_expire_only_if_nobody_rewrote_them_meanwhile() {
    let mut view = three_epochs();
    append(&mut view, &overwrite(4, 2, 2, 4));
    assert_eq!(
        code(
            &view,
            &Intent::Expire {
                read_at: 4,
                through: 3
            }
        ),
        "FS0219"
    );
}

#[test]
fn an_expired_writer_is_still_known() {
    let mut view = three_epochs();
    append(
        &mut view,
        &Intent::Expire {
            read_at: 4,
            through: 4,
        },
    );
    assert_eq!(code(&view, &epoch(1, 0)), "FS0217");
    assert!(matches!(view.decide(&epoch(1, 3)), Decision::Done(_)));
}

#[test]
fn a_slot_that_does_not_follow_is_data() {
    let mut view = log([fence(1, 0)]);
    let body = Slot::Epoch(commit(1, 1, 10, &[]));
    for slot in [0, 1, 3] {
        assert_eq!(view.apply(slot, &body).unwrap_err().code(), "FS0205");
    }
    assert_eq!(view.head(), 1);
}

#[test]
fn a_serializable_overwrite_gives_way_to_rows_and_to_nothing_else() {
    let strict = |read_at, n| match overwrite(read_at, 1, read_at, n) {
        Intent::Replace {
            read_at,
            first,
            last,
            with,
            ..
        } => Intent::Replace {
            read_at,
            first,
            last,
            with,
            serializable: true,
        },
        other => other,
    };
    let mut view = three_epochs();
    assert_eq!(code(&view, &strict(3, 4)), "FS0224");
    assert!(
        refusal(&view, &strict(3, 4))
            .to_string()
            .contains("slot 4, after slot 3")
    );
    let schema = Intent::Schema {
        version: 2,
        schema: "{}".into(),
    };
    append(&mut view, &schema);
    append(&mut view, &compaction(4, 2, 4, 3));
    append(&mut view, &strict(4, 4));
    // What an overwrite took out is a change of rows too.
    assert_eq!(code(&view, &strict(4, 5)), "FS0224");
}

#[test]
fn every_refusal_says_what_to_do() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let error = Error::from(refusal(&view, &fence(2, 0)));
    assert_eq!((error.code(), error.kind()), ("FS0213", Kind::Conflict));
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
}

#[test]
fn what_was_taken_out_or_is_named_twice_cannot_be_committed() {
    let overwrite = |n: Ordinal, through: SlotNo, segments: &[&str]| Intent::Replace {
        read_at: through,
        serializable: false,
        first: 1,
        last: through,
        with: Replacement::Overwrite(commit(1, n, n * 10, segments)),
    };
    let view = log([fence(1, 0), epoch(1, 1), overwrite(2, 2, &["s2"])]);
    let again = |segments: &[&str]| refusal(&view, &Intent::Commit(commit(1, 3, 30, segments)));
    assert_eq!(again(&["s1"]).code(), "FS0218");
    assert!(again(&["s1"]).to_string().contains("taken out"));
    assert!(again(&["s9", "s9"]).to_string().contains("twice"));
    let replacing = overwrite(3, 3, &["s1"]);
    assert_eq!(refusal(&view, &replacing).code(), "FS0218");
    // A compaction keeps what is of its range and takes nothing that was taken out.
    let compact = |names: &[&str]| Intent::Replace {
        read_at: 3,
        serializable: false,
        first: 3,
        last: 3,
        with: Replacement::Compaction {
            segments: names.iter().map(|name| segment(name)).collect(),
        },
    };
    assert!(matches!(
        view.decide(&compact(&["s2"])),
        Decision::Create(_)
    ));
    assert!(matches!(
        view.decide(&compact(&["fresh"])),
        Decision::Create(_)
    ));
    assert_eq!(refusal(&view, &compact(&["s1"])).code(), "FS0218");
    assert_eq!(refusal(&view, &compact(&["s2", "s2"])).code(), "FS0218");
}

#[test]
fn a_strict_replay_with_other_rows_is_a_conflict_that_names_both_digests() {
    let view = log([fence(1, 0), epoch(1, 1)]);
    let mut other = commit(1, 1, 10, &["other"]);
    other.segments[0].digest.sum = 2;
    let Decision::Done(done) = view.decide(&Intent::Commit(other.clone())) else {
        panic!("the first wins");
    };
    assert!(done.replayed && !done.same_rows);
    let refused = view.strictly(&other, done).unwrap_err();
    assert_eq!(refused.code(), "FS0440");
    let text = refused.to_string();
    let there = commit(1, 1, 10, &["s1"]).digest();
    for digest in [there, other.digest()] {
        assert!(text.contains(&digest.to_string()), "{text}");
    }
    let same = commit(1, 1, 10, &["renamed"]);
    let Decision::Done(done) = view.decide(&Intent::Commit(same.clone())) else {
        panic!("it is a replay");
    };
    assert_eq!(view.strictly(&same, done), Ok(done));
}
