//! What a caller who may not hears.
//!
//! Invariant: no text says whether a dataset that the caller may not know exists.

use super::{Principal, Verb};
use crate::error::{Error, Kind};
use crate::name::DatasetName;

/// Nobody knows who calls. `why` never holds what was presented.
pub fn unknown_caller(why: &str) -> Error {
    Error::new(
        Kind::Unauthorized,
        "FS1102",
        "the bridge does not know who calls",
    )
    .with_detail(why)
    .with_hint(
        "give a token with --token-file or FLINKSPARK_TOKEN; `flinkspark token create` makes one",
    )
}

/// A principal may not do this with that dataset.
pub fn denied(principal: &Principal, verb: Verb, dataset: &DatasetName) -> Error {
    Error::new(
        Kind::Forbidden,
        "FS1103",
        format!("{principal} may not {} dataset {dataset}", phrase(verb)),
    )
    .with_detail("no grant of its token covers it, whether or not there is such a dataset")
    .with_hint(format!(
        "an admin makes a token that may: `flinkspark token create NAME --grant {dataset}:{}`",
        verb.name()
    ))
}

fn phrase(verb: Verb) -> &'static str {
    match verb {
        Verb::Admin => "administer",
        other => other.name(),
    }
}

/// A principal may not do what concerns the whole bridge.
pub(super) fn no_admin(principal: &Principal) -> Error {
    Error::new(
        Kind::Forbidden,
        "FS1103",
        format!("{principal} may not administer the bridge"),
    )
    .with_detail("that takes the grant *:admin")
    .with_hint("use the token of an admin, such as the file admin.token in the data directory")
}
