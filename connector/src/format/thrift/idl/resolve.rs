//! What the columns of an IDL's struct are.
//!
//! Invariant: what was resolved has no more levels and fields than a dataset's schema may have, however often its
//! definitions refer to one another.

use super::annotations::{self, METADATA, NAME, TYPE};
use super::defaults::constant;
use super::parse::{Document, Field as Parsed, Form, Structure, Type, TypeForm};
use super::tokens::Place;
use super::{Idl, Wrong, types};
use crate::format::thrift::layout::{Member, Wire, fits};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use flinkspark_model::schema::{DEPTH_MAX, names::FIELDS_MAX};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Wrong>;

/// The most definitions that refer to one another in a row.
const OPEN_MAX: usize = 128;

/// A type, as a column has it and as the file has it.
#[derive(Debug, Clone)]
struct Resolved {
    data_type: DataType,
    wire: Wire,
    levels: usize,
    fields: usize,
}

impl Resolved {
    fn flat(data_type: DataType, wire: Wire) -> Self {
        Self {
            data_type,
            wire,
            levels: 1,
            fields: 1,
        }
    }
}

/// The columns of the struct with this name, or of the last one that no other refers to.
pub(super) fn idl(document: &Document, structure: Option<&str>) -> Result<Idl> {
    let start = Place { line: 1, column: 1 };
    let structure = match structure {
        Some(name) => match find(document, name) {
            Some(found) => found,
            None => return start.wrong(format!("it has no struct with the name \"{name}\"")),
        },
        None => match last(document) {
            Some(found) => found,
            None => return start.wrong("it has no struct that no other refers to"),
        },
    };
    let mut resolver = Resolver {
        document,
        known: HashMap::new(),
        open: 0,
    };
    let (fields, members, _, _) = resolver.structure(structure)?;
    let metadata = annotations::one(
        &structure.annotations,
        METADATA,
        &[METADATA],
        structure.place,
    )?;
    let metadata = metadata.map(|text| annotations::metadata(text, structure.place));
    Ok(Idl {
        schema: Schema::new_with_metadata(fields, metadata.transpose()?.unwrap_or_default()),
        members,
    })
}

fn find<'d>(document: &'d Document, name: &str) -> Option<&'d Structure> {
    let mut structures = document.structures.iter();
    structures.find(|structure| structure.name == name)
}

/// The last struct that no other refers to.
fn last(document: &Document) -> Option<&Structure> {
    let mut used = HashSet::new();
    let mut open: Vec<(&Type, &str)> = Vec::new();
    for structure in &document.structures {
        let fields = structure.fields.iter();
        open.extend(fields.map(|field| (&field.kind, structure.name.as_str())));
    }
    while let Some((kind, of)) = open.pop() {
        match &kind.form {
            TypeForm::Named(name) => {
                if name != of && used.insert(name.as_str()) {
                    open.extend(document.typedefs.get(name).map(|typedef| (typedef, of)));
                }
            }
            TypeForm::List(item) | TypeForm::Set(item) => open.push((item.as_ref(), of)),
            TypeForm::Map(pair) => open.extend([(&pair.0, of), (&pair.1, of)]),
        }
    }
    let mut structures = document.structures.iter().rev();
    structures
        .find(|structure| structure.form == Form::Struct && !used.contains(structure.name.as_str()))
}

struct Resolver<'d> {
    document: &'d Document,
    /// The definitions that have names; none for one whose end was not resolved yet.
    known: HashMap<&'d str, Option<Resolved>>,
    /// How many of them are being resolved.
    open: usize,
}

/// Columns, how each stands, and how many levels and fields there are.
type Columns = (Vec<FieldRef>, Arc<[Member]>, usize, usize);

impl<'d> Resolver<'d> {
    fn structure(&mut self, structure: &'d Structure) -> Result<Columns> {
        if structure.form == Form::Union {
            let name = &structure.name;
            return structure.place.wrong(format!(
                "the union {name} is not read: a column has one type; use a struct of optional fields"
            ));
        }
        let (mut columns, mut members) = (Vec::new(), Vec::new());
        let (mut levels, mut fields) = (0, 0);
        let mut names = HashSet::new();
        for field in &structure.fields {
            let (column, member, resolved) = self.field(field)?;
            if !names.insert(column.name().clone()) {
                let name = column.name().escape_debug();
                return field
                    .place
                    .wrong(format!("the name \"{name}\" is there twice"));
            }
            levels = levels.max(resolved.levels);
            fields += resolved.fields;
            columns.push(Arc::new(column));
            members.push(member);
        }
        // The struct of the columns is no level of theirs.
        bounded(levels, fields, structure.place)?;
        Ok((columns, members.into(), levels, fields))
    }

    fn field(&mut self, field: &'d Parsed) -> Result<(Field, Member, Resolved)> {
        let place = field.place;
        let resolved = self.kind(&field.kind)?;
        let allowed = [TYPE, NAME];
        let name = annotations::one(&field.annotations, NAME, &allowed, place)?;
        let text = annotations::one(&field.annotations, TYPE, &allowed, place)?;
        let (resolved, column) = exact(resolved, text, place)?;
        let default = match &field.default {
            Some(value) => {
                let (wire, data_type) = (&resolved.wire, &resolved.data_type);
                Some(constant(value, wire, data_type, self.document, place)?)
            }
            None => None,
        };
        let nullable = !field.required && default.is_none();
        let own = column.as_ref().map(|column| column.name().as_str());
        let own = name.or(own).unwrap_or(&field.name);
        let metadata = column.as_ref().map(|column| column.metadata().clone());
        let column = Field::new(own, resolved.data_type.clone(), nullable)
            .with_metadata(metadata.unwrap_or_default());
        let member = Member {
            id: field.id,
            required: field.required,
            default,
            wire: resolved.wire.clone(),
        };
        Ok((column, member, resolved))
    }

    fn kind(&mut self, kind: &'d Type) -> Result<Resolved> {
        let place = kind.place;
        let resolved = match &kind.form {
            TypeForm::Named(name) => self.named(name, place)?,
            TypeForm::List(item) | TypeForm::Set(item) => {
                let item = self.kind(item)?;
                let wire = match &kind.form {
                    TypeForm::Set(_) => Wire::Set(item.wire.into()),
                    _ => Wire::List(item.wire.into()),
                };
                let list = types::list(item.data_type);
                above(list, wire, item.levels, item.fields, place)?
            }
            TypeForm::Map(pair) => {
                let (key, value) = (self.kind(&pair.0)?, self.kind(&pair.1)?);
                let wire = Wire::Map((key.wire, value.wire).into());
                let (levels, fields) = (
                    key.levels.max(value.levels) + 1,
                    key.fields + value.fields + 1,
                );
                above(
                    types::map(key.data_type, value.data_type),
                    wire,
                    levels,
                    fields,
                    place,
                )?
            }
        };
        self.said(resolved, &kind.annotations, place)
    }

    /// A type with what is said of it.
    fn said(
        &self,
        resolved: Resolved,
        said: &[(String, String)],
        place: Place,
    ) -> Result<Resolved> {
        let text = annotations::one(said, TYPE, &[TYPE], place)?;
        exact(resolved, text, place).map(|(resolved, _)| resolved)
    }

    fn named(&mut self, name: &'d str, place: Place) -> Result<Resolved> {
        if let Some(base) = base(name) {
            return Ok(base);
        }
        match self.known.get(name) {
            Some(Some(known)) => return Ok(known.clone()),
            Some(None) => {
                return place.wrong(format!(
                    "{name} holds values of itself, which no column does: write what it holds as text"
                ));
            }
            None => {}
        }
        if self.open >= OPEN_MAX {
            return place.wrong(format!(
                "its definitions refer to one another {OPEN_MAX} times"
            ));
        }
        self.open += 1;
        self.known.insert(name, None);
        let document = self.document;
        let resolved = if let Some(words) = document.enums.get(name) {
            Resolved::flat(DataType::Utf8, Wire::Enum(Arc::clone(words)))
        } else if let Some(typedef) = document.typedefs.get(name) {
            self.kind(typedef)?
        } else if let Some(structure) = find(document, name) {
            annotations::one(&structure.annotations, METADATA, &[], structure.place)?;
            let (columns, members, levels, fields) = self.structure(structure)?;
            let wire = Wire::Struct(members);
            above(
                DataType::Struct(columns.into()),
                wire,
                levels,
                fields,
                place,
            )?
        } else {
            return place.wrong(format!("the type \"{name}\" is not defined"));
        };
        self.open -= 1;
        self.known.insert(name, Some(resolved.clone()));
        Ok(resolved)
    }
}

/// A type of Thrift.
fn base(name: &str) -> Option<Resolved> {
    let (data_type, wire) = match name {
        "bool" => (DataType::Boolean, Wire::Bool),
        "byte" | "i8" => (DataType::Int8, Wire::I8),
        "i16" => (DataType::Int16, Wire::I16),
        "i32" => (DataType::Int32, Wire::I32),
        "i64" => (DataType::Int64, Wire::I64),
        "double" => (DataType::Float64, Wire::Double),
        "string" => (DataType::Utf8, Wire::Binary),
        "binary" => (DataType::Binary, Wire::Binary),
        "uuid" => (types::UUID, Wire::Uuid),
        _ => return None,
    };
    Some(Resolved::flat(data_type, wire))
}

/// A type that holds others.
fn above(
    data_type: DataType,
    wire: Wire,
    levels: usize,
    fields: usize,
    place: Place,
) -> Result<Resolved> {
    let (levels, fields) = (levels + 1, fields + 1);
    bounded(levels, fields, place)?;
    Ok(Resolved {
        data_type,
        wire,
        levels,
        fields,
    })
}

fn bounded(levels: usize, fields: usize, place: Place) -> Result<()> {
    if levels > DEPTH_MAX || fields > FIELDS_MAX {
        return place.wrong(format!(
            "types may be nested {DEPTH_MAX} levels deep, and a schema has at most {FIELDS_MAX} fields"
        ));
    }
    Ok(())
}

/// The type that an annotation says, where there is one, and its column.
fn exact(
    resolved: Resolved,
    text: Option<&str>,
    place: Place,
) -> Result<(Resolved, Option<Field>)> {
    let Some(text) = text else {
        return Ok((resolved, None));
    };
    let (data_type, column) = annotations::typed(text, place)?;
    if !fits(&data_type, &resolved.wire, &resolved.data_type) {
        let (wanted, said) = (types::name(&data_type), types::name(&resolved.data_type));
        return place.wrong(format!(
            "no value of {wanted} stands where its type is {said}"
        ));
    }
    let resolved = Resolved {
        data_type,
        ..resolved
    };
    Ok((resolved, column))
}
