//! What stands in front of a call's parentheses and between them.
//!
//! Invariant: an argument that is no expression is refused, unless its call asks for it.

use super::state::Exprs;
use crate::semantics::expr::Expr;
use crate::semantics::refuse;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use flinkspark_model::Result;

/// The function's plain name.
pub(super) fn simple_name(call: &Function) -> Result<String> {
    match call.name.0.as_slice() {
        [part] => part
            .as_ident()
            .map(|ident| ident.value.to_ascii_uppercase()),
        _ => None,
    }
    .ok_or_else(|| refuse(format!("the function {}", call.name), "function"))
}

/// The arguments as written, and whether DISTINCT stands before them.
pub(super) fn arguments(call: &Function) -> Result<(Vec<FunctionArgExpr>, bool)> {
    if !matches!(call.parameters, FunctionArguments::None) || call.uses_odbc_syntax {
        return Err(refuse(call, "function"));
    }
    match &call.args {
        FunctionArguments::None => Err(refuse(format!("the function {}", call.name), "function")),
        FunctionArguments::Subquery(_) => Err(refuse(call, "function")),
        FunctionArguments::List(list) => {
            if !list.clauses.is_empty() {
                return Err(refuse(call, "function"));
            }
            let plain = |arg: &FunctionArg| match arg {
                FunctionArg::Unnamed(expr) => Ok(expr.clone()),
                _ => Err(refuse(call, "function")),
            };
            let args: Result<Vec<FunctionArgExpr>> = list.args.iter().map(plain).collect();
            Ok((
                args?,
                list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
            ))
        }
    }
}

/// An argument that is an expression.
pub(super) fn value(exprs: &mut Exprs<'_, '_>, arg: &FunctionArgExpr) -> Result<Expr> {
    match arg {
        FunctionArgExpr::Expr(expr) => exprs.tree(expr),
        other => Err(refuse(format!("the argument {other}"), "function")),
    }
}
