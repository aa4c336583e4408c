//! Exit codes: the one place that maps error kinds to them.
//!
//! Invariant: 0 is only ever returned for work that was done.

use flinkspark_model::{Error, Kind};

/// The work was done.
pub const OK: u8 = 0;
/// The work failed.
pub const FAILED: u8 = 1;
/// The command was not understood.
pub const USAGE: u8 = 2;
/// `job verify` found a difference.
pub const MISMATCH: u8 = 3;
/// The bridge could not be reached, or did not let us in.
pub const UNREACHABLE: u8 = 4;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// The exit code of a command that ended with this error.
pub fn code(error: &Error) -> u8 {
    match (error.kind(), error.code()) {
        (_, "FS0002") => USAGE,
        (_, "FS0401") => UNREACHABLE,
        (_, "FS0004") => MISMATCH,
        (_, "FS0005") => INTERRUPTED,
        (Kind::Unauthorized | Kind::Forbidden, _) => UNREACHABLE,
        _ => FAILED,
    }
}
