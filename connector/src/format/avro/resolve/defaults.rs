//! A field's default, which stands in its schema as JSON, as the bytes of a value.
//!
//! Invariant: what is no value of the type is refused, never brought to one.

use super::model::{Kind, Node};
use super::put_bytes;
use crate::format::avro::cursor::put_number;
use serde_json::Value;

type Result = std::result::Result<(), String>;

pub(super) fn put(node: &Node, value: &Value, out: &mut Vec<u8>) -> Result {
    let wrong = || Err(format!("{value} is no {node}"));
    match (&node.kind, value) {
        (Kind::Null, Value::Null) => {}
        (Kind::Boolean, Value::Bool(value)) => out.push((*value).into()),
        (Kind::Int, value) => match value.as_i64().map(i32::try_from) {
            Some(Ok(number)) => put_number(number.into(), out),
            _ => return wrong(),
        },
        (Kind::Long, value) => match value.as_i64() {
            Some(number) => put_number(number, out),
            None => return wrong(),
        },
        (Kind::Float, Value::Number(number)) => match number.as_f64().map(|wide| wide as f32) {
            Some(value) if value.is_finite() => out.extend(value.to_le_bytes()),
            _ => return wrong(),
        },
        (Kind::Double, Value::Number(number)) => match number.as_f64() {
            Some(value) => out.extend(value.to_le_bytes()),
            None => return wrong(),
        },
        (Kind::String, Value::String(text)) => put_bytes(text.as_bytes(), out),
        (Kind::Bytes, Value::String(text)) => match latin(text) {
            Some(bytes) => put_bytes(&bytes, out),
            None => return wrong(),
        },
        (Kind::Fixed(_, size), Value::String(text)) => match latin(text) {
            Some(bytes) if bytes.len() == *size => out.extend(bytes),
            _ => return wrong(),
        },
        (Kind::Enum(_, words, _), Value::String(text)) => {
            match words.iter().position(|word| word == text) {
                Some(place) => put_number(place as i64, out),
                None => return wrong(),
            }
        }
        (Kind::Array(item), Value::Array(values)) => {
            for value in values {
                put_number(1, out);
                put(item, value, out)?;
            }
            put_number(0, out);
        }
        (Kind::Map(item), Value::Object(entries)) => {
            for (key, value) in entries {
                put_number(1, out);
                put_bytes(key.as_bytes(), out);
                put(item, value, out)?;
            }
            put_number(0, out);
        }
        (Kind::Record(_, fields), Value::Object(entries)) => {
            for field in fields {
                match entries.get(&field.name).or(field.default.as_ref()) {
                    Some(value) => put(&field.node, value, out)?,
                    None => return Err(format!("it has no value for \"{}\"", field.name)),
                }
            }
        }
        (Kind::Union(branches), value) => {
            for (at, branch) in branches.iter().enumerate() {
                let mut bytes = Vec::new();
                if put(branch, value, &mut bytes).is_ok() {
                    put_number(at as i64, out);
                    out.extend(bytes);
                    return Ok(());
                }
            }
            return wrong();
        }
        _ => return wrong(),
    }
    Ok(())
}

/// Bytes that stand as the characters of the same numbers.
fn latin(text: &str) -> Option<Vec<u8>> {
    let bytes = text.chars().map(|character| u8::try_from(character).ok());
    bytes.collect()
}
