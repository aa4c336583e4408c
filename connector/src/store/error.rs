//! The errors of every store, made in one place.
//!
//! Invariant: `Unavailable` is returned only where nothing happened and nothing will.

use super::key::Key;
use flinkspark_model::fault::Injected;
use flinkspark_model::{Error, Kind};
use std::fmt::Display;
use std::io;

/// The operation failed with `cause` and nothing happened.
pub(super) fn failed(what: &str, key: &Key, cause: io::Error) -> Error {
    if is_full(&cause) {
        full(key, cause)
    } else {
        unavailable(what, key, cause)
    }
}

pub(super) fn is_full(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn full(key: &Key, cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "FS1001", "the disk is full")
        .with_detail(format!(
            "writing {key}: {cause}; nothing of it is visible and nothing else is lost"
        ))
        .with_hint("free space on the data directory's disk, then repeat the command")
}

pub(super) fn unavailable(what: &str, key: &Key, cause: impl Display) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS1004",
        format!("the store could not {what}"),
    )
    .with_detail(format!("{key}: {cause}"))
    .with_hint("check the data directory's disk, then repeat the command")
}

pub(super) fn poisoned(why: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS1002",
        "the store takes no more writes",
    )
    .with_detail(format!("{why}; what was durable before can still be read"))
    .with_hint("check the disk, then restart the server: it reads back what is durable")
}

pub(super) fn in_doubt(key: &Key, why: impl Display) -> Error {
    Error::new(
        Kind::InDoubt,
        "FS1003",
        "it is not known whether a write took effect",
    )
    .with_detail(format!("{key}: {why}"))
    .with_hint("repeat the same command: it finds out, and doubles nothing")
}

/// A fail point before the object could become visible.
pub(super) fn stopped(key: &Key, cause: Injected) -> Error {
    unavailable("write", key, cause)
}

pub(super) fn too_large(key: &Key, bytes: u64, limit: u64) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1023",
        "an object is larger than its limit",
    )
    .with_detail(format!("{key} has {bytes} bytes; the limit is {limit}"))
    .with_hint("write fewer or smaller pieces at once")
}

pub(super) fn taken(key: &Key) -> Error {
    Error::new(
        Kind::Internal,
        "FS1024",
        "a name that must be unique was used twice",
    )
    .with_detail(format!("{key} exists and was not written over"))
    .with_hint("repeat the write: it takes another name")
}
