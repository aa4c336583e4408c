//! Commits of engines that keep their own checkpoints: known again by their tokens.

use super::*;
use crate::error::{Error, Kind};

fn tokened(generation: Generation, n: Ordinal, token: &str, segment: &str) -> Commit {
    Commit {
        token: Some(token.into()),
        source_offsets: SourceOffsets::default(),
        ..commit(generation, n, 0, &[segment])
    }
}

fn intent(generation: Generation, n: Ordinal, token: &str, segment: &str) -> Intent {
    Intent::Commit(tokened(generation, n, token, segment))
}

fn done(view: &View, intent: &Intent) -> Appended {
    match view.decide(intent) {
        Decision::Done(appended) => appended,
        other => panic!("{intent:?} becomes {other:?}"),
    }
}

#[test]
fn the_same_token_is_success_from_any_generation() {
    let mut view = log([fence(1, 0), intent(1, 5, "t", "a"), fence(2, 5)]);
    for generation in [1, 2, 7] {
        let again = done(&view, &intent(generation, 5, "t", "a"));
        assert_eq!(
            (again.slot, again.replayed, again.same_rows),
            (2, true, true)
        );
    }
    append(&mut view, &intent(2, 6, "u", "b"));
    assert_eq!(done(&view, &intent(1, 5, "t", "a")).slot, 2);
}

#[test]
fn another_token_at_a_number_is_a_conflict_that_names_both() {
    let view = log([fence(1, 0), intent(1, 5, "t", "a")]);
    let refused = refusal(&view, &intent(1, 5, "u", "b"));
    assert_eq!(refused.code(), "FS0227");
    let text = refused.to_string();
    assert!(text.contains("\"t\"") && text.contains("\"u\""), "{text}");
    assert_eq!(Error::from(refused).kind(), Kind::Conflict);
}

#[test]
fn an_equal_token_with_other_rows_says_so() {
    let view = log([fence(1, 0), intent(1, 5, "t", "a")]);
    let mut other = tokened(1, 5, "t", "b");
    other.segments[0].digest.sum = 9;
    assert!(!done(&view, &Intent::Commit(other)).same_rows);
}

#[test]
fn a_new_number_from_a_stale_generation_is_fenced_and_numbers_may_skip() {
    let mut view = log([fence(1, 0), intent(1, 5, "t", "a"), fence(2, 5)]);
    assert_eq!(refusal(&view, &intent(1, 6, "u", "b")).code(), "FS0210");
    append(&mut view, &intent(2, 9, "v", "c"));
    assert_eq!(refusal(&view, &intent(2, 7, "w", "d")).code(), "FS0217");
}

#[test]
fn a_commit_with_a_token_never_meets_one_without() {
    let view = log([fence(1, 0), epoch(1, 5)]);
    assert_eq!(refusal(&view, &intent(1, 5, "t", "a")).code(), "FS0227");
}

#[test]
fn a_writer_remembers_so_many_commits_and_says_of_older_ones_that_they_are_forgotten() {
    let last = COMMITS_REMEMBERED_MAX as Ordinal + 3;
    let mut view = log([fence(1, 0)]);
    for n in 1..=last {
        append(&mut view, &intent(1, n, &format!("t{n}"), &format!("s{n}")));
    }
    for n in 1..=3 {
        let again = intent(1, n, &format!("t{n}"), &format!("s{n}"));
        assert_eq!(refusal(&view, &again).code(), "FS0228", "{n}");
    }
    assert!(done(&view, &intent(1, 4, "t4", "s4")).replayed);
    assert_eq!(view.writer(&writer()).unwrap().last(), last);
    let folded = View::try_from(Snapshot::from(&view)).unwrap();
    assert_eq!(folded, view);
}

#[test]
fn what_is_forgotten_cannot_be_dropped_to() {
    let mut view = log([fence(1, 0)]);
    for n in 1..=COMMITS_REMEMBERED_MAX as Ordinal + 3 {
        append(&mut view, &intent(1, n, &format!("t{n}"), &format!("s{n}")));
    }
    let opening = |restored| Opening {
        writer: writer(),
        incarnation: "b".into(),
        after: 1,
        restored: Some(restored),
        history: None,
        rewind: Some(Rewind::Drop),
    };
    for (restored, refused) in [(2, Some("FS0228")), (3, None)] {
        let Opened::Fence(fence) = view.open(&opening(restored)).unwrap() else {
            panic!("it has no generation yet");
        };
        match view.decide(&fence) {
            Decision::Refuse(refusal) => assert_eq!(Some(refusal.code()), refused),
            _ => assert_eq!(refused, None),
        }
    }
}
