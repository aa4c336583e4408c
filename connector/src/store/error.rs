//! The errors of every store, made in one place.
//!
//! Invariant: `Unavailable` is returned only where nothing happened and nothing will.

use super::key::Key;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::fault::Injected;
use flinkspark_model::{Error, Kind};
use std::fmt::Display;
use std::io;
use std::path::Path;

/// The operation failed with `cause` and nothing happened.
pub(super) fn failed(what: &str, key: &Key, cause: io::Error) -> Error {
    failed_on(what, &key, cause)
}

/// Like [`failed`], for a path that is no object's.
pub(super) fn failed_at(what: &str, path: &Path, cause: io::Error) -> Error {
    failed_on(what, &path.display(), cause)
}

fn failed_on(what: &str, place: &dyn Display, cause: io::Error) -> Error {
    if is_full(&cause) {
        full(place, cause)
    } else if is_scarce(&cause) {
        scarce(place, cause)
    } else {
        unavailable(what, place, cause)
    }
}

/// Whether the process or the machine has run out of descriptors or memory: nothing was tried.
pub(super) fn is_scarce(cause: &io::Error) -> bool {
    use rustix::io::Errno;
    let scarce = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(|errno| errno.raw_os_error());
    cause
        .raw_os_error()
        .is_some_and(|code| scarce.contains(&code))
}

fn scarce(place: &dyn Display, cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "FS1051", "too many files are open")
        .with_detail(format!(
            "{place}: {cause}; nothing was written and nothing is lost"
        ))
        .with_hint("repeat the command; raise the limit (ulimit -n) if it happens again")
}

pub(super) fn is_full(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

fn full(place: &dyn Display, cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "FS1001", "the disk is full")
        .with_detail(format!(
            "writing {place}: {cause}; nothing of it is visible and nothing else is lost"
        ))
        .with_hint("free space on the data directory's disk, then repeat the command")
}

pub(super) fn unavailable(what: &str, place: impl Display, cause: impl Display) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS1004",
        format!("the store could not {what}"),
    )
    .with_detail(format!("{place}: {cause}"))
    .with_hint("check the data directory's disk, then repeat the command")
}

pub(super) fn poisoned(why: &str) -> Error {
    Error::new(Kind::Unavailable, "FS1002", "the store takes no writes")
        .with_detail(format!("{why}; what was durable before can still be read"))
        .with_hint("check the disk: the store goes on by itself once syncs succeed again")
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

/// A dataset's log is not the one that the catalogue knows.
pub(super) fn tail_lost(dataset: DatasetId, why: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS1050",
        "a dataset's log has lost committed slots",
    )
    .with_detail(format!("dataset {dataset}: {why}"))
    .with_hint("restore the folder datasets/ID/log from a backup; `flinkspark explain FS1050` says what else is possible")
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
