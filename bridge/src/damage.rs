//! What is known to be damaged: the server goes on without it, and says so.
//!
//! Decides nothing: whoever meets damage notes it here, and takes it back when it is whole again.
//! Invariant: an object stands here once, with the latest error that it gave.

use flinkspark_model::dataset::DatasetId;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that can be damaged by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// The catalogue's journal.
    Catalogue,
    /// The key that signs receipts.
    Key,
    /// The file of tokens.
    Tokens,
    /// The files of TLS: those from before are still in use.
    Tls,
    /// A dataset's record or its log, with its name.
    Dataset(DatasetId, String),
    /// A job's record or its end, by the job's id.
    Job(String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue => f.write_str("the catalogue"),
            Self::Key => f.write_str("the signing key"),
            Self::Tokens => f.write_str("the file of tokens"),
            Self::Tls => f.write_str("the files of TLS"),
            Self::Dataset(_, name) => write!(f, "dataset {name}"),
            Self::Job(id) => write!(f, "job {id}"),
        }
    }
}

/// The damaged objects of a server. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Damage(Arc<Mutex<BTreeMap<Object, Error>>>);

impl Damage {
    /// Notes what an object gave; it is logged when it is new.
    pub fn note(&self, object: Object, error: &Error) {
        if self.lock().get(&object) == Some(error) {
            return;
        }
        tracing::error!(%object, %error, "is damaged: what depends on it is refused");
        self.lock().insert(object, error.clone());
    }

    /// The object is whole.
    pub fn clear(&self, object: &Object) {
        if self.lock().remove(object).is_some() {
            tracing::info!(%object, "is whole again");
        }
    }

    /// Notes damage, or that there is none any more, and passes the result on. Another error says nothing.
    pub fn seen<T>(&self, object: impl FnOnce() -> Object, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) if self.lock().is_empty() => {}
            Ok(_) => self.clear(&object()),
            Err(error) if error.kind() == Kind::Data => self.note(object(), error),
            Err(_) => {}
        }
        result
    }

    /// What a dataset gave, if it is damaged.
    pub fn of(&self, dataset: DatasetId) -> Option<Error> {
        let lock = self.lock();
        let found = lock
            .iter()
            .find(|(object, _)| matches!(object, Object::Dataset(id, _) if *id == dataset));
        found.map(|(_, error)| error.clone())
    }

    /// Everything that is damaged.
    pub fn all(&self) -> Vec<(Object, Error)> {
        let lock = self.lock();
        lock.iter()
            .map(|(object, error)| (object.clone(), error.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Object, Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noted_once_and_taken_back() {
        let damage = Damage::default();
        let object = || Object::Job("a".into());
        let broken = || Error::new(Kind::Data, "FS0905", "a job's record is damaged");
        for _ in 0..2 {
            assert!(damage.seen::<()>(object, Err(broken())).is_err());
            assert_eq!(damage.all(), [(object(), broken())]);
        }
        let busy = Error::new(Kind::Unavailable, "FS1051", "too many files are open");
        assert!(damage.seen::<()>(object, Err(busy)).is_err());
        assert_eq!(damage.all().len(), 1);
        assert!(damage.seen(object, Ok(())).is_ok());
        assert_eq!(damage.all(), []);
    }
}
