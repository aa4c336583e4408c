//! Fields, their types, values and annotations.
//!
//! Invariant: no text makes the parser go deeper than [`DEPTH_MAX`].

use super::{Annotations, Field, Parser, Result, Type, TypeForm, Value};
use crate::format::thrift::idl::tokens::What;

/// The most types or values within each other.
const DEPTH_MAX: usize = 64;

impl Parser<'_> {
    pub(super) fn field(&mut self) -> Result<Field> {
        let place = self.place();
        let id = match self.what() {
            What::Whole(id) => {
                self.go();
                self.mark(':')?;
                *id
            }
            _ => return place.wrong("a field has no number: say which one the writers use"),
        };
        let Some(id) = i16::try_from(id).ok().filter(|id| *id > 0) else {
            return place.wrong(format!(
                "{id} is no number of a field: they go from 1 to 32767"
            ));
        };
        let required = self.has_word("required");
        if !required {
            let _ = self.has_word("optional");
        }
        let kind = self.kind(0)?;
        if self.has('&') {
            return place.wrong("a field that refers to its own struct (&) is not read");
        }
        let name = self.word()?.to_owned();
        let default = match self.has('=') {
            true => Some(self.value(0)?),
            false => None,
        };
        let annotations = self.annotations()?;
        self.separator();
        Ok(Field {
            id,
            required,
            kind,
            name,
            default,
            annotations,
            place,
        })
    }

    /// A type with its annotations.
    pub(super) fn kind(&mut self, depth: usize) -> Result<Type> {
        let place = self.place();
        if depth >= DEPTH_MAX {
            return place.wrong("types are nested too deep");
        }
        let below = depth + 1;
        let form = match self.word()? {
            "list" => {
                self.mark('<')?;
                let item = self.kind(below)?;
                self.mark('>')?;
                self.cpp_type();
                TypeForm::List(Box::new(item))
            }
            "set" => {
                self.cpp_type();
                self.mark('<')?;
                let item = self.kind(below)?;
                self.mark('>')?;
                TypeForm::Set(Box::new(item))
            }
            "map" => {
                self.cpp_type();
                self.mark('<')?;
                let key = self.kind(below)?;
                self.mark(',')?;
                let value = self.kind(below)?;
                self.mark('>')?;
                TypeForm::Map(Box::new((key, value)))
            }
            name => TypeForm::Named(name.into()),
        };
        Ok(Type {
            form,
            annotations: self.annotations()?,
            place,
        })
    }

    /// What only programs in C++ have to know.
    fn cpp_type(&mut self) {
        if self.has_word("cpp_type") {
            self.go();
        }
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value> {
        let place = self.place();
        if depth >= DEPTH_MAX {
            return place.wrong("values are nested too deep");
        }
        let below = depth + 1;
        Ok(match self.go() {
            What::Whole(value) => Value::Whole(*value),
            What::Double(value) => Value::Double(*value),
            What::Text(value) => Value::Text(value.clone()),
            What::Word(word) => Value::Word((*word).into()),
            What::Mark('[') => {
                while !self.has(']') {
                    self.value(below)?;
                    self.separator();
                }
                Value::Nested
            }
            What::Mark('{') => {
                while !self.has('}') {
                    self.value(below)?;
                    self.mark(':')?;
                    self.value(below)?;
                    self.separator();
                }
                Value::Nested
            }
            _ => return place.wrong("a value is missing"),
        })
    }

    /// `(a = "b", c)`, if it is there.
    pub(super) fn annotations(&mut self) -> Result<Annotations> {
        let mut annotations = Vec::new();
        if !self.has('(') {
            return Ok(annotations);
        }
        while !self.has(')') {
            let key = self.word()?.to_owned();
            let place = self.place();
            let value = match self.has('=') {
                false => "1".into(),
                true => match self.go() {
                    What::Text(value) => value.clone(),
                    _ => return place.wrong(format!("the text of {key} is missing")),
                },
            };
            annotations.push((key, value));
            self.separator();
        }
        Ok(annotations)
    }
}
