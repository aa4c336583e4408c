//! How a transaction is named: by its key, in its log and in its folder.
//!
//! The writer of a keyed transaction is an HMAC of dataset, scope and key with the data directory's
//! key, as a UUID of version 4: whoever does not know the key cannot make two keys meet, whatever
//! their bytes, and no byte of a key reaches a path. Builds before that named it by an unkeyed hash
//! in a UUID of version 8; such a writer is still found, so that an old key does not commit again.
//! Invariant: writers of the two ways and those without a key (version 7) never meet.

use crate::store::names::Txn;
use crate::store::signer::Signer;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{Generation, View};
use flinkspark_model::port::{IdempotencyKey, KeyScope, TxnId};
use uuid::{Builder, Uuid};

/// The generation of every transaction's writer: it is fenced once, when it begins.
pub(super) const GENERATION: Generation = 1;

/// What the signature of a key is for.
const PURPOSE: &str = "transaction key v1";

/// The transaction of a writer that can still commit, or the one that did.
pub(super) fn next(dataset: DatasetId, id: Uuid, view: &View) -> TxnId {
    let writer = Txn { id, n: 1 }.writer();
    let n = view.writer(&writer).map_or(1, |state| match state.last() {
        0 => state.aborted.last_key_value().map_or(1, |(n, _)| n + 1),
        committed => committed,
    });
    TxnId { dataset, id, n }
}

/// The name of the object that says that it was begun.
pub(super) fn file(txn: &TxnId) -> String {
    format!("{}.{}.json", txn.id.simple(), txn.n)
}

/// The transaction that a file's name says; nothing but what [`file`] writes.
pub(super) fn from_file(dataset: DatasetId, name: &str) -> Option<TxnId> {
    let (id, n) = name.strip_suffix(".json")?.split_once('.')?;
    let txn = TxnId {
        dataset,
        id: Uuid::try_parse(id).ok()?,
        n: n.parse().ok()?,
    };
    (file(&txn) == name).then_some(txn)
}

/// The writer that a key names in a dataset.
pub(super) fn of_key(
    signer: &Signer,
    dataset: DatasetId,
    key: &IdempotencyKey,
    view: &View,
) -> Uuid {
    let old = unkeyed(dataset, key);
    if view.writer(&Txn { id: old, n: 1 }.writer()).is_some() {
        return old;
    }
    let scope: &[u8] = match key.scope() {
        KeyScope::Begin => b"begin\0",
        KeyScope::Put => b"put\0",
    };
    let named = [dataset.0.as_bytes(), scope, key.bytes()].concat();
    let hash = signer.mac_of(PURPOSE, &named);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    Builder::from_random_bytes(short).into_uuid()
}

/// As builds named it that knew no secret.
fn unkeyed(dataset: DatasetId, key: &IdempotencyKey) -> Uuid {
    let text = String::from_utf8_lossy(key.bytes());
    let prefix = match key.scope() {
        KeyScope::Begin => "",
        KeyScope::Put => "put.",
    };
    let named = [dataset.0.as_bytes(), prefix.as_bytes(), text.as_bytes()].concat();
    Builder::from_custom_bytes(xxhash_rust::xxh3::xxh3_128(&named).to_be_bytes()).into_uuid()
}
