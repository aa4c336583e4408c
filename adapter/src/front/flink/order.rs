//! ORDER BY and LIMIT.
//!
//! Invariant: a LIMIT stands only where every choice that its order leaves open gives the same rows, or where any rows
//! will do.

use super::clauses::whole;
use super::literal;
use super::relations::sorted;
use super::state::Binder;
use crate::plan::rel::{Column, Node, Rel, SortKey};
use crate::semantics::foreign::Class;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, LimitClause};
use flinkspark_model::Result;

impl Binder<'_> {
    /// Sorts a relation by its own columns.
    pub(super) fn sort_output(&mut self, rel: Rel, order: &[ast::OrderByExpr]) -> Result<Rel> {
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            let column = output_column(&key.expr, &rel.columns)?.ok_or_else(|| {
                refuse(
                    format!("ORDER BY {} over a set operation", key.expr),
                    "clause",
                )
            })?;
            keys.push(self.sort_key(column, &rel.columns, key)?);
        }
        Ok(sorted(rel, keys))
    }

    /// A sort key with Flink's place for NULLs.
    pub(super) fn sort_key(
        &mut self,
        column: usize,
        columns: &[Column],
        key: &ast::OrderByExpr,
    ) -> Result<SortKey> {
        if key.with_fill.is_some() {
            return Err(refuse(key, "clause"));
        }
        if let Some(column) = columns.get(column) {
            foreign::check_key(&column.ty.root, format!("ORDER BY {}", key.expr))?;
        }
        if columns
            .get(column)
            .is_none_or(|column| column.ty.root.is_nested())
        {
            return Err(refuse(format!("ORDER BY {}", key.expr), "type"));
        }
        self.relied_on.insert("null-order");
        let descending = key.options.asc == Some(false);
        Ok(SortKey {
            column,
            descending,
            nulls_first: key.options.nulls_first.unwrap_or(!descending),
        })
    }

    /// The same of the order inside of a window, which has ranges of rows: the engine knows none of bytes.
    pub(super) fn window_key(&mut self, ty: &FlinkType, key: &ast::OrderByExpr) -> Result<SortKey> {
        if let Root::Foreign(data_type) = &ty.root
            && Class::of(data_type) == Class::Bytes
        {
            let what = format!("OVER an order of {}", key.expr);
            return Err(foreign::unread(what, data_type));
        }
        let column = Column {
            name: String::new(),
            ty: ty.clone(),
        };
        self.sort_key(0, &[column], key)
    }

    pub(super) fn limit(&mut self, rel: Rel, query: &ast::Query) -> Result<Rel> {
        let (fetch, offset) = match (&query.limit_clause, &query.fetch) {
            (None, None) => return Ok(rel),
            (
                Some(LimitClause::LimitOffset {
                    limit: Some(limit),
                    offset,
                    limit_by,
                }),
                None,
            ) if limit_by.is_empty() => {
                let offset = offset
                    .as_ref()
                    .map(|offset| whole(&offset.value))
                    .transpose()?;
                (whole(limit)?, offset.unwrap_or(0))
            }
            (
                None,
                Some(ast::Fetch {
                    with_ties: false,
                    percent: false,
                    quantity: Some(count),
                }),
            ) => (whole(count)?, 0),
            _ => return Err(refuse("this form of LIMIT, OFFSET or FETCH", "clause")),
        };
        if !self.any_rows && !is_totally_ordered(&rel) {
            return Err(refuse(
                "LIMIT without an order of all columns",
                "limit-order",
            ));
        }
        let columns = rel.columns.clone();
        Ok(Rel {
            node: Node::Limit {
                input: Box::new(rel),
                offset,
                fetch,
            },
            columns,
        })
    }
}

/// The output column that a name or an ordinal of ORDER BY means.
pub(super) fn output_column(expr: &ast::Expr, columns: &[Column]) -> Result<Option<usize>> {
    match expr {
        ast::Expr::Identifier(name) => {
            let mut found = columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.name == name.value);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(invalid(format!("column '{name}' is ambiguous"))),
                (found, _) => Ok(found.map(|(index, _)| index)),
            }
        }
        ast::Expr::Value(value) => match literal::plain(&value.value)?.as_literal() {
            Some(Value::Integer(at)) if *at >= 1 && *at as usize <= columns.len() => {
                Ok(Some(*at as usize - 1))
            }
            _ => Err(invalid(format!("ORDER BY {expr} is no column"))),
        },
        _ => Ok(None),
    }
}

/// Whether equal sort keys mean equal rows: then any choice among them is the same.
fn is_totally_ordered(rel: &Rel) -> bool {
    match &rel.node {
        Node::Sort(_, keys) => {
            (0..rel.columns.len()).all(|column| keys.iter().any(|key| key.column == column))
        }
        // Hidden sort columns are dropped by a projection above the sort.
        Node::Project(input, exprs) => match &input.node {
            Node::Sort(_, keys) => exprs.iter().all(|expr| {
                expr.is_constant()
                    || expr
                        .columns()
                        .iter()
                        .all(|column| keys.iter().any(|key| key.column == *column))
            }),
            _ => false,
        },
        Node::Aggregate(_, grouping) => grouping.keys.is_empty(),
        _ => false,
    }
}
