//! JSON with one of its values changed.
//!
//! Invariant: what was JSON stays JSON; what was not comes back as it is.

use super::{Random, bound};
use serde_json::{Map, Value};

pub(super) fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else {
        return text.to_vec();
    };
    let donors = value.clone();
    let at = random.below(count(&value));
    if let Some(place) = nth(&mut value, &mut { at }) {
        change(place, &donors, random);
    }
    serde_json::to_vec(&value).unwrap_or_else(|_| text.to_vec())
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    1 + children(value).into_iter().map(count).sum::<usize>()
}

/// The value that comes `at` places after this one.
fn nth<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, at)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, at)),
        _ => None,
    }
}

fn change(place: &mut Value, donors: &Value, random: &mut Random) {
    match (random.below(4), &mut *place) {
        (0 | 1, Value::Object(fields)) => change_fields(fields, random),
        (0 | 1, Value::Array(items)) => change_items(items, random),
        (0 | 1, Value::Number(number)) => {
            let near = number.as_i64().unwrap_or(0);
            *place = near.wrapping_add(random.below(5) as i64 - 2).into();
        }
        (0 | 1, Value::String(text)) => change_text(text, random),
        (2, _) => {
            let at = random.below(count(donors));
            if let Some(donor) = nth(&mut donors.clone(), &mut { at }) {
                *place = donor.take();
            }
        }
        _ => *place = value(random),
    }
}

fn change_fields(fields: &mut Map<String, Value>, random: &mut Random) {
    let keys: Vec<String> = fields.keys().cloned().collect();
    let Some(key) = random.pick(&keys) else {
        fields.insert("x".into(), value(random));
        return;
    };
    match random.below(3) {
        0 => drop(fields.remove(key)),
        1 => {
            if let Some(value) = fields.remove(key) {
                fields.insert(format!("{key}x"), value);
            }
        }
        _ => drop(fields.insert(key.clone(), value(random))),
    }
}

fn change_items(items: &mut Vec<Value>, random: &mut Random) {
    let at = random.below(items.len());
    match (random.below(3), items.get(at).cloned()) {
        (0, Some(_)) => drop(items.remove(at)),
        (1, Some(item)) => (0..=random.below(4)).for_each(|_| items.insert(at, item.clone())),
        _ => items.push(value(random)),
    }
}

fn change_text(text: &mut String, random: &mut Random) {
    let marks = [
        "",
        ".",
        "-",
        ":",
        ",",
        "0",
        "\\u0000",
        "\u{ff}",
        "\u{1f600}",
        " ",
        "é",
        "\"",
        "{",
        "99999999999",
    ];
    let mark = random.pick(&marks).copied().unwrap_or("");
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let at = random.pick(&places).copied().unwrap_or(0);
    match random.below(3) {
        0 => text.insert_str(at, mark),
        1 => text.truncate(at),
        _ => {
            let half = text[at..].to_owned();
            text.push_str(&half);
        }
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => (random.below(2) == 0).into(),
        2 => u64::MAX.into(),
        3 => (bound(random, 100) as f64 / 3.0).into(),
        4 => "x".into(),
        5 => Value::Array(vec![bound(random, 100).into()]),
        6 => (0..40).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
        _ => bound(random, 100).into(),
    }
}
