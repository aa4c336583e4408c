//! Names in reach of an expression.
//!
//! Invariant: a name resolves to exactly one column, with its case, or is an error that says why; only
//! [`Field::read`] gives a column to whoever computes with its values.

use crate::plan::rel::Rel;
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{foreign, invalid};
use flinkspark_model::Result;

/// One column in reach.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// The table alias, if the column has one.
    pub(super) qualifier: Option<String>,
    /// The column's name.
    pub(super) name: String,
    /// What the name means: a column, or the constant that Flink's planner would put in its place.
    pub(super) expr: Expr,
    /// Whether `*` and plain names see it: the second column of USING is reached by its qualifier only.
    pub(super) visible: bool,
}

impl Field {
    /// The same, for whoever computes with its values: refused (`FS0803`) where no function reads its type.
    pub(super) fn read(&self) -> Result<&Self> {
        match &self.expr.ty.root {
            Root::Foreign(ty) => Err(foreign::unread(format!("column \"{}\"", self.name), ty)),
            _ => Ok(self),
        }
    }

    /// Whether a plain or qualified name means this column.
    fn is_called(&self, qualifier: Option<&str>, name: &str) -> bool {
        self.name == name
            && match qualifier {
                Some(wanted) => self.qualifier.as_deref() == Some(wanted),
                None => self.visible,
            }
    }
}

/// The columns in reach, in the order of `*`.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) fields: Vec<Field>,
}

impl Scope {
    /// The columns of a relation under one alias.
    pub(super) fn of(rel: &Rel, qualifier: Option<&str>) -> Self {
        let constants = super::fold::planner_constants(rel);
        let fields = rel.columns.iter().enumerate().map(|(index, column)| Field {
            qualifier: qualifier.map(str::to_owned),
            name: column.name.clone(),
            expr: constants
                .as_ref()
                .and_then(|constants| constants.get(index).cloned())
                .unwrap_or_else(|| Expr::column(index, column.ty.clone())),
            visible: true,
        });
        Self {
            fields: fields.collect(),
        }
    }

    /// The left columns followed by the right ones, as a join produces them.
    pub(super) fn joined(self, right: Self, offset: usize) -> Self {
        let moved = right.fields.into_iter().map(|field| Field {
            expr: field.expr.shifted(offset),
            ..field
        });
        Self {
            fields: self.fields.into_iter().chain(moved).collect(),
        }
    }

    /// Forgets which columns are constants: a join or a filter stands between.
    pub(super) fn with_types(mut self, types: &[FlinkType]) -> Self {
        for (index, field) in self.fields.iter_mut().enumerate() {
            if let Some(ty) = types.get(index) {
                field.expr = Expr::column(index, ty.clone());
            }
        }
        self
    }

    /// Whether any column has this name.
    pub(super) fn has(&self, qualifier: Option<&str>, name: &str) -> bool {
        self.fields
            .iter()
            .any(|field| field.is_called(qualifier, name))
    }

    /// The columns of a subquery, and those around it that it does not hide, which come first in the rows.
    pub(super) fn inside(self, around: &Self, width: usize) -> Self {
        let hidden = |field: &Field| {
            let qualifier = field.qualifier.as_deref();
            let shadowed = self.has(None, &field.name);
            let taken = self
                .fields
                .iter()
                .any(|own| own.qualifier.as_deref() == qualifier && qualifier.is_some());
            Field {
                qualifier: field.qualifier.clone().filter(|_| !taken),
                visible: field.visible && !shadowed,
                ..field.clone()
            }
        };
        let reached: Vec<Field> = around.fields.iter().map(hidden).collect();
        Self { fields: reached }.joined(self, width)
    }

    /// The column that a plain or qualified name means, of whatever type.
    pub(super) fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<&Field> {
        let mut found = self
            .fields
            .iter()
            .filter(|field| field.is_called(qualifier, name));
        match (found.next(), found.next()) {
            (Some(field), None) => Ok(field),
            (Some(_), Some(_)) => Err(invalid(format!("column '{name}' is ambiguous"))),
            (None, _) => Err(self.missing(qualifier, name)),
        }
    }

    fn missing(&self, qualifier: Option<&str>, name: &str) -> flinkspark_model::Error {
        let full = qualifier.map_or(name.to_owned(), |qualifier| format!("{qualifier}.{name}"));
        let error = invalid(format!("column '{full}' not found in any table"));
        let similar = self
            .fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        match similar {
            Some(field) => {
                error.with_hint(format!("names have case; did you mean '{}'?", field.name))
            }
            None => {
                error.with_hint("`flinkspark dataset show NAME` lists the columns of a dataset")
            }
        }
    }
}
