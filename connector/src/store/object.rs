//! The store on any `object_store` that has a conditional put: memory, object stores.
//!
//! Never uses multipart uploads, whose completion replaces what is there: a large object is held in
//! memory until it is published by one conditional put. Invariant: a put that fails in any other
//! way than "there is one already" is in doubt.

use super::error;
use super::key::Key;
use super::{Created, Listed, OBJECT_BYTES_MAX, Opened, Staging, Store};
use async_trait::async_trait;
use bytes::Bytes;
use flinkspark_model::Result;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error as Cause, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::io::Cursor;
use std::sync::Arc;

/// The largest object that can be staged, in bytes.
pub const STAGED_BYTES_MAX: u64 = 1 << 30;

/// Objects in an `object_store`. Cheap to clone; clones share the objects.
#[derive(Debug, Clone)]
pub struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// Objects in memory, gone with the last clone.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    /// Objects in a store that supports `PutMode::Create`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// `None`: there is one already.
    async fn put_new(&self, key: &Key, payload: PutPayload) -> Result<Option<()>> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self.0.put_opts(&path(key), payload, options).await {
            Ok(_) => Ok(Some(())),
            Err(Cause::AlreadyExists { .. }) => Ok(None),
            Err(cause) => Err(error::in_doubt(key, cause)),
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let got = match self.0.get(&path(key)).await {
            Ok(got) => got.bytes().await,
            Err(cause) => Err(cause),
        };
        match got {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Cause::NotFound { .. }) => Ok(None),
            Err(cause) => Err(error::unavailable("read", key, cause)),
        }
    }
}

#[async_trait]
impl Store for Objects {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Created> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(error::too_large(
                key,
                bytes.len() as u64,
                OBJECT_BYTES_MAX as u64,
            ));
        }
        if self.put_new(key, bytes.into()).await?.is_some() {
            return Ok(Created::New);
        }
        let existing = self.read(key).await?;
        existing
            .map(Created::Exists)
            .ok_or_else(|| error::in_doubt(key, "it was deleted while it was read"))
    }

    async fn read(&self, key: &Key) -> Result<Option<Bytes>> {
        match self.get(key).await? {
            Some(bytes) if bytes.len() > OBJECT_BYTES_MAX => Err(error::too_large(
                key,
                bytes.len() as u64,
                OBJECT_BYTES_MAX as u64,
            )),
            found => Ok(found),
        }
    }

    async fn list(&self, prefix: &Key) -> Result<Vec<Listed>> {
        let found = self.0.list_with_delimiter(Some(&path(prefix))).await;
        let found = found.map_err(|cause| error::unavailable("list", prefix, cause))?;
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        let mut listed: Vec<Listed> = found
            .objects
            .iter()
            .map(|object| Listed {
                name: name(&object.location),
                bytes: object.size,
            })
            .collect();
        listed.sort();
        Ok(listed)
    }

    async fn stage(&self, key: &Key) -> Result<Box<dyn Staging>> {
        Ok(Box::new(Staged {
            store: self.clone(),
            key: key.clone(),
            pieces: Vec::new(),
            bytes: 0,
        }))
    }

    async fn open(&self, key: &Key) -> Result<Option<Opened>> {
        let opened = |bytes: Bytes| Opened {
            bytes: bytes.len() as u64,
            content: Box::new(Cursor::new(bytes)),
        };
        Ok(self.get(key).await?.map(opened))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.0.delete(&path(key)).await {
            Ok(()) | Err(Cause::NotFound { .. }) => Ok(()),
            Err(cause) => Err(error::unavailable("delete", key, cause)),
        }
    }
}

struct Staged {
    store: Objects,
    key: Key,
    pieces: Vec<Bytes>,
    bytes: u64,
}

#[async_trait]
impl Staging for Staged {
    async fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > STAGED_BYTES_MAX {
            return Err(error::too_large(&self.key, self.bytes, STAGED_BYTES_MAX));
        }
        self.pieces.push(bytes);
        Ok(())
    }

    async fn publish(self: Box<Self>) -> Result<()> {
        let payload = self.pieces.into_iter().collect();
        self.store
            .put_new(&self.key, payload)
            .await?
            .ok_or_else(|| error::taken(&self.key))
    }
}

fn path(key: &Key) -> Path {
    Path::from(key.as_str())
}
