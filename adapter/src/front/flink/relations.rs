//! Relations made of relations.
//!
//! Reads no SQL but an alias. Invariant: a relation's columns are those that its node gives.

use super::reserved;
use crate::plan::display::inputs;
use crate::plan::rel::{Column, Node, Rel, SortKey};
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::Result;

/// The one row without columns of a SELECT without FROM.
pub(super) fn one_row() -> Rel {
    Rel {
        node: Node::Values(vec![vec![]]),
        columns: vec![],
    }
}

/// The rows on which the condition is TRUE.
pub(super) fn filtered(rel: Rel, condition: Expr) -> Rel {
    let columns = rel.columns.clone();
    Rel {
        node: Node::Filter(Box::new(rel), condition),
        columns,
    }
}

/// The rows in the keys' order, or as they are where there is none.
pub(super) fn sorted(rel: Rel, keys: Vec<SortKey>) -> Rel {
    if keys.is_empty() {
        return rel;
    }
    let columns = rel.columns.clone();
    Rel {
        node: Node::Sort(Box::new(rel), keys),
        columns,
    }
}

/// The columns at these positions.
pub(super) fn picked(rel: Rel, kept: &[usize]) -> Rel {
    let columns: Vec<Column> = kept
        .iter()
        .map(|index| rel.columns[*index].clone())
        .collect();
    let exprs = kept
        .iter()
        .zip(&columns)
        .map(|(index, column)| Expr::column(*index, column.ty.clone()))
        .collect();
    Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    }
}

/// Every column as an expression.
pub(super) fn column_exprs(rel: &Rel) -> Vec<Expr> {
    rel.columns
        .iter()
        .enumerate()
        .map(|(index, column)| Expr::column(index, column.ty.clone()))
        .collect()
}

/// The first `shown` columns.
pub(super) fn hide(rel: Rel, shown: usize) -> Rel {
    if rel.columns.len() == shown {
        return rel;
    }
    let columns: Vec<Column> = rel.columns[..shown].to_vec();
    let exprs = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Expr::column(index, column.ty.clone()))
        .collect();
    Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    }
}

/// The relation under an alias that may rename its columns.
pub(super) fn rename(mut rel: Rel, alias: &ast::TableAlias) -> Result<Rel> {
    if alias.at.is_some()
        || alias
            .columns
            .iter()
            .any(|column| column.data_type.is_some())
    {
        return Err(refuse(alias, "syntax"));
    }
    reserved::check(&alias.name)?;
    if alias.columns.is_empty() {
        return Ok(rel);
    }
    if alias.columns.len() != rel.columns.len() {
        return Err(invalid(format!(
            "{alias} names {} columns of {}",
            alias.columns.len(),
            rel.columns.len()
        )));
    }
    for (column, alias) in rel.columns.iter_mut().zip(&alias.columns) {
        reserved::check(&alias.name)?;
        column.name.clone_from(&alias.name.value);
    }
    Ok(rel)
}

/// The types of a relation's columns.
pub(super) fn types(rel: &Rel) -> Vec<FlinkType> {
    rel.columns.iter().map(|column| column.ty.clone()).collect()
}

/// Whether a relation reads datasets, and no VALUES.
pub(super) fn is_real(rel: &Rel) -> bool {
    match &rel.node {
        Node::Scan(_) => true,
        Node::Values(_) => false,
        _ => inputs(rel).into_iter().all(is_real),
    }
}
