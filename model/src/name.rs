//! Dataset names.
//!
//! Invariant: a [`DatasetName`] that exists is valid; nothing behind the constructor checks again.

use crate::error::{Error, Kind, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest dataset name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// A dotted dataset name: `[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*`, at most 255 bytes, case-sensitive.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct DatasetName(Arc<str>);

impl DatasetName {
    /// Parses a name; `FS0101` says which part is wrong.
    pub fn new(name: &str) -> Result<Self> {
        let refuse = |why: String| {
            Error::new(Kind::Invalid, "FS0101", format!("\"{}\" is not a dataset name", name.escape_debug()))
                .with_detail(why)
                .with_hint("use letters, digits, '_' and '-' in parts joined by single dots, such as web.clicks")
        };
        if name.is_empty() {
            return Err(refuse("the name is empty".into()));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(refuse(format!(
                "it has {} bytes; the limit is {NAME_BYTES_MAX}",
                name.len()
            )));
        }
        for (index, part) in name.split('.').enumerate() {
            if part.is_empty() {
                return Err(refuse(format!("part {} is empty", index + 1)));
            }
            if let Some(bad) = part
                .chars()
                .find(|c| !(c.is_ascii_alphanumeric() || "_-".contains(*c)))
            {
                return Err(refuse(format!(
                    "part {} holds '{}'",
                    index + 1,
                    bad.escape_debug()
                )));
            }
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DatasetName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl TryFrom<String> for DatasetName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> Self {
        name.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_kept_as_written() {
        for name in ["a", "web.clicks", "A-1_b.C", &"x".repeat(255)] {
            assert_eq!(DatasetName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn bad_names_are_refused_with_the_part_that_is_wrong() {
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "..",
            "a/b",
            "a b",
            "ä",
            "a\0b",
            &"x".repeat(256),
        ] {
            let error = DatasetName::new(name).unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Invalid, "FS0101"),
                "{name:?}"
            );
        }
    }
}
