//! Names of columns and of fields within them: one rule, asked at each door.
//!
//! Pure. Two fields side by side never have one name, a name is not empty, holds no control
//! character and is short, and there are only so many: what passes can be put, named column by
//! column in a ticket, sent as a schema message and written to each format. Names that differ in
//! case are two names, as in Flink; the profile of Spark, which takes them for one, refuses them
//! when it is asked for. Invariant: a name that passed means one field, whoever reads it.

use super::{DEPTH_MAX, too_deep};
use crate::error::{Error, Kind, Result};
use arrow_schema::{DataType, FieldRef, Fields, Schema};
use std::collections::HashMap;

/// The longest name of a column or a field, in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// The most columns of a dataset: a ticket that names all of them is still a ticket.
pub const COLUMNS_MAX: usize = 10_000;

/// The most columns and nested fields of a dataset, all levels together: each takes tables and
/// buffers in the header of every message.
pub const FIELDS_MAX: usize = 32_768;

/// The largest schema, in bytes as a message: names, metadata and what describes each field.
pub const SCHEMA_BYTES_MAX: usize = 4_000_000;

/// What a field takes in a schema message besides its texts, in bytes, rounded up.
const FIELD_BYTES: usize = 112;

/// What a pair of metadata takes besides its texts, in bytes, rounded up.
const PAIR_BYTES: usize = 48;

/// Characters of a name that an error shows.
const SHOWN_CHARS: usize = 64;

/// Refuses a schema that no dataset may have.
///
/// `FS0122`: two fields side by side have one name. `FS0124`: a name is empty. `FS0125`: a name
/// holds a control character. `FS0126`: a name is longer than [`NAME_BYTES_MAX`]. `FS0127`: there
/// are more columns, fields or bytes than [`COLUMNS_MAX`], [`FIELDS_MAX`], [`SCHEMA_BYTES_MAX`].
pub fn check(schema: &Schema) -> Result<()> {
    let columns = schema.fields().len();
    if columns > COLUMNS_MAX {
        return Err(too_many(format!(
            "it has {columns} columns; the limit is {COLUMNS_MAX}"
        )));
    }
    let pairs = |metadata: &HashMap<String, String>| -> usize {
        metadata
            .iter()
            .map(|(key, value)| key.len() + value.len() + PAIR_BYTES)
            .sum()
    };
    let (mut fields, mut bytes) = (0, pairs(schema.metadata()));
    visit(schema.fields(), "", 0, &mut |field, level| {
        fields += 1;
        let zone = match field.data_type() {
            DataType::Timestamp(_, Some(zone)) => zone.len(),
            _ => 0,
        };
        bytes += field.name().len() + zone + FIELD_BYTES + pairs(field.metadata());
        level.map_or(Ok(()), |place| well_formed(field.name(), place))
    })?;
    if fields > FIELDS_MAX {
        return Err(too_many(format!(
            "it has {fields} columns and nested fields; the limit is {FIELDS_MAX}"
        )));
    }
    if bytes > SCHEMA_BYTES_MAX {
        return Err(too_many(format!(
            "its names and metadata take about {bytes} bytes as a message; the limit is {SCHEMA_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// Refuses (`FS0122`) two fields side by side of one name, and nothing else: what is written to a
/// file was registered by the rules of its time, but no reader could tell those two apart.
pub fn distinct(schema: &Schema) -> Result<()> {
    visit(schema.fields(), "", 0, &mut |_, _| Ok(()))
}

/// Where a named field stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The path of the struct that it is in; empty for columns.
    path: &'a str,
    /// From 0.
    index: usize,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.index + 1, self.path) {
            (number, "") => write!(f, "column {number}"),
            (number, path) => write!(f, "field {number} of column \"{path}\""),
        }
    }
}

type Visitor<'v> = dyn FnMut(&FieldRef, Option<Place<'_>>) -> Result<()> + 'v;

/// Visits every field; those of structs and the columns themselves with their place, because the
/// names of a list's items and a map's entries are conventions of each writer.
fn visit(fields: &Fields, path: &str, depth: usize, visitor: &mut Visitor<'_>) -> Result<()> {
    let mut seen = HashMap::with_capacity(fields.len());
    for (index, field) in fields.iter().enumerate() {
        visitor(field, Some(Place { path, index }))?;
        if let Some(first) = seen.insert(field.name().as_str(), index) {
            return Err(same(Place { path, index: first }, index, field.name()));
        }
        inside(field, &joined(path, field.name()), depth, visitor)?;
    }
    Ok(())
}

fn inside(field: &FieldRef, path: &str, depth: usize, visitor: &mut Visitor<'_>) -> Result<()> {
    use DataType as D;
    if depth >= DEPTH_MAX {
        return Err(too_deep(path));
    }
    let mut child = |child: &FieldRef| {
        visitor(child, None)?;
        inside(child, path, depth + 1, visitor)
    };
    match field.data_type() {
        D::Struct(fields) => visit(fields, path, depth + 1, visitor),
        D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
            child(item)
        }
        D::FixedSizeList(item, _) | D::RunEndEncoded(_, item) => child(item),
        D::Map(entries, _) => match entries.data_type() {
            D::Struct(pair) => {
                child(&entries.as_ref().clone().with_data_type(D::Null).into())?;
                pair.iter().try_for_each(child)
            }
            _ => child(entries),
        },
        D::Dictionary(_, values) => child(
            &field
                .as_ref()
                .clone()
                .with_data_type(D::clone(values))
                .into(),
        ),
        _ => Ok(()),
    }
}

fn well_formed(name: &str, place: Place<'_>) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(Kind::Invalid, "FS0124", format!("{place} has no name"))
            .with_detail("its name is empty, so no query could speak of it")
            .with_hint("give it a name: in a CSV file in the first line, else where the file is written"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::new(
            Kind::Invalid,
            "FS0126",
            format!("the name of {place} is too long"),
        )
        .with_detail(format!(
            "\"{}\" has {} bytes; the limit is {NAME_BYTES_MAX}",
            shown(name),
            name.len()
        ))
        .with_hint("shorten it; a long description belongs in the field's metadata"));
    }
    if let Some(bad) = name.chars().find(|char| char.is_control()) {
        return Err(Error::new(
            Kind::Invalid,
            "FS0125",
            format!("the name of {place} holds a control character"),
        )
        .with_detail(format!(
            "\"{}\" holds U+{:04X}",
            shown(name),
            u32::from(bad)
        ))
        .with_hint("rename it: line ends, tabs and the like cannot be quoted in SQL"));
    }
    Ok(())
}

fn same(first: Place<'_>, second: usize, name: &str) -> Error {
    let what = match first.path {
        "" => format!("columns {} and {}", first.index + 1, second + 1),
        path => format!(
            "fields {} and {} of column \"{path}\"",
            first.index + 1,
            second + 1
        ),
    };
    let message = format!("{what} have one name, \"{}\"", shown(name));
    Error::new(Kind::Invalid, "FS0122", message)
        .with_detail("who reads by name would get the values of the first for those of the second")
        .with_hint("rename one of them; in SQL with AS, in pyarrow with table.rename_columns(...)")
}

fn too_many(why: String) -> Error {
    Error::new(Kind::Invalid, "FS0127", "the schema is too large for a dataset")
        .with_detail(why)
        .with_hint("split it into several datasets with a key in common, or gather columns of one type in a list or map")
}

fn joined(path: &str, name: &str) -> String {
    match path {
        "" => shown(name),
        path => format!("{path}.{}", shown(name)),
    }
}

fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(SHOWN_CHARS).collect();
    text = text.escape_debug().to_string();
    if name.chars().nth(SHOWN_CHARS).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Field;

    fn ints<'a>(names: impl IntoIterator<Item = &'a str>) -> Fields {
        let field = |name: &str| Field::new(name, DataType::Int32, true);
        names.into_iter().map(field).collect()
    }

    fn code(fields: impl Into<Fields>) -> String {
        match check(&Schema::new(fields.into())) {
            Ok(()) => String::new(),
            Err(error) => error.code().to_owned(),
        }
    }

    fn within(fields: Fields) -> Vec<Fields> {
        let inner = DataType::Struct(fields);
        let item = Field::new("item", inner.clone(), true);
        let pair = vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", inner.clone(), true),
        ];
        let entries = Field::new("entries", DataType::Struct(pair.into()), false);
        [
            inner.clone(),
            DataType::List(item.clone().into()),
            DataType::FixedSizeList(item.clone().into(), 2),
            DataType::Map(entries.into(), false),
            DataType::Dictionary(DataType::Int32.into(), inner.into()),
        ]
        .into_iter()
        .map(|kind| vec![Field::new("s", kind, true)].into())
        .collect()
    }

    #[test]
    fn two_of_one_name_are_refused_at_every_level() {
        assert_eq!(code(ints(["id", "note", "id"])), "FS0122");
        for nested in within(ints(["v", "w", "v"])) {
            assert_eq!(code(nested.clone()), "FS0122", "{nested:?}");
            assert!(distinct(&Schema::new(nested)).is_err());
        }
        let error = check(&Schema::new(ints(["id", "note", "id"]))).unwrap_err();
        assert_eq!(error.message(), "columns 1 and 3 have one name, \"id\"");
    }

    #[test]
    fn awkward_names_that_everybody_can_quote_are_kept() {
        let long = "n".repeat(NAME_BYTES_MAX);
        let names = [
            "a", "A", "ä", " a", "a.b", "a`b", "a\"b", "a'b", "\u{feff}", "a,b", "1", &long,
        ];
        assert_eq!(code(ints(names)), "");
        for nested in within(ints(names)) {
            assert_eq!(code(nested), "");
        }
    }

    #[test]
    fn other_names_are_refused_by_rule() {
        let long = "n".repeat(64 << 10);
        for (name, expected) in [
            ("", "FS0124"),
            ("a\nb", "FS0125"),
            ("a\0", "FS0125"),
            ("\t", "FS0125"),
            ("\u{1b}[31m", "FS0125"),
            ("\u{85}", "FS0125"),
            (&long, "FS0126"),
            (&long[..=NAME_BYTES_MAX], "FS0126"),
        ] {
            assert_eq!(code(ints(["x", name])), expected, "{name:?}");
            for nested in within(ints(["x", name])) {
                assert_eq!(code(nested), expected, "{name:?}");
            }
        }
    }

    #[test]
    fn names_of_items_and_entries_are_conventions() {
        let item = Field::new("", DataType::Int32, true);
        let pair: Fields = ints(["", ""]);
        let entries = Field::new("", DataType::Struct(pair), false);
        assert_eq!(
            code(vec![
                Field::new("l", DataType::List(item.into()), true),
                Field::new("m", DataType::Map(entries.into(), false), true),
            ]),
            ""
        );
    }

    #[test]
    fn the_number_and_the_size_of_columns_have_limits() {
        let wide = |columns: usize, bytes: usize| -> Fields {
            let name = |index: usize| format!("{index:0bytes$}");
            (0..columns)
                .map(|index| Field::new(name(index), DataType::Utf8, true))
                .collect()
        };
        assert_eq!(code(wide(COLUMNS_MAX, 8)), "");
        assert_eq!(code(wide(COLUMNS_MAX + 1, 8)), "FS0127");
        assert_eq!(code(wide(100_000, 8)), "FS0127");
        assert_eq!(code(wide(COLUMNS_MAX, 512)), "FS0127");
        // Small enough in bytes: their number alone is too large.
        let fields = |columns: usize| -> Fields {
            let nested = DataType::Struct(wide(1_000, 1));
            (0..columns)
                .map(|index| Field::new(format!("s{index}"), nested.clone(), true))
                .collect()
        };
        assert_eq!(code(fields(32)), "");
        assert_eq!(code(fields(33)), "FS0127");
    }
}
