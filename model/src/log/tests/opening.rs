//! Who has a writer, and what goes when a history is given up.

use super::*;

fn opening(incarnation: &str, after: Generation) -> Opening {
    Opening {
        writer: writer(),
        incarnation: incarnation.into(),
        after,
        restored: None,
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
