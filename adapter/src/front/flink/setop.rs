//! UNION, INTERSECT and EXCEPT.
//!
//! Invariant: both sides are converted to the column types that unite them before anything is compared.

use super::state::Binder;
use crate::plan::rel::{Column, Node, Rel, SetOperation};
use crate::semantics::cast::{self, common_root};
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};
use flinkspark_model::Result;

impl Binder<'_> {
    pub(super) fn set_operation(
        &mut self,
        op: SetOperator,
        quantifier: SetQuantifier,
        left: &SetExpr,
        right: &SetExpr,
    ) -> Result<Rel> {
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::None | SetQuantifier::Distinct => false,
            other => return Err(refuse(format!("{op} {other}"), "clause")),
        };
        let (left, right) = (self.body(left)?, self.body(right)?);
        let columns = united(&left, &right)?;
        let (left, right) = (converted(left, &columns), converted(right, &columns));
        if op == SetOperator::Union && all {
            return Ok(Rel {
                node: Node::Union(vec![left, right]),
                columns,
            });
        }
        for column in &columns {
            let what = format!("a set operation that compares column \"{}\"", column.name);
            foreign::check_key(&column.ty.root, what)?;
        }
        if columns.iter().any(|column| column.ty.root.is_nested()) {
            return Err(refuse(
                "a set operation that compares nested values",
                "type",
            ));
        }
        self.relied_on.insert("set-operation");
        Ok(match op {
            SetOperator::Union => {
                let union = Rel {
                    node: Node::Union(vec![left, right]),
                    columns: columns.clone(),
                };
                Rel {
                    node: Node::Distinct(Box::new(union)),
                    columns,
                }
            }
            SetOperator::Intersect | SetOperator::Except => {
                let intersect = op == SetOperator::Intersect;
                // -0.0 and NaN were probed for UNION only.
                if columns.iter().any(|column| column.ty.root.is_approximate()) {
                    return Err(refuse(format!("{op} over floats"), "float-key"));
                }
                Rel {
                    node: Node::SetOperation(Box::new(SetOperation {
                        left,
                        right,
                        intersect,
                        all,
                    })),
                    columns,
                }
            }
            SetOperator::Minus => return Err(refuse("MINUS", "clause")),
        })
    }
}

/// The left names with the uniting types.
fn united(left: &Rel, right: &Rel) -> Result<Vec<Column>> {
    if left.columns.len() != right.columns.len() {
        return Err(invalid("column counts of a set operation differ"));
    }
    let unite = |(a, b): (&Column, &Column)| {
        let root = common_root(&a.ty.root, &b.ty.root).filter(|_| {
            a.ty.root != crate::semantics::types::Root::Null
                && b.ty.root != crate::semantics::types::Root::Null
        });
        let root = root.ok_or_else(|| {
            refuse(
                format!("a set operation over {} and {}", a.ty, b.ty),
                "implicit-conversion",
            )
        })?;
        Ok(Column {
            name: a.name.clone(),
            ty: FlinkType {
                root,
                nullable: a.ty.nullable || b.ty.nullable,
            },
        })
    };
    left.columns.iter().zip(&right.columns).map(unite).collect()
}

/// The relation with its columns converted, if any needs to be.
fn converted(rel: Rel, columns: &[Column]) -> Rel {
    if rel
        .columns
        .iter()
        .zip(columns)
        .all(|(is, wanted)| is.ty.root == wanted.ty.root)
    {
        return rel;
    }
    let convert = |(index, (is, wanted)): (usize, (&Column, &Column))| {
        cast::to_root(Expr::column(index, is.ty.clone()), &wanted.ty.root)
    };
    let exprs = rel
        .columns
        .iter()
        .zip(columns)
        .enumerate()
        .map(convert)
        .collect();
    Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns: columns.to_vec(),
    }
}
