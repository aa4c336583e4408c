//! A schema as it is resolved: every name in its place.
//!
//! Of schemas that were read as columns only, which says that all there is has a form. Invariant: no type holds itself, and what a
//! named type says is kept once, however often it is referred to.

use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Node {
    pub(super) kind: Kind,
    /// What is said of it besides: the logical type, a decimal's with its digits.
    pub(super) logical: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(Named, usize),
    /// Its words, and the one that stands for unknown ones.
    Enum(Named, Vec<String>, Option<String>),
    Array(Arc<Node>),
    Map(Arc<Node>),
    Record(Named, Vec<Field>),
    Union(Vec<Arc<Node>>),
}

/// What a type is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) full: String,
    pub(super) aliases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) node: Arc<Node>,
    pub(super) default: Option<Value>,
}

impl Node {
    /// Of a schema that was read as columns; none where it is no schema after all.
    pub(in super::super) fn of(schema: &Value) -> Option<Arc<Self>> {
        node(schema, "", &mut HashMap::new())
    }
}

type Known = HashMap<String, Arc<Node>>;

fn node(schema: &Value, space: &str, known: &mut Known) -> Option<Arc<Node>> {
    match schema {
        Value::String(name) => by_name(name, space, known),
        Value::Array(branches) => {
            let branches = branches.iter().map(|branch| node(branch, space, known));
            let kind = Kind::Union(branches.collect::<Option<_>>()?);
            Some(
                Node {
                    kind,
                    logical: None,
                }
                .into(),
            )
        }
        Value::Object(object) => match object.get("type")? {
            Value::String(kind) => object_node(kind, object, space, known),
            inner => node(inner, space, known),
        },
        _ => None,
    }
}

fn by_name(name: &str, space: &str, known: &Known) -> Option<Arc<Node>> {
    let kind = match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => {
            let found = known.get(&full(name, space));
            return found.or_else(|| known.get(name)).cloned();
        }
    };
    Some(
        Node {
            kind,
            logical: None,
        }
        .into(),
    )
}

fn object_node(
    kind: &str,
    object: &Map<String, Value>,
    space: &str,
    known: &mut Known,
) -> Option<Arc<Node>> {
    let mut child = |key| node(object.get(key)?, space, known);
    let kind = match kind {
        "array" => Kind::Array(child("items")?),
        "map" => Kind::Map(child("values")?),
        "record" | "error" | "enum" | "fixed" => return named(kind, object, space, known),
        name => {
            let found = by_name(name, space, known)?;
            let (Kind::Int | Kind::Long | Kind::Bytes) = &found.kind else {
                return Some(found);
            };
            found.kind.clone()
        }
    };
    let logical = logical(object, &kind);
    Some(Node { kind, logical }.into())
}

fn named(
    kind: &str,
    object: &Map<String, Value>,
    space: &str,
    known: &mut Known,
) -> Option<Arc<Node>> {
    let name = object.get("name")?.as_str()?;
    let own = object.get("namespace").and_then(Value::as_str);
    let space = match name.rsplit_once('.') {
        Some((space, _)) => space,
        None => own.unwrap_or(space),
    };
    let title = Named {
        full: full(name, space),
        aliases: texts(object.get("aliases")),
    };
    let key = title.full.clone();
    let kind = match kind {
        "fixed" => Kind::Fixed(title, usize::try_from(object.get("size")?.as_u64()?).ok()?),
        "enum" => {
            let default = object.get("default").and_then(Value::as_str);
            Kind::Enum(title, texts(object.get("symbols")), default.map(Into::into))
        }
        _ => {
            let fields = object.get("fields")?.as_array()?.iter();
            let fields = fields.map(|field| {
                Some(Field {
                    name: field.get("name")?.as_str()?.into(),
                    aliases: texts(field.get("aliases")),
                    node: node(field.get("type")?, space, known)?,
                    default: field.get("default").cloned(),
                })
            });
            Kind::Record(title, fields.collect::<Option<_>>()?)
        }
    };
    let logical = logical(object, &kind);
    let node = Arc::new(Node { kind, logical });
    known.insert(key, Arc::clone(&node));
    Some(node)
}

fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() {
        name.into()
    } else {
        format!("{space}.{name}")
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(Into::into).collect()
}

/// The logical types that make values another thing; any other is as if it were not there.
fn logical(object: &Map<String, Value>, kind: &Kind) -> Option<String> {
    let name = object.get("logicalType")?.as_str()?;
    let number = |key| object.get(key).and_then(Value::as_u64).unwrap_or_default();
    match (kind, name) {
        (Kind::Bytes | Kind::Fixed(..), "decimal") => Some(format!(
            "decimal({}, {})",
            number("precision"),
            number("scale")
        )),
        (Kind::Fixed(_, 12), "duration") | (Kind::Int, "date" | "time-millis") => Some(name.into()),
        (Kind::Long, "time-micros" | "time-nanos") => Some(name.into()),
        (Kind::Long, name) => {
            let unit = name.strip_prefix("local-").unwrap_or(name);
            let unit = unit.strip_prefix("timestamp-")?;
            matches!(unit, "millis" | "micros" | "nanos").then(|| name.into())
        }
        _ => None,
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Null => f.write_str("null")?,
            Kind::Boolean => f.write_str("boolean")?,
            Kind::Int => f.write_str("int")?,
            Kind::Long => f.write_str("long")?,
            Kind::Float => f.write_str("float")?,
            Kind::Double => f.write_str("double")?,
            Kind::Bytes => f.write_str("bytes")?,
            Kind::String => f.write_str("string")?,
            Kind::Fixed(name, size) => write!(f, "fixed \"{}\" of {size} bytes", name.full)?,
            Kind::Enum(name, ..) => write!(f, "enum \"{}\"", name.full)?,
            Kind::Array(item) => write!(f, "array of {item}")?,
            Kind::Map(value) => write!(f, "map of {value}")?,
            Kind::Record(name, _) => write!(f, "record \"{}\"", name.full)?,
            Kind::Union(branches) => {
                let branches = branches.iter().map(ToString::to_string);
                write!(f, "[{}]", branches.collect::<Vec<_>>().join(", "))?;
            }
        }
        match &self.logical {
            Some(logical) => write!(f, " as {logical}"),
            None => Ok(()),
        }
    }
}
