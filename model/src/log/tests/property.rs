//! Whatever is written: the fold is one function of the slots.

use super::*;
use proptest::prelude::*;

fn intents() -> impl Strategy<Value = Vec<Intent>> {
    let generation = 1..4_u64;
    let n = 1..6_u64;
    let slot = 1..10_u64;
    let one = prop_oneof![
        (generation.clone(), 0..6_u64, any::<bool>(), any::<bool>()).prop_map(
            |(generation, restored, rewind, drops)| {
                let incarnation = format!("{generation}");
                Intent::Fence {
                    writer: writer(),
                    generation,
                    restored,
                    rewind,
                    drops,
                    incarnation,
                }
            }
        ),
        (generation.clone(), n.clone()).prop_map(|(generation, n)| epoch(generation, n)),
        (generation, n.clone()).prop_map(|(generation, n)| abort(generation, n, &format!("s{n}"))),
        (1..5_u32).prop_map(|version| Intent::Schema {
            version,
            schema: format!("v{version}")
        }),
        (slot.clone(), slot.clone(), slot.clone(), n).prop_map(|(read_at, first, last, n)| {
            let with = Replacement::Overwrite(commit(1, n, n * 10, &[&format!("r{n}")]));
            Intent::Replace {
                read_at,
                serializable: n % 2 == 0,
                first,
                last,
                with,
            }
        }),
        (slot.clone(), slot).prop_map(|(read_at, through)| Intent::Expire { read_at, through }),
    ];
    prop::collection::vec(one, 0..40)
}

/// The slots that these intents become; what is refused or there already leaves none.
fn slots(intents: &[Intent]) -> Vec<Slot> {
    let mut view = View::empty();
    let mut slots = Vec::new();
    for intent in intents {
        if let Decision::Create(attempt) = view.decide(intent) {
            view.apply(attempt.slot, &attempt.body).unwrap();
            slots.push(attempt.body);
        }
    }
    slots
}

fn fold(mut view: View, slots: &[Slot]) -> View {
    for slot in slots {
        view.apply(view.head() + 1, slot).unwrap();
    }
    view
}

fn restored(view: &View) -> View {
    let stored = serde_json::to_vec(&Snapshot::from(view)).unwrap();
    View::try_from(serde_json::from_slice::<Snapshot>(&stored).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_snapshot_and_the_tail_give_the_same_view(intents in intents(), cut in 0..40_usize) {
        let slots = slots(&intents);
        let cut = cut.min(slots.len());
        let whole = fold(View::empty(), &slots);
        let head = fold(View::empty(), &slots[..cut]);
        prop_assert_eq!(fold(restored(&head), &slots[cut..]), whole);
    }

    #[test]
    fn a_pinned_reader_sees_what_was_live_at_its_last_slot(intents in intents()) {
        let slots = slots(&intents);
        let whole = fold(View::empty(), &slots);
        let mut then = View::empty();
        for slot in &slots {
            then.apply(then.head() + 1, slot).unwrap();
            let last = then.head();
            for first in (1..=last).filter(|first| *first > whole.horizon()) {
                let live: Vec<_> = then.live_between(first, last).cloned().collect();
                prop_assert_eq!(whole.as_of(first, last), live);
            }
        }
    }

    #[test]
    fn every_slot_survives_its_bytes(intents in intents()) {
        for (index, body) in slots(&intents).into_iter().enumerate() {
            let record = SlotRecord {
                format: 1,
                log: LogId(uuid::Uuid::nil()),
                slot: index as u64 + 1,
                committed_at_ms: 0,
                principal: None,
                lists: Vec::new(),
                body,
            };
            prop_assert_eq!(SlotRecord::decode(&record.encode().unwrap()).unwrap(), record);
        }
    }

    #[test]
    fn a_writer_has_one_commit_for_each_number_and_one_owner(intents in intents()) {
        let mut generation = 0;
        let mut numbers = std::collections::BTreeSet::new();
        for slot in slots(&intents) {
            match slot {
                Slot::Fence { generation: next, .. } => {
                    prop_assert!(next > generation);
                    generation = next;
                }
                Slot::Epoch(commit) | Slot::Replace { with: Replacement::Overwrite(commit), .. } => {
                    prop_assert_eq!(commit.generation, generation);
                    prop_assert!(numbers.insert(commit.n));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_was_created_is_done_when_it_is_wanted_again(intents in intents()) {
        let mut view = View::empty();
        for intent in &intents {
            let Decision::Create(attempt) = view.decide(intent) else { continue };
            view.apply(attempt.slot, &attempt.body).unwrap();
            if let Intent::Commit(_) | Intent::Abort { .. } = intent {
                prop_assert!(matches!(view.decide(intent), Decision::Done(done) if done.slot == attempt.slot));
            }
        }
    }

    #[test]
    fn what_was_taken_out_is_never_data_again_and_a_pin_keeps_it(
        picks in prop::collection::vec((1..7_u64, 0..6_usize, 0..6_usize, any::<bool>()), 0..40)
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut view = log([fence(1, 0)]);
        let mut gone = std::collections::BTreeSet::new();
        for (n, one, other, replaces) in picks {
            let new = commit(1, n, n * 10, &[names[one], names[other]]);
            let head = view.head();
            let intent = if replaces {
                let with = Replacement::Overwrite(new);
                Intent::Replace { read_at: head, serializable: false, first: 1, last: head, with }
            } else {
                Intent::Commit(new)
            };
            if let Decision::Create(attempt) = view.decide(&intent) {
                view.apply(attempt.slot, &attempt.body).unwrap();
            }
            gone.extend(view.retired().flat_map(|(_, epoch)| epoch.segments.clone()).map(|s| s.name));
            let live: Vec<_> = view.live().flat_map(|epoch| epoch.segments.clone()).map(|s| s.name).collect();
            prop_assert!(live.iter().all(|name| !gone.contains(name)));
            let distinct: std::collections::BTreeSet<_> = live.iter().collect();
            prop_assert_eq!(distinct.len(), live.len());
        }
        for pin in 0..=view.head() {
            let spent = spent(&view, &[pin], |_| true);
            for epoch in view.as_of(1, pin) {
                prop_assert!(epoch.segments.iter().all(|segment| !spent.contains(&segment.name)));
            }
        }
        prop_assert_eq!(spent(&view, &[], |_| true), gone);
        prop_assert!(spent(&view, &[], |_| false).is_empty());
    }

    #[test]
    fn what_a_batch_run_left_is_never_data_once_it_was_garbage(
        picks in prop::collection::vec((0..3_u8, 1..5_u64), 0..30)
    ) {
        // Each incarnation commits what it staged itself, as the run's one commit.
        let own = |generation: u64| format!("of {generation}");
        let mut view = View::empty();
        let mut garbage = std::collections::BTreeSet::new();
        for (what, generation) in picks {
            let intent = match what {
                0 => fence(generation, 0),
                1 => Intent::Commit(commit(generation, 1, 10, &[&own(generation)])),
                _ => abort(generation, 1, "nothing"),
            };
            if let Decision::Create(attempt) = view.decide(&intent) {
                view.apply(attempt.slot, &attempt.body).unwrap();
            }
            for generation in 1..5 {
                let staged = Staged {
                    name: own(generation).as_str().into(),
                    receipted: true,
                    owner: Owner::Run(writer(), generation),
                };
                if verdict(&staged, &view, None) == Verdict::Garbage {
                    garbage.insert(staged.name.clone());
                }
                prop_assert!(!view.is_live(&staged.name) || !garbage.contains(&staged.name));
            }
        }
    }
}
