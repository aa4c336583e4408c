//! Resolves a writer's schema to a reader's, after the specification of Avro 1.12.
//!
//! What comes of it rewrites a row's bytes from the one encoding to the other, so that columns know the reader's schema
//! alone. Both schemas were read as columns before, which bounds their levels and fields. A logical type that both
//! have must be the same one: the specification lets milliseconds pass for microseconds. Invariant: what does not
//! resolve is refused with its place and both types before a row is read; only a branch of a union that others stand
//! beside waits until a value has it.

mod defaults;
mod model;
mod step;

pub(super) use self::model::Node;
pub(super) use self::step::Step;

use self::model::{Field, Kind, Named};
use self::step::{Part, Reader};
use super::cursor::put_number;
use std::sync::Arc;

/// Why two schemas do not resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unresolved {
    /// The fields that lead there, with dots between them.
    pub(super) path: String,
    pub(super) why: String,
    pub(super) hint: &'static str,
}

type Result<T> = std::result::Result<T, Unresolved>;

fn unresolved<T>(path: &str, why: String, hint: &'static str) -> Result<T> {
    let path = path.into();
    Err(Unresolved { path, why, hint })
}

/// How what is written at the one schema is read at the other.
pub(super) fn resolve(writer: &Node, reader: &Node) -> Result<Step> {
    between(writer, reader, "")
}

fn between(writer: &Node, reader: &Node, path: &str) -> Result<Step> {
    if let Kind::Union(branches) = &writer.kind {
        return from_union(branches, reader, path);
    }
    if let Kind::Union(branches) = &reader.kind {
        return to_union(writer, reader, branches, path);
    }
    if let (Some(theirs), Some(ours)) = (&writer.logical, &reader.logical)
        && theirs != ours
    {
        return other_type(writer, reader, path);
    }
    let (theirs, ours) = (&writer.kind, &reader.kind);
    Ok(match (theirs, ours) {
        (Kind::Null, Kind::Null) => Step::Null,
        (Kind::Boolean, Kind::Boolean) => Step::Fixed(1),
        (Kind::Int | Kind::Long, Kind::Long) | (Kind::Int, Kind::Int) => Step::Long,
        (Kind::Int | Kind::Long, Kind::Float) => Step::LongToFloat,
        (Kind::Int | Kind::Long, Kind::Double) => Step::LongToDouble,
        (Kind::Float, Kind::Float) => Step::Fixed(4),
        (Kind::Float, Kind::Double) => Step::FloatToDouble,
        (Kind::Double, Kind::Double) => Step::Fixed(8),
        (Kind::Bytes | Kind::String, Kind::Bytes | Kind::String) => Step::Bytes,
        (Kind::Fixed(theirs, size), Kind::Fixed(ours, wanted))
            if size == wanted && ours.takes(theirs) =>
        {
            Step::Fixed(*size)
        }
        (Kind::Enum(theirs, words, _), Kind::Enum(ours, wanted, default)) if ours.takes(theirs) => {
            let place = |word: &String| wanted.iter().position(|other| other == word);
            let other = default.as_ref().and_then(place);
            let words = words.iter().map(|word| match place(word).or(other) {
                Some(place) => Ok(place as i64),
                None => Err(word.clone()),
            });
            Step::Enum(words.collect())
        }
        (Kind::Array(theirs), Kind::Array(ours)) => {
            Step::Items(false, between(theirs, ours, &format!("{path}[]"))?.into())
        }
        (Kind::Map(theirs), Kind::Map(ours)) => {
            Step::Items(true, between(theirs, ours, &format!("{path}{{}}"))?.into())
        }
        (Kind::Record(theirs, fields), Kind::Record(ours, wanted)) if ours.takes(theirs) => {
            record(fields, wanted, path)?
        }
        _ => return other_type(writer, reader, path),
    })
}

fn other_type<T>(writer: &Node, reader: &Node, path: &str) -> Result<T> {
    let why = format!("its writer has {writer}, and the schema to read at has {reader}");
    let hint = match (&writer.kind, &reader.kind) {
        (Kind::Record(theirs, _), Kind::Record(ours, _))
        | (Kind::Enum(theirs, ..), Kind::Enum(ours, ..))
        | (Kind::Fixed(theirs, _), Kind::Fixed(ours, _))
            if !ours.takes(theirs) =>
        {
            "give the type in --avro-schema the writer's name, or that name as an alias"
        }
        _ => {
            "in --avro-schema, give it the writer's type or one that this is promoted to, or leave the field out"
        }
    };
    unresolved(path, why, hint)
}

/// A writer's union: what a value's branch is, the value says. At least one that is more than null must resolve.
fn from_union(branches: &[Arc<Node>], reader: &Node, path: &str) -> Result<Step> {
    let steps = branches.iter().map(|branch| between(branch, reader, path));
    let steps = steps.collect::<Vec<_>>();
    let of_values = branches.iter().zip(&steps);
    let mut of_values = of_values.filter(|(branch, _)| branch.kind != Kind::Null);
    if let Some((_, Err(cause))) = of_values.next() {
        return Err(cause.clone());
    }
    let steps = steps.into_iter();
    let steps = steps.map(|step| step.map_err(|cause| cause.why));
    Ok(Step::FromUnion(steps.collect()))
}

/// A reader's union: the first branch that the writer's type resolves to.
fn to_union(writer: &Node, reader: &Node, branches: &[Arc<Node>], path: &str) -> Result<Step> {
    let mut refused = None;
    for (at, branch) in branches.iter().enumerate() {
        match between(writer, branch, path) {
            Ok(step) => return Ok(Step::ToUnion(at as i64, step.into())),
            Err(cause) if branch.kind != Kind::Null && cause.path != path => refused = Some(cause),
            Err(_) => {}
        }
    }
    match refused {
        Some(cause) => Err(cause),
        None => other_type(writer, reader, path),
    }
}

fn record(fields: &[Field], wanted: &[Field], path: &str) -> Result<Step> {
    let dot = if path.is_empty() { "" } else { "." };
    let mut readers = Vec::new();
    let mut parts = Vec::new();
    let mut taken = vec![None; fields.len()];
    for (slot, field) in wanted.iter().enumerate() {
        let path = format!("{path}{dot}{}", field.name);
        let named = |name: &str| fields.iter().position(|other| other.name == name);
        let aliased = || field.aliases.iter().find_map(|alias| named(alias));
        match (named(&field.name).or_else(aliased), &field.default) {
            (Some(at), _) => {
                let (Some(theirs), Some(place)) = (fields.get(at), taken.get_mut(at)) else {
                    continue;
                };
                if place.is_some() {
                    let why = format!(
                        "two fields of it are the writer's field \"{}\"",
                        theirs.name
                    );
                    return unresolved(&path, why, "take the alias from one of them");
                }
                *place = Some((slot, between(&theirs.node, &field.node, &path)?));
                parts.push(Part::Read);
            }
            (None, Some(default)) => {
                let mut bytes = Vec::new();
                if let Err(why) = defaults::put(&field.node, default, &mut bytes) {
                    let hint = "correct the default in --avro-schema";
                    return unresolved(&path, format!("its default is none: {why}"), hint);
                }
                parts.push(Part::Default(bytes));
            }
            (None, None) => {
                let why = format!(
                    "its writer has no such field, and the schema to read at has {} without a default",
                    field.node
                );
                let hint = "in --avro-schema, give the field a default, or the writer's name of it as an alias";
                return unresolved(&path, why, hint);
            }
        }
    }
    for (field, taken) in fields.iter().zip(taken) {
        readers.push(match taken {
            Some((slot, step)) => Reader::Take(slot, step),
            None => Reader::Skip(skipped(&field.node)),
        });
    }
    Ok(Step::Record(readers, parts))
}

/// How a value is read that nobody wants.
fn skipped(node: &Node) -> Step {
    match &node.kind {
        Kind::Null => Step::Null,
        Kind::Boolean => Step::Fixed(1),
        Kind::Int | Kind::Long | Kind::Enum(..) => Step::Long,
        Kind::Float => Step::Fixed(4),
        Kind::Double => Step::Fixed(8),
        Kind::Bytes | Kind::String => Step::Bytes,
        Kind::Fixed(_, size) => Step::Fixed(*size),
        Kind::Array(item) => Step::Items(false, skipped(item).into()),
        Kind::Map(value) => Step::Items(true, skipped(value).into()),
        Kind::Record(_, fields) => {
            let fields = fields
                .iter()
                .map(|field| Reader::Skip(skipped(&field.node)));
            Step::Record(fields.collect(), Vec::new())
        }
        Kind::Union(branches) => {
            let branches = branches.iter().map(|branch| Ok(skipped(branch)));
            Step::FromUnion(branches.collect())
        }
    }
}

impl Named {
    /// Whether a type of the writer with this name is meant: the unqualified names are the same, or an alias is its name.
    fn takes(&self, writer: &Self) -> bool {
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let is = |alias: &String| {
            *alias == writer.full || !alias.contains('.') && *alias == last(&writer.full)
        };
        last(&self.full) == last(&writer.full) || self.aliases.iter().any(is)
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as i64, out);
    out.extend(bytes);
}
