//! Reads the schema of a file: what its columns are, and how their values stand in it.
//!
//! After the specification of Avro 1.12: a logical type that is not known, or that does not fit its type, is as if it
//! were not there. Invariant: what was read has no more levels and fields than a dataset's schema may have, however
//! often its named types refer to one another.

mod leaf;

use self::leaf::{decimal, fixed, logical, primitive};
use super::Refusal;
use arrow_schema::{DataType, Field, Fields};
use flinkspark_model::schema::DEPTH_MAX;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The most fields of a schema, nested ones included.
const FIELDS_MAX: usize = 32_768;

/// How a value stands in the file, where its column's type does not say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) union: Option<Union>,
    pub(super) shape: Shape,
}

/// The branches of a union with at most one type beside null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Union {
    /// One type.
    Lone,
    /// Null, then the type.
    NullFirst,
    /// The type, then null.
    NullLast,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// As the column's type says.
    Plain,
    /// So many bytes.
    Fixed(usize),
    /// The number of one of these words.
    Enum(Arc<[String]>),
    Array(Arc<Wire>),
    Map(Arc<Wire>),
    Record(Arc<[Wire]>),
}

impl Wire {
    pub(super) const PLAIN: Self = Self {
        union: None,
        shape: Shape::Plain,
    };
}

/// A type, as a column has it and as the file has it.
#[derive(Debug, Clone)]
struct Type {
    data_type: DataType,
    nullable: bool,
    wire: Wire,
    levels: usize,
    fields: usize,
}

impl Type {
    fn flat(data_type: DataType, shape: Shape) -> Self {
        let nullable = data_type == DataType::Null;
        Self {
            data_type,
            nullable,
            wire: Wire { union: None, shape },
            levels: 1,
            fields: 1,
        }
    }

    fn plain(data_type: DataType) -> Self {
        Self::flat(data_type, Shape::Plain)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// The columns of a file's schema, and how each stands in its rows.
pub(super) fn columns(schema: &Value) -> Result<(Fields, Arc<[Wire]>)> {
    let read = Reader::default().read(schema, &Scope::default())?;
    match (read.data_type, read.wire.shape) {
        (DataType::Struct(fields), Shape::Record(wires)) if read.wire.union.is_none() => {
            Ok((fields, wires))
        }
        _ => Err(Refusal::Unread {
            what: "has values that are no records".into(),
            why: "its schema is no record, whose fields would be columns".into(),
            hint: "write each value as a record with one field",
        }),
    }
}

/// Where in a schema a type stands.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// The namespace of names without one.
    namespace: String,
    /// The fields that lead here, with dots between them.
    path: String,
}

impl Scope {
    fn field(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            namespace: self.namespace.clone(),
            path: format!("{}{dot}{name}", self.path),
        }
    }

    /// A name with its namespace.
    fn full(&self, name: &str) -> String {
        if name.contains('.') || self.namespace.is_empty() {
            name.into()
        } else {
            format!("{}.{name}", self.namespace)
        }
    }

    fn wrong<T>(&self, why: &str) -> Result<T> {
        let place = match self.path.as_str() {
            "" => "its schema".into(),
            path => format!("its schema, at \"{path}\""),
        };
        Err(Refusal::Damaged(format!("{place}: {why}")))
    }

    fn unread<T>(&self, what: &str, why: String, hint: &'static str) -> Result<T> {
        let what = match self.path.as_str() {
            "" => format!("has {what} for its rows"),
            path => format!("has {what} in column \"{path}\""),
        };
        Err(Refusal::Unread { what, why, hint })
    }
}

/// Reads a schema from its outside to its inside.
#[derive(Default)]
struct Reader {
    /// The types that have names; none for one whose end was not read yet.
    named: HashMap<String, Option<Type>>,
}

impl Reader {
    fn read(&mut self, schema: &Value, scope: &Scope) -> Result<Type> {
        match schema {
            Value::String(name) => self.by_name(name, scope),
            Value::Array(branches) => self.union(branches, scope),
            Value::Object(object) => match object.get("type") {
                Some(Value::String(kind)) => self.object(kind, object, scope),
                Some(inner) => self.read(inner, scope),
                None => scope.wrong("a type does not say what it is"),
            },
            _ => scope.wrong("a type is no text, no list and no object"),
        }
    }

    fn by_name(&self, name: &str, scope: &Scope) -> Result<Type> {
        if let Some(primitive) = primitive(name) {
            return Ok(Type::plain(primitive));
        }
        let found = self.named.get(&scope.full(name));
        match found.or_else(|| self.named.get(name)) {
            Some(Some(known)) => Ok(known.clone()),
            Some(None) => scope.unread(
                "a recursive type",
                format!("the type \"{name}\" holds values of itself"),
                "write what it holds as text, or as a list of rows that refer to one another",
            ),
            None => scope.wrong(&format!("the type \"{name}\" is not defined")),
        }
    }

    fn union(&mut self, branches: &[Value], scope: &Scope) -> Result<Type> {
        let mut types = branches
            .iter()
            .map(|branch| self.read(branch, scope))
            .collect::<Result<Vec<_>>>()?;
        if types.iter().any(|branch| branch.wire.union.is_some()) {
            return scope.wrong("a union holds a union");
        }
        let nulls = types
            .iter()
            .map(|branch| branch.data_type == DataType::Null);
        let union = match nulls.collect::<Vec<_>>()[..] {
            [_] => Union::Lone,
            [true, false] => Union::NullFirst,
            [false, true] => Union::NullLast,
            [] | [true, true] => return scope.wrong("a union has no types, or null twice"),
            _ => {
                return scope.unread(
                    "a union",
                    format!(
                        "it has {} types, and a column has one beside null",
                        types.len()
                    ),
                    "write one nullable field for each of its types",
                );
            }
        };
        let at = usize::from(union == Union::NullFirst);
        let mut value = types.swap_remove(at);
        value.wire.union = Some(union);
        value.nullable |= union != Union::Lone;
        Ok(value)
    }

    fn object(&mut self, kind: &str, object: &Map<String, Value>, scope: &Scope) -> Result<Type> {
        match kind {
            "record" | "error" => self.record(object, scope),
            "enum" => self.define(object, scope, |_, scope| {
                let symbols = object.get("symbols").and_then(Value::as_array);
                let symbols = symbols.into_iter().flatten().map(Value::as_str);
                match symbols.map(|word| word.map(Into::into)).collect() {
                    Some(words) => Ok(Type::flat(DataType::Utf8, Shape::Enum(words))),
                    None => scope.wrong("an enum has a symbol that is no text"),
                }
            }),
            "fixed" => self.define(object, scope, |_, scope| fixed(object, scope)),
            "array" => {
                let item = self.child(object, "items", scope)?;
                let field = Field::new_list_field(item.data_type, item.nullable);
                let shape = Shape::Array(item.wire.into());
                let list = DataType::List(field.into());
                above(list, shape, item.levels, item.fields, scope)
            }
            "map" => {
                let value = self.child(object, "values", scope)?;
                let key = Field::new("key", DataType::Utf8, false);
                let field = Field::new("value", value.data_type, value.nullable);
                let pair = DataType::Struct(Fields::from(vec![key, field]));
                let entries = Field::new("entries", pair, false);
                let shape = Shape::Map(value.wire.into());
                let map = DataType::Map(entries.into(), false);
                above(map, shape, value.levels, value.fields + 2, scope)
            }
            name => match primitive(name) {
                Some(DataType::Binary) => {
                    let decimal = decimal(object, usize::MAX, scope)?;
                    Ok(Type::plain(decimal.unwrap_or(DataType::Binary)))
                }
                Some(primitive) => {
                    let logical = logical(&primitive, object);
                    Ok(Type::plain(logical.unwrap_or(primitive)))
                }
                None => self.by_name(name, scope),
            },
        }
    }

    fn child(&mut self, object: &Map<String, Value>, key: &str, scope: &Scope) -> Result<Type> {
        match object.get(key) {
            Some(child) => self.read(child, scope),
            None => scope.wrong(&format!("a type has no {key}")),
        }
    }

    fn record(&mut self, object: &Map<String, Value>, scope: &Scope) -> Result<Type> {
        self.define(object, scope, |reader, scope| {
            let Some(Value::Array(described)) = object.get("fields") else {
                return scope.wrong("a record has no fields");
            };
            let mut fields = Vec::new();
            let mut wires = Vec::new();
            let (mut levels, mut total) = (0, 0);
            for field in described {
                let (Some(Value::String(name)), Some(kind)) =
                    (field.get("name"), field.get("type"))
                else {
                    return scope.wrong("a field has no name or no type");
                };
                let read = reader.read(kind, &scope.field(name))?;
                levels = levels.max(read.levels);
                total += read.fields;
                fields.push(Field::new(name, read.data_type, read.nullable));
                wires.push(read.wire);
            }
            let data_type = DataType::Struct(fields.into());
            above(data_type, Shape::Record(wires.into()), levels, total, scope)
        })
    }

    /// Reads a type that has a name, which stands for it from its end on.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        scope: &Scope,
        read: impl FnOnce(&mut Self, &Scope) -> Result<Type>,
    ) -> Result<Type> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let Some(name) = text("name") else {
            return scope.wrong("a type has no name");
        };
        let mut scope = scope.clone();
        match (name.rsplit_once('.'), text("namespace")) {
            (Some((namespace, _)), _) | (None, Some(namespace)) => {
                scope.namespace = namespace.into();
            }
            (None, None) => {}
        }
        let full = scope.full(name);
        if self.named.insert(full.clone(), None).is_some() {
            return scope.wrong(&format!("the type \"{full}\" is defined twice"));
        }
        let read = read(self, &scope)?;
        self.named.insert(full, Some(read.clone()));
        Ok(read)
    }
}

/// A type that holds others.
fn above(
    data_type: DataType,
    shape: Shape,
    levels: usize,
    fields: usize,
    scope: &Scope,
) -> Result<Type> {
    let (levels, fields) = (levels + 1, fields + 1);
    // The record of the columns is no level of theirs.
    if levels > DEPTH_MAX + 1 || fields > FIELDS_MAX + 1 {
        return scope.unread(
            "too many types",
            format!(
                "types may be nested {DEPTH_MAX} levels deep, and a schema has at most {FIELDS_MAX} fields"
            ),
            "flatten the column, or write its inner part as text",
        );
    }
    Ok(Type {
        levels,
        fields,
        ..Type::flat(data_type, shape)
    })
}
