//! Who has a writer, and what goes when a history is given up.

use super::*;

fn opening(incarnation: &str, after: Generation) -> Opening {
    Opening {
        writer: writer(),
        incarnation: incarnation.into(),
        after,
        restored: None,
        history: None,
        rewind: None,
    }
}

fn open(view: &mut View, opening: &Opening) -> Generation {
    match view.open(opening).unwrap() {
        Opened::Already(generation) => generation,
        Opened::Fence(fence) => {
            append(view, &fence);
            view.writer(&opening.writer).unwrap().generation
        }
    }
}

fn code(view: &View, opening: &Opening) -> &'static str {
    view.open(opening).unwrap_err().code()
}

#[test]
fn an_incarnation_has_one_generation_however_often_it_opens() {
    let mut view = View::empty();
    assert_eq!(open(&mut view, &opening("a", 0)), 1);
    assert_eq!(open(&mut view, &opening("a", 0)), 1);
    // Even where it has read its own generation meanwhile.
    assert_eq!(open(&mut view, &opening("a", 1)), 1);
    assert_eq!(view.head(), 1);
}

#[test]
fn of_two_that_read_the_same_generation_one_opens_and_the_other_learns_the_winner() {
    let mut view = View::empty();
    open(&mut view, &opening("a", 0));
    assert_eq!(open(&mut view, &opening("b", 1)), 2);
    for after in [0, 1] {
        let refused = view.open(&opening("c", after)).unwrap_err();
        assert_eq!(refused.code(), "FS0229");
        assert!(refused.to_string().contains("\"b\""), "{refused}");
    }
    // A zombie that was fenced is one of those that read an old generation.
    assert_eq!(code(&view, &opening("a", 0)), "FS0229");
    assert_eq!(code(&view, &opening("d", 7)), "FS0229");
    assert_eq!(open(&mut view, &opening("d", 2)), 3);
}

#[test]
fn without_a_restored_number_an_incarnation_goes_on_where_the_log_is() {
    let mut view = log([fence(1, 0), epoch(1, 3)]);
    open(&mut view, &opening("b", 1));
    assert_eq!(view.writer(&writer()).unwrap().restored, 3);
}

#[test]
fn a_restore_below_what_is_committed_is_refused_unless_it_is_asked_for() {
    let mut view = log([fence(1, 0), epoch(1, 1), epoch(1, 2)]);
    let back = |rewind| Opening {
        restored: Some(1),
        rewind,
        ..opening("b", 1)
    };
    let Opened::Fence(fence) = view.open(&back(None)).unwrap() else {
        panic!("it has no generation yet");
    };
    assert_eq!(refusal(&view, &fence).code(), "FS0213");
    assert_eq!(open(&mut view, &back(Some(Rewind::Recut))), 2);
    assert_eq!(view.live().count(), 2);
}

#[test]
fn a_dropped_history_is_no_data_and_its_numbers_are_free() {
    let mut view = log([fence(1, 0), epoch(1, 1), epoch(1, 2), epoch(1, 4)]);
    let other = Commit {
        writer: "other".into(),
        generation: 1,
        ..commit(1, 1, 10, &["o"])
    };
    let others = Intent::Fence {
        writer: "other".into(),
        generation: 1,
        restored: 0,
        rewind: false,
        drops: false,
        incarnation: "o".into(),
    };
    append(&mut view, &others);
    append(&mut view, &Intent::Commit(other));
    let at = view.head();
    let drop = Opening {
        restored: Some(1),
        rewind: Some(Rewind::Drop),
        ..opening("b", 1)
    };
    open(&mut view, &drop);
    let names = |view: &View| -> Vec<String> {
        let segments = view.live().flat_map(|epoch| &epoch.segments);
        segments.map(|segment| segment.name.to_string()).collect()
    };
    assert_eq!(names(&view), ["s1", "o"]);
    assert_eq!(view.writer(&writer()).unwrap().last(), 1);
    // Who is pinned below still reads them, and nobody commits them again.
    assert_eq!(view.as_of(1, at).len(), 4);
    assert!(view.is_retired(&"s2".into()));
    let again = Intent::Commit(commit(2, 2, 20, &["s2"]));
    assert_eq!(refusal(&view, &again).code(), "FS0218");
    append(&mut view, &Intent::Commit(commit(2, 2, 20, &["new"])));
    assert_eq!(names(&view), ["s1", "o", "new"]);
}

#[test]
fn a_drop_touches_what_others_read_to_overwrite() {
    let mut view = log([fence(1, 0), epoch(1, 1), epoch(1, 2)]);
    let read_at = view.head();
    let drop = Opening {
        restored: Some(1),
        rewind: Some(Rewind::Drop),
        ..opening("b", 1)
    };
    open(&mut view, &drop);
    let overwrite = Intent::Replace {
        read_at,
        serializable: false,
        first: 1,
        last: read_at,
        with: Replacement::Overwrite(commit(2, 9, 90, &["r"])),
    };
    assert_eq!(refusal(&view, &overwrite).code(), "FS0219");
}

#[test]
fn what_a_compaction_joined_cannot_be_dropped() {
    let mut view = log([fence(1, 0), epoch(1, 1), epoch(1, 2)]);
    let read_at = view.head();
    let mut whole = segment("c");
    whole.digest = Digest { rows: 2, sum: 2 };
    whole.rows = 2;
    append(
        &mut view,
        &Intent::Replace {
            read_at,
            serializable: false,
            first: 2,
            last: 3,
            with: Replacement::Compaction {
                segments: vec![whole],
            },
        },
    );
    let drop = Opening {
        restored: Some(1),
        rewind: Some(Rewind::Drop),
        ..opening("b", 1)
    };
    let Opened::Fence(fence) = view.open(&drop).unwrap() else {
        panic!("it has no generation yet");
    };
    assert_eq!(refusal(&view, &fence).code(), "FS0219");
}

fn tokened(generation: Generation, n: Ordinal, token: &str) -> Intent {
    Intent::Commit(Commit {
        token: Some(token.into()),
        ..commit(generation, n, 0, &[token])
    })
}

fn of_history(
    incarnation: &str,
    after: Generation,
    before: Option<(Ordinal, &str)>,
    pending: &[(Ordinal, &str)],
    rewind: Option<Rewind>,
) -> Opening {
    let identity = |(n, token): (Ordinal, &str)| (n, token.into());
    Opening {
        // The number that the state would say of itself: its last.
        restored: pending.last().map(|(n, _)| *n),
        history: Some(History {
            before: before.map(identity),
            pending: pending.iter().copied().map(identity).collect(),
        }),
        rewind,
        ..opening(incarnation, after)
    }
}

/// Where an opening came back to, or the code of its refusal, by the machine or before it.
fn came_back(view: &View, opening: &Opening) -> Result<Ordinal, &'static str> {
    match view.open(opening).map_err(|refusal| refusal.code())? {
        Opened::Already(_) => panic!("it has no generation yet"),
        Opened::Fence(fence) => match view.decide(&fence) {
            Decision::Create(attempt) => match attempt.body {
                Slot::Fence { restored, .. } => Ok(restored),
                other => panic!("{other:?}"),
            },
            Decision::Refuse(refusal) => Err(refusal.code()),
            Decision::Done(done) => panic!("{done:?}"),
        },
    }
}

#[test]
fn a_history_comes_back_to_its_last_commit_that_stands() {
    let view = log([fence(1, 0), tokened(1, 1, "a1"), tokened(1, 2, "a2")]);
    for (before, pending) in [
        (Some((1, "a1")), &[(2, "a2")][..]),
        (Some((2, "a2")), &[(3, "a3")][..]),
        (Some((1, "a1")), &[(2, "a2"), (5, "a5")][..]),
        (None, &[(1, "a1"), (2, "a2")][..]),
    ] {
        let opening = of_history("b", 1, before, pending, None);
        assert_eq!(came_back(&view, &opening), Ok(2), "{pending:?}");
    }
    let fresh = of_history("b", 0, None, &[], None);
    assert_eq!(came_back(&View::empty(), &fresh), Ok(0));
    assert_eq!(
        came_back(&view, &Opening { after: 1, ..fresh }),
        Err("FS0213")
    );
}

#[test]
fn a_history_above_what_another_has_committed_is_refused_or_takes_that_out() {
    // The numbers skip: 2 was never this history's, and 3 lies above it.
    let view = log([fence(1, 0), tokened(1, 1, "a1"), tokened(1, 2, "b2")]);
    let back = |rewind| of_history("c", 1, Some((1, "a1")), &[(3, "a3")], rewind);
    assert_eq!(came_back(&view, &back(None)), Err("FS0213"));
    assert_eq!(came_back(&view, &back(Some(Rewind::Drop))), Ok(1));
}

#[test]
fn a_history_whose_commits_were_dropped_cannot_go_on_whatever_is_asked_for() {
    let mut view = log([fence(1, 0), tokened(1, 1, "a1"), tokened(1, 2, "a2")]);
    open(
        &mut view,
        &of_history("b", 1, Some((1, "a1")), &[], Some(Rewind::Drop)),
    );
    for rewind in [None, Some(Rewind::Drop)] {
        let back = of_history("c", 2, Some((2, "a2")), &[(3, "a3")], rewind);
        assert_eq!(came_back(&view, &back), Err("FS0227"));
    }
    append(&mut view, &tokened(2, 2, "b2"));
    let refused = view.open(&of_history("c", 2, Some((2, "a2")), &[(3, "a3")], None));
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("\"b2\" there, \"a2\" here"), "{text}");
}

#[test]
fn a_history_older_than_what_is_remembered_is_forgotten() {
    let mut view = log([fence(1, 0)]);
    for n in 1..=COMMITS_REMEMBERED_MAX as Ordinal + 3 {
        append(&mut view, &tokened(1, n, &format!("t{n}")));
    }
    let back = |n: Ordinal| of_history("b", 1, Some((n, &format!("t{n}"))), &[], None);
    assert_eq!(came_back(&view, &back(3)), Err("FS0228"));
    assert_eq!(came_back(&view, &back(4)), Err("FS0213"));
}
