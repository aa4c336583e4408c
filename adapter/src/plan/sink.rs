//! Into a dataset that exists: by position, or by the columns that the statement lists, as Flink does.
//!
//! Invariant: a value goes into a column of its own type, or the job is refused; a column that nothing is written to is NULL.

use super::Job;
use super::rel::{Column, Node, Rel};
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use crate::semantics::value::Value;
use arrow_schema::{Field, Schema};

/// Why a job's rows do not go into a dataset, in the words of an error's detail.
pub type Misfit = String;

impl Job {
    /// The job whose rows have the dataset's columns. `ty` gives the type of a column that is not listed.
    pub fn into_columns(
        self,
        schema: &Schema,
        ty: impl Fn(&Field) -> Option<FlinkType>,
    ) -> Result<Self, Misfit> {
        let names = || schema.fields().iter().map(|field| field.name());
        if self.sink_columns.is_empty()
            && names().eq(self.columns.iter().map(|column| &column.name))
        {
            // Types are compared by whoever knows both schemas.
            return Ok(self);
        }
        let places = self.places(schema)?;
        let mut exprs = Vec::with_capacity(places.len());
        let mut columns = Vec::with_capacity(places.len());
        for (field, place) in schema.fields().iter().zip(places) {
            let (expr, ty) = match place {
                Some(index) => {
                    let ty = self.columns[index].ty.clone();
                    (Expr::column(index, ty.clone()), ty)
                }
                None => {
                    let ty = ty(field).filter(|_| field.is_nullable());
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
