//! Subqueries that read the query around them.
//!
//! Owns their shape: one SELECT over datasets, whose WHERE alone reads outwards. Flink plans them as joins,
//! and fails on them over VALUES. Invariant: a condition that reads outwards cannot fail, and a form that is
//! not matched here gives the refusal that it came with.

use super::clauses::{plain_select, split_and};
use super::items::select_items;
use super::relations::{filtered, is_real};
use super::scope::Scope;
use super::state::{Binder, CORRELATED, Calls, Exprs, PendingAggregate, Scalar};
use super::trees::connective;
use super::{conditions, grouping};
use crate::plan::rel::{Column, Node, Rel};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::fallible::can_fail;
use crate::semantics::function::operator;
use crate::semantics::value::Value;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::{Error, Result};

/// The parts of a subquery that reads the query around it.
pub(super) struct Correlated {
    /// What it reads, filtered by what concerns it alone.
    pub(super) rel: Rel,
    pub(super) scope: Scope,
    /// Over the columns of the query around it, then its own.
    pub(super) conditions: Vec<Expr>,
}

impl Binder<'_> {
    /// Binds a subquery whose WHERE reads columns of the query around it; `refusal` is what is said where
    /// it has a form that is not planned.
    pub(super) fn correlated(
        &mut self,
        subquery: &ast::Query,
        around: &Scope,
        width: usize,
        refusal: Error,
    ) -> Result<Correlated> {
        let Ok(select) = plain_select(subquery) else {
            return Err(refusal);
        };
        self.around.push(around.clone());
        let bound = self.correlated_select(select, around, width, refusal);
        self.around.pop();
        bound
    }

    fn correlated_select(
        &mut self,
        select: &ast::Select,
        around: &Scope,
        width: usize,
        refusal: Error,
    ) -> Result<Correlated> {
        let (rel, scope) = self.read_from(&select.from)?;
        if !self.scalars.real || !is_real(&rel) {
            return Err(refusal);
        }
        let inside = scope.clone().inside(around, width);
        let own_width = rel.columns.len();
        let mut conjuncts = Vec::new();
        if let Some(condition) = &select.selection {
            split_and(condition, &mut conjuncts);
        }
        let (mut filters, mut existences, mut conditions) = (vec![], vec![], vec![]);
        for conjunct in conjuncts {
            if let Some(existence) = self.existence(conjunct, &scope, own_width)? {
                existences.push(existence);
                continue;
            }
            let bound = self.condition(conjunct, &inside)?;
            if bound.columns().iter().all(|column| *column >= width) {
                filters.push(bound.with_columns(&|column| column - width));
            } else if can_fail(&bound) {
                return Err(refusal);
            } else {
                conditions.push(bound);
            }
        }
        let mut rel = rel;
        if !filters.is_empty() {
            rel = filtered(rel, conditions::planned(connective(filters, true))?);
        }
        for existence in existences {
            rel = existence.apply(rel, own_width);
        }
        if conditions.is_empty() {
            // Something else than its WHERE reads the query around it.
            return Err(refusal);
        }
        Ok(Correlated {
            rel,
            scope,
            conditions,
        })
    }

    fn condition(&mut self, condition: &ast::Expr, scope: &Scope) -> Result<Expr> {
        let mut calls = Calls::default();
        let allowed = std::mem::replace(&mut self.scalars.allowed, false);
        let bound = Exprs {
            binder: self,
            scope,
            calls: &mut calls,
        }
        .condition(condition);
        self.scalars.allowed = allowed;
        bound
    }

    /// The items of a subquery without aggregates.
    pub(super) fn items(
        &mut self,
        select: &ast::Select,
        scope: &Scope,
    ) -> Result<Vec<(String, Expr)>> {
        let mut calls = Calls::default();
        let mut exprs = Exprs {
            binder: self,
            scope,
            calls: &mut calls,
        };
        select_items(&mut exprs, &select.projection)
    }

    /// A scalar subquery of aggregates that are looked up by columns of the query around it.
    pub(super) fn lookup(
        &mut self,
        subquery: &ast::Query,
        around: &Scope,
        refusal: Error,
    ) -> Result<Expr> {
        let width = self.scalars.base;
        let found = self.correlated(subquery, around, width, refusal.clone())?;
        let mut keys = Vec::with_capacity(found.conditions.len());
        let mut groups = grouping::Groups::default();
        for condition in &found.conditions {
            let (outer, own) = equality(condition, width).ok_or_else(|| refusal.clone())?;
            keys.push(outer);
            groups.keys.push(own);
        }
        let mut calls = Calls {
            allow_aggregates: true,
            grouped: true,
            ..Calls::default()
        };
        let mut exprs = Exprs {
            binder: self,
            scope: &found.scope,
            calls: &mut calls,
        };
        let mut items = select_items(&mut exprs, &plain_select(subquery)?.projection)?;
        let (Some((_, item)), true) = (items.pop(), items.is_empty()) else {
            return Err(invalid("a scalar subquery has one column"));
        };
        if calls.aggregates.is_empty() {
            // Several rows may answer, and Flink fails on them one key earlier or later.
            return Err(refusal);
        }
        let counts: Vec<bool> = calls.aggregates.iter().map(counts).collect();
        let first = groups.keys.len();
        let grouped = grouping::apply(found.rel, groups, calls.aggregates, &self.unions)?;
        let item = grouped.rewrite(item)?;
        let base = self.joined(Scalar {
            rel: grouped.rel,
            keys,
        });
        // Where nothing is found a count is 0 and every other aggregate NULL.
        Ok(nothing_found(item, first, &counts).shifted(base))
    }
}

/// Whether an aggregate over no rows is 0.
fn counts(pending: &PendingAggregate) -> bool {
    let function = pending.signature.function;
    matches!(function, Aggregate::Count | Aggregate::CountRows)
}

/// The item where the columns from `first` on may have found nothing.
fn nothing_found(expr: Expr, first: usize, counts: &[bool]) -> Expr {
    if let ExprKind::Column(index) = expr.kind {
        let column = Expr::column(index, expr.ty.with_nullable(true));
        let counted = index.checked_sub(first).and_then(|at| counts.get(at));
        if counted != Some(&true) {
            return column;
        }
        let zero = Expr::literal(Value::Integer(0), expr.ty.with_nullable(false));
        return Expr {
            kind: ExprKind::Coalesce(vec![column, zero]),
            ty: expr.ty.with_nullable(false),
        };
    }
    let mut nullable = expr.ty.nullable;
    let mapped: std::result::Result<Expr, std::convert::Infallible> =
        expr.try_map_children(&mut |child| {
            let child = nothing_found(child, first, counts);
            nullable |= child.ty.nullable;
            Ok(child)
        });
    match mapped {
        Ok(expr) => Expr {
            ty: expr.ty.with_nullable(nullable),
            kind: expr.kind,
        },
        Err(never) => match never {},
    }
}

/// The column around the subquery and the expression inside it that a condition makes equal.
fn equality(condition: &Expr, width: usize) -> Option<(usize, Expr)> {
    let ExprKind::Call(function, args) = &condition.kind else {
        return None;
    };
    let [left, right] = args.as_slice() else {
        return None;
    };
    if **function != operator::EQUAL || left.ty.root.arrow() != right.ty.root.arrow() {
        return None;
    }
    let outer = |expr: &Expr| match expr.kind {
        ExprKind::Column(index) if index < width => Some(index),
        _ => None,
    };
    let (outer, own) = match (outer(left), outer(right)) {
        (Some(outer), None) => (outer, right),
        (None, Some(outer)) => (outer, left),
        _ => return None,
    };
    let inside = own.columns().iter().all(|column| *column >= width);
    let plain = !own.ty.root.is_approximate() && !own.ty.root.is_nested() && !own.is_constant();
    (inside && plain).then(|| (outer, own.clone().with_columns(&|column| column - width)))
}

/// The only item, then every column.
pub(super) fn selected(rel: Rel, mut items: Vec<(String, Expr)>) -> Result<Rel> {
    let (Some((name, item)), true) = (items.pop(), items.is_empty()) else {
        return Err(refuse("IN over several columns", "in-subquery"));
    };
    let mut columns = vec![Column {
        name,
        ty: item.ty.clone(),
    }];
    let mut exprs = vec![item];
    for (index, column) in rel.columns.iter().enumerate() {
        exprs.push(Expr::column(index, column.ty.clone()));
        columns.push(column.clone());
    }
    Ok(Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    })
}

/// Whether a subquery was refused because it reads the query around it.
pub(super) fn is_correlated(error: &Error) -> bool {
    let entry = format!("ledger entry {CORRELATED}:");
    error.code() == "FS0803" && error.detail().is_some_and(|detail| detail.contains(&entry))
}
