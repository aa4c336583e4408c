//! Subqueries inside expressions: scalar ones, and IN and EXISTS as filters.
//!
//! Correlation is refused, as Flink 2.3 fails to plan most of it. Invariant: NOT IN is null-aware: a row
//! stays only where every comparison is FALSE.

use super::expr::{Calls, Exprs, negated};
use super::query::Binder;
use super::scope::Scope;
use crate::plan::expr::Expr;
use crate::plan::rel::{AggregateCall, Column, Grouping, Join, JoinKind, Node, Rel};
use crate::plan::types::FlinkType;
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::function::operator;
use crate::semantics::{invalid, refuse};
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
    pub(super) fn scalar_subquery(&mut self, query: &ast::Query) -> Result<Expr> {
        if !self.scalars.allowed {
            return Err(refuse("a scalar subquery in this place", "in-subquery"));
        }
        let rel = self.query(query)?;
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
        let name = column.name.clone();
        let call = AggregateCall {
            signature,
            argument: Some(0),
            filter: None,
        };
        let single = Rel {
            node: Node::Aggregate(
                Box::new(rel),
                Grouping {
                    keys: vec![],
                    calls: vec![call],
                },
            ),
            columns: vec![Column {
                name,
                ty: ty.clone(),
            }],
        };
        let index = self.scalars.base + self.scalars.rels.len();
        self.scalars.rels.push(single);
        Ok(Expr::column(index, ty))
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
                ast::Expr::Exists { subquery, negated } => {
                    self.exists(subquery, !negated).map(Some)
                }
                _ => Ok(None),
            },
            ast::Expr::Exists { subquery, negated } => self.exists(subquery, *negated).map(Some),
            ast::Expr::InSubquery {
                expr,
                subquery,
                negated,
            } => {
                let mut calls = Calls::default();
                let left = Exprs {
                    binder: self,
                    scope,
                    calls: &mut calls,
                }
                .bind(expr)?;
                self.membership(left, subquery, *negated, width).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn exists(&mut self, subquery: &ast::Query, not: bool) -> Result<Existence> {
        let right = self.query(subquery).map_err(correlated)?;
        Ok(Existence {
            right,
            kind: if not { JoinKind::Anti } else { JoinKind::Semi },
            condition: None,
        })
    }

    fn membership(
        &mut self,
        left: Expr,
        subquery: &ast::Query,
        not: bool,
        width: usize,
    ) -> Result<Existence> {
        let right = self.query(subquery).map_err(correlated)?;
        let [column] = right.columns.as_slice() else {
            return Err(refuse("IN over several columns", "in-subquery"));
        };
        if left.ty.root.is_text() != column.ty.root.is_text() {
            return Err(refuse(
                format!("IN over {} and {}", left.ty, column.ty),
                "implicit-conversion",
            ));
        }
        let candidate = Expr::column(width, column.ty.clone());
        let equal = operator::EQUAL.call(vec![left, candidate])?;
        let condition = if not {
            negated(operator::IS_FALSE.call(vec![equal])?)?
        } else {
            equal
        };
        Ok(Existence {
            right,
            kind: if not { JoinKind::Anti } else { JoinKind::Semi },
            condition: Some(condition),
        })
    }
}

/// A name that only the outer query has makes the subquery correlated.
fn correlated(error: flinkspark_model::Error) -> flinkspark_model::Error {
    if error.code() == "FS0802" && error.message().contains("not found in any table") {
        return refuse(
            "a subquery that reads columns of the query around it",
            "correlated-subquery",
        );
    }
    error
}

impl Existence {
    /// The filtered relation.
    pub(super) fn apply(self, rel: Rel) -> Rel {
        let columns = rel.columns.clone();
        let join = Join {
            left: rel,
            right: self.right,
            kind: self.kind,
            keys: vec![],
            residual: self.condition,
        };
        Rel {
            node: Node::Join(Box::new(join)),
            columns,
        }
    }
}

/// Every row of the left with the only row of the right.
pub(super) fn beside(left: Rel, right: Rel) -> Rel {
    let columns = left.columns.iter().chain(&right.columns).cloned().collect();
    let join = Join {
        left,
        right,
        kind: JoinKind::Inner,
        keys: vec![],
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
