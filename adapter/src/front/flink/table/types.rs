//! The types of declared columns: from Flink's notation to Arrow, and back.
//!
//! Invariant: what [`text`] writes of a type that can be declared, [`read`] reads as the same type; a type that would hold
//! less or other values than Flink's is refused by name.

use super::super::types::{arrow_type, sql_type};
use super::cursor::Cursor;
use super::refused;
use crate::semantics::invalid;
use crate::semantics::types::{FlinkType, Root};
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use datafusion::sql::sqlparser::tokenizer::Token;
use flinkspark_model::Result;
use flinkspark_model::schema::{DEPTH_MAX, type_name};
use std::sync::Arc;

/// The zone of every `TIMESTAMP_LTZ`, whose values are instants.
const ZONE: &str = "UTC";

/// A type with its nullability, as the field of this name.
pub(super) fn read(at: &mut Cursor, name: &str) -> Result<Field> {
    nested(at, name, 1)
}

fn nested(at: &mut Cursor, name: &str, depth: usize) -> Result<Field> {
    if depth > DEPTH_MAX {
        return Err(invalid(format!(
            "the column's type is nested deeper than {DEPTH_MAX} levels"
        )));
    }
    let data_type = if at.take(&["ARRAY"]) {
        at.expect_sign(&Token::Lt)?;
        let element = nested(at, "element", depth + 1)?;
        at.expect_sign(&Token::Gt)?;
        DataType::List(Arc::new(element))
    } else if at.take(&["MAP"]) {
        at.expect_sign(&Token::Lt)?;
        // Arrow's maps have no NULL for a key, and neither have those that Flink's sinks write.
        let key = nested(at, "key", depth + 1)?.with_nullable(false);
        at.expect_sign(&Token::Comma)?;
        let value = nested(at, "value", depth + 1)?;
        at.expect_sign(&Token::Gt)?;
        let entries = DataType::Struct(Fields::from(vec![key, value]));
        DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
    } else if at.take(&["ROW"]) {
        let field = |at: &mut Cursor| {
            let name = at.name()?;
            nested(at, &name, depth + 1)
        };
        DataType::Struct(row(at, field)?.into())
    } else {
        plain(at)?
    };
    let is_required = at.take(&["NOT", "NULL"]);
    if !is_required {
        at.take(&["NULL"]);
    }
    Ok(Field::new(name, data_type, !is_required))
}

/// `ROW<a INT, b INT>` or `ROW(a INT, b INT)`.
fn row(at: &mut Cursor, mut field: impl FnMut(&mut Cursor) -> Result<Field>) -> Result<Vec<Field>> {
    if !at.take_sign(&Token::Lt) {
        return at.list(field);
    }
    let mut fields = vec![field(at)?];
    while at.take_sign(&Token::Comma) {
        fields.push(field(at)?);
    }
    at.expect_sign(&Token::Gt).map(|()| fields)
}

/// A type that holds no others.
fn plain(at: &mut Cursor) -> Result<DataType> {
    for unheld in ["MULTISET", "RAW", "INTERVAL", "VARIANT", "NULL", "BITMAP"] {
        if at.is(&[unheld]) {
            let way_out = "declare a type that datasets hold: docs/sql.md lists them";
            return Err(refused(&format!("a column of type {unheld}"), way_out));
        }
    }
    if at.take(&["BYTES"]) {
        return Ok(DataType::Binary);
    }
    if at.take(&["VARBINARY"]) || at.take(&["BINARY"]) {
        at.precision()?;
        return Ok(DataType::Binary);
    }
    if at.take(&["TIME"]) {
        let precision = at.precision()?.unwrap_or(0);
        at.take(&["WITHOUT", "TIME", "ZONE"]);
        return match precision {
            0..=3 => Ok(Root::Time(3).arrow()),
            _ => Err(refused(
                &format!("TIME({precision})"),
                "declare TIME(3): Flink keeps no more than milliseconds",
            )),
        };
    }
    if at.take(&["TIMESTAMP_LTZ"]) {
        let unit = unit(at.precision()?, "TIMESTAMP_LTZ")?;
        return Ok(DataType::Timestamp(unit, Some(ZONE.into())));
    }
    if at.take(&["TIMESTAMP"]) {
        let unit = unit(at.precision()?, "TIMESTAMP")?;
        if at.take(&["WITH", "LOCAL", "TIME", "ZONE"]) {
            return Ok(DataType::Timestamp(unit, Some(ZONE.into())));
        }
        if at.is(&["WITH"]) {
            let way_out = "declare TIMESTAMP_LTZ(3): Flink has no columns WITH TIME ZONE either";
            return Err(refused(
                "a column of type TIMESTAMP WITH TIME ZONE",
                way_out,
            ));
        }
        at.take(&["WITHOUT", "TIME", "ZONE"]);
        return Ok(DataType::Timestamp(unit, None));
    }
    Ok(sql_type(&at.data_type()?)?.arrow())
}

/// The unit of a precision that a dataset holds exactly.
fn unit(precision: Option<u64>, name: &str) -> Result<TimeUnit> {
    match precision {
        Some(3) => Ok(TimeUnit::Millisecond),
        None | Some(6) => Ok(TimeUnit::Microsecond),
        Some(9) => Ok(TimeUnit::Nanosecond),
        Some(other) => {
            let way_out = format!("declare {name}(3), {name}(6) or {name}(9)");
            Err(refused(
                &format!("a column of type {name}({other})"),
                &way_out,
            ))
        }
    }
}

/// A field's type in Flink's notation; one that Flink has no name for, by its Arrow name.
pub(super) fn text(field: &Field) -> String {
    let text = match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(*unit)),
        DataType::Time32(TimeUnit::Millisecond) => "TIME(3)".into(),
        DataType::Binary => "BYTES".into(),
        DataType::List(element) => format!("ARRAY<{}>", self::text(element)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let key = pair
                    .first()
                    .map(|key| key.as_ref().clone().with_nullable(true));
                let [key, value] = [key.as_ref(), pair.last().map(AsRef::as_ref)]
                    .map(|field| field.map(self::text).unwrap_or_default());
                format!("MAP<{key}, {value}>")
            }
            other => type_name(other),
        },
        DataType::Struct(fields) => {
            let field =
                |field: &Arc<Field>| format!("{} {}", quoted(field.name()), self::text(field));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("ROW<{}>", fields.join(", "))
        }
        other => match arrow_type(field) {
            Some(ty) => FlinkType::nullable(ty.root).to_string(),
            None => type_name(other),
        },
    };
    match field.is_nullable() {
        true => text,
        false => format!("{text} NOT NULL"),
    }
}

/// A name in back-ticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
