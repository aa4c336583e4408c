//! An index in memory: gone with the process, derived again at the next open.

use super::{Applied, Batch, Entry, Error, Index, Tree};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

/// The whole index in one ordered map.
#[derive(Default)]
pub(crate) struct MemoryIndex(RwLock<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<(Tree, Vec<u8>), Vec<u8>>,
    applied: Applied,
}

impl Index for MemoryIndex {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(state.entries.get(&(tree, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        tree: Tree,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded((tree, after.to_vec())),
            _ => Bound::Included((tree, prefix.to_vec())),
        };
        let entries = state.entries.range((from, Bound::Unbounded));
        Ok(entries
            .take_while(|((of, key), _)| *of == tree && key.starts_with(prefix))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn apply(&self, batch: &Batch, applied: Applied) -> Result<(), Error> {
        batch.check()?;
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &batch.0 {
            match value {
                Some(value) => state.entries.insert(key.clone(), value.clone()),
                None => state.entries.remove(key),
            };
        }
        state.applied = applied;
        Ok(())
    }

    fn applied(&self) -> Result<Applied, Error> {
        Ok(self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .applied)
    }
}
