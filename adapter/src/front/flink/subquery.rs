//! Subqueries inside expressions: scalar ones, and IN and EXISTS as filters.
//!
//! Owns the joins that they mean; one that reads the query around it is [`super::correlated`]'s.
//! Invariant: NOT IN is null-aware: a row stays only where every comparison is FALSE.

use super::clauses::plain_select;
use super::correlated::{is_correlated, selected};
use super::scope::Scope;
use super::state::{Binder, Calls, Exprs, Scalar};
use super::trees::{connective, negated};
use crate::plan::rel::{AggregateCall, Column, Grouping, Join, JoinKind, Node, Rel};
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::expr::Expr;
use crate::semantics::function::operator;
use crate::semantics::types::Root;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::Result;

/// A filter that is a join.
pub(super) struct Existence {
    right: Rel,
    kind: JoinKind,
    /// Over the filtered relation's columns, then the subquery's.
    condition: Option<Expr>,
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
        if let Root::Foreign(ty) = &column.ty.root {
            return Err(foreign::unread("a scalar subquery", ty));
        }
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
    pub(super) fn joined(&mut self, scalar: Scalar) -> usize {
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
        .bind_any(left)?;
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
}

fn is_subquery(expr: &ast::Expr) -> bool {
    matches!(
        expr,
        ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } | ast::Expr::Nested(_)
    )
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
