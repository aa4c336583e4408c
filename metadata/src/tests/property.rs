//! Random changes against a plain map, with the catalogue closed and opened at random.

use super::*;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::port::{Change, Heads, Reference};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What is done, with small numbers that pick names and datasets.
#[derive(Debug, Clone)]
enum Step {
    Register(u8),
    Rename(u8, u8, bool),
    SetHandle(u8, u8),
    Drop(u8, bool),
    Advance(u8, u8),
    Reopen { forget_index: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u8).prop_map(Step::Register),
        3 => (0..12u8, 0..12u8, any::<bool>()).prop_map(|(which, name, stale)| Step::Rename(which, name, stale)),
        2 => (0..12u8, 0..6u8).prop_map(|(which, handle)| Step::SetHandle(which, handle)),
        2 => (0..12u8, any::<bool>()).prop_map(|(which, stale)| Step::Drop(which, stale)),
        2 => (0..12u8, 0..9u8).prop_map(|(which, head)| Step::Advance(which, head)),
        1 => any::<bool>().prop_map(|forget_index| Step::Reopen { forget_index }),
    ]
}

#[derive(Default)]
struct Model {
    datasets: BTreeMap<String, Arc<Dataset>>,
    heads: BTreeMap<DatasetId, u64>,
    changes: u64,
}

impl Model {
    fn pick(&self, which: u8) -> Option<Arc<Dataset>> {
        let count = self.datasets.len().max(1);
        self.datasets
            .values()
            .nth(usize::from(which) % count)
            .cloned()
    }

    fn owns(&self, key: &Handle) -> Option<DatasetId> {
        let owner = |dataset: &&Arc<Dataset>| {
            dataset
                .handles
                .iter()
                .any(|handle| handle.key() == key.key())
        };
        self.datasets.values().find(owner).map(|dataset| dataset.id)
    }

    /// Does a step on both and checks that they answer alike.
    async fn step(&mut self, catalogue: &Catalogue, step: Step) {
        match step {
            Step::Register(name) => {
                let mut wanted = registration(&format!("n{name}"));
                wanted.handles.truncate(usize::from(name % 3));
                let taken = self.datasets.contains_key(wanted.name.as_str())
                    || wanted
                        .handles
                        .iter()
                        .any(|handle| self.owns(handle).is_some());
                let answer = catalogue.register(wanted).await;
                assert_eq!(answer.is_err(), taken, "{answer:?}");
                if let Ok(dataset) = answer {
                    self.changes += 1;
                    self.datasets.insert(dataset.name.to_string(), dataset);
                }
            }
            Step::Rename(which, name, stale) => {
                let Some(dataset) = self.pick(which) else {
                    return;
                };
                let name = format!("n{name}");
                let version = dataset.version - u64::from(stale);
                let taken = self
                    .datasets
                    .get(&name)
                    .is_some_and(|owner| owner.id != dataset.id);
                let answer = catalogue
                    .update(dataset.id, version, Change::Rename(name.parse().unwrap()))
                    .await;
                assert_eq!(answer.is_err(), taken || stale, "{answer:?}");
                if let Ok(renamed) = answer {
                    self.changes += u64::from(renamed.version != dataset.version);
                    self.datasets.remove(dataset.name.as_str());
                    self.datasets.insert(name, renamed);
                }
            }
            Step::SetHandle(which, handle) => {
                let Some(dataset) = self.pick(which) else {
                    return;
                };
                let handle =
                    Handle::spark_table(&format!("spark_catalog.default.n{handle}")).unwrap();
                let taken = self.owns(&handle).is_some_and(|owner| owner != dataset.id);
                let answer = catalogue
                    .update(dataset.id, dataset.version, Change::SetHandle(handle))
                    .await;
                assert_eq!(answer.is_err(), taken, "{answer:?}");
                if let Ok(changed) = answer {
                    self.changes += u64::from(changed.version != dataset.version);
                    self.datasets.insert(changed.name.to_string(), changed);
                }
            }
            Step::Drop(which, stale) => {
                let Some(dataset) = self.pick(which) else {
                    return;
                };
                let answer = catalogue
                    .drop_dataset(dataset.id, dataset.version - u64::from(stale))
                    .await;
                assert_eq!(answer.is_err(), stale);
                if answer.is_ok() {
                    self.changes += 1;
                    self.datasets.remove(dataset.name.as_str());
                    self.heads.remove(&dataset.id);
                }
            }
            Step::Advance(which, head) => {
                let Some(dataset) = self.pick(which) else {
                    return;
                };
                let head = u64::from(head);
                catalogue
                    .advance(dataset.id, head, head, None)
                    .await
                    .unwrap();
                let known = self.heads.entry(dataset.id).or_default();
                self.changes += u64::from(head > *known);
                *known = head.max(*known);
            }
            Step::Reopen { .. } => {}
        }
    }

    async fn check(&self, catalogue: &Catalogue) {
        assert_eq!(catalogue.sequence(), self.changes);
        let page = catalogue.list("", None, 100).await.unwrap();
        assert_eq!(
            page.datasets,
            self.datasets.values().cloned().collect::<Vec<_>>()
        );
        for dataset in self.datasets.values() {
            let mut references = vec![
                Reference::Id(dataset.id),
                Reference::Name(dataset.name.clone()),
            ];
            references.extend(
                dataset
                    .handles
                    .iter()
                    .map(|handle| Reference::Handle(handle.key())),
            );
            for reference in references {
                assert_eq!(catalogue.lookup(&reference).await.unwrap(), *dataset);
            }
            let head = catalogue
                .known_head(dataset.id)
                .unwrap()
                .map_or(0, |known| known.head);
            assert_eq!(head, self.heads.get(&dataset.id).copied().unwrap_or(0));
        }
        for handle in 0..12 {
            let handle = Handle::spark_table(&format!("spark_catalog.default.n{handle}")).unwrap();
            let found = catalogue
                .lookup(&Reference::Handle(handle.key()))
                .await
                .ok()
                .map(|dataset| dataset.id);
            assert_eq!(found, self.owns(&handle));
        }
    }
}

fn run(maker: fn(&Path) -> Options, steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut catalogue = open(&maker(dir.path())).unwrap();
    let mut model = Model::default();
    for step in steps {
        if let Step::Reopen { forget_index } = step {
            drop(catalogue);
            if forget_index {
                let _ = std::fs::remove_dir_all(dir.path().join("index"));
            }
            catalogue = open(&maker(dir.path())).unwrap();
        } else {
            block_on(model.step(&catalogue, step));
        }
        block_on(model.check(&catalogue));
    }
    drop(catalogue);
    block_on(model.check(&open(&maker(dir.path())).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_catalogue_over_sled_answers_as_a_map_does(steps in proptest::collection::vec(step(), 1..40)) {
        run(with_sled, steps);
    }

    #[test]
    fn the_catalogue_in_memory_answers_as_a_map_does(steps in proptest::collection::vec(step(), 1..60)) {
        run(in_memory, steps);
    }
}
