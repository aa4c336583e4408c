//! A store that fails on purpose, for tests.
//!
//! Invariant: it never fails in a way that the port's contract does not allow: what is reported as
//! `Unavailable` did not happen, what is reported as `InDoubt` may have, or happens later.

use super::error;
use super::key::Key;
use super::{Created, Listed, Opened, Staging, Store};
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::Result;
use std::sync::{Arc, Mutex, PoisonError};

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It takes place.
    None,
    /// It fails and does not take place: `Unavailable`.
    Refused,
    /// It does not take place and the caller is not told so: `InDoubt`.
    Lost,
    /// It takes place and the response is lost: `InDoubt`.
    ResponseLost,
    /// The response is lost and it takes place later, before the next but one operation: `InDoubt`.
    Late,
}

/// Decides the fault of the operation with this number, from 0.
pub type Plan = Box<dyn Fn(u64) -> Fault + Send + Sync>;

/// A seeded plan: of 1,000 operations about `per_mille` fail, in every way.
pub fn seeded(seed: u64, per_mille: u64) -> Plan {
    Box::new(move |index| {
        let mut x = seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        if x % 1000 >= per_mille {
            return Fault::None;
        }
        [
            Fault::Refused,
            Fault::Lost,
            Fault::ResponseLost,
            Fault::Late,
        ][(x >> 32) as usize % 4]
    })
}

/// A store with faults in front of it.
#[derive(Clone)]
pub struct Faulty(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    plan: Plan,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operations: u64,
    late: Vec<(u64, Key, Bytes)>,
}

impl Faulty {
    /// Puts faults in front of a store.
    pub fn new(store: Arc<dyn Store>, plan: Plan) -> Self {
        Self(Arc::new(Inner {
            store,
            plan,
            state: Mutex::default(),
        }))
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and lets late creates land that are due.
    async fn next(&self) -> (u64, Fault) {
        let (index, due) = {
            let mut state = self.state();
            let index = state.operations;
            state.operations += 1;
            let (due, late) = std::mem::take(&mut state.late)
                .into_iter()
                .partition(|(at, _, _)| *at <= index);
            state.late = late;
            (index, due)
        };
        let due: Vec<(u64, Key, Bytes)> = due;
        for (_, key, bytes) in due {
            // Whoever sent it is gone; whether it won is in the store.
            let _outcome = self.0.store.create(&key, bytes).await;
        }
        (index, (self.0.plan)(index))
    }

    /// The fault of an operation that changes nothing.
    async fn reading(&self, key: &Key) -> Result<()> {
        match self.next().await.1 {
            Fault::None => Ok(()),
            fault => Err(error::unavailable(
                "read",
                key,
                format!("injected: {fault:?}"),
            )),
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created> {
        let (index, fault) = self.next().await;
        match fault {
            Fault::None => return self.0.store.create(key, bytes).await,
            Fault::Refused => return Err(error::unavailable("write", key, "injected")),
            Fault::Lost => {}
            Fault::ResponseLost => {
                self.0.store.create(key, bytes).await?;
            }
            Fault::Late => self.state().late.push((index + 2, key.clone(), bytes)),
        }
        Err(error::in_doubt(key, format!("injected: {fault:?}")))
    }

    async fn read(&self, key: &Key) -> Result<Option<Bytes>> {
        self.reading(key).await?;
        self.0.store.read(key).await
    }

    async fn list(&self, prefix: &Key) -> Result<Vec<Listed>> {
        self.reading(prefix).await?;
        self.0.store.list(prefix).await
    }

    async fn stage(&self, key: &Key) -> Result<Box<dyn Staging>> {
        self.reading(key).await?;
        let staging = self.0.store.stage(key).await?;
        Ok(Box::new(Staged {
            store: self.clone(),
            key: key.clone(),
            staging,
        }))
    }

    async fn open(&self, key: &Key) -> Result<Option<Opened>> {
        self.reading(key).await?;
        self.0.store.open(key).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.next().await.1 {
            Fault::None => self.0.store.delete(key).await,
            Fault::ResponseLost => {
                self.0.store.delete(key).await?;
                Err(error::in_doubt(key, "injected"))
            }
            _ => Err(error::unavailable("delete", key, "injected")),
        }
    }
}

struct Staged {
    store: Faulty,
    key: Key,
    staging: Box<dyn Staging>,
}

#[async_trait]
impl Staging for Staged {
    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.store.reading(&self.key).await?;
        self.staging.append(bytes).await
    }

    async fn publish(self: Box<Self>) -> Result<()> {
        let (_, fault) = self.store.next().await;
        match fault {
            Fault::None => self.staging.publish().await,
            Fault::ResponseLost | Fault::Late => {
                self.staging.publish().await?;
                Err(error::in_doubt(&self.key, format!("injected: {fault:?}")))
            }
            Fault::Lost => Err(error::in_doubt(&self.key, "injected")),
            Fault::Refused => Err(error::unavailable("write", &self.key, "injected")),
        }
    }
}
