//! Subqueries inside expressions: scalar ones, and IN and EXISTS as filters.
//!
//! Owns the joins that they mean. One that reads the query around it is planned over datasets, as Flink
//! does; over VALUES Flink 2.3 fails, so it is refused. Invariant: NOT IN is null-aware: a row stays only
//! where every comparison is FALSE.

use super::expr::{CORRELATED, Calls, Exprs, connective, negated};
use super::items::{refuse_odd_clauses, select_items};
use super::query::{Binder, Scalar};
use super::scope::Scope;
use super::select::{filtered, split_and};
use super::{conditions, grouping};
use crate::plan::display::inputs;
use crate::plan::expr::{Expr, ExprKind};
use crate::plan::rel::{AggregateCall, Column, Grouping, Join, JoinKind, Node, Rel};
use crate::plan::types::FlinkType;
use crate::plan::value::Value;
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::fallible::can_fail;
use crate::semantics::function::operator;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::{Error, Result};

/// A filter that is a join.
pub(super) struct Existence {
    right: Rel,
    kind: JoinKind,
    /// Over the filtered relation's columns, then the subquery's.
    condition: Option<Expr>,
}

/// The parts of a subquery that reads the query around it.
struct Correlated {
    /// What it reads, filtered by what concerns it alone.
    rel: Rel,
    scope: Scope,
    /// Over the columns of the query around it, then its own.
    conditions: Vec<Expr>,
}

impl Binder<'_> {
    /// Registers a scalar subquery with the SELECT being bound and stands for its column.
    pub(super) fn scalar_subquery(&mut self, query: &ast::Query, scope: &Scope) -> Result<Expr> {
        if !self.scalars.allowed {
            return Err(refuse("a scalar subquery in this place", "in-subquery"));
        }
        let rel = match self.inner(query, scope) {
            Err(error) if is_correlated(&error) => return self.lookup(query, scope, error),
            bound => bound?,
        };
        let [column] = rel.columns.as_slice() else {
            return Err(invalid("a scalar subquery has one column"));
        };
        let ty = column.ty.with_nullable(true);
        let signature = Signature {
            function: Aggregate::Single,
            distinct: false,
            argument: column.ty.clone(),
            result: ty.clone(),
        };
        let columns = vec![Column {
            name: column.name.clone(),
            ty: ty.clone(),
        }];
        let call = AggregateCall {
            signature,
            argument: Some(0),
            filter: None,
        };
        let grouping = Grouping {
            keys: vec![],
            calls: vec![call],
        };
        let rel = Rel {
            node: Node::Aggregate(Box::new(rel), grouping),
            columns,
        };
        let index = self.joined(Scalar { rel, keys: vec![] });
        Ok(Expr::column(index, ty))
    }

    /// Adds columns to the FROM clause of the SELECT being bound; gives the first one's position.
    fn joined(&mut self, scalar: Scalar) -> usize {
        let widths = self.scalars.joined.iter().map(|one| one.rel.columns.len());
        let first = self.scalars.base + widths.sum::<usize>();
        self.scalars.joined.push(scalar);
        first
    }

    /// A query inside an expression over these columns.
    fn inner(&mut self, query: &ast::Query, around: &Scope) -> Result<Rel> {
        self.around.push(around.clone());
        let bound = self.query(query);
        self.around.pop();
        bound
    }

    /// The join that a conjunct of WHERE means, none where it is an ordinary condition.
    pub(super) fn existence(
        &mut self,
        conjunct: &ast::Expr,
        scope: &Scope,
        width: usize,
    ) -> Result<Option<Existence>> {
        match conjunct {
            ast::Expr::Nested(inner) => self.existence(inner, scope, width),
            ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Not,
                expr,
            } => match expr.as_ref() {
                ast::Expr::Nested(inner) if is_subquery(inner) => {
                    let not = ast::Expr::UnaryOp {
                        op: ast::UnaryOperator::Not,
                        expr: inner.clone(),
                    };
                    self.existence(&not, scope, width)
                }
                ast::Expr::Exists { subquery, negated } => {
                    self.exists(subquery, !negated, scope, width).map(Some)
                }
                ast::Expr::InSubquery {
                    expr,
                    subquery,
                    negated,
                } => self
                    .membership(expr, subquery, !negated, scope, width)
                    .map(Some),
                _ => Ok(None),
            },
            ast::Expr::Exists { subquery, negated } => {
                self.exists(subquery, *negated, scope, width).map(Some)
            }
            ast::Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => self
                .membership(expr, subquery, *negated, scope, width)
                .map(Some),
            _ => Ok(None),
        }
    }

    fn exists(
        &mut self,
        subquery: &ast::Query,
        not: bool,
        scope: &Scope,
        width: usize,
    ) -> Result<Existence> {
        let kind = if not { JoinKind::Anti } else { JoinKind::Semi };
        match self.inner(subquery, scope) {
            Err(error) if is_correlated(&error) => {
                let found = self.correlated(subquery, scope, width, error)?;
                Ok(Existence {
                    right: found.rel,
                    kind,
                    condition: Some(connective(found.conditions, true)),
                })
            }
            right => Ok(Existence {
                right: right?,
                kind,
                condition: None,
            }),
        }
    }

    fn membership(
        &mut self,
        left: &ast::Expr,
        subquery: &ast::Query,
        not: bool,
        scope: &Scope,
        width: usize,
    ) -> Result<Existence> {
        let mut calls = Calls::default();
        let left = Exprs {
            binder: self,
            scope,
            calls: &mut calls,
        }
        .bind(left)?;
        let (right, mut conditions): (Rel, Vec<Expr>) = match self.inner(subquery, scope) {
            Err(error) if is_correlated(&error) => {
                let found = self.correlated(subquery, scope, width, error)?;
                let select = plain_select(subquery)?;
                let items = self.items(select, &found.scope)?;
                // The item stands before the columns that the conditions read.
                let place = |column: usize| if column < width { column } else { column + 1 };
                let moved = found.conditions.into_iter();
                let moved = moved.map(|condition| condition.with_columns(&place));
                (selected(found.rel, items)?, moved.collect())
            }
            right => (right?, vec![]),
        };
        let one = right.columns.len() == 1 || !conditions.is_empty();
        let Some(column) = right.columns.first().filter(|_| one) else {
            return Err(refuse("IN over several columns", "in-subquery"));
        };
        if left.ty.root.is_text() != column.ty.root.is_text() {
            return Err(refuse(
                format!("IN over {} and {}", left.ty, column.ty),
                "implicit-conversion",
            ));
        }
        if operator::is_beside_decimal(&left.ty.root, &column.ty.root) {
            return Err(refuse(
                format!("IN over {} and {}", left.ty, column.ty),
                "float-key",
            ));
        }
        let candidate = Expr::column(width, column.ty.clone());
        let equal = operator::EQUAL.call(vec![left, candidate])?;
        conditions.push(if not {
            negated(operator::IS_FALSE.call(vec![equal])?)?
        } else {
            equal
        });
        let condition = match conditions.len() {
            1 => conditions.remove(0),
            _ => connective(conditions, true),
        };
        Ok(Existence {
            right,
            kind: if not { JoinKind::Anti } else { JoinKind::Semi },
            condition: Some(condition),
        })
    }

    /// Binds a subquery whose WHERE reads columns of the query around it; `refusal` is what is said where
    /// it has a form that is not planned.
    fn correlated(
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
    fn items(&mut self, select: &ast::Select, scope: &Scope) -> Result<Vec<(String, Expr)>> {
        let mut calls = Calls::default();
        let mut exprs = Exprs {
            binder: self,
            scope,
            calls: &mut calls,
        };
        select_items(&mut exprs, &select.projection)
    }

    /// A scalar subquery of aggregates that are looked up by columns of the query around it.
    fn lookup(&mut self, subquery: &ast::Query, around: &Scope, refusal: Error) -> Result<Expr> {
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
fn counts(pending: &super::expr::PendingAggregate) -> bool {
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
fn selected(rel: Rel, mut items: Vec<(String, Expr)>) -> Result<Rel> {
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

/// A query that is one SELECT of FROM and WHERE.
fn plain_select(query: &ast::Query) -> Result<&ast::Select> {
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

fn is_subquery(expr: &ast::Expr) -> bool {
    matches!(
        expr,
        ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } | ast::Expr::Nested(_)
    )
}

/// Whether a subquery was refused because it reads the query around it.
fn is_correlated(error: &Error) -> bool {
    let entry = format!("ledger entry {CORRELATED}:");
    error.code() == "FS0803" && error.detail().is_some_and(|detail| detail.contains(&entry))
}

/// Whether a relation reads datasets, and no VALUES.
pub(super) fn is_real(rel: &Rel) -> bool {
    match &rel.node {
        Node::Scan(_) => true,
        Node::Values(_) => false,
        _ => inputs(rel).into_iter().all(is_real),
    }
}

impl Existence {
    /// The filtered relation, whose first `width` columns the condition knows.
    pub(super) fn apply(self, rel: Rel, width: usize) -> Rel {
        let columns = rel.columns.clone();
        let added = columns.len() - width;
        let place = |column: usize| {
            if column < width {
                column
            } else {
                column + added
            }
        };
        let residual = self
            .condition
            .map(|condition| condition.with_columns(&place));
        let join = Join {
            left: rel,
            right: self.right,
            kind: self.kind,
            keys: vec![],
            residual,
        };
        Rel {
            node: Node::Join(Box::new(join)),
            columns,
        }
    }
}

/// Every row of the left beside what a subquery gives for it.
pub(super) fn beside(left: Rel, scalar: Scalar) -> Rel {
    let right = scalar.rel;
    let found = !scalar.keys.is_empty();
    let mut columns = left.columns.clone();
    columns.extend(right.columns.iter().map(|column| Column {
        name: column.name.clone(),
        ty: column.ty.with_nullable(column.ty.nullable || found),
    }));
    let keys = scalar.keys.into_iter().enumerate();
    let join = Join {
        left,
        right,
        kind: if found {
            JoinKind::Left
        } else {
            JoinKind::Inner
        },
        keys: keys.map(|(own, outer)| (outer, own)).collect(),
        residual: None,
    };
    Rel {
        node: Node::Join(Box::new(join)),
        columns,
    }
}

/// The types of a relation's columns.
pub(super) fn types(rel: &Rel) -> Vec<FlinkType> {
    rel.columns.iter().map(|column| column.ty.clone()).collect()
}
