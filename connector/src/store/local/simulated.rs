//! A simulated file system that fails at chosen operations and loses power.
//!
//! Invariant: after power is lost exactly what was synced is there for sure; of the rest, each
//! name and each file's unsynced tail survives or not by seed. A directory whose sync found the disk full has
//! nothing to write until it changes again: until then a sync succeeds and keeps nothing.

use super::fs::{Entry, Fs, NewFile};
use crate::store::ReadSeek;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// It works.
    Nothing,
    /// It fails with this and changes nothing.
    Fails(io::ErrorKind),
    /// It fails with the system's error of this number and changes nothing.
    Errno(i32),
    /// Power is lost before it, and with it everything that follows.
    PowerBefore,
    /// Power is lost after it.
    PowerAfter,
}

/// Decides by the operation's number, from 0, its name and its path.
pub(crate) type Plan = Box<dyn Fn(u64, &'static str, &Path) -> Break + Send>;

#[derive(Clone)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

struct State {
    plan: Plan,
    operations: u64,
    dead: bool,
    files: BTreeMap<u64, Content>,
    next_file: u64,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    /// Directories whose last sync found the disk full, and that have not changed since.
    given_up: BTreeSet<PathBuf>,
}

#[derive(Clone, Copy, PartialEq)]
enum Node {
    File(u64),
    Directory,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    durable: usize,
}

impl Simulated {
    /// An empty file system that holds only `/`.
    pub(crate) fn new() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Directory)]);
        Self(Arc::new(Mutex::new(State {
            plan: Box::new(|_, _, _| Break::Nothing),
            operations: 0,
            dead: false,
            files: BTreeMap::new(),
            next_file: 0,
            names: root.clone(),
            durable_names: root,
            given_up: BTreeSet::new(),
        })))
    }

    pub(crate) fn plan(&self, plan: impl Fn(u64, &'static str, &Path) -> Break + Send + 'static) {
        let mut state = self.0.lock().unwrap();
        state.plan = Box::new(plan);
        state.operations = 0;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    pub(crate) fn has_name(&self, path: &str) -> bool {
        self.0.lock().unwrap().names.contains_key(Path::new(path))
    }

    pub(crate) fn files_below(&self, directory: &str) -> usize {
        let state = self.0.lock().unwrap();
        let below = |(path, node): (&PathBuf, &Node)| {
            path.starts_with(directory) && *node != Node::Directory
        };
        state.names.iter().filter(|entry| below(*entry)).count()
    }

    /// Switches power off and on: what was not synced survives or not, by the seed's bits.
    pub(crate) fn restart(&self, seed: u64) {
        let mut state = self.0.lock().unwrap();
        let mut bits = seed;
        let mut coin = || {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bits >> 63 == 1
        };
        let State {
            names,
            durable_names,
            files,
            ..
        } = &mut *state;
        let paths: BTreeSet<PathBuf> = names.keys().chain(durable_names.keys()).cloned().collect();
        for path in paths {
            let (now, then) = (names.get(&path).copied(), durable_names.get(&path).copied());
            if now != then && coin() {
                match now {
                    Some(node) => durable_names.insert(path, node),
                    None => durable_names.remove(&path),
                };
            }
        }
        // A name below a directory that was lost is lost with it.
        let kept = durable_names.clone();
        durable_names.retain(|path, _| {
            path.ancestors()
                .skip(1)
                .all(|above| kept.contains_key(above))
        });
        for content in files.values_mut() {
            if !coin() {
                content.bytes.truncate(content.durable);
            }
            content.durable = content.bytes.len();
        }
        state.names = state.durable_names.clone();
        state.dead = false;
        state.given_up.clear();
        state.plan = Box::new(|_, _, _| Break::Nothing);
    }

    fn run<T>(
        &self,
        name: &'static str,
        path: &Path,
        work: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        if state.dead {
            return Err(io::Error::other("no power"));
        }
        let index = state.operations;
        state.operations += 1;
        let broken = (state.plan)(index, name, path);
        let full = Break::Fails(io::ErrorKind::StorageFull);
        if name == "sync_dir" && broken == full {
            state.given_up.insert(path.to_path_buf());
        }
        match broken {
            Break::Nothing => work(&mut state),
            Break::Fails(kind) => Err(io::Error::new(kind, "injected")),
            Break::Errno(code) => Err(io::Error::from_raw_os_error(code)),
            Break::PowerBefore => {
                state.dead = true;
                Err(io::Error::other("no power"))
            }
            Break::PowerAfter => {
                let _done = work(&mut state);
                state.dead = true;
                Err(io::Error::other("no power"))
            }
        }
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn name(&mut self, path: &Path, node: Node) -> io::Result<()> {
        if path
            .parent()
            .is_some_and(|parent| !self.names.contains_key(parent))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.names.insert(path.to_path_buf(), node);
        self.changed(path);
        Ok(())
    }

    /// A name came or went.
    fn changed(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.given_up.remove(parent);
        }
    }

    fn entry(&self, path: &Path, file: u64) -> Entry {
        let links = self
            .names
            .values()
            .filter(|node| **node == Node::File(file))
            .count() as u64;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Entry {
            name,
            bytes: self.files[&file].bytes.len() as u64,
            links,
        }
    }
}

impl Fs for Simulated {
    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let file = self.run("create", path, |state| {
            let file = state.next_file;
            state.name(path, Node::File(file))?;
            state.next_file += 1;
            state.files.insert(file, Content::default());
            Ok(file)
        })?;
        Ok(Box::new(Handle {
            fs: self.clone(),
            path: path.to_path_buf(),
            file,
        }))
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn ReadSeek>, Entry)> {
        self.run("open", path, |state| {
            let file = state.file(path)?;
            let content = Cursor::new(state.files[&file].bytes.clone());
            Ok((
                Box::new(content) as Box<dyn ReadSeek>,
                state.entry(path, file),
            ))
        })
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.run("sync_file", path, |state| {
            let file = state.file(path)?;
            let content = state.files.entry(file).or_default();
            content.durable = content.bytes.len();
            Ok(())
        })
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run("link", to, |state| {
            let file = state.file(from)?;
            state.name(to, Node::File(file))
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run("remove", path, |state| {
            state.file(path)?;
            state.names.remove(path);
            state.changed(path);
            Ok(())
        })
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.run("make_dir", path, |state| state.name(path, Node::Directory))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run("sync_dir", path, |state| {
            if !state.names.contains_key(path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            if state.given_up.contains(path) {
                return Ok(());
            }
            state
                .durable_names
                .retain(|name, _| name.parent() != Some(path));
            let here = state
                .names
                .iter()
                .filter(|(name, _)| name.parent() == Some(path));
            let here: Vec<(PathBuf, Node)> =
                here.map(|(name, node)| (name.clone(), *node)).collect();
            state.durable_names.extend(here);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.run("list", path, |state| {
            if !state.names.contains_key(path) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let here = state
                .names
                .iter()
                .filter(|(name, _)| name.parent() == Some(path));
            Ok(here
                .filter_map(|(name, node)| match node {
                    Node::File(file) => Some(state.entry(name, *file)),
                    Node::Directory => None,
                })
                .collect())
        })
    }
}

struct Handle {
    fs: Simulated,
    path: PathBuf,
    file: u64,
}

impl NewFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file;
        self.fs.run("append", &self.path, |state| {
            state
                .files
                .entry(file)
                .or_default()
                .bytes
                .extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let file = self.file;
        self.fs.run("sync", &self.path, |state| {
            let content = state.files.entry(file).or_default();
            content.durable = content.bytes.len();
            Ok(())
        })
    }
}
