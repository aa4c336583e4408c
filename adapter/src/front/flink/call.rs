//! Calls by name: scalar functions, aggregates, and the forms that look like functions.
//!
//! Invariant: a modifier that is not understood (DISTINCT, FILTER, ORDER BY, IGNORE NULLS, ...) refuses
//! the call; none is dropped.

use super::expr::{Exprs, PendingAggregate, case_of, united};
use super::{grouping, literal, over};
use crate::plan::expr::{Expr, ExprKind};
use crate::plan::types::{FlinkType, Root};
use crate::plan::value::Value;
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::cast;
use crate::semantics::function::{find, operator, time};
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{
    self, DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use flinkspark_model::Result;

/// Binds any call.
pub(super) fn function(exprs: &mut Exprs<'_, '_>, call: &Function) -> Result<Expr> {
    let name = simple_name(call)?;
    if call.over.is_some() {
        return over::bind(exprs, &name, call);
    }
    if let Some(aggregate) = Aggregate::from_name(&name) {
        return aggregate_call(exprs, aggregate, call);
    }
    let (args, distinct) = arguments(call)?;
    if distinct
        || call.filter.is_some()
        || !call.within_group.is_empty()
        || call.null_treatment.is_some()
    {
        return Err(refuse(call, "function"));
    }
    if let Some(unit_form) = unit_form(exprs, &name, &args)? {
        return Ok(unit_form);
    }
    let args: Vec<Expr> = args
        .iter()
        .map(|arg| value(exprs, arg))
        .collect::<Result<_>>()?;
    if name == "GROUPING" || name == "GROUPING_ID" {
        return grouping::indicator(exprs, &args);
    }
    if let Some(form) = conditional(&name, args.clone())? {
        return Ok(form);
    }
    match find(&name) {
        Some(function) => function.call(args).map_err(|error| named(error, call)),
        None => Err(refuse(format!("the function {name}"), "function")),
    }
}

/// Says which call an argument's error belongs to.
fn named(error: flinkspark_model::Error, call: &Function) -> flinkspark_model::Error {
    let detail = error
        .detail()
        .map_or(String::new(), |detail| format!("; {detail}"));
    error.with_detail(format!("in {call}{detail}"))
}

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
        FunctionArguments::None => Err(refuse(
            format!("{} without parentheses", call.name),
            "function",
        )),
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

/// TIMESTAMPDIFF and TIMESTAMPADD, whose first argument is a unit.
fn unit_form(
    exprs: &mut Exprs<'_, '_>,
    name: &str,
    args: &[FunctionArgExpr],
) -> Result<Option<Expr>> {
    if name != "TIMESTAMPDIFF" && name != "TIMESTAMPADD" {
        return Ok(None);
    }
    let [
        FunctionArgExpr::Expr(ast::Expr::Identifier(unit)),
        second,
        third,
    ] = args
    else {
        return Err(invalid(format!("{name} takes a unit and two arguments")));
    };
    let unit_name = unit.value.to_ascii_uppercase();
    let known = time::Unit::from_name(&unit_name)
        .filter(|unit| unit.months().is_some() || unit.millis().is_some());
    let unit = known.ok_or_else(|| refuse(format!("the unit {unit_name}"), "time-unit"))?;
    let (second, third) = (value(exprs, second)?, value(exprs, third)?);
    if name == "TIMESTAMPDIFF" {
        return time::DIFFERENCE
            .call(vec![literal::text_literal(&unit_name), second, third])
            .map(Some);
    }
    let Some(Value::Integer(count)) = second.as_literal().filter(|_| second.ty.root == Root::Int)
    else {
        return Err(refuse(
            "TIMESTAMPADD of what is no INT literal",
            "datetime-arithmetic",
        ));
    };
    let whole_days = unit.months().is_some() || matches!(unit, time::Unit::Day | time::Unit::Week);
    if third.ty.root == Root::Date && !whole_days {
        return Err(refuse(
            "TIMESTAMPADD of less than a day to a DATE",
            "datetime-arithmetic",
        ));
    }
    let interval = match (unit.months(), unit.millis()) {
        (Some(months), _) => {
            let months = i32::try_from(count * i64::from(months))
                .map_err(|_| invalid("an interval out of range"))?;
            Expr::literal(
                Value::Months(months),
                FlinkType::not_null(Root::IntervalMonths),
            )
        }
        (None, millis) => {
            let millis = count.saturating_mul(millis.unwrap_or(0));
            Expr::literal(
                Value::Millis(millis),
                FlinkType::not_null(Root::IntervalMillis),
            )
        }
    };
    time::ADD_INTERVAL.call(vec![third, interval]).map(Some)
}

/// The conditional forms that are written as calls.
fn conditional(name: &str, args: Vec<Expr>) -> Result<Option<Expr>> {
    let wrong = || invalid(format!("{name} takes another number of arguments"));
    Ok(Some(match name {
        "COALESCE" | "IFNULL" => {
            if args.is_empty() || name == "IFNULL" && args.len() != 2 {
                return Err(wrong());
            }
            let ty = united(&args.iter().collect::<Vec<_>>(), name)?;
            let nullable = args.iter().all(|arg| arg.ty.nullable);
            let args = args
                .into_iter()
                .map(|arg| cast::to_root(arg, &ty.root))
                .collect();
            Expr {
                kind: ExprKind::Coalesce(args),
                ty: ty.with_nullable(nullable),
            }
        }
        "NULLIF" => {
            let [left, right] = <[Expr; 2]>::try_from(args).map_err(|_| wrong())?;
            if left.ty.root.is_text() != right.ty.root.is_text() {
                return Err(refuse(
                    format!("NULLIF over {} and {}", left.ty, right.ty),
                    "implicit-conversion",
                ));
            }
            let equal = operator::EQUAL.call(vec![left.clone(), right])?;
            let null = Expr::literal(Value::Null, FlinkType::nullable(Root::Null));
            case_of(vec![(equal, null)], left)?
        }
        "IF" => {
            let [when, then, otherwise] = <[Expr; 3]>::try_from(args).map_err(|_| wrong())?;
            if when.ty.root != Root::Boolean {
                return Err(invalid("the first argument of IF is not BOOLEAN"));
            }
            case_of(vec![(when, then)], otherwise)?
        }
        "GREATEST" | "LEAST" => {
            let ty = united(&args.iter().collect::<Vec<_>>(), name)?;
            if ty.root.is_approximate() || ty.root.is_nested() || args.is_empty() {
                return Err(refuse(format!("{name} over {ty}"), "nan-equality"));
            }
            let args = args
                .into_iter()
                .map(|arg| cast::to_root(arg, &ty.root))
                .collect();
            (if name == "GREATEST" {
                &operator::GREATEST
            } else {
                &operator::LEAST
            })
            .call(args)?
        }
        "ROW" => return Err(refuse("ROW", "type")),
        _ => return Ok(None),
    }))
}

/// Registers an aggregate with its SELECT and stands for its result.
fn aggregate_call(exprs: &mut Exprs<'_, '_>, function: Aggregate, call: &Function) -> Result<Expr> {
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
        .map(|filter| inner(exprs, filter))
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

/// An argument or a filter of an aggregate: no aggregate may stand inside.
fn inner(exprs: &mut Exprs<'_, '_>, expr: &ast::Expr) -> Result<Expr> {
    let before = (exprs.calls.allow_aggregates, exprs.calls.allow_overs);
    (exprs.calls.allow_aggregates, exprs.calls.allow_overs) = (false, false);
    let bound = exprs.bind(expr);
    (exprs.calls.allow_aggregates, exprs.calls.allow_overs) = before;
    bound
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
        (function, [FunctionArgExpr::Expr(arg)]) => (function, Some(inner(exprs, arg)?)),
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
