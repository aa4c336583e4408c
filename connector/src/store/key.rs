//! Keys of objects.
//!
//! Invariant: a [`Key`] that exists stays below its store's root and never meets a store's own
//! temporaries: no part is empty or begins with a dot.

use flinkspark_model::{Error, Kind, Result};
use std::fmt;
use std::sync::Arc;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// A path of parts `[A-Za-z0-9_-][A-Za-z0-9_.-]*` joined by `/`, at most 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Parses a key; `FS1019` says what is wrong.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::new(
                Kind::Invalid,
                "FS1019",
                format!("\"{}\" cannot name an object", text.escape_debug()),
            )
            .with_detail(why)
            .with_hint("use letters, digits, '_', '-' and inner dots"))
        };
        if text.len() > KEY_BYTES_MAX {
            return refuse("it is longer than 512 bytes");
        }
        for part in text.split('/') {
            if part.is_empty() || part.starts_with('.') {
                return refuse("a part is empty or begins with a dot");
            }
            if !part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
            {
                return refuse("a part holds a character that is not allowed");
            }
        }
        Ok(Self(text.into()))
    }

    /// The key one or more parts further down.
    pub fn join(&self, part: impl fmt::Display) -> Result<Self> {
        Self::new(&format!("{self}/{part}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_keys_are_kept_as_written() {
        for text in ["a", "a/b", "datasets/0190-x/log/00000000000000000001.slot"] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
        assert_eq!(
            Key::new("a").unwrap().join("b.arrow").unwrap().as_str(),
            "a/b.arrow"
        );
    }

    #[test]
    fn a_key_cannot_leave_the_store() {
        for text in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            "a/.tmp",
            "a b",
            "a\\b",
            "a\0",
            &"x".repeat(513),
        ] {
            let error = Key::new(text).unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Invalid, "FS1019"),
                "{text:?}"
            );
        }
    }
}
