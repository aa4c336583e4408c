//! What stands in front of a call's parentheses and between them.
//!
//! Invariant: an argument that is no expression is refused, unless its call asks for it.

use super::state::Exprs;
use crate::semantics::expr::Expr;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArguments,
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

/// The arguments of a call that may name them, in the order of these names, which callers write in any case. The first
/// `needed` of them must be there.
pub(super) fn named(
    call: &Function,
    names: &[&str],
    needed: usize,
) -> Result<Vec<FunctionArgExpr>> {
    let FunctionArguments::List(list) = &call.args else {
        return arguments(call).map(|(args, _)| args);
    };
    if !list
        .args
        .iter()
        .any(|arg| matches!(arg, FunctionArg::Named { .. }))
    {
        return arguments(call).map(|(args, _)| args);
    }
    let mut places = vec![None; names.len()];
    for arg in &list.args {
        let FunctionArg::Named {
            name,
            arg,
            operator: FunctionArgOperator::RightArrow,
        } = arg
        else {
            return Err(invalid(format!(
                "{} has arguments with names and without",
                call.name
            )));
        };
        let place = names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(&name.value));
        let place = place.and_then(|place| places.get_mut(place));
        let place = place.ok_or_else(|| {
            let known = names.join(", ");
            invalid(format!(
                "{} has no argument {name}; it has {known}",
                call.name
            ))
        })?;
        if place.replace(arg.clone()).is_some() {
            return Err(invalid(format!(
                "{} has the argument {name} twice",
                call.name
            )));
        }
    }
    let there = places.iter().take_while(|arg| arg.is_some()).count();
    if there < needed || places.iter().skip(there).any(Option::is_some) {
        let missing = names.get(there).copied().unwrap_or_default();
        return Err(invalid(format!(
            "{} lacks its argument {missing}",
            call.name
        )));
    }
    Ok(places.into_iter().flatten().collect())
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
