//! What a SELECT shows and sorts by.
//!
//! Invariant: names are Flink's: `EXPR$n` for an expression without a name, a number behind a name that
//! was taken.

use super::order::output_column;
use super::reserved;
use super::state::Exprs;
use crate::plan::rel::Column;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, SelectItem};
use flinkspark_model::Result;

/// What a sort key is: an item, or an expression beside the items.
pub(super) enum Sort {
    Item(usize),
    Hidden(Expr),
}

pub(super) fn select_items(
    exprs: &mut Exprs<'_, '_>,
    items: &[SelectItem],
) -> Result<Vec<(String, Expr)>> {
    let mut bound = Vec::new();
    for item in items {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    ast::Expr::Identifier(name) => name.value.clone(),
                    ast::Expr::CompoundIdentifier(parts) => parts
                        .last()
                        .map(|part| part.value.clone())
                        .unwrap_or_default(),
                    _ => format!("EXPR${}", bound.len()),
                };
                bound.push((name, exprs.bind_any(expr)?));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                reserved::check(alias)?;
                bound.push((alias.value.clone(), exprs.bind_any(expr)?))
            }
            SelectItem::Wildcard(options) if options.to_string().is_empty() => {
                let fields = exprs.scope.fields.iter().filter(|field| field.visible);
                for field in fields {
                    bound.push((field.name.clone(), field.expr.clone()));
                }
            }
            SelectItem::QualifiedWildcard(
                ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) if options.to_string().is_empty() => {
                let wanted = name.to_string().replace('`', "");
                let fields = exprs
                    .scope
                    .fields
                    .iter()
                    .filter(|field| field.qualifier.as_ref() == Some(&wanted));
                let before = bound.len();
                for field in fields {
                    bound.push((field.name.clone(), field.expr.clone()));
                }
                if bound.len() == before {
                    return Err(invalid(format!("table '{wanted}' not found")));
                }
            }
            other => return Err(refuse(other, "syntax")),
        }
    }
    if bound.is_empty() {
        return Err(invalid("a SELECT selects nothing"));
    }
    Ok(bound)
}

pub(super) fn sort_exprs(
    exprs: &mut Exprs<'_, '_>,
    order: &[ast::OrderByExpr],
    items: &[(String, Expr)],
) -> Result<Vec<Sort>> {
    let columns: Vec<Column> = items
        .iter()
        .map(|(name, expr)| Column {
            name: name.clone(),
            ty: expr.ty.clone(),
        })
        .collect();
    let mut sorts = Vec::with_capacity(order.len());
    for key in order {
        if let Some(index) = output_column(&key.expr, &columns)? {
            sorts.push(Sort::Item(index));
            continue;
        }
        let text = key.expr.to_string();
        let shadowed = |name: &str| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .any(|word| word == name)
        };
        let renamed = |(name, expr): &&(String, Expr)| {
            shadowed(name)
                && exprs
                    .scope
                    .resolve(None, name)
                    .is_ok_and(|field| field.expr != *expr)
        };
        if items.iter().any(|item| renamed(&item)) {
            return Err(refuse(
                format!("ORDER BY {text}, which an alias shadows"),
                "group-by-name",
            ));
        }
        let hidden = exprs.bind_any(&key.expr)?;
        let plain = matches!(hidden.kind, ExprKind::Column(_) | ExprKind::Aggregate(_));
        // Flink was seen to lose the order of an expression that is not selected.
        if !plain && items.iter().all(|(_, item)| *item != hidden) {
            return Err(refuse(
                format!("ORDER BY {text}, which is not selected"),
                "clause",
            ));
        }
        sorts.push(Sort::Hidden(hidden));
    }
    Ok(sorts)
}

/// A repeated name gets the first free number, as Flink names the columns of a result.
pub(super) fn unique_names(columns: &mut [Column]) {
    for index in 1..columns.len() {
        let taken = |name: &str, columns: &[Column]| {
            columns[..index].iter().any(|column| column.name == name)
        };
        let base = columns[index].name.clone();
        let mut name = base.clone();
        let mut number = 0;
        while taken(&name, columns) {
            name = format!("{base}{number}");
            number += 1;
        }
        columns[index].name = name;
    }
}
