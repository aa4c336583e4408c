//! Power loss: a disk that forgets what was not synced, in any order.
//!
//! Each write that no sync covers may be there after the loss, or half, or not at all, and so may a
//! renamed or created name that no sync of its folder covers.

use super::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

/// One inode: what is on the platter, and what was written since the last sync.
#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let start = *offset as usize;
                content.resize(content.len().max(start + bytes.len()), 0);
                content[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(length) => content.truncate(*length as usize),
        }
    }
}

impl Inode {
    fn content(&self) -> Vec<u8> {
        let mut content = self.durable.clone();
        self.pending
            .iter()
            .for_each(|pending| pending.apply(&mut content));
        content
    }

    fn lose_power(&mut self, seed: &Seeded) {
        for pending in std::mem::take(&mut self.pending) {
            match (seed.below(3), pending) {
                (0, _) => {}
                (1, Pending::Write(offset, bytes)) => {
                    let kept = seed.below(bytes.len() as u64 + 1) as usize;
                    Pending::Write(offset, bytes[..kept].to_vec()).apply(&mut self.durable);
                }
                (_, pending) => pending.apply(&mut self.durable),
            }
        }
    }
}

type Names = BTreeMap<PathBuf, Arc<Mutex<Inode>>>;

#[derive(Default)]
struct State {
    names: Names,
    durable_names: Names,
    /// Operations until the power goes; none are carried out after it.
    left: usize,
}

#[derive(Clone, Default)]
struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    fn with_power_for(&self, operations: usize) {
        self.0.lock().unwrap().left = operations;
    }

    fn lose_power(&self, seed: &Seeded) {
        let mut state = self.0.lock().unwrap();
        let (now, durable) = (state.names.clone(), state.durable_names.clone());
        let mut survived = Names::new();
        for path in now
            .keys()
            .chain(durable.keys())
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
        {
            let is_synced = matches!((now.get(&path), durable.get(&path)), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
            let names = if is_synced || seed.below(2) == 0 {
                &durable
            } else {
                &now
            };
            survived.extend(names.get(&path).map(|inode| (path, Arc::clone(inode))));
        }
        survived
            .values()
            .for_each(|inode| inode.lock().unwrap().lose_power(seed));
        state.names = survived.clone();
        state.durable_names = survived;
    }

    fn step(&self) -> io::Result<std::sync::MutexGuard<'_, State>> {
        let mut state = self.0.lock().unwrap();
        state.left = state
            .left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("no power"))?;
        Ok(state)
    }
}

struct SimulatedFile(SimulatedDisk, Arc<Mutex<Inode>>);

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        let found = self.0.lock().unwrap().names.get(path).cloned();
        Ok(found.map(|inode| -> Arc<dyn File> { Arc::new(SimulatedFile(self.clone(), inode)) }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = Arc::new(Mutex::new(Inode::default()));
        self.step()?.names.insert(path.into(), Arc::clone(&inode));
        Ok(Arc::new(SimulatedFile(self.clone(), inode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), inode);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let in_folder = |name: &PathBuf| name.parent() == Some(path);
        let synced: Names = state
            .names
            .iter()
            .filter(|(name, _)| in_folder(name))
            .map(|(name, inode)| (name.clone(), Arc::clone(inode)))
            .collect();
        state.durable_names.retain(|name, _| !in_folder(name));
        state.durable_names.extend(synced);
        Ok(())
    }
}

impl File for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.1.lock().unwrap().content().len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.1.lock().unwrap().content();
        let rest = content.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _state = self.0.step()?;
        self.1
            .lock()
            .unwrap()
            .pending
            .push(Pending::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let _state = self.0.step()?;
        let mut inode = self.1.lock().unwrap();
        inode.durable = inode.content();
        inode.pending.clear();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let _state = self.0.step()?;
        self.1.lock().unwrap().pending.push(Pending::Truncate(len));
        Ok(())
    }
}

/// Registers datasets, some of them wide, a few at once, until the power goes; returns the
/// acknowledged ones.
async fn work(catalogue: &Catalogue, seed: &Seeded, names: &mut u64) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for _ in 0..8 {
        let batch: Vec<Registration> = (0..1 + seed.below(4))
            .map(|_| {
                *names += 1;
                let columns = if seed.below(6) == 0 {
                    700
                } else {
                    100 + seed.below(60) as usize
                };
                Registration {
                    schema: wide_schema(columns),
                    ..registration(&format!("d{names}"))
                }
            })
            .collect();
        let wanted: Vec<String> = batch
            .iter()
            .map(|registration| registration.name.to_string())
            .collect();
        let answers =
            futures::future::join_all(batch.into_iter().map(|one| catalogue.register(one))).await;
        acknowledged.extend(
            wanted
                .into_iter()
                .zip(answers)
                .filter(|(_, answer)| answer.is_ok())
                .map(|(name, _)| name),
        );
    }
    acknowledged
}

fn lives(seed: u64) -> (usize, usize) {
    let random = Seeded::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::default();
    let (mut acknowledged, mut names, mut losses) = (Vec::new(), 0, 0);
    for _ in 0..12 {
        disk.with_power_for(random.below(40) as usize);
        if let Ok(catalogue) = open_on(&in_memory(dir.path()), Arc::new(disk.clone())) {
            acknowledged.extend(block_on(work(&catalogue, &random, &mut names)));
        }
        disk.lose_power(&random);
        losses += 1;
        disk.with_power_for(usize::MAX);
        let catalogue = open_on(&in_memory(dir.path()), Arc::new(disk.clone()))
            .unwrap_or_else(|error| panic!("seed {seed}, after loss {losses}: {error}"));
        block_on(async {
            for name in &acknowledged {
                let found = catalogue.lookup(&name.parse().unwrap()).await;
                assert!(
                    found.is_ok(),
                    "seed {seed}: {name} was acknowledged and is gone"
                );
            }
            let page = catalogue.list("", None, 1000).await.unwrap();
            let known = |name: &str| {
                name[1..]
                    .parse::<u64>()
                    .is_ok_and(|n| (1..=names).contains(&n))
            };
            assert!(
                page.datasets
                    .iter()
                    .all(|dataset| known(dataset.name.as_str())),
                "seed {seed}: a phantom"
            );
        });
    }
    (losses, acknowledged.len())
}

mod crash {
    use super::*;

    #[test]
    fn no_loss_of_power_takes_an_acknowledged_change() {
        let (mut losses, mut acknowledged) = (0, 0);
        for seed in 0..40 {
            let (lost, kept) = lives(seed);
            losses += lost;
            acknowledged += kept;
        }
        println!("{losses} losses of power, {acknowledged} acknowledged changes, all there");
        assert!(
            acknowledged > losses,
            "the disk must live long enough to acknowledge something"
        );
    }
}
