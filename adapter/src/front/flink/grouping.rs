//! GROUP BY and what may stand above it.
//!
//! Owns grouping sets as an expansion before one aggregate, as Flink plans them. Invariant: above a
//! grouping an expression is built of keys and aggregates only.

use super::fold;
use super::relations::one_row;
use super::state::{Exprs, PendingAggregate};
use crate::plan::rel::{AggregateCall, Column, Grouping, Node, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, GroupByExpr};
use flinkspark_model::Result;

/// The placeholder for the number of a row's grouping set.
const SET_NUMBER: usize = usize::MAX;
/// The most grouping sets of one SELECT.
const GROUPING_SETS_MAX: usize = 64;

/// Grouping keys; `lists` holds for each grouping set the keys that it leaves out, none for a plain
/// GROUP BY.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) keys: Vec<Expr>,
    pub(super) lists: Vec<Vec<usize>>,
}

/// The keys of a GROUP BY clause, none where there is no clause.
pub(super) fn bind(exprs: &mut Exprs<'_, '_>, clause: &GroupByExpr) -> Result<Option<Groups>> {
    let GroupByExpr::Expressions(items, modifiers) = clause else {
        return Err(refuse(format!("{clause}"), "clause"));
    };
    if !modifiers.is_empty() {
        return Err(refuse(format!("{clause}"), "clause"));
    }
    match items.as_slice() {
        [] => Ok(None),
        [ast::Expr::Tuple(nothing)] if nothing.is_empty() => Ok(Some(Groups::default())),
        [ast::Expr::Rollup(parts)] => {
            let sets = (0..=parts.len())
                .rev()
                .map(|kept| parts[..kept].concat())
                .collect();
            grouping_sets(exprs, sets).map(Some)
        }
        [ast::Expr::Cube(parts)] if parts.len() <= 6 => {
            let chosen = |mask: usize| {
                let kept = parts
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| mask & (1 << index) != 0);
                kept.flat_map(|(_, part)| part.clone()).collect()
            };
            grouping_sets(exprs, (0..1 << parts.len()).rev().map(chosen).collect()).map(Some)
        }
        [ast::Expr::GroupingSets(sets)] => grouping_sets(exprs, sets.clone()).map(Some),
        items => {
            let keys: Result<Vec<Expr>> = items.iter().map(|item| key(exprs, item)).collect();
            Ok(Some(Groups {
                keys: keys?,
                lists: vec![],
            }))
        }
    }
}

fn key(exprs: &mut Exprs<'_, '_>, item: &ast::Expr) -> Result<Expr> {
    let item = if let ast::Expr::Nested(inner) = item {
        inner
    } else {
        item
    };
    if matches!(item, ast::Expr::Value(_)) {
        return Err(refuse(format!("GROUP BY {item}"), "group-by-name"));
    }
    let key = exprs.bind_any(item)?;
    foreign::check_key(&key.ty.root, format!("GROUP BY {item}"))?;
    if key.ty.root.is_nested() || key.ty.root == Root::Null {
        return Err(refuse(format!("GROUP BY {item}"), "type"));
    }
    Ok(key)
}

fn grouping_sets(exprs: &mut Exprs<'_, '_>, sets: Vec<Vec<ast::Expr>>) -> Result<Groups> {
    if sets.len() > GROUPING_SETS_MAX {
        return Err(invalid(format!(
            "{} grouping sets; the limit is {GROUPING_SETS_MAX}",
            sets.len()
        )));
    }
    let mut keys: Vec<Expr> = Vec::new();
    let mut kept = Vec::with_capacity(sets.len());
    for set in &sets {
        let mut places = Vec::new();
        for item in set {
            let key = key(exprs, item)?;
            // A constant key would be folded above the grouping, where its sets leave it out.
            if key.is_constant() {
                return Err(refuse("a constant in a grouping set", "constant-folding"));
            }
            places.push(
                keys.iter()
                    .position(|known| *known == key)
                    .unwrap_or_else(|| {
                        keys.push(key);
                        keys.len() - 1
                    }),
            );
        }
        kept.push(places);
    }
    let without = |places: Vec<usize>| {
        (0..keys.len())
            .filter(|place| !places.contains(place))
            .collect()
    };
    let lists = kept.into_iter().map(without).collect();
    Ok(Groups { keys, lists })
}

/// `GROUPING(key, ..)`: a bit for each key that the row's set leaves out, the last key lowest.
pub(super) fn indicator(exprs: &mut Exprs<'_, '_>, args: &[Expr]) -> Result<Expr> {
    let calls = &exprs.calls;
    let places: Option<Vec<usize>> = args
        .iter()
        .map(|arg| calls.group_keys.iter().position(|key| key == arg))
        .collect();
    let places = places.filter(|places| !places.is_empty() && !calls.group_lists.is_empty());
    let places =
        places.ok_or_else(|| refuse("GROUPING of what is no key of grouping sets", "clause"))?;
    let bigint = FlinkType::not_null(Root::BigInt);
    let number = |value: i64| Expr::literal(Value::Integer(value), bigint.clone());
    let bits = |list: &Vec<usize>| {
        places.iter().fold(0_i64, |bits, place| {
            bits << 1 | i64::from(list.contains(place))
        })
    };
    let set = Expr {
        kind: ExprKind::Aggregate(SET_NUMBER),
        ty: bigint.clone(),
    };
    let mut whens = Vec::with_capacity(calls.group_lists.len());
    for (index, list) in calls.group_lists.iter().enumerate() {
        let equal = crate::semantics::function::operator::EQUAL
            .call(vec![set.clone(), number(index as i64)])?;
        whens.push((equal, number(bits(list))));
    }
    Ok(Expr {
        kind: ExprKind::Case(whens, Box::new(number(0))),
        ty: bigint,
    })
}

/// A relation that has been grouped, and how expressions are rewritten over it.
pub(super) struct Grouped {
    pub(super) rel: Rel,
    keys: Vec<Expr>,
    /// Where the aggregates' columns begin.
    base: usize,
    set_number: Option<usize>,
}

/// Groups the relation: keys, arguments and filters become columns, then one aggregate node.
pub(super) fn apply(
    rel: Rel,
    groups: Groups,
    pending: Vec<PendingAggregate>,
    unions: &[Vec<Vec<Expr>>],
) -> Result<Grouped> {
    let nothing = groups.keys.is_empty() && fold::is_nothing(&rel);
    let mut exprs: Vec<Expr> = groups.keys.clone();
    let mut place = |expr: Expr| {
        let known = exprs
            .iter()
            .skip(groups.keys.len())
            .position(|other| *other == expr);
        known.map_or_else(
            || {
                exprs.push(expr);
                exprs.len() - 1
            },
            |known| known + groups.keys.len(),
        )
    };
    let mut calls = Vec::with_capacity(pending.len());
    for PendingAggregate {
        signature,
        argument,
        filter,
    } in pending
    {
        calls.push(AggregateCall {
            signature,
            argument: argument.map(&mut place),
            filter: filter.map(&mut place),
        });
    }
    if exprs.is_empty() {
        // COUNT(*) alone reads no column, and a relation has at least one.
        let truth = FlinkType::not_null(Root::Boolean);
        exprs.push(Expr::literal(Value::Boolean(true), truth));
    }
    let column = |(index, expr): (usize, &Expr)| Column {
        name: format!("$group{index}"),
        ty: expr.ty.clone(),
    };
    let mut columns: Vec<Column> = exprs.iter().enumerate().map(column).collect();
    let mut rel = fold::project(rel, exprs, columns.clone(), unions)?;
    let mut keys: Vec<usize> = (0..groups.keys.len()).collect();
    let set_number = (!groups.lists.is_empty()).then(|| {
        for list in &groups.lists {
            list.iter()
                .for_each(|place| columns[*place].ty.nullable = true);
        }
        columns.push(Column {
            name: "$set".into(),
            ty: FlinkType::not_null(Root::BigInt),
        });
        let input = std::mem::replace(&mut rel, one_row());
        rel = Rel {
            node: Node::Expand(Box::new(input), groups.lists.clone()),
            columns: columns.clone(),
        };
        keys.push(columns.len() - 1);
        keys.len() - 1
    });
    let mut output: Vec<Column> = keys.iter().map(|key| columns[*key].clone()).collect();
    let base = output.len();
    output.extend(calls.iter().map(|call| Column {
        name: call.signature.function.name().into(),
        ty: call.signature.result.clone(),
    }));
    let node = match fold::of_nothing(&calls).filter(|_| nothing) {
        Some(row) => Node::Values(vec![row]),
        None => Node::Aggregate(Box::new(rel), Grouping { keys, calls }),
    };
    let rel = Rel {
        node,
        columns: output,
    };
    Ok(Grouped {
        rel,
        keys: groups.keys,
        base,
        set_number,
    })
}

impl Grouped {
    /// The expression over the grouped relation.
    pub(super) fn rewrite(&self, expr: Expr) -> Result<Expr> {
        if let Some(key) = self.keys.iter().position(|key| *key == expr) {
            return Ok(Expr::column(key, self.rel.columns[key].ty.clone()));
        }
        match expr.kind {
            ExprKind::Aggregate(SET_NUMBER) => match self.set_number {
                Some(index) => Ok(Expr::column(index, self.rel.columns[index].ty.clone())),
                None => Err(refuse("GROUPING without grouping sets", "clause")),
            },
            ExprKind::Aggregate(index) => {
                let index = self.base + index;
                Ok(Expr::column(index, self.rel.columns[index].ty.clone()))
            }
            ExprKind::Column(_) => Err(invalid("an expression is not being grouped")
                .with_detail(
                    "a column stands above GROUP BY that is neither a key nor inside an aggregate",
                )
                .with_hint("add it to GROUP BY")),
            _ => expr.try_map_children(&mut |child| self.rewrite(child)),
        }
    }
}
