//! The versioned JSON of a schema.
//!
//! Flat types are text; a type with children names its kind and lists them as fields. Keys of
//! metadata are sorted, so that equal schemas have equal text. Invariant: nothing is dropped; what
//! cannot be written is refused.

use super::text::{flat, parse_flat};
use super::{DEPTH_MAX, too_deep, unsupported};
use crate::error::{Error, Kind, Result};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The version that [`to_json`] writes; [`from_json`] reads it and every older one.
pub const VERSION: u32 = 1;

/// The longest schema text that is read or written, in bytes.
pub const JSON_BYTES_MAX: usize = 16 << 20;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaText {
    version: u32,
    fields: Vec<FieldText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldText {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    ordered: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<FieldText>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The schema as JSON, one line.
///
/// Unions are refused (`FS0110`), as is nesting deeper than [`DEPTH_MAX`] (`FS0111`) and a text
/// longer than [`JSON_BYTES_MAX`] (`FS0114`).
pub fn to_json(schema: &Schema) -> Result<String> {
    let text = SchemaText {
        version: VERSION,
        fields: schema
            .fields()
            .iter()
            .map(|field| write(field, field.name(), 0))
            .collect::<Result<_>>()?,
        metadata: sorted(schema.metadata()),
    };
    let json = serde_json::to_string(&text).map_err(|error| malformed(error.to_string()))?;
    check_length(&json)?;
    Ok(json)
}

/// The schema that [`to_json`] wrote.
///
/// A text that is no schema is `FS0114`, one of a newer version `FS0115`.
pub fn from_json(json: &str) -> Result<Schema> {
    check_length(json)?;
    let bad = |error: serde_json::Error| malformed(error.to_string());
    let version = serde_json::from_str::<Versioned>(json)
        .map_err(bad)?
        .version;
    if version > VERSION {
        return Err(Error::new(
            Kind::Invalid,
            "FS0115",
            format!("the schema has format version {version}"),
        )
        .with_detail(format!("this FlinkSpark reads versions up to {VERSION}"))
        .with_hint("use the FlinkSpark that wrote it, or a newer one"));
    }
    let text: SchemaText = serde_json::from_str(json).map_err(bad)?;
    let fields = text
        .fields
        .into_iter()
        .map(|field| {
            let path = field.name.clone();
            read(field, &path, 0)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Schema::new_with_metadata(
        fields,
        text.metadata.into_iter().collect(),
    ))
}

fn check_length(json: &str) -> Result<()> {
    if json.len() > JSON_BYTES_MAX {
        return Err(malformed(format!(
            "it has {} bytes; the limit is {JSON_BYTES_MAX}",
            json.len()
        )));
    }
    Ok(())
}

fn malformed(why: String) -> Error {
    Error::new(Kind::Data, "FS0114", "the text is not a schema")
        .with_detail(why)
        .with_hint("compare it with the form in docs/digest.md; `flinkspark dataset show NAME -o json` prints one")
}

fn sorted(metadata: &HashMap<String, String>) -> BTreeMap<String, String> {
    metadata
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn write(field: &Field, path: &str, depth: usize) -> Result<FieldText> {
    use DataType as D;
    if depth >= DEPTH_MAX {
        return Err(too_deep(path));
    }
    let child = |field: &FieldRef| write(field, path, depth + 1);
    let one = |kind: &str, item: &FieldRef| child(item).map(|child| (kind.to_owned(), vec![child]));
    let (kind, children) = match field.data_type() {
        D::List(item) => one("list", item)?,
        D::LargeList(item) => one("large_list", item)?,
        D::ListView(item) => one("list_view", item)?,
        D::LargeListView(item) => one("large_list_view", item)?,
        D::FixedSizeList(item, length) => one(&format!("fixed_size_list[{length}]"), item)?,
        D::Map(entries, false) => one("map", entries)?,
        D::Map(entries, true) => one("map[sorted]", entries)?,
        D::Struct(fields) => (
            "struct".into(),
            fields.iter().map(child).collect::<Result<_>>()?,
        ),
        D::RunEndEncoded(ends, values) => {
            ("run_end_encoded".into(), vec![child(ends)?, child(values)?])
        }
        D::Dictionary(key, value) => {
            let key = flat(key).ok_or_else(|| unsupported(path, field.data_type()))?;
            let values = Field::new("values", value.as_ref().clone(), true);
            (format!("dictionary[{key}]"), vec![child(&values.into())?])
        }
        other => (
            flat(other).ok_or_else(|| unsupported(path, other))?,
            Vec::new(),
        ),
    };
    Ok(FieldText {
        name: field.name().clone(),
        kind,
        nullable: field.is_nullable(),
        ordered: field.dict_is_ordered() == Some(true),
        children,
        metadata: sorted(field.metadata()),
    })
}

fn read(text: FieldText, path: &str, depth: usize) -> Result<Field> {
    if depth >= DEPTH_MAX {
        return Err(too_deep(path));
    }
    let unknown = malformed(format!(
        "column \"{path}\" has the type \"{}\", which is not one",
        text.kind.escape_debug()
    ));
    let children = text
        .children
        .into_iter()
        .map(|child| read(child, path, depth + 1).map(Arc::new))
        .collect::<Result<Vec<_>>>()?;
    let data_type = data_type(&text.kind, children)
        .filter(is_sound)
        .ok_or(unknown)?;
    Ok(Field::new(text.name, data_type, text.nullable)
        .with_dict_is_ordered(text.ordered)
        .with_metadata(text.metadata.into_iter().collect()))
}

fn data_type(kind: &str, children: Vec<FieldRef>) -> Option<DataType> {
    use DataType as D;
    if kind == "struct" {
        return Some(D::Struct(children.into()));
    }
    let argument = |name: &str| {
        kind.strip_prefix(name)?
            .strip_prefix('[')?
            .strip_suffix(']')
    };
    match <[FieldRef; 2]>::try_from(children) {
        Ok([ends, values]) => (kind == "run_end_encoded").then_some(D::RunEndEncoded(ends, values)),
        Err(children) => match <[FieldRef; 1]>::try_from(children) {
            Ok([child]) => Some(match kind {
                "list" => D::List(child),
                "large_list" => D::LargeList(child),
                "list_view" => D::ListView(child),
                "large_list_view" => D::LargeListView(child),
                "map" => D::Map(child, false),
                "map[sorted]" => D::Map(child, true),
                _ => match (argument("fixed_size_list"), argument("dictionary")) {
                    (Some(length), _) => D::FixedSizeList(child, length.parse().ok()?),
                    (_, Some(key)) => {
                        D::Dictionary(parse_flat(key)?.into(), child.data_type().clone().into())
                    }
                    _ => return None,
                },
            }),
            Err(children) => children.is_empty().then(|| parse_flat(kind)).flatten(),
        },
    }
}

/// Whether arrays of the type can exist, its children taken as sound.
fn is_sound(data_type: &DataType) -> bool {
    use {DataType as D, TimeUnit as U};
    let decimal = |precision: u8, scale: i8, most: u8| {
        (1..=most).contains(&precision) && i16::from(scale) <= i16::from(precision)
    };
    match data_type {
        D::Time32(unit) => matches!(unit, U::Second | U::Millisecond),
        D::Time64(unit) => matches!(unit, U::Microsecond | U::Nanosecond),
        D::FixedSizeBinary(length) | D::FixedSizeList(_, length) => *length >= 0,
        D::Decimal32(precision, scale) => decimal(*precision, *scale, 9),
        D::Decimal64(precision, scale) => decimal(*precision, *scale, 18),
        D::Decimal128(precision, scale) => decimal(*precision, *scale, 38),
        D::Decimal256(precision, scale) => decimal(*precision, *scale, 76),
        D::Dictionary(key, _) => key.is_dictionary_key_type(),
        D::RunEndEncoded(ends, _) => ends.data_type().is_run_ends_type(),
        D::Map(entries, _) => matches!(entries.data_type(), D::Struct(fields) if fields.len() == 2),
        _ => true,
    }
}
