//! Into a dataset that exists: by position, or by the columns that the statement lists, as Flink does.
//!
//! Invariant: a value goes into a column of its own type, or of one that holds every value of it, or the job is refused; a
//! column that nothing is written to is NULL.

use super::Job;
use super::rel::{Column, Node, Rel};
use crate::semantics::cast;
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use arrow_schema::{Field, FieldRef, Schema};
use flinkspark_model::schema::type_name;

/// Why a job's rows do not go into a dataset, in the words of an error's detail.
pub type Misfit = String;

impl Job {
    /// The job whose rows have the dataset's columns. `ty` gives the type of a column of the dataset.
    pub fn into_columns(
        self,
        schema: &Schema,
        ty: impl Fn(&Field) -> Option<FlinkType>,
    ) -> Result<Self, Misfit> {
        let places = self.places(schema)?;
        let wider = |field: &Field, column: &Column| {
            let wanted = ty(field)?.root;
            widens(&column.ty.root, &wanted).then_some(wanted)
        };
        let encoded = |field: &Field, column: &Column| {
            is_encoded(column, field, ty(field).as_ref()).then(|| field.data_type().clone())
        };
        let mut both = schema.fields().iter().zip(&self.columns);
        let same = |(field, column): (&FieldRef, &Column)| {
            field.name() == &column.name
                && wider(field, column).is_none()
                && encoded(field, column).is_none()
        };
        if self.sink_columns.is_empty() && both.all(same) {
            // Types are compared by whoever knows both schemas.
            return Ok(self);
        }
        let mut exprs = Vec::with_capacity(places.len());
        let mut columns = Vec::with_capacity(places.len());
        for (field, place) in schema.fields().iter().zip(places) {
            let (expr, ty) = match place {
                Some(index) => {
                    let column = &self.columns[index];
                    let expr = Expr::column(index, column.ty.clone());
                    let expr = match (wider(field, column), encoded(field, column)) {
                        (Some(root), _) => cast::to_root(expr, &root),
                        (None, Some(data_type)) => cast::to_root(expr, &Root::Foreign(data_type)),
                        (None, None) => expr,
                    };
                    let ty = expr.ty.clone();
                    (expr, ty)
                }
                None => {
                    let known = ty(field).filter(|ty| ty.root.arrow() == *field.data_type());
                    let stored = || FlinkType::nullable(Root::Foreign(field.data_type().clone()));
                    let ty = field.is_nullable().then(|| known.unwrap_or_else(stored));
                    let ty = ty.ok_or_else(|| {
                        format!(
                            "column \"{}\" is not listed, and cannot be NULL",
                            field.name()
                        )
                    })?;
                    let ty = FlinkType::nullable(ty.root);
                    (Expr::literal(Value::Null, ty.clone()), ty)
                }
            };
            exprs.push(expr);
            columns.push(Column {
                name: field.name().clone(),
                ty,
            });
        }
        let root = Rel {
            node: Node::Project(Box::new(self.root), exprs),
            columns: columns.clone(),
        };
        Ok(Self {
            root,
            columns,
            sink_columns: Vec::new(),
            ..self
        })
    }

    /// For each column of the dataset, the job's column that goes into it.
    fn places(&self, schema: &Schema) -> Result<Vec<Option<usize>>, Misfit> {
        let given = self.columns.len();
        if self.sink_columns.is_empty() {
            let wanted = schema.fields().len();
            return match given == wanted {
                true => Ok((0..given).map(Some).collect()),
                false => Err(format!("it has {wanted} columns, the job gives {given}")),
            };
        }
        if given != self.sink_columns.len() {
            let listed = self.sink_columns.len();
            return Err(format!(
                "{listed} columns are listed, the job gives {given}"
            ));
        }
        let unknown = self
            .sink_columns
            .iter()
            .find(|name| schema.index_of(name).is_err());
        if let Some(unknown) = unknown {
            return Err(format!("it has no column \"{unknown}\""));
        }
        let place = |name: &String| self.sink_columns.iter().position(|listed| listed == name);
        Ok(schema
            .fields()
            .iter()
            .map(|field| place(field.name()))
            .collect())
    }
}

/// Whether Flink puts values of the type into a column of another one without being told, and every one of them is kept.
fn widens(from: &Root, to: &Root) -> bool {
    let integer = |root: &Root| {
        let integers = [Root::TinyInt, Root::SmallInt, Root::Int, Root::BigInt];
        integers.iter().position(|integer| integer == root)
    };
    match (from, to) {
        (Root::Timestamp(from), Root::Timestamp(to)) => from < to,
        (Root::Float, Root::Double) => true,
        (from, to) => integer(from)
            .zip(integer(to))
            .is_some_and(|(from, to)| from < to),
    }
}

/// Whether the dataset holds the column's values in another Arrow type than the job gives them in, and loses none:
/// other names inside of lists and maps, another layout of texts, whole seconds.
fn is_encoded(column: &Column, field: &Field, reads_as: Option<&FlinkType>) -> bool {
    let gives = column.ty.root.arrow();
    if gives == *field.data_type() {
        return false;
    }
    let same = match (&column.ty.root, reads_as.map(|ty| &ty.root)) {
        (given, Some(Root::Varchar(_))) => given.is_text(),
        (given, Some(held)) => given == held,
        (_, None) => false,
    };
    same || type_name(&gives) == type_name(field.data_type())
}
