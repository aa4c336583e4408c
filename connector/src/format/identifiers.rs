//! Names of fields for formats that take only identifiers.
//!
//! Invariant: no two fields get one name, and a field whose own name is taken as it stands keeps it.

use arrow_schema::FieldRef;
use std::collections::HashSet;

/// Whether the name is ASCII letters, digits and `_`, and does not begin with a digit.
pub(super) fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic();
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Names for the fields: their own where the format takes them, else one with `_` for what it does not take, and with
/// the field's number where another field has that name.
pub(super) fn identifiers(fields: &[FieldRef], is_taken: impl Fn(&str) -> bool) -> Vec<String> {
    let own = fields.iter().map(|field| field.name());
    let mut used: HashSet<String> = own.filter(|name| is_taken(name)).cloned().collect();
    let names = fields.iter().enumerate().map(|(at, field)| {
        if is_taken(field.name()) {
            return field.name().clone();
        }
        let known = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut name: String = field.name().chars().map(known).collect();
        if !is_taken(&name) {
            name.insert(0, '_');
        }
        if used.contains(&name) {
            name = format!("{name}_{}", at + 1);
        }
        while !used.insert(name.clone()) {
            name.push('_');
        }
        name
    });
    names.collect()
}
