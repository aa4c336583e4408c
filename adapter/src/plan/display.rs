//! Plans as text, for `job explain`.
//!
//! One line for each node, inputs indented below it; a column is `#position`. Invariant: the text shows
//! every conversion and every type decision that the binder made.

use super::rel::{JoinKind, Node, OverFunction, Rel, SortKey};
use super::{Column, Job};
use crate::semantics::cast::value_text;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::value::Value;
use std::fmt;

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "home {}", self.home.name())?;
        if let Some(sink) = &self.sink {
            let how = if self.overwrites { "overwrite" } else { "into" };
            writeln!(f, "{how} {sink}")?;
        }
        write!(f, "{}", self.root)
    }
}

impl fmt::Display for Rel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(self, f, 0)
    }
}

fn line(rel: &Rel, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    write!(f, "{}{} -> ", "  ".repeat(depth), head(rel))?;
    for (index, Column { name, ty }) in rel.columns.iter().enumerate() {
        write!(f, "{}`{name}` {ty}", if index == 0 { "" } else { ", " })?;
    }
    writeln!(f)?;
    inputs(rel)
        .into_iter()
        .try_for_each(|input| line(input, f, depth + 1))
}

/// The inputs of a node, left to right.
pub fn inputs(rel: &Rel) -> Vec<&Rel> {
    match &rel.node {
        Node::Values(_) | Node::Scan(_) => vec![],
        Node::Project(input, _)
        | Node::Filter(input, _)
        | Node::Tumble(input, _)
        | Node::Aggregate(input, _)
        | Node::Expand(input, _)
        | Node::Distinct(input)
        | Node::Over(input, _)
        | Node::Unnest(input, _)
        | Node::Sort(input, _)
        | Node::Limit { input, .. } => vec![input],
        Node::Join(join) => vec![&join.left, &join.right],
        Node::Union(inputs) => inputs.iter().collect(),
        Node::SetOperation(operation) => vec![&operation.left, &operation.right],
    }
}

fn head(rel: &Rel) -> String {
    match &rel.node {
        Node::Values(rows) => format!("Values rows={}", rows.len()),
        Node::Scan(scan) => format!("Scan {}", scan.dataset),
        Node::Project(_, exprs) => format!("Project {}", list(exprs)),
        Node::Filter(_, predicate) => format!("Filter {predicate}"),
        Node::Tumble(_, tumble) => format!(
            "Tumble #{} size={}ms offset={}ms",
            tumble.time, tumble.size_ms, tumble.offset_ms
        ),
        Node::Aggregate(_, grouping) => {
            let calls: Vec<String> = grouping
                .calls
                .iter()
                .map(|call| {
                    let distinct = if call.signature.distinct {
                        "DISTINCT "
                    } else {
                        ""
                    };
                    let argument = call.argument.map_or("*".to_owned(), |at| format!("#{at}"));
                    let filter = call
                        .filter
                        .map_or(String::new(), |at| format!(" FILTER #{at}"));
                    format!(
                        "{}({distinct}{argument}){filter}",
                        call.signature.function.name()
                    )
                })
                .collect();
            format!("Aggregate keys={:?} {}", grouping.keys, calls.join(", "))
        }
        Node::Expand(_, sets) => format!("Expand {sets:?}"),
        Node::Join(join) => {
            let kind = match join.kind {
                JoinKind::Inner => "Inner",
                JoinKind::Left => "Left",
                JoinKind::Right => "Right",
                JoinKind::Full => "Full",
                JoinKind::Semi => "Semi",
                JoinKind::Anti => "Anti",
                JoinKind::NotIn => "NotIn",
            };
            let residual = join
                .residual
                .as_ref()
                .map_or(String::new(), |expr| format!(" and {expr}"));
            format!("{kind}Join keys={:?}{residual}", join.keys)
        }
        Node::Union(_) => "Union".into(),
        Node::SetOperation(operation) => {
            let name = if operation.intersect {
                "Intersect"
            } else {
                "Except"
            };
            format!("{name}{}", if operation.all { " all" } else { "" })
        }
        Node::Distinct(_) => "Distinct".into(),
        Node::Over(_, calls) => {
            let names: Vec<&str> = calls.iter().map(|call| over_name(&call.function)).collect();
            format!("Over {}", names.join(", "))
        }
        Node::Unnest(_, column) => format!("Unnest #{column}"),
        Node::Sort(_, keys) => format!(
            "Sort {}",
            keys.iter().map(key).collect::<Vec<_>>().join(", ")
        ),
        Node::Limit { offset, fetch, .. } => format!("Limit offset={offset} fetch={fetch}"),
    }
}

fn over_name(function: &OverFunction) -> &'static str {
    match function {
        OverFunction::RowNumber => "ROW_NUMBER",
        OverFunction::Rank => "RANK",
        OverFunction::DenseRank => "DENSE_RANK",
        OverFunction::PercentRank => "PERCENT_RANK",
        OverFunction::CumeDist => "CUME_DIST",
        OverFunction::Ntile(_) => "NTILE",
        OverFunction::Lag(_) => "LAG",
        OverFunction::Aggregate(signature) => signature.function.name(),
    }
}

fn key(key: &SortKey) -> String {
    let order = if key.descending { "desc" } else { "asc" };
    let nulls = if key.nulls_first {
        "nulls first"
    } else {
        "nulls last"
    };
    format!("#{} {order} {nulls}", key.column)
}

fn list(exprs: &[Expr]) -> String {
    exprs
        .iter()
        .map(Expr::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Column(index) => write!(f, "#{index}"),
            ExprKind::Literal(Value::Null) => f.write_str("NULL"),
            ExprKind::Literal(value) => match value_text(value, &self.ty.root) {
                Ok(text) if self.ty.root.is_text() => write!(f, "'{}'", text.replace('\'', "''")),
                Ok(text) => f.write_str(&text),
                Err(_) => write!(f, "{value:?}"),
            },
            ExprKind::Call(function, args) => match args.as_slice() {
                [left, right] if !function.name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    write!(f, "({left} {} {right})", function.name)
                }
                args => write!(f, "{}({})", function.name, list(args)),
            },
            ExprKind::Cast(input) => {
                write!(f, "CAST({input} AS {})", self.ty.text_without_nullability())
            }
            ExprKind::TryCast(input) => write!(
                f,
                "TRY_CAST({input} AS {})",
                self.ty.text_without_nullability()
            ),
            ExprKind::And(args) => write!(f, "AND({})", list(args)),
            ExprKind::Or(args) => write!(f, "OR({})", list(args)),
            ExprKind::Case(whens, otherwise) => {
                f.write_str("CASE")?;
                for (when, then) in whens {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                write!(f, " ELSE {otherwise} END")
            }
            ExprKind::Coalesce(args) => write!(f, "COALESCE({})", list(args)),
            ExprKind::Aggregate(index) => write!(f, "aggregate {index}"),
            ExprKind::Over(index) => write!(f, "over {index}"),
        }
    }
}
