//! What a statement's clauses say, before anything in them is bound.
//!
//! Invariant: a clause that is not read is refused by name.

use super::literal;
use super::state::CORRELATED;
use crate::semantics::refuse;
use crate::semantics::value::Value;
use datafusion::sql::sqlparser::ast::{self, Distinct, OrderByKind};
use flinkspark_model::Result;

/// Refuses what a SELECT may say and no form here knows.
pub(super) fn refuse_odd_clauses(select: &ast::Select) -> Result<()> {
    let distinct = matches!(select.distinct, None | Some(Distinct::Distinct));
    let plain = distinct
        && select.optimizer_hints.is_empty()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none()
        && matches!(select.flavor, ast::SelectFlavor::Standard);
    if plain {
        Ok(())
    } else {
        Err(refuse("a clause of this SELECT", "clause"))
    }
}

/// A query that is one SELECT of FROM and WHERE.
pub(super) fn plain_select(query: &ast::Query) -> Result<&ast::Select> {
    let refused = || refuse("a correlated subquery of this form", CORRELATED);
    let plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.for_clause.is_none()
        && query.settings.is_none()
        && query.format_clause.is_none()
        && query.pipe_operators.is_empty();
    let ast::SetExpr::Select(select) = query.body.as_ref() else {
        return Err(refused());
    };
    refuse_odd_clauses(select)?;
    let no_groups = matches!(
        &select.group_by,
        ast::GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty()
    );
    let plain = plain
        && no_groups
        && select.having.is_none()
        && select.distinct.is_none()
        && select.named_window.is_empty()
        && !select.from.is_empty();
    if plain { Ok(select) } else { Err(refused()) }
}

/// The conjuncts of a condition, from left to right.
pub(super) fn split_and<'a>(condition: &'a ast::Expr, conjuncts: &mut Vec<&'a ast::Expr>) {
    match condition {
        ast::Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::And,
            right,
        } => {
            split_and(left, conjuncts);
            split_and(right, conjuncts);
        }
        ast::Expr::Nested(inner) => split_and(inner, conjuncts),
        other => conjuncts.push(other),
    }
}

/// The keys of an ORDER BY clause.
pub(super) fn order_keys(order: Option<&ast::OrderBy>) -> Result<&[ast::OrderByExpr]> {
    match order {
        None => Ok(&[]),
        Some(ast::OrderBy {
            kind: OrderByKind::Expressions(keys),
            interpolate: None,
        }) => Ok(keys),
        Some(other) => Err(refuse(other, "clause")),
    }
}

/// A literal row count.
pub(super) fn whole(expr: &ast::Expr) -> Result<usize> {
    let refused = || refuse(format!("LIMIT {expr}"), "clause");
    let ast::Expr::Value(value) = expr else {
        return Err(refused());
    };
    match literal::plain(&value.value)?.as_literal() {
        Some(Value::Integer(count)) if *count >= 0 => {
            usize::try_from(*count).map_err(|_| refused())
        }
        _ => Err(refused()),
    }
}
