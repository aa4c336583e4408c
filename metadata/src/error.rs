//! Every error that this crate makes, one function for each.
//!
//! Invariant: one code has one meaning, and each has a page in `docs/errors/`.

use flinkspark_model::{Error, Kind};
use std::io;
use std::path::Path;

const DISK: &str = "look at the disk (df, dmesg): the catalogue goes on by itself once it can";

const REBUILD: &str =
    "flinkspark catalog verify shows what is left; docs/catalogue.md says how to recover";

pub(crate) fn held(dir: &Path) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0501",
        "the catalogue is held by another process",
    )
    .with_detail(format!("{} is locked", dir.display()))
    .with_hint("talk to the server that holds it (--url), or stop it first")
}

pub(crate) fn newer(what: &str, found: u32, known: u32) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0502",
        format!("the catalogue's {what} has a newer format"),
    )
    .with_detail(format!(
        "it has version {found}, this program reads up to version {known}"
    ))
    .with_hint("run the version of flinkspark that wrote it; nothing was changed")
}

pub(crate) fn damaged(offset: u64, why: impl Into<String>) -> Error {
    Error::new(Kind::Data, "FS0503", "the catalogue's journal is damaged")
        .with_detail(format!("at byte {offset}: {}", why.into()))
        .with_hint(REBUILD)
}

pub(crate) fn ends_early(last: u64, acknowledged: u64) -> Error {
    Error::new(
        Kind::Data,
        "FS0504",
        "the catalogue's journal has lost acknowledged changes",
    )
    .with_detail(format!(
        "it ends after change {last}, but change {acknowledged} was acknowledged"
    ))
    .with_hint(REBUILD)
}

pub(crate) fn journal_missing(dir: &Path) -> Error {
    Error::new(
        Kind::Data,
        "FS0504",
        "the catalogue's journal has lost acknowledged changes",
    )
    .with_detail(format!(
        "{} holds an index or large records, but no journal",
        dir.display()
    ))
    .with_hint(REBUILD)
}

pub(crate) fn in_doubt(step: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::InDoubt,
        "FS0505",
        "it is not known whether the change was kept",
    )
    .with_detail(format!(
        "{step}: {cause}; the change is taken back or kept once the disk answers again"
    ))
    .with_hint("look at the disk, then look the dataset up")
}

/// What is refused while the journal is stalled by `why`.
pub(crate) fn read_only(why: &Error) -> Error {
    Error::new(why.kind(), "FS0506", "the catalogue takes no changes")
        .with_detail(why.detail().unwrap_or(why.message()))
        .with_hint(why.hint().unwrap_or(DISK))
}

/// Why the journal takes nothing after `step` failed.
pub(crate) fn stalled(step: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0506",
        "the catalogue takes no changes",
    )
    .with_detail(format!("{step}: {cause}; it is tried again until it works"))
    .with_hint(DISK)
}

/// The catalogue was opened although its journal is damaged: `why` says where.
pub(crate) fn damaged_read_only(why: &Error) -> Error {
    Error::new(
        Kind::Data,
        "FS0221",
        "the catalogue is damaged and takes no changes",
    )
    .with_detail(format!(
        "{}: {}",
        why.message(),
        why.detail().unwrap_or("no more is known")
    ))
    .with_hint(REBUILD)
}

/// A write failed and was taken back: nothing happened.
pub(crate) fn not_written(step: &str, path: &Path, cause: io::Error) -> Error {
    if is_full(&cause) {
        return full(path, cause);
    }
    file(step, path, cause)
}

fn full(path: &Path, cause: io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0222",
        "the disk is full: the catalogue could not keep the change",
    )
    .with_detail(format!("{}: {cause}; nothing was changed", path.display()))
    .with_source(cause)
    .with_hint("free space on the data directory's disk, then repeat the command")
}

fn is_full(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

pub(crate) fn file(doing: &str, path: &Path, cause: io::Error) -> Error {
    if is_full(&cause) {
        return full(path, cause);
    }
    Error::new(
        Kind::Unavailable,
        "FS0507",
        format!("the catalogue cannot {doing}"),
    )
    .with_detail(format!("{}: {cause}", path.display()))
    .with_source(cause)
    .with_hint("check that the disk has room and that the data directory belongs to this user")
}

pub(crate) fn blob(digest: &str, why: impl Into<String>) -> Error {
    Error::new(
        Kind::Data,
        "FS0508",
        "a file that the catalogue's journal names is missing or damaged",
    )
    .with_detail(format!("blobs/{digest}: {}", why.into()))
    .with_hint("put the file back from a backup: its name is the SHA-256 of its content")
}

/// A change of the feed whose large record is damaged.
pub(crate) fn unreadable_change(sequence: u64, cause: Error) -> Error {
    let detail = format!("change {sequence}: {}", cause.detail().unwrap_or_default());
    cause.with_detail(detail).with_hint(format!(
        "put the file back from a backup, or watch from behind it with --since {sequence}"
    ))
}

pub(crate) fn outside_feed(sequence: u64, first: u64, last: u64) -> Error {
    Error::new(
        Kind::Data,
        "FS0509",
        format!("the change feed cannot go on after change {sequence}"),
    )
    .with_detail(format!("it holds changes {first} to {last}"))
    .with_hint("list the datasets again and watch from the feed's end")
}

pub(crate) fn name_taken(name: &str, by: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0510",
        format!("there is a dataset \"{name}\" already"),
    )
    .with_detail(format!("its id is {by}"))
    .with_hint(format!(
        "flinkspark dataset show {name}, or choose another name"
    ))
}

pub(crate) fn handle_taken(key: impl std::fmt::Display, by: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0511",
        format!("the handle {key} belongs to another dataset"),
    )
    .with_detail(format!("that dataset's id is {by}"))
    .with_hint(format!("flinkspark dataset lookup {key}"))
}

pub(crate) fn missing(reference: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::NotFound,
        "FS0512",
        format!("there is no dataset \"{reference}\""),
    )
    .with_detail("no name, id or handle in the catalogue is written like that; names have case")
    .with_hint("flinkspark dataset list")
}

pub(crate) fn stale(name: &str, given: u64, won: u64) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0513",
        format!("dataset \"{name}\" has changed meanwhile"),
    )
    .with_detail(format!(
        "the change was made for version {given}; version {won} won"
    ))
    .with_hint(format!("flinkspark dataset show {name}, then decide again"))
}

pub(crate) fn index(cause: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0514",
        "the catalogue's index cannot be read",
    )
    .with_detail(cause.to_string())
    .with_hint("restart the server: a damaged index is set aside and rebuilt from the journal")
}

/// A fail point that was told to fail where no ordinary failure is possible.
pub(crate) fn injected(cause: flinkspark_model::fault::Injected) -> Error {
    bug(cause.to_string())
}

/// Whether the index alone is at fault, so that deriving it again helps.
pub(crate) fn is_index(error: &Error) -> bool {
    error.code() == "FS0514"
}

pub(crate) fn limit(what: impl Into<String>, why: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "FS0515", what)
        .with_detail(why)
        .with_hint("ask for less, or split it")
}

pub(crate) fn absent(dir: &Path) -> Error {
    Error::new(Kind::Invalid, "FS0519", "there is no catalogue here")
        .with_detail(format!("{} holds no journal", dir.display()))
        .with_hint("name the data directory that the server was started with (--data-dir)")
}

pub(crate) fn stopped() -> Error {
    Error::new(
        Kind::InDoubt,
        "FS0516",
        "the catalogue stopped before it answered",
    )
    .with_detail("its writer has ended; whether the change was kept is known after a restart")
    .with_hint("restart the server, then look the dataset up")
}

pub(crate) fn not_understood(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Data,
        "FS0518",
        "the catalogue's journal holds something that this program does not understand",
    )
    .with_detail(format!("{what}: {cause}"))
    .with_hint("run the version of flinkspark that wrote it; nothing was changed")
}

pub(crate) fn bug(what: impl Into<String>) -> Error {
    Error::new(Kind::Internal, "FS0517", "the catalogue contradicts itself")
        .with_detail(what)
        .with_hint("please report it with the output of flinkspark catalog verify")
}
