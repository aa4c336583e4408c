//! The schema that a file is written with.
//!
//! Each Arrow type has one form in Avro, the nearest that other readers know; what of it Avro has no word for stands
//! in the schema that [`OWN_SCHEMA`](super::container::OWN_SCHEMA) holds, and so do the true names of fields whose
//! names Avro does not take. Invariant: the same schema is printed in the same way by every version, since a reader
//! knows a file of ours by that its schema is the one that would be printed for the schema it holds.

use super::Refusal;
use crate::format::identifiers::{identifiers, is_identifier};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Refusal>;

/// The most lists and objects within each other that a JSON parser takes: serde_json's limit.
const LEVELS_MAX: usize = 127;

/// The Avro schema of rows with these columns.
pub(super) fn schema(columns: &[FieldRef]) -> Result<Value> {
    let printed = Printer::default().record("row", columns, None)?;
    let fields = printed["fields"].as_array().into_iter().flatten();
    for (column, field) in columns.iter().zip(fields) {
        // The record and the list of its fields stand around each.
        let levels = levels(field) + 2;
        if levels > LEVELS_MAX {
            return Err(Refusal::Unheld {
                column: column.name().clone(),
                why: format!(
                    "its type takes {levels} levels of JSON, and parsers take {LEVELS_MAX}"
                ),
            });
        }
    }
    Ok(printed)
}

/// Prints types, and numbers those that must have names.
#[derive(Default)]
struct Printer {
    named: usize,
}

impl Printer {
    fn name(&mut self, kind: &str) -> String {
        self.named += 1;
        format!("{kind}{}", self.named)
    }

    /// A record of these fields. `column` is what they are part of, where they are no columns themselves.
    fn record(&mut self, name: &str, fields: &[FieldRef], column: Option<&str>) -> Result<Value> {
        let mut printed = Vec::new();
        for (field, name) in fields.iter().zip(identifiers(fields, is_identifier)) {
            let kind = self.field(field, column.unwrap_or(field.name()))?;
            let mut object = json!({ "name": name });
            if name != *field.name() {
                object["doc"] = field.name().as_str().into();
            }
            if kind[0] == "null" {
                object["default"] = Value::Null;
            }
            object["type"] = kind;
            printed.push(object);
        }
        Ok(json!({"type": "record", "name": name, "fields": printed}))
    }

    fn field(&mut self, field: &Field, column: &str) -> Result<Value> {
        let printed = self.data_type(field.data_type(), column)?;
        if field.is_nullable() && *field.data_type() != DataType::Null {
            return Ok(json!(["null", printed]));
        }
        Ok(printed)
    }

    fn data_type(&mut self, data_type: &DataType, column: &str) -> Result<Value> {
        use {DataType as D, TimeUnit as U};
        let logical = |kind: &str, name: &str| json!({"type": kind, "logicalType": name});
        Ok(match data_type {
            D::Null => "null".into(),
            D::Boolean => "boolean".into(),
            D::Int8 | D::Int16 | D::Int32 | D::UInt8 | D::UInt16 => "int".into(),
            D::Int64 | D::UInt32 | D::Duration(_) => "long".into(),
            D::UInt64 => decimal(20, 0),
            D::Float16 | D::Float32 => "float".into(),
            D::Float64 => "double".into(),
            D::Utf8 | D::LargeUtf8 => "string".into(),
            D::Binary | D::LargeBinary => "bytes".into(),
            D::FixedSizeBinary(size) if *size > 0 => {
                json!({"type": "fixed", "name": self.name("fixed"), "size": size})
            }
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale)
                if *scale >= 0 =>
            {
                decimal(*precision, *scale)
            }
            D::Date32 | D::Date64 => logical("int", "date"),
            D::Time32(_) => logical("int", "time-millis"),
            D::Time64(U::Nanosecond) => logical("long", "time-nanos"),
            D::Time64(_) => logical("long", "time-micros"),
            D::Timestamp(unit, zone) => {
                let local = if zone.is_none() { "local-" } else { "" };
                let unit = match unit {
                    U::Second | U::Millisecond => "millis",
                    U::Microsecond => "micros",
                    U::Nanosecond => "nanos",
                };
                logical("long", &format!("{local}timestamp-{unit}"))
            }
            D::Interval(_) => json!({
                "type": "fixed",
                "name": self.name("duration"),
                "size": 12,
                "logicalType": "duration",
            }),
            D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
                json!({"type": "array", "items": self.field(item, column)?})
            }
            D::Struct(fields) => {
                let name = self.name("record");
                self.record(&name, fields, Some(column))?
            }
            D::Map(entries, _) => self.map(entries, column)?,
            other => {
                return Err(Refusal::Unheld {
                    column: column.into(),
                    why: format!("{other} has no form in Avro that reads back"),
                });
            }
        })
    }

    /// A map whose keys are text as a map, any other as a list of records, each a key and a value.
    fn map(&mut self, entries: &Field, column: &str) -> Result<Value> {
        match entries.data_type() {
            DataType::Struct(pair) => match pair.as_ref() {
                [key, value] if is_text(key.data_type()) && !key.is_nullable() => {
                    Ok(json!({"type": "map", "values": self.field(value, column)?}))
                }
                _ => {
                    let items = self.data_type(entries.data_type(), column)?;
                    Ok(json!({"type": "array", "items": items}))
                }
            },
            other => self.data_type(other, column),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8)
}

fn decimal(precision: u8, scale: i8) -> Value {
    json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
}

/// How many lists and objects stand within each other.
fn levels(printed: &Value) -> usize {
    match printed {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or_default(),
        Value::Object(entries) => 1 + entries.values().map(levels).max().unwrap_or_default(),
        _ => 0,
    }
}
