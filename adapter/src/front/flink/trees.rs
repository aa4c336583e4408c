//! Typed trees of typed trees: calls, connectives, CASE.
//!
//! Invariant: what is built here has a type that Flink gives it, or is refused.

use crate::semantics::cast::{self, common_root};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::{find, operator};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{broken, invalid, refuse};
use flinkspark_model::Result;

/// A call of the function with this name; it exists.
pub(super) fn named(name: &'static str, args: Vec<Expr>) -> Result<Expr> {
    find(name)
        .ok_or_else(|| broken(format!("{name} is not declared")))?
        .call(args)
}

/// `NOT expr`.
pub(super) fn negated(expr: Expr) -> Result<Expr> {
    operator::NOT.call(vec![expr])
}

/// `AND` or `OR` over BOOLEAN operands.
pub(super) fn connective(args: Vec<Expr>, and: bool) -> Expr {
    let ty = FlinkType {
        root: Root::Boolean,
        nullable: args.iter().any(|arg| arg.ty.nullable),
    };
    Expr {
        kind: if and {
            ExprKind::And(args)
        } else {
            ExprKind::Or(args)
        },
        ty,
    }
}

/// `AND` or `OR` over operands that must be BOOLEAN.
pub(super) fn truths(args: Vec<Expr>, and: bool) -> Result<Expr> {
    match args.iter().find(|arg| arg.ty.root != Root::Boolean) {
        Some(arg) => Err(invalid(format!("an operand of AND or OR is {}", arg.ty))),
        None => Ok(connective(args, and)),
    }
}

/// A CASE whose branches are brought to their common type.
pub(super) fn case_of(whens: Vec<(Expr, Expr)>, otherwise: Expr) -> Result<Expr> {
    let results: Vec<&Expr> = whens
        .iter()
        .map(|(_, then)| then)
        .chain([&otherwise])
        .collect();
    let ty = united(&results, "CASE")?;
    let whens = whens
        .into_iter()
        .map(|(when, then)| (when, cast::to_root(then, &ty.root)))
        .collect();
    let otherwise = Box::new(cast::to_root(otherwise, &ty.root));
    Ok(Expr {
        kind: ExprKind::Case(whens, otherwise),
        ty,
    })
}

/// The type that unites the expressions; nullable if any is.
pub(super) fn united(exprs: &[&Expr], what: &str) -> Result<FlinkType> {
    let nullable = exprs.iter().any(|expr| expr.ty.nullable);
    let mut root = Root::Null;
    for expr in exprs {
        root = common_root(&root, &expr.ty.root).ok_or_else(|| {
            refuse(
                format!(
                    "{what} over {} and {}",
                    FlinkType::nullable(root.clone()),
                    expr.ty
                ),
                "implicit-conversion",
            )
        })?;
    }
    if root == Root::Null {
        return Err(invalid(format!("illegal use of NULL in {what}")));
    }
    Ok(FlinkType { root, nullable })
}
