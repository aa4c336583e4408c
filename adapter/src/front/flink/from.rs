//! FROM: tables, subqueries, joins.
//!
//! Invariant: a join's keys are pairs of columns of one type without floats; every other condition is
//! its residual, evaluated in SQL's three-valued logic.

use super::join::kind_of;
use super::relations::{column_exprs, one_row, picked, rename, types};
use super::scope::{Field, Scope};
use super::state::{Binder, Calls, Exprs};
use super::{arrow_type, dataset_name};
use crate::plan::rel::{Column, JoinKind, Node, Rel, Scan};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, JoinConstraint, TableFactor};
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Error, Kind, Result};

impl Binder<'_> {
    /// All items of FROM, joined from left to right.
    pub(super) fn read_from(&mut self, items: &[ast::TableWithJoins]) -> Result<(Rel, Scope)> {
        let mut joined: Option<(Rel, Scope)> = None;
        for item in items {
            let right = self.table_with_joins(item)?;
            joined = Some(match joined {
                None => right,
                Some(left) => self.join(left, right, JoinKind::Inner, &JoinConstraint::None)?,
            });
        }
        joined.ok_or_else(|| invalid("an empty FROM"))
    }

    fn table_with_joins(&mut self, item: &ast::TableWithJoins) -> Result<(Rel, Scope)> {
        let mut left = self.factor(&item.relation)?;
        for join in &item.joins {
            if join.global {
                return Err(refuse("a GLOBAL join", "clause"));
            }
            let (kind, constraint) = kind_of(&join.join_operator)?;
            if let TableFactor::UNNEST { .. } = &join.relation {
                left = self.unnest(left, &join.relation, kind, constraint)?;
                continue;
            }
            let right = self.factor(&join.relation)?;
            left = self.join(left, right, kind, constraint)?;
        }
        Ok(left)
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(Rel, Scope)> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let rel = self.table(name)?;
                let own = name
                    .0
                    .last()
                    .and_then(|part| part.as_ident())
                    .map(|ident| ident.value.clone());
                aliased(rel, alias.as_ref(), own.as_deref())
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                let rel = self.query(subquery)?;
                aliased(rel, alias.as_ref(), None)
            }
            TableFactor::TableFunction { expr, alias } => {
                let rel = self.window_function(expr)?;
                aliased(rel, alias.as_ref(), None)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.table_with_joins(table_with_joins),
            TableFactor::UNNEST { .. } => {
                let nothing = (one_row(), Scope::default());
                self.unnest(nothing, factor, JoinKind::Inner, &JoinConstraint::None)
            }
            other => Err(refuse(format!("FROM {other}"), "clause")),
        }
    }

    /// The rows of a view of this name that is in reach.
    fn view(&mut self, name: &str) -> Result<Option<Rel>> {
        let reach = self.views.get(..self.views_in_reach).unwrap_or_default();
        let Some(at) = reach.iter().position(|view| view.alias.name.value == name) else {
            return Ok(None);
        };
        if let Some(bound) = self.views_bound.get(&at) {
            return Ok(Some(bound.clone()));
        }
        let view = self.views[at].clone();
        let reach = std::mem::replace(&mut self.views_in_reach, at);
        let named = std::mem::take(&mut self.named);
        let around = std::mem::take(&mut self.around);
        let bound = self.query(&view.query);
        self.views_in_reach = reach;
        self.named = named;
        self.around = around;
        let bound = rename(bound?, &view.alias)?;
        self.views_bound.insert(at, bound.clone());
        Ok(Some(bound))
    }

    /// A WITH item, a view or a dataset.
    pub(super) fn table(&mut self, name: &ast::ObjectName) -> Result<Rel> {
        if let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let Some((_, rel)) = self
                .named
                .iter()
                .rev()
                .find(|(named, _)| *named == ident.value)
        {
            return Ok(rel.clone());
        }
        if let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let Some(rel) = self.view(&ident.value)?
        {
            return Ok(rel);
        }
        let called = dataset_name(name)?;
        let declared = super::named(self.declared, &called);
        let dataset = declared.map_or(called, |table| table.dataset.clone());
        let info = self
            .tables
            .table(&dataset)?
            .ok_or_else(|| unknown(&dataset))?;
        if let Some(table) = declared {
            table.check_columns(&info.schema)?;
        }
        let mut columns = Vec::with_capacity(info.schema.fields().len());
        let mut time_attribute = None;
        for (index, field) in info.schema.fields().iter().enumerate() {
            let foreign = || Root::Foreign(field.data_type().clone());
            let mut ty = arrow_type(field).unwrap_or_else(|| FlinkType::nullable(foreign()));
            if info.time_attribute.as_deref() == Some(field.name()) {
                if !matches!(ty.root, Root::Timestamp(_)) {
                    return Err(invalid(format!(
                        "the time attribute \"{}\" of {dataset} is no TIMESTAMP",
                        field.name()
                    )));
                }
                ty.root = Root::Timestamp(3);
                time_attribute = Some(index);
            }
            columns.push(Column {
                name: field.name().clone(),
                ty,
            });
        }
        let scan = Scan {
            dataset,
            time_attribute,
            time_precision: info.time_precision,
            watermark_delay_ms: info.watermark_delay_ms,
            bounded: info.bounded,
        };
        Ok(Rel {
            node: Node::Scan(scan),
            columns,
        })
    }

    /// CROSS JOIN UNNEST of one array column: NULL and empty arrays give no rows.
    fn unnest(
        &mut self,
        (left, scope): (Rel, Scope),
        factor: &TableFactor,
        kind: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<(Rel, Scope)> {
        let TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        } = factor
        else {
            return Err(refuse(factor, "clause"));
        };
        let ([array], JoinKind::Inner, JoinConstraint::None) =
            (array_exprs.as_slice(), kind, constraint)
        else {
            return Err(refuse(factor, "clause"));
        };
        let mut calls = Calls::default();
        let array = Exprs {
            binder: self,
            scope: &scope,
            calls: &mut calls,
        }
        .bind(array)?;
        let Root::Array(element) = array.ty.root.clone() else {
            return Err(invalid("UNNEST of what is no array"));
        };
        if element.root.is_nested() {
            return Err(refuse("UNNEST of nested elements", "type"));
        }
        let width = left.columns.len();
        if scope.fields.len() != width {
            return Err(refuse("UNNEST beside USING or NATURAL", "clause"));
        }
        let mut exprs: Vec<Expr> = column_exprs(&left);
        exprs.push(array.clone());
        let mut columns = left.columns.clone();
        columns.push(Column {
            name: "$array".into(),
            ty: array.ty,
        });
        let input = Rel {
            node: Node::Project(Box::new(left), exprs),
            columns: columns.clone(),
        };
        let element = Column {
            name: "EXPR$0".into(),
            ty: (*element).clone(),
        };
        columns.push(element.clone());
        let unnested = Rel {
            node: Node::Unnest(Box::new(input), width),
            columns,
        };
        let kept: Vec<usize> = (0..width).chain([width + 1]).collect();
        let rel = picked(unnested, &kept);
        let only = Rel {
            node: rel.node.clone(),
            columns: vec![element],
        };
        let renamed = match alias {
            Some(alias) => rename(only, alias)?,
            None => only,
        };
        let field = Field {
            qualifier: alias.as_ref().map(|alias| alias.name.value.clone()),
            name: renamed.columns[0].name.clone(),
            expr: Expr::column(0, renamed.columns[0].ty.clone()),
            visible: true,
        };
        let types = types(&rel);
        Ok((
            rel,
            scope
                .joined(
                    Scope {
                        fields: vec![field],
                    },
                    width,
                )
                .with_types(&types),
        ))
    }
}

fn unknown(dataset: &DatasetName) -> Error {
    Error::new(
        Kind::NotFound,
        "FS0804",
        format!("there is no dataset \"{dataset}\""),
    )
    .with_hint("`flinkspark dataset list` shows the datasets that exist")
}

/// The relation under its alias, or under its own name.
fn aliased(rel: Rel, alias: Option<&ast::TableAlias>, own: Option<&str>) -> Result<(Rel, Scope)> {
    let (rel, name) = match alias {
        Some(alias) => (rename(rel, alias)?, Some(alias.name.value.clone())),
        None => (rel, own.map(str::to_owned)),
    };
    let scope = Scope::of(&rel, name.as_deref());
    Ok((rel, scope))
}
