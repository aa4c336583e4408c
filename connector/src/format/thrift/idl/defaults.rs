//! Values that stand for absent fields.
//!
//! Invariant: a default is a value of its field's type, or it is wrong.

use super::Wrong;
use super::parse::{Document, Value};
use super::tokens::Place;
use crate::format::thrift::layout::{Constant, Wire};
use arrow_schema::DataType;

/// How often a constant may stand for another.
const NAMED_MAX: usize = 64;

/// The value of a default.
pub(super) fn constant(
    value: &Value,
    wire: &Wire,
    data_type: &DataType,
    document: &Document,
    place: Place,
) -> Result<Constant, Wrong> {
    let value = valued(value, document);
    let found = match (wire, value) {
        (Wire::Bool, Value::Word(word)) => truth(word).map(Constant::Bool),
        (Wire::Bool, Value::Whole(0)) => Some(Constant::Bool(false)),
        (Wire::Bool, Value::Whole(1)) => Some(Constant::Bool(true)),
        (Wire::I8, Value::Whole(n)) => i8::try_from(*n).ok().map(|n| Constant::Whole(n.into())),
        (Wire::I16, Value::Whole(n)) => i16::try_from(*n).ok().map(|n| Constant::Whole(n.into())),
        (Wire::I32 | Wire::Enum(_), Value::Whole(n)) => {
            i32::try_from(*n).ok().map(|n| Constant::Whole(n.into()))
        }
        (Wire::I64, Value::Whole(n)) => Some(Constant::Whole(*n)),
        (Wire::Enum(words), Value::Word(word)) => {
            let own = word.strip_prefix(words.name.as_str());
            let word = own.and_then(|own| own.strip_prefix('.')).unwrap_or(word);
            words.number(word).map(|n| Constant::Whole(n.into()))
        }
        (Wire::Double, Value::Double(n)) => Some(Constant::Double(n.to_bits())),
        (Wire::Double, Value::Whole(n)) => i32::try_from(*n)
            .ok()
            .map(|n| Constant::Double(f64::from(n).to_bits())),
        (Wire::Binary, Value::Text(text)) if is_text(data_type) => {
            Some(Constant::Bytes(text.clone().into_bytes()))
        }
        _ => None,
    };
    match found {
        Some(constant) => Ok(constant),
        None => place.wrong(
            "its default is none that can be applied: a number, a text, a truth value or a word of its enum",
        ),
    }
}

/// What the name of a constant stands for.
fn valued<'a>(value: &'a Value, document: &'a Document) -> &'a Value {
    let mut value = value;
    for _ in 0..NAMED_MAX {
        match value {
            Value::Word(name) => match document.constants.get(name) {
                Some(named) => value = named,
                None => return value,
            },
            _ => return value,
        }
    }
    value
}

fn truth(word: &str) -> Option<bool> {
    match word {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn is_text(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Utf8 | D::LargeUtf8 | D::Binary | D::LargeBinary
    )
}
