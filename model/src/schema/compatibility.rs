//! Whether a schema may follow another.
//!
//! Compares columns by position, name, type and nullability, and the `flinkspark.*` metadata that
//! carries what Arrow's types do not. Invariant: what is accepted under a mode can be read as that
//! mode says without a cast.

use super::text::type_name;
use crate::error::{Error, Kind, Result};
use arrow_schema::{Field, Schema};
use std::fmt;
use std::str::FromStr;

/// What a change of schema must keep readable.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Compatibility {
    /// Nothing is promised: any schema may follow.
    None,
    /// The new schema reads what the old one wrote: nullable columns may be added at the end, and
    /// a column may become nullable.
    #[default]
    Backward,
    /// The old schema reads what the new one writes: any column may be added at the end, nullable
    /// ones may go from the end, and a column may cease to be nullable.
    Forward,
    /// Both: nullable columns may be added at the end, nothing else changes.
    Full,
}

impl Compatibility {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::None, "none"),
        (Self::Backward, "backward"),
        (Self::Forward, "forward"),
        (Self::Full, "full"),
    ];
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            Self::NAMES
                .iter()
                .find(|(mode, _)| mode == self)
                .map_or("", |(_, name)| name),
        )
    }
}

impl FromStr for Compatibility {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::NAMES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(mode, _)| *mode)
            .ok_or_else(|| {
                Error::new(
                    Kind::Invalid,
                    "FS0117",
                    format!("\"{}\" is not a compatibility mode", text.escape_debug()),
                )
                .with_hint("use none, backward, forward or full")
            })
    }
}

/// Refuses (`FS0116`) a schema that may not follow `old` under `mode`, naming every column that is in the way.
pub fn compatible(old: &Schema, new: &Schema, mode: Compatibility) -> Result<()> {
    let mut reasons = Vec::new();
    if matches!(mode, Compatibility::Backward | Compatibility::Full) {
        reads(
            new,
            old,
            "was added",
            "was removed",
            mode == Compatibility::Full,
            &mut reasons,
        );
    }
    if mode == Compatibility::Forward {
        reads(old, new, "was removed", "", false, &mut reasons);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0116",
        format!("the schema change is not {mode} compatible"),
    )
    .with_detail(reasons.join("; "))
    .with_hint("add nullable columns at the end, or register a dataset of another name"))
}

/// Collects why `reader` does not read what `writer` wrote.
///
/// A column that only the reader has must be nullable. One that only the writer has may be passed
/// over where `surplus` is empty; otherwise that is the reason.
fn reads(
    reader: &Schema,
    writer: &Schema,
    missing: &str,
    surplus: &str,
    exact: bool,
    reasons: &mut Vec<String>,
) {
    let pairs = reader.fields().iter().zip(writer.fields());
    for (index, (reader, writer)) in pairs.enumerate() {
        if reader.name() != writer.name() {
            let (reader, writer) = (reader.name(), writer.name());
            reasons.push(format!(
                "column {} is \"{writer}\" in one and \"{reader}\" in the other",
                index + 1
            ));
        } else if meaning(reader) != meaning(writer) {
            let (name, from, to) = (reader.name(), meaning(writer), meaning(reader));
            reasons.push(format!(
                "column \"{name}\" is {from} in one and {to} in the other"
            ));
        } else if !reader.is_nullable() && writer.is_nullable() {
            reasons.push(format!(
                "column \"{}\" must hold no nulls in one and may in the other",
                reader.name()
            ));
        } else if exact && reader.is_nullable() != writer.is_nullable() {
            reasons.push(format!(
                "column \"{}\" changes whether it holds nulls",
                reader.name()
            ));
        }
    }
    for extra in reader.fields().iter().skip(writer.fields().len()) {
        if !extra.is_nullable() {
            reasons.push(format!(
                "column \"{}\" {missing} and is not nullable",
                extra.name()
            ));
        }
    }
    for extra in writer.fields().iter().skip(reader.fields().len()) {
        if !surplus.is_empty() {
            reasons.push(format!("column \"{}\" {surplus}", extra.name()));
        }
    }
}

/// The type and the `flinkspark.*` metadata as text.
fn meaning(field: &Field) -> String {
    let mut carried: Vec<String> = field
        .metadata()
        .iter()
        .filter(|(key, _)| key.starts_with("flinkspark."))
        .map(|(key, value)| format!(" {key}={value}"))
        .collect();
    carried.sort_unstable();
    type_name(field.data_type()) + &carried.concat()
}
