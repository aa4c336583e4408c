//! Whether a schema may follow another.
//!
//! Compares columns by position, name, type and nullability, and the `flinkspark.*` metadata that
//! carries what Arrow's types do not. Invariant: what is accepted under a mode can be read as that
//! mode says, and what is [readable] loses no value.

use super::text::type_name;
use crate::error::{Error, Kind, Result};
use arrow_schema::{DataType, Field, Schema};
use std::fmt;
use std::str::FromStr;

/// What a change of schema must keep readable.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Compatibility {
    /// Nothing is promised to whoever knows the old schema: columns may be removed and reordered, too.
    /// What is committed must be [readable] all the same.
    None,
    /// The new schema reads what the old one wrote: nullable columns may be added at the end, a
    /// column may become nullable, and its type may be [widened](widens).
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

/// Refuses (`FS0521`) a schema at which rows that were written at `stored` cannot be read, naming every
/// column that is in the way. Columns are found by name: a nullable one that `stored` lacks reads as
/// null, one that `new` lacks is left out, and a type may be [widened](widens).
pub fn readable(stored: &Schema, new: &Schema) -> Result<()> {
    let obstacle = |field: &Field| {
        let name = field.name();
        let Ok(there) = stored.field_with_name(name) else {
            return (!field.is_nullable())
                .then(|| format!("column \"{name}\" is not in them and may not be null"));
        };
        if plain(there.data_type()) != plain(field.data_type()) && !widened(there, field) {
            let (from, to) = (type_name(there.data_type()), type_name(field.data_type()));
            Some(format!(
                "column \"{name}\" is {from} in them and {to} in the new schema"
            ))
        } else if there.is_nullable() && !field.is_nullable() {
            Some(format!("column \"{name}\" may be null in them"))
        } else {
            None
        }
    };
    let obstacles: Vec<String> = new
        .fields()
        .iter()
        .filter_map(|field| obstacle(field))
        .collect();
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0521",
        "rows that are committed could not be read at the new schema",
    )
    .with_detail(obstacles.join("; "))
    .with_hint("add nullable columns, widen types, or register a dataset of another name"))
}

/// Whether every value of one type is a value of the other, exactly: a wider integer or float, or a
/// decimal with more digits at the same scale.
pub fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{Float16, Float32, Float64};
    match (from, to) {
        (Float16, Float32 | Float64) | (Float32, Float64) => true,
        _ => match (integer(from), integer(to)) {
            (Some((signed, bits)), Some((to_signed, to_bits))) => {
                bits < to_bits && (to_signed || !signed)
            }
            _ => match (decimal(from), decimal(to)) {
                (Some((digits, scale)), Some((to_digits, to_scale))) => {
                    digits < to_digits && scale == to_scale
                }
                _ => false,
            },
        },
    }
}

/// Whether an integer type is signed, and its bits.
fn integer(data_type: &DataType) -> Option<(bool, u8)> {
    Some(match data_type {
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        DataType::UInt64 => (false, 64),
        _ => return None,
    })
}

/// A decimal type's digits and scale.
fn decimal(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => Some((*digits, *scale)),
        _ => None,
    }
}

/// Whether a column's type is widened and all else that it carries stays.
fn widened(from: &Field, to: &Field) -> bool {
    widens(from.data_type(), to.data_type()) && carried(from) == carried(to)
}

/// The type's name without the encodings of text, binary and dictionaries.
fn plain(data_type: &DataType) -> String {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => type_name(&DataType::Utf8),
        DataType::LargeBinary | DataType::BinaryView => type_name(&DataType::Binary),
        other => type_name(other),
    }
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
        } else if meaning(reader) != meaning(writer) && (exact || !widened(writer, reader)) {
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
    type_name(field.data_type()) + &carried(field)
}

/// The `flinkspark.*` metadata as text.
fn carried(field: &Field) -> String {
    let mut carried: Vec<String> = field
        .metadata()
        .iter()
        .filter(|(key, _)| key.starts_with("flinkspark."))
        .map(|(key, value)| format!(" {key}={value}"))
        .collect();
    carried.sort_unstable();
    carried.concat()
}
