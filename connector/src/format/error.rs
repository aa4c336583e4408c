//! The errors of files: what was expected, what was found, what to do.

use super::Format;
use flinkspark_model::{Error, Kind, Result};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub(super) fn unknown_format(path: &Path) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0301",
        format!("\"{}\" is not a file of a known format", path.display()),
    )
    .with_detail("the format is told by the end of the name")
    .with_hint("use a name that ends in .arrow, .parquet or .csv")
}

pub(super) fn cannot_open(name: &str, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Kind::Invalid
        }
        _ => Kind::Unavailable,
    };
    Error::new(kind, "FS0302", format!("\"{name}\" cannot be read"))
        .with_source(cause)
        .with_hint("check the path and its permissions; a path on the command line is opened where the command runs")
}

pub(super) fn cannot_write(
    name: &str,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(Kind::Unavailable, "FS0303", format!("\"{name}\" cannot be written"))
        .with_source(cause)
        .with_hint("check the folder, its permissions and the free space (df), then run the same command again")
}

/// The file is torn, damaged or of another format.
pub(super) fn damaged(format: Format, name: &str, why: impl Into<String>) -> Error {
    let name_of_format = format.name();
    let article = if format == Format::Arrow { "an" } else { "a" };
    Error::new(Kind::Data, "FS0305", format!("\"{name}\" is not a whole {name_of_format} file"))
        .with_detail(why)
        .with_hint(format!(
            "fetch or write it again; if it is not {article} {name_of_format} file, give it the name that it should have"
        ))
}

pub(super) fn unheld(format: Format, column: &str, why: impl Into<String>, hint: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0306",
        format!(
            "column \"{column}\" cannot be held by a {} file",
            format.name()
        ),
    )
    .with_detail(why)
    .with_hint(hint)
}

/// An error's message and detail as the detail of another.
pub(super) fn described(error: &Error) -> String {
    format!(
        "{}: {}",
        error.message(),
        error.detail().unwrap_or_default()
    )
}

/// Runs a decoder that may panic on hostile bytes, and makes that an error like any other.
///
/// The decoder's state is not used again after an error, so that it need not be unwind safe.
pub(super) fn guarded<T>(
    format: Format,
    name: &str,
    decode: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|payload| {
        let why = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("the decoder gave up");
        Err(damaged(
            format,
            name,
            format!("the decoder found it inconsistent: {why}"),
        ))
    })
}
