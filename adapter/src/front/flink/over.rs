//! OVER clauses.
//!
//! Owns the list of window functions and frames that are known to agree. Float keys are refused: Flink
//! itself cannot plan most of them. Invariant: a frame, a modifier or a function that is not matched here
//! refuses the call.

use super::relations::{column_exprs, picked};
use super::state::{Exprs, PendingOver};
use super::{aggregates, arguments, literal};
use crate::plan::rel::{Column, Frame, Node, OverCall, OverFunction, Rel, SortKey};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{
    self, Function, FunctionArgExpr, NamedWindowDefinition, NamedWindowExpr, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use flinkspark_model::Result;

/// The functions that are called with OVER alone.
pub(super) const ALONE: [&str; 8] = [
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "PERCENT_RANK",
    "CUME_DIST",
    "NTILE",
    "LAG",
    "LEAD",
];

/// The largest distance of a frame's bound or of LAG, in rows.
const ROWS_MAX: i64 = 1_000_000;

impl PendingOver {
    pub(super) fn rewrite(&mut self, rewrite: &mut impl FnMut(Expr) -> Result<Expr>) -> Result<()> {
        let all = self
            .args
            .iter_mut()
            .chain(&mut self.partition)
            .chain(self.order.iter_mut().map(|(expr, _)| expr));
        for expr in all {
            *expr = rewrite(expr.clone())?;
        }
        Ok(())
    }
}

/// The windows of a WINDOW clause.
pub(super) fn named_windows(
    windows: &[NamedWindowDefinition],
) -> Result<Vec<(String, WindowSpec)>> {
    let plain = |window: &NamedWindowDefinition| match &window.1 {
        NamedWindowExpr::WindowSpec(spec) if spec.window_name.is_none() => {
            Ok((window.0.value.clone(), spec.clone()))
        }
        _ => Err(refuse(window, "over-window")),
    };
    windows.iter().map(plain).collect()
}

/// Binds a call with OVER.
pub(super) fn bind(exprs: &mut Exprs<'_, '_>, name: &str, call: &Function) -> Result<Expr> {
    if !exprs.calls.allow_overs
        || call.filter.is_some()
        || call.null_treatment.is_some()
        || !call.within_group.is_empty()
    {
        return Err(refuse(call, "over-window"));
    }
    let spec = match &call.over {
        Some(WindowType::WindowSpec(spec)) if spec.window_name.is_none() => spec.clone(),
        Some(WindowType::NamedWindow(window)) => {
            let found = exprs
                .calls
                .windows
                .iter()
                .find(|(name, _)| *name == window.value);
            found
                .map(|(_, spec)| spec.clone())
                .ok_or_else(|| invalid(format!("window '{window}' not found")))?
        }
        _ => return Err(refuse(call, "over-window")),
    };
    exprs.calls.allow_overs = false;
    let pending = pending(exprs, name, call, &spec);
    exprs.calls.allow_overs = true;
    let pending = pending?;
    let ty = pending.ty.clone();
    exprs.calls.overs.push(pending);
    check_together(&exprs.calls.overs)?;
    Ok(Expr {
        kind: ExprKind::Over(exprs.calls.overs.len() - 1),
        ty,
    })
}

/// Flink's distribution functions were seen to be wrong beside another order, and CUME_DIST beside
/// functions whose frame is of rows.
fn check_together(overs: &[PendingOver]) -> Result<()> {
    let distribution = |over: &PendingOver| {
        matches!(
            over.function,
            OverFunction::CumeDist | OverFunction::PercentRank | OverFunction::Ntile(_)
        )
    };
    let differ = overs
        .windows(2)
        .any(|pair| pair[0].order != pair[1].order || pair[0].partition != pair[1].partition);
    let cume_dist = |over: &PendingOver| over.function == OverFunction::CumeDist;
    let beside_cume_dist = |over: &PendingOver| {
        cume_dist(over) || matches!(over.function, OverFunction::Rank | OverFunction::DenseRank)
    };
    let differ = differ && overs.iter().any(distribution);
    if differ || overs.iter().any(cume_dist) && !overs.iter().all(beside_cume_dist) {
        return Err(refuse(
            "CUME_DIST, PERCENT_RANK or NTILE beside another window",
            "over-window",
        ));
    }
    Ok(())
}

fn pending(
    exprs: &mut Exprs<'_, '_>,
    name: &str,
    call: &Function,
    spec: &WindowSpec,
) -> Result<PendingOver> {
    let partition: Vec<Expr> = spec
        .partition_by
        .iter()
        .map(|key| exprs.bind_any(key))
        .collect::<Result<_>>()?;
    let mut order = Vec::with_capacity(spec.order_by.len());
    for key in &spec.order_by {
        let expr = exprs.bind_any(&key.expr)?;
        let sort = exprs.binder.window_key(&expr.ty, key)?;
        order.push((expr, sort));
    }
    let keys = partition.iter().chain(order.iter().map(|(expr, _)| expr));
    for key in keys {
        foreign::check_key(&key.ty.root, "an OVER key")?;
        if key.ty.root.is_approximate() || key.ty.root.is_nested() || key.is_constant() {
            return Err(refuse(format!("an OVER key of {}", key.ty), "over-window"));
        }
    }
    let (args, distinct) = arguments::arguments(call)?;
    if distinct {
        return Err(refuse(call, "over-window"));
    }
    let (function, args, ty) = function(exprs, name, call, &args, !order.is_empty())?;
    let ranked = !matches!(function, OverFunction::Aggregate(_));
    let frame = match &spec.window_frame {
        None if order.is_empty() => Frame::Partition,
        None => Frame::ToCurrentPeers,
        Some(_) if ranked => return Err(refuse(call, "over-window")),
        Some(frame) => bound_frame(frame, call)?,
    };
    Ok(PendingOver {
        function,
        args,
        partition,
        order,
        frame,
        ty,
    })
}

fn function(
    exprs: &mut Exprs<'_, '_>,
    name: &str,
    call: &Function,
    args: &[FunctionArgExpr],
    ordered: bool,
) -> Result<(OverFunction, Vec<Expr>, FlinkType)> {
    let bigint = FlinkType::not_null(Root::BigInt);
    let double = FlinkType::not_null(Root::Double);
    if !ordered
        && !matches!(
            Aggregate::from_name(name),
            Some(
                Aggregate::Count
                    | Aggregate::Sum
                    | Aggregate::Avg
                    | Aggregate::Min
                    | Aggregate::Max
            )
        )
    {
        return Err(invalid(format!(
            "{name} requires ORDER BY with non-constant fields"
        )));
    }
    match (name, args) {
        ("ROW_NUMBER", []) => Ok((OverFunction::RowNumber, vec![], bigint)),
        ("RANK", []) => Ok((OverFunction::Rank, vec![], bigint)),
        ("DENSE_RANK", []) => Ok((OverFunction::DenseRank, vec![], bigint)),
        ("PERCENT_RANK", []) => Ok((OverFunction::PercentRank, vec![], double)),
        ("CUME_DIST", []) => Ok((OverFunction::CumeDist, vec![], double)),
        ("NTILE", [parts]) => match arguments::value(exprs, parts)?.as_literal() {
            Some(Value::Integer(parts)) if *parts > 0 => {
                Ok((OverFunction::Ntile(*parts as u64), vec![], bigint))
            }
            _ => Err(refuse(call, "over-window")),
        },
        ("LAG" | "LEAD", [value, rest @ ..]) => lag(exprs, name == "LEAD", call, value, rest),
        _ => aggregate(exprs, name, call, args),
    }
}

/// LAG and LEAD with a literal distance and a literal default.
fn lag(
    exprs: &mut Exprs<'_, '_>,
    ahead: bool,
    call: &Function,
    value: &FunctionArgExpr,
    rest: &[FunctionArgExpr],
) -> Result<(OverFunction, Vec<Expr>, FlinkType)> {
    let value = arguments::value(exprs, value)?;
    let rest: Vec<Expr> = rest
        .iter()
        .map(|arg| arguments::value(exprs, arg))
        .collect::<Result<_>>()?;
    let distance = match rest.first().map(Expr::as_literal) {
        None => 1,
        Some(Some(Value::Integer(distance))) if (1..=ROWS_MAX).contains(distance) => *distance,
        _ => return Err(refuse(call, "over-window")),
    };
    let mut args = vec![value];
    let ty = match rest.get(1) {
        None => args[0].ty.with_nullable(true),
        Some(default) if default.ty.root == args[0].ty.root && default.as_literal().is_some() => {
            args.push(default.clone());
            args[0].ty.clone()
        }
        Some(_) => return Err(refuse(call, "over-window")),
    };
    if ty.root.is_nested() || rest.len() > 2 {
        return Err(refuse(call, "over-window"));
    }
    Ok((
        OverFunction::Lag(if ahead { -distance } else { distance }),
        args,
        ty,
    ))
}

/// Aggregates over integers, counts, and extrema of what has a total order.
fn aggregate(
    exprs: &mut Exprs<'_, '_>,
    name: &str,
    call: &Function,
    args: &[FunctionArgExpr],
) -> Result<(OverFunction, Vec<Expr>, FlinkType)> {
    let Some(function) = Aggregate::from_name(name) else {
        return Err(refuse(format!("the window function {name}"), "over-window"));
    };
    let pending = aggregates::aggregate(exprs, function, args, false, call)?;
    let root = &pending.signature.argument.root;
    let known = match pending.signature.function {
        Aggregate::CountRows | Aggregate::Count => true,
        Aggregate::Sum | Aggregate::Avg => root.is_integer(),
        Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last => {
            !root.is_approximate()
        }
        _ => false,
    };
    if !known {
        return Err(refuse(call, "over-window"));
    }
    let mut signature = pending.signature;
    signature.result.nullable =
        !matches!(signature.function, Aggregate::CountRows | Aggregate::Count);
    let ty = signature.result.clone();
    Ok((
        OverFunction::Aggregate(signature),
        pending.argument.into_iter().collect(),
        ty,
    ))
}

fn bound_frame(frame: &WindowFrame, call: &Function) -> Result<Frame> {
    use WindowFrameBound::{CurrentRow, Following, Preceding};
    let rows = |bound: &WindowFrameBound| match bound {
        CurrentRow => Some(Some(0)),
        Preceding(None) | Following(None) => Some(None),
        Preceding(Some(count)) => distance(count).map(|count| Some(-count)),
        Following(Some(count)) => distance(count).map(Some),
    };
    let end = frame.end_bound.as_ref().unwrap_or(&CurrentRow);
    match (frame.units, &frame.start_bound, end) {
        (_, Preceding(None), Following(None)) => Ok(Frame::Partition),
        (WindowFrameUnits::Range, Preceding(None), CurrentRow) => Ok(Frame::ToCurrentPeers),
        (WindowFrameUnits::Rows, Following(None), _)
        | (WindowFrameUnits::Rows, _, Preceding(None)) => Err(refuse(call, "over-window")),
        (WindowFrameUnits::Rows, start, end) => match (rows(start), rows(end)) {
            (Some(start), Some(end))
                if start.is_none_or(|start| end.is_none_or(|end| start <= end)) =>
            {
                Ok(Frame::Rows(start, end))
            }
            _ => Err(refuse(call, "over-window")),
        },
        _ => Err(refuse(call, "over-window")),
    }
}

fn distance(expr: &ast::Expr) -> Option<i64> {
    let ast::Expr::Value(value) = expr else {
        return None;
    };
    match literal::plain(&value.value).ok()?.as_literal() {
        Some(Value::Integer(count)) if (0..=ROWS_MAX).contains(count) => Some(*count),
        _ => None,
    }
}

/// Adds the columns of the calls to the relation.
pub(super) fn apply(rel: Rel, pending: Vec<PendingOver>) -> Rel {
    let width = rel.columns.len();
    let mut exprs = column_exprs(&rel);
    let mut place = |expr: Expr| {
        exprs
            .iter()
            .position(|known| *known == expr)
            .unwrap_or_else(|| {
                exprs.push(expr);
                exprs.len() - 1
            })
    };
    let mut calls = Vec::with_capacity(pending.len());
    for over in pending {
        let order = over
            .order
            .into_iter()
            .map(|(expr, key)| SortKey {
                column: place(expr),
                ..key
            })
            .collect();
        calls.push(OverCall {
            function: over.function,
            args: over.args.into_iter().map(&mut place).collect(),
            partition: over.partition.into_iter().map(&mut place).collect(),
            order,
            frame: over.frame,
            ty: over.ty,
        });
    }
    let columns = exprs.iter().enumerate().map(|(index, expr)| Column {
        name: format!("$over{index}"),
        ty: expr.ty.clone(),
    });
    let mut columns: Vec<Column> = columns.collect();
    let input = Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns: columns.clone(),
    };
    columns.extend(calls.iter().enumerate().map(|(index, call)| Column {
        name: format!("$call{index}"),
        ty: call.ty.clone(),
    }));
    let over = Rel {
        node: Node::Over(Box::new(input), calls),
        columns,
    };
    // The calls' columns move to directly behind the relation's own.
    let kept: Vec<usize> = (0..width)
        .chain(over.columns.len() - count_calls(&over)..over.columns.len())
        .collect();
    picked(over, &kept)
}

fn count_calls(rel: &Rel) -> usize {
    match &rel.node {
        Node::Over(_, calls) => calls.len(),
        _ => 0,
    }
}

/// The expression with each OVER placeholder replaced by its column.
pub(super) fn rewrite(expr: Expr, base: usize, types: &[FlinkType]) -> Expr {
    if let ExprKind::Over(index) = expr.kind {
        let ty = types.get(base + index).cloned().unwrap_or(expr.ty);
        return Expr::column(base + index, ty);
    }
    let rewritten: std::result::Result<Expr, std::convert::Infallible> =
        expr.try_map_children(&mut |child| Ok(rewrite(child, base, types)));
    match rewritten {
        Ok(expr) => expr,
        Err(never) => match never {},
    }
}
