//! OVER calls as DataFusion window functions.
//!
//! Sums and means run as 64-bit sums and counts and are cut to Flink's types behind the window.
//! Invariant: order and frames are always explicit.

use super::lower::{Lowered, Lowering, internal, named};
use super::relation::sort_exprs;
use super::scalar;
use crate::plan::rel::{Column, Frame, OverCall, OverFunction, Rel};
use crate::semantics::aggregate::{Aggregate, Signature};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::operator;
use crate::semantics::types::{FlinkType, Root};
use arrow_schema::DataType;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_window::cume_dist::cume_dist_udwf;
use datafusion::functions_window::lead_lag::{lag_udwf, lead_udwf};
use datafusion::functions_window::nth_value::{first_value_udwf, last_value_udwf};
use datafusion::functions_window::ntile::ntile_udwf;
use datafusion::functions_window::rank::{dense_rank_udwf, percent_rank_udwf, rank_udwf};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction};
use datafusion::logical_expr::{
    Expr as Plan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, cast, lit,
};
use datafusion::scalar::ScalarValue;
use flinkspark_model::Result;

impl Lowering<'_> {
    pub(super) fn over(
        &mut self,
        input: &Rel,
        calls: &[OverCall],
        columns: &[Column],
    ) -> Result<Lowered> {
        let input = self.rel(input)?;
        let mut exprs = input.columns();
        let mut windows = Vec::with_capacity(calls.len());
        for call in calls {
            let mut add = |definition: WindowFunctionDefinition, args: Vec<Plan>| -> Result<Plan> {
                let plan = window(&input, call, definition, args)?;
                let known = windows
                    .iter()
                    .find(|(known, _): &&(Plan, String)| *known == plan);
                if let Some((_, name)) = known {
                    return Ok(named(name));
                }
                let name = self.fresh();
                windows.push((plan, name.clone()));
                Ok(named(&name))
            };
            exprs.push(lower_call(&input, call, &mut add)?);
        }
        // One node for each call: DataFusion wants one order in each.
        let plan =
            windows
                .into_iter()
                .try_fold(LogicalPlanBuilder::from(input.plan), |plan, call| {
                    let (call, name) = call;
                    plan.window(vec![call.alias(name)])
                });
        let plan = plan.map_err(internal)?;
        self.projected(plan, exprs, columns)
    }
}

/// The call's result over window columns, which `add` makes.
fn lower_call(
    input: &Lowered,
    call: &OverCall,
    add: &mut impl FnMut(WindowFunctionDefinition, Vec<Plan>) -> Result<Plan>,
) -> Result<Plan> {
    use WindowFunctionDefinition::{AggregateUDF, WindowUDF};
    let arg = |index: usize| {
        let column = call
            .args
            .get(index)
            .ok_or_else(|| crate::semantics::broken("an OVER call without its argument"))?;
        input.column(*column)
    };
    let bigint = |plan: Plan| cast(plan, DataType::Int64);
    Ok(match &call.function {
        OverFunction::RowNumber => bigint(add(WindowUDF(row_number_udwf()), vec![])?),
        OverFunction::Rank => bigint(add(WindowUDF(rank_udwf()), vec![])?),
        OverFunction::DenseRank => bigint(add(WindowUDF(dense_rank_udwf()), vec![])?),
        OverFunction::PercentRank => add(WindowUDF(percent_rank_udwf()), vec![])?,
        OverFunction::CumeDist => add(WindowUDF(cume_dist_udwf()), vec![])?,
        OverFunction::Ntile(parts) => {
            bigint(add(WindowUDF(ntile_udwf()), vec![lit(*parts as i64)])?)
        }
        OverFunction::Lag(distance) => lag(input, call, *distance, arg(0)?, add)?,
        OverFunction::Aggregate(signature) => match signature.function {
            Aggregate::CountRows => add(AggregateUDF(count_udaf()), vec![lit(1_i64)])?,
            Aggregate::Count => add(AggregateUDF(count_udaf()), vec![arg(0)?])?,
            Aggregate::Min => add(AggregateUDF(min_udaf()), vec![arg(0)?])?,
            Aggregate::Max => add(AggregateUDF(max_udaf()), vec![arg(0)?])?,
            Aggregate::First => add(WindowUDF(first_value_udwf()), vec![arg(0)?])?,
            Aggregate::Last => add(WindowUDF(last_value_udwf()), vec![arg(0)?])?,
            Aggregate::Sum => {
                let sum = add(AggregateUDF(sum_udaf()), vec![bigint(arg(0)?)])?;
                cut(sum, None, signature)?
            }
            Aggregate::Avg => {
                let sum = add(AggregateUDF(sum_udaf()), vec![bigint(arg(0)?)])?;
                let count = add(AggregateUDF(count_udaf()), vec![arg(0)?])?;
                cut(sum, Some(count), signature)?
            }
            _ => {
                return Err(crate::semantics::broken(
                    "an aggregate that has no window form",
                ));
            }
        },
    })
}

fn lag(
    input: &Lowered,
    call: &OverCall,
    distance: i64,
    value: Plan,
    add: &mut impl FnMut(WindowFunctionDefinition, Vec<Plan>) -> Result<Plan>,
) -> Result<Plan> {
    let udwf = if distance > 0 {
        lag_udwf()
    } else {
        lead_udwf()
    };
    let definition = WindowFunctionDefinition::WindowUDF(udwf);
    let shifted = add(definition.clone(), vec![value, lit(distance.abs())])?;
    let Some(default) = call.args.get(1) else {
        return Ok(shifted);
    };
    // Whether there is a row at the distance tells a NULL value from a missing one.
    let there = add(definition, vec![lit(1_i64), lit(distance.abs())])?;
    let columns = [shifted, there, input.column(*default)?];
    let ty = FlinkType::nullable(call.ty.root.clone());
    let bigint = FlinkType::nullable(Root::BigInt);
    let missing = operator::IS_NULL.call(vec![Expr::column(1, bigint.clone())])?;
    let otherwise = Box::new(Expr::column(0, ty.clone()));
    let choice = Expr {
        kind: ExprKind::Case(vec![(missing, Expr::column(2, ty.clone()))], otherwise),
        ty: ty.clone(),
    };
    Ok(scalar::expression(
        &choice,
        &columns,
        &[ty.clone(), bigint, ty],
    ))
}

/// A 64-bit sum, divided by the count for a mean, in Flink's integer type.
fn cut(sum: Plan, count: Option<Plan>, signature: &Signature) -> Result<Plan> {
    let bigint = FlinkType::nullable(Root::BigInt);
    let mut columns = vec![sum];
    let mut expr = Expr::column(0, bigint.clone());
    if let Some(count) = count {
        columns.push(count);
        expr = mean(expr, Expr::column(1, bigint.clone()))?;
    }
    let cut = crate::semantics::cast::to_root(expr, &signature.result.root);
    let types = vec![bigint; columns.len()];
    Ok(scalar::expression(&cut, &columns, &types))
}

/// NULL where nothing was counted.
fn mean(sum: Expr, count: Expr) -> Result<Expr> {
    let ty = sum.ty.clone();
    let none = operator::IS_NULL.call(vec![sum.clone()])?;
    let null = Expr::literal(crate::semantics::value::Value::Null, ty.clone());
    let quotient = operator::DIVIDE.call(vec![sum, count])?;
    Ok(Expr {
        kind: ExprKind::Case(vec![(none, null)], Box::new(quotient)),
        ty,
    })
}

fn window(
    input: &Lowered,
    call: &OverCall,
    fun: WindowFunctionDefinition,
    args: Vec<Plan>,
) -> Result<Plan> {
    let mut function = WindowFunction::new(fun, args);
    function.params.partition_by = call
        .partition
        .iter()
        .map(|column| input.column(*column))
        .collect::<Result<_>>()?;
    function.params.order_by = sort_exprs(input, &call.order)?;
    function.params.window_frame = frame(call);
    let skips = matches!(&call.function, OverFunction::Aggregate(signature) if matches!(signature.function, Aggregate::First | Aggregate::Last));
    function.params.null_treatment = skips.then_some(NullTreatment::IgnoreNulls);
    Ok(Plan::WindowFunction(Box::new(function)))
}

fn frame(call: &OverCall) -> WindowFrame {
    use WindowFrameBound::{CurrentRow, Following, Preceding};
    let unbounded = ScalarValue::UInt64(None);
    let bound = |rows: Option<i64>, start: bool| match rows {
        None if start => Preceding(unbounded.clone()),
        None => Following(unbounded.clone()),
        Some(0) => CurrentRow,
        Some(rows) if rows < 0 => Preceding(ScalarValue::UInt64(Some(rows.unsigned_abs()))),
        Some(rows) => Following(ScalarValue::UInt64(Some(rows.unsigned_abs()))),
    };
    match call.frame {
        Frame::ToCurrentPeers => WindowFrame::new_bounds(
            WindowFrameUnits::Range,
            Preceding(ScalarValue::Null),
            CurrentRow,
        ),
        Frame::Partition => WindowFrame::new_bounds(
            WindowFrameUnits::Rows,
            bound(None, true),
            bound(None, false),
        ),
        Frame::Rows(start, end) => WindowFrame::new_bounds(
            WindowFrameUnits::Rows,
            bound(start, true),
            bound(end, false),
        ),
    }
}
