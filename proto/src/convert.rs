//! Between the wire and the model: what arrives is parsed once, here.
//!
//! A value of the model that went out comes back equal. An enumeration that was left unspecified
//! is the model's default; one that this version does not know, and a message that lacks what it
//! must have, is refused with `FS0190`. Invariant: a decoded record satisfies the model's own
//! invariants, whoever sent it.
//!
//! ```
//! use flinkspark_model::port::Reference;
//! use flinkspark_proto::v1;
//!
//! let reference: Reference = "spark:spark_catalog.default.flights".parse()?;
//! let wire = v1::Reference::from(&reference);
//! assert_eq!(Reference::try_from(wire)?, reference);
//! # Ok::<(), flinkspark_model::Error>(())
//! ```

mod dataset;
mod epoch;
mod feed;
mod handle;
#[cfg(test)]
mod tests;

pub use epoch::{commit_from, epoch};

use flinkspark_model::{Error, Kind, Result};

/// The field's value, or a refusal that names the field.
fn required<T>(value: Option<T>, field: &str) -> Result<T> {
    value.ok_or_else(|| refuse(field, "it is missing".into()))
}

/// Refuses a message because of one of its fields.
fn refuse(field: &str, why: String) -> Error {
    Error::new(Kind::Invalid, "FS0190", "a message could not be understood")
        .with_detail(format!("field {field}: {why}"))
        .with_hint("compare the versions: `flinkspark --version` on both sides")
}

/// Both directions of an enumeration whose variants have the same names on both sides.
macro_rules! enumeration {
    ($encode:ident, $decode:ident, $field:literal, $name:ident { $($variant:ident),+ }, else $default:ident) => {
        fn $encode(value: model::$name) -> i32 {
            match value {
                $(model::$name::$variant => v1::$name::$variant.into()),+
            }
        }

        fn $decode(value: i32) -> Result<model::$name> {
            match v1::$name::try_from(value) {
                Ok(v1::$name::Unspecified) => Ok(model::$name::$default),
                $(Ok(v1::$name::$variant) => Ok(model::$name::$variant),)+
                Err(_) => Err(refuse($field, format!("{value} is not known here"))),
            }
        }
    };
}
use enumeration;
