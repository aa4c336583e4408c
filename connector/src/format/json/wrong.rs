//! What is wrong in a row, and where.
//!
//! Invariant: whatever is found deep in a row names its path from the row down.

use std::fmt::{self, Display};

/// Characters of a text of the file that an error shows.
const SHOWN_CHARS: usize = 40;

/// What is wrong with a place.
#[derive(Debug, PartialEq)]
pub(super) enum What {
    /// The text is no JSON, or no JSON of this form.
    Broken(String),
    /// The bytes are no UTF-8.
    Encoding,
    /// The value is none of the type; what stands there, and what the type is.
    Misfit { found: String, wanted: String },
    /// There is no value, or a null, where there must be one.
    Null,
    /// The schema has no field of this name.
    Unknown(String),
}

/// One thing that is wrong.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    /// The byte of the row, from 0.
    pub(super) at: usize,
    pub(super) what: What,
    /// The field's name, with names of outer fields and numbers of items before it; empty for the row.
    pub(super) path: String,
}

impl Wrong {
    pub(super) fn new(at: usize, what: What) -> Self {
        let path = String::new();
        Self { at, what, path }
    }

    pub(super) fn broken(at: usize, why: impl Into<String>) -> Self {
        Self::new(at, What::Broken(why.into()))
    }

    /// An object has a key twice.
    pub(super) fn twice(at: usize, key: &str) -> Self {
        Self::broken(at, format!("the key \"{}\" is there twice", shown(key)))
    }

    /// The same, found in a field of an object.
    pub(super) fn in_field(self, name: &str) -> Self {
        let name = name.escape_debug();
        self.within(format_args!("{name}"))
    }

    /// The same, found in an item of a list, from 0.
    pub(super) fn in_item(self, index: usize) -> Self {
        self.within(format_args!("[{index}]"))
    }

    fn within(self, step: impl Display) -> Self {
        let point = match self.path.as_bytes() {
            [] | [b'[', ..] => "",
            _ => ".",
        };
        let path = format!("{step}{point}{}", self.path);
        Self { path, ..self }
    }
}

/// The beginning of a text of the file.
pub(super) fn shown(text: &str) -> impl Display {
    fmt::from_fn(move |f| {
        let end = text.char_indices().nth(SHOWN_CHARS);
        let shown = end.and_then(|(end, _)| text.get(..end));
        let dots = if shown.is_some() { "..." } else { "" };
        write!(f, "{}{dots}", shown.unwrap_or(text).escape_debug())
    })
}
