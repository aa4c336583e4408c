//! Calls by name: scalar functions, aggregates, and the forms that look like functions.
//!
//! Invariant: a modifier that is not understood (DISTINCT, FILTER, ORDER BY, IGNORE NULLS, ...) refuses
//! the call; none is dropped.

use super::aggregates::aggregate_call;
use super::arguments::{arguments, simple_name, value};
use super::state::Exprs;
use super::trees::{case_of, united};
use super::{grouping, literal, over};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::cast;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::{find, operator, time};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, Function, FunctionArgExpr};
use flinkspark_model::Result;

/// The forms whose first argument is a unit of time.
pub(super) const WITH_UNITS: [&str; 2] = ["TIMESTAMPDIFF", "TIMESTAMPADD"];

/// The conditional forms that are written as calls.
pub(super) const CONDITIONAL: [&str; 6] =
    ["COALESCE", "IFNULL", "NULLIF", "IF", "GREATEST", "LEAST"];

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

/// TIMESTAMPDIFF and TIMESTAMPADD, whose first argument is a unit.
fn unit_form(
    exprs: &mut Exprs<'_, '_>,
    name: &str,
    args: &[FunctionArgExpr],
) -> Result<Option<Expr>> {
    if !WITH_UNITS.contains(&name) {
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

/// Those of [`CONDITIONAL`].
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
