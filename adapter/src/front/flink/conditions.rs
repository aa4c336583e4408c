//! Conditions as Flink's planner rewrites them before it evaluates any.
//!
//! Owns what a NaN can see of that: NOT is pushed down to the comparisons, `IS FALSE` of what is never
//! NULL is its NOT, and comparisons of one column that leave nothing out are TRUE. Without a float every
//! such form has one meaning, and it is left as it is. Invariant: a form over floats whose rewriting is not
//! known is refused by name.

use super::ranges::{Cells, Comparison};
use super::trees::{connective, negated};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::{Function, operator};
use crate::semantics::refuse;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use flinkspark_model::{Error, Result};

/// The comparisons, each beside the one that Flink puts for its NOT.
static NEGATIONS: [(&Function, &Function); 6] = [
    (&operator::EQUAL, &operator::NOT_EQUAL),
    (&operator::NOT_EQUAL, &operator::EQUAL),
    (&operator::LESS, &operator::GREATER_EQUAL),
    (&operator::GREATER_EQUAL, &operator::LESS),
    (&operator::GREATER, &operator::LESS_EQUAL),
    (&operator::LESS_EQUAL, &operator::GREATER),
];

/// The expression as Flink's planner rewrites it.
pub(super) fn planned(expr: Expr) -> Result<Expr> {
    if !sees_nan(&expr) {
        return Ok(expr);
    }
    let Expr { kind, ty } = expr;
    match kind {
        ExprKind::Call(function, args) => call(function, args, ty),
        ExprKind::And(args) => list(args, true),
        ExprKind::Or(args) => list(args, false),
        ExprKind::Case(whens, otherwise) => case(whens, *otherwise, ty),
        kind => Expr { kind, ty }.try_map_children(&mut planned),
    }
}

fn call(function: &'static Function, mut args: Vec<Expr>, ty: FlinkType) -> Result<Expr> {
    match (function.name, args.len()) {
        ("NOT", 1) => opposite(args.remove(0)),
        ("IS TRUE", 1) if !args[0].ty.nullable => planned(args.remove(0)),
        ("IS FALSE", 1) if !args[0].ty.nullable => opposite(args.remove(0)),
        ("IS FALSE", 1) => Err(unknown("IS [NOT] FALSE of what may be NULL")),
        _ if comparison(function) && args.iter().any(|arg| arg.ty.root == Root::Boolean) => {
            Err(unknown("a comparison of truths"))
        }
        _ => {
            let kind = ExprKind::Call(function, args);
            Expr { kind, ty }.try_map_children(&mut planned)
        }
    }
}

/// The planner's NOT of an expression.
fn opposite(expr: Expr) -> Result<Expr> {
    if !sees_nan(&expr) {
        return negated(expr);
    }
    let Expr { kind, ty } = expr;
    match kind {
        ExprKind::Call(function, mut args) => {
            let against = NEGATIONS.iter().find(|(known, _)| *known == function);
            match (function.name, against) {
                (_, Some((_, against))) => {
                    let args = args.into_iter().map(planned).collect::<Result<_>>()?;
                    Ok(Expr {
                        kind: ExprKind::Call(against, args),
                        ty,
                    })
                }
                ("NOT", _) => planned(args.remove(0)),
                ("IS TRUE", _) if !args[0].ty.nullable => opposite(args.remove(0)),
                ("IS FALSE", _) if !args[0].ty.nullable => planned(args.remove(0)),
                ("IS TRUE" | "IS FALSE", _) => {
                    Err(unknown("IS NOT TRUE or IS [NOT] FALSE of what may be NULL"))
                }
                _ => negated(call(function, args, ty)?),
            }
        }
        ExprKind::And(args) => {
            let both = flat(args, true);
            if !java_range(&both) {
                return Err(unknown("NOT over AND"));
            }
            list(
                both.into_iter().map(opposite).collect::<Result<_>>()?,
                false,
            )
        }
        ExprKind::Or(args) => {
            let any = flat(args, false).into_iter().map(opposite);
            list(any.collect::<Result<_>>()?, true)
        }
        ExprKind::Case(..) | ExprKind::Coalesce(_) => Err(unknown("NOT over CASE or COALESCE")),
        kind => negated(planned(Expr { kind, ty })?),
    }
}

/// Whether these are comparisons of one column beside DECIMALs, where a NaN has a place in the order.
fn java_range(terms: &[Expr]) -> bool {
    let compared: Option<Vec<Comparison>> = terms.iter().map(Comparison::of).collect();
    compared.is_some_and(|compared| {
        compared.iter().all(|one| one.is_beside_decimal())
            && compared
                .windows(2)
                .all(|pair| pair[0].column == pair[1].column)
    })
}

/// AND or OR, each column's comparisons taken together as the planner takes them.
fn list(terms: Vec<Expr>, and: bool) -> Result<Expr> {
    let terms = flat(terms, and);
    let mut kept = Vec::with_capacity(terms.len());
    for term in terms {
        kept.push(planned(term)?);
    }
    let compared: Vec<Comparison> = kept.iter().filter_map(Comparison::of).collect();
    let mut columns: Vec<usize> = compared.iter().map(|one| one.column).collect();
    columns.sort_unstable();
    columns.dedup();
    for column in columns {
        let group: Vec<&Comparison> = compared.iter().filter(|one| one.column == column).collect();
        if !group[0].is_of_float() {
            continue;
        }
        one_kind(&group, and)?;
        if and {
            continue;
        }
        let inside = |term: &Expr| Comparison::of(term).is_none() && reads_float(term, column);
        if kept.iter().any(inside) {
            return Err(unknown(
                "OR over a float and a condition that holds it again",
            ));
        }
        kept = united(kept, column, &group)?;
    }
    Ok(match kept.len() {
        1 => kept.remove(0),
        _ => connective(kept, and),
    })
}

/// Literals of two kinds would become one type, by which a NaN changes its place.
fn one_kind(group: &[&Comparison], and: bool) -> Result<()> {
    let decimals = group.iter().filter(|one| one.is_beside_decimal()).count();
    if decimals == 0 || decimals == group.len() {
        return zero_among_points(group, and);
    }
    // Where every kind says the same of a NaN, the kinds do not matter.
    let decided = group.iter().any(|one| match and {
        true => ["<", "<=", "="].contains(&one.operator.name),
        false => one.operator.name == "<>",
    });
    if decided && !group.iter().any(|one| one.is_zero()) {
        return Ok(());
    }
    Err(unknown("a float beside a DECIMAL and another number"))
}

/// Several points are looked up in a hash set, in which -0.0 may be apart from 0.0.
fn zero_among_points(group: &[&Comparison], and: bool) -> Result<()> {
    let point = if and { "<>" } else { "=" };
    let points = group.iter().filter(|one| one.operator.name == point);
    if points.clone().count() > 1 && points.clone().any(|one| one.is_zero()) {
        return Err(unknown("a float among several values with a zero"));
    }
    Ok(())
}

/// An OR in which the comparisons of a column that leave out nothing, or nothing but some values, are
/// said so.
fn united(terms: Vec<Expr>, column: usize, group: &[&Comparison]) -> Result<Vec<Expr>> {
    let order = |one: &&&Comparison| !["=", "<>"].contains(&one.operator.name);
    let Some(cells) = Cells::of(group).filter(|_| group.iter().any(|one| order(&one))) else {
        return Ok(terms);
    };
    let Some(left_out) = cells.left_out_of_any() else {
        return Ok(terms);
    };
    let of_group = |term: &Expr| Comparison::of(term).is_some_and(|one| one.column == column);
    let Some(first) = terms.iter().position(of_group) else {
        return Ok(terms);
    };
    let operand = group[0].operand.clone();
    if operand.ty.nullable && terms.len() > group.len() {
        return Err(unknown("OR over every value of a float that may be NULL"));
    }
    let mut united: Vec<Expr> = Vec::with_capacity(left_out.len());
    for value in left_out {
        united.push(operator::NOT_EQUAL.call(vec![operand.clone(), value])?);
    }
    let together = match united.len() {
        0 => everything(operand)?,
        1 => united.remove(0),
        _ => connective(united, true),
    };
    let mut kept: Vec<Expr> = Vec::with_capacity(terms.len());
    for (index, term) in terms.into_iter().enumerate() {
        match (index == first, of_group(&term)) {
            (true, _) => kept.push(together.clone()),
            (false, true) => {}
            (false, false) => kept.push(term),
        }
    }
    Ok(kept)
}

/// TRUE for every value, unknown for NULL.
fn everything(operand: Expr) -> Result<Expr> {
    if !operand.ty.nullable {
        return Ok(truth(Value::Boolean(true)));
    }
    let there = negated(operator::IS_NULL.call(vec![operand])?)?;
    Ok(connective(vec![there, truth(Value::Null)], false))
}

fn truth(value: Value) -> Expr {
    let root = Root::Boolean;
    let nullable = value.is_null();
    Expr::literal(value, FlinkType { root, nullable })
}

/// CASE: the planner was seen to take the last of conditions that leave out nothing for TRUE.
fn case(whens: Vec<(Expr, Expr)>, otherwise: Expr, ty: FlinkType) -> Result<Expr> {
    if ty.root == Root::Boolean && whens.iter().any(|(when, _)| sees_nan(when)) {
        return Err(unknown("a BOOLEAN CASE over comparisons"));
    }
    let mut compared = Vec::new();
    for (when, _) in &whens {
        let mut terms = flat(vec![planned(when.clone())?], false);
        compared.extend(terms.drain(..).filter_map(|term| Comparison::of(&term)));
    }
    for one in &compared {
        let group: Vec<&Comparison> = compared
            .iter()
            .filter(|other| other.column == one.column && one.is_of_float())
            .collect();
        let order = group
            .iter()
            .any(|one| !["=", "<>"].contains(&one.operator.name));
        let all = Cells::of(&group).is_some_and(|cells| cells.left_out_of_any().is_some());
        if order && group.len() > 1 && all {
            return Err(unknown("CASE over conditions that leave out nothing"));
        }
    }
    let kind = ExprKind::Case(whens, Box::new(otherwise));
    Expr { kind, ty }.try_map_children(&mut planned)
}

/// The operands, those of the same connective inside them taken out.
fn flat(args: Vec<Expr>, and: bool) -> Vec<Expr> {
    let mut terms = Vec::with_capacity(args.len());
    for arg in args {
        match (arg.kind, and) {
            (ExprKind::And(inner), true) | (ExprKind::Or(inner), false) => {
                terms.extend(flat(inner, and));
            }
            (kind, _) => terms.push(Expr { kind, ty: arg.ty }),
        }
    }
    terms
}

fn comparison(function: &Function) -> bool {
    NEGATIONS.iter().any(|(known, _)| *known == function)
}

/// Whether a comparison inside has an answer for NaN that the rewriting can change.
fn sees_nan(expr: &Expr) -> bool {
    expr.any(&|part| match &part.kind {
        ExprKind::Call(function, args) => {
            comparison(function) && args.iter().any(|arg| arg.ty.root.is_approximate())
        }
        _ => false,
    })
}

/// Whether a comparison inside reads this column.
fn reads_float(expr: &Expr, column: usize) -> bool {
    expr.any(&|part| sees_nan(part) && part.columns().contains(&column))
}

fn unknown(what: &str) -> Error {
    refuse(format!("{what}, over a float"), "nan-condition")
}

/// Whether Flink's planner sees that no row can satisfy the condition, and drops the whole relation.
pub(super) fn never_true(condition: &Expr) -> bool {
    match &condition.kind {
        ExprKind::Literal(value) => value.truth() != Some(true),
        ExprKind::Or(args) => args.iter().all(never_true),
        ExprKind::And(args) => {
            let terms = flat(args.clone(), true);
            terms.iter().any(never_true) || contradict(&terms)
        }
        ExprKind::Call(function, args) => match (function.name, args.as_slice()) {
            ("<>" | "<" | ">", [left, right]) => left == right && left.any(&reads_row),
            ("IS NULL", [arg]) => !arg.ty.nullable && matches!(arg.kind, ExprKind::Column(_)),
            ("IS TRUE", [arg]) => never_true(arg),
            ("NOT", [arg]) => always_true(arg),
            _ => false,
        },
        _ => false,
    }
}

fn reads_row(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Column(_))
}

fn always_true(condition: &Expr) -> bool {
    match &condition.kind {
        ExprKind::Literal(value) => value.truth() == Some(true),
        ExprKind::And(args) => args.iter().all(always_true),
        ExprKind::Or(args) => args.iter().any(always_true),
        ExprKind::Call(function, args) => match (function.name, args.as_slice()) {
            ("NOT", [arg]) => match &arg.kind {
                ExprKind::Call(inner, of) if inner.name == "IS NULL" => {
                    of.iter().all(|arg| !arg.ty.nullable && reads_row(arg))
                }
                _ => false,
            },
            _ => false,
        },
        _ => false,
    }
}

/// Whether terms of one AND exclude each other: ranges of one column that do not meet, a term and its NOT,
/// NULL and a value.
fn contradict(terms: &[Expr]) -> bool {
    let inner = |term: &Expr, name: &str| match &term.kind {
        ExprKind::Call(function, args) if function.name == name => args.first().cloned(),
        _ => None,
    };
    let excluded = |term: &Expr| inner(term, "NOT").is_some_and(|not| terms.contains(&not));
    let compared: Vec<Comparison> = terms.iter().filter_map(Comparison::of_any).collect();
    let null = |term: &Expr| match inner(term, "IS NULL").map(|arg| arg.kind) {
        Some(ExprKind::Column(column)) => compared.iter().any(|one| one.column == column),
        _ => false,
    };
    let apart = |one: &Comparison| {
        let group: Vec<&Comparison> = compared
            .iter()
            .filter(|other| other.column == one.column)
            .collect();
        group.len() > 1 && Cells::of(&group).is_some_and(|cells| cells.nothing_in_all())
    };
    terms.iter().any(excluded) || terms.iter().any(null) || compared.iter().any(apart)
}
