//! Errors that more than one part of the engine raises.
//!
//! Invariant: a code has one text.

use flinkspark_model::fault::Injected;
use flinkspark_model::{Error, Kind};

/// A checkpoint, or what it names, is not what was written.
pub(crate) fn damaged(why: String) -> Error {
    Error::new(Kind::Data, "FS0611", "a checkpoint cannot be read")
        .with_detail(why)
        .with_hint("restore the job's log from a backup, or start a new run of the job")
}

/// A fail point fired: the same for the job as a store that did not answer.
pub(crate) fn injected(cause: Injected) -> Error {
    Error::new(Kind::Unavailable, "FS0621", "a fail point stopped the job").with_source(cause)
}

/// A defect in a subtask.
pub(crate) fn panicked() -> Error {
    Error::new(
        Kind::Internal,
        "FS0620",
        "a subtask of the stream engine panicked",
    )
    .with_hint("report it, with the job's text and the server's log")
}

/// A defect in all of them.
pub(crate) fn gone() -> Error {
    Error::new(
        Kind::Internal,
        "FS0620",
        "every subtask of the job is gone before its end",
    )
    .with_hint("report it, with the job's text")
}
