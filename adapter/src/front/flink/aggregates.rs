//! Calls of aggregates, over groups and in OVER.
//!
//! Invariant: no aggregate stands inside another's argument or filter.

use super::arguments::arguments;
use super::state::{Exprs, PendingAggregate};
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, Function, FunctionArgExpr};
use flinkspark_model::Result;

/// Registers an aggregate with its SELECT and stands for its result.
pub(super) fn aggregate_call(
    exprs: &mut Exprs<'_, '_>,
    function: Aggregate,
    call: &Function,
) -> Result<Expr> {
    if !exprs.calls.allow_aggregates {
        return Err(invalid(format!("the aggregate {call} cannot stand here")));
    }
    if !call.within_group.is_empty() || call.null_treatment.is_some() {
        return Err(refuse(call, "clause"));
    }
    let (args, distinct) = arguments(call)?;
    let pending = aggregate(exprs, function, &args, distinct, call)?;
    let filter = call
        .filter
        .as_deref()
        .map(|filter| inner(exprs, filter, Exprs::bind))
        .transpose()?;
    if filter
        .as_ref()
        .is_some_and(|filter| filter.ty.root != Root::Boolean)
    {
        return Err(invalid("a FILTER that is not BOOLEAN"));
    }
    let mut pending = PendingAggregate { filter, ..pending };
    if pending.filter.is_some() && !matches!(function, Aggregate::Count | Aggregate::ArrayAgg) {
        pending.signature.result.nullable = true;
    }
    let known = exprs
        .calls
        .aggregates
        .iter()
        .position(|other| *other == pending);
    let ty = pending.signature.result.clone();
    let index = known.unwrap_or_else(|| {
        exprs.calls.aggregates.push(pending);
        exprs.calls.aggregates.len() - 1
    });
    Ok(Expr {
        kind: ExprKind::Aggregate(index),
        ty,
    })
}

/// The types of an aggregate over its arguments.
pub(super) fn aggregate(
    exprs: &mut Exprs<'_, '_>,
    function: Aggregate,
    args: &[FunctionArgExpr],
    distinct: bool,
    call: &Function,
) -> Result<PendingAggregate> {
    let (function, argument) = match (function, args) {
        (Aggregate::Count, [FunctionArgExpr::Wildcard]) if !distinct => {
            (Aggregate::CountRows, None)
        }
        (Aggregate::Count, [FunctionArgExpr::Expr(arg)]) => {
            (function, Some(inner(exprs, arg, Exprs::bind_any)?))
        }
        (function, [FunctionArgExpr::Expr(arg)]) => {
            (function, Some(inner(exprs, arg, Exprs::bind)?))
        }
        _ => return Err(refuse(call, "aggregate-type")),
    };
    if distinct && !function.allows_distinct() {
        return Err(refuse(call, "aggregate-type"));
    }
    let ty = argument
        .as_ref()
        .map_or(FlinkType::not_null(Root::Boolean), |argument| {
            argument.ty.clone()
        });
    if let Root::Foreign(data_type) = &ty.root
        && distinct
        && !foreign::is_counted_distinct(data_type)
    {
        return Err(foreign::unread(format!("{call} over a column"), data_type));
    }
    if ty.root == Root::Null || distinct && ty.root.is_nested() {
        return Err(refuse(call, "aggregate-type"));
    }
    let extremum = matches!(function, Aggregate::Min | Aggregate::Max);
    if exprs.binder.supplementary && extremum && ty.root.is_text() {
        return Err(refuse(call, "string-order"));
    }
    let result = function.result_type(&ty, exprs.calls.grouped)?;
    if function.is_order_sensitive(&ty) {
        exprs.binder.relied_on.insert("order-sensitive");
    }
    if matches!(function, Aggregate::Sum | Aggregate::Avg) && ty.root.is_integer() {
        exprs.binder.relied_on.insert("sum-type");
    }
    let signature = Signature {
        function,
        distinct,
        argument: ty,
        result,
    };
    Ok(PendingAggregate {
        signature,
        argument,
        filter: None,
    })
}

/// An argument or a filter of an aggregate: no aggregate may stand inside.
fn inner<'e, 't>(
    exprs: &mut Exprs<'e, 't>,
    expr: &ast::Expr,
    bind: impl Fn(&mut Exprs<'e, 't>, &ast::Expr) -> Result<Expr>,
) -> Result<Expr> {
    let before = (exprs.calls.allow_aggregates, exprs.calls.allow_overs);
    (exprs.calls.allow_aggregates, exprs.calls.allow_overs) = (false, false);
    let bound = bind(exprs, expr);
    (exprs.calls.allow_aggregates, exprs.calls.allow_overs) = before;
    bound
}
