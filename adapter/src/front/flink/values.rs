//! VALUES.
//!
//! Invariant: a row that Flink plans as a projection is one here, so that its constants are seen through it.

use super::fold;
use super::relations::one_row;
use super::scope::Scope;
use super::state::{Binder, Exprs};
use crate::plan::rel::{Column, Node, Rel};
use crate::semantics::cast::{self, common_root};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::Result;

impl Binder<'_> {
    /// VALUES: columns are named EXPR$0, EXPR$1, ...
    pub(super) fn values(&mut self, values: &ast::Values) -> Result<Rel> {
        let mut rows = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            rows.push(self.constants(&row.content)?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err(invalid("rows of VALUES have different widths"));
        }
        let mut columns = Vec::with_capacity(width);
        for index in 0..width {
            let parts: Vec<&FlinkType> = rows.iter().map(|row| &row[index].ty).collect();
            columns.push(Column {
                name: format!("EXPR${index}"),
                ty: values_type(&parts)?,
            });
        }
        let typed = |row: Vec<Expr>| {
            row.into_iter()
                .zip(&columns)
                .map(|(expr, column)| fold::fold(cast::to_root(expr, &column.ty.root)))
                .collect()
        };
        let plain = values
            .rows
            .iter()
            .flat_map(|row| &row.content)
            .all(is_plain_literal);
        let mut rows: Vec<Vec<Expr>> = rows.into_iter().map(typed).collect::<Result<_>>()?;
        if rows.len() == 1 && !plain {
            // Flink plans such a row as a projection, through which its constants are seen.
            return Ok(Rel {
                node: Node::Project(Box::new(one_row()), rows.remove(0)),
                columns,
            });
        }
        if !plain {
            self.unions.push(rows.clone());
        }
        Ok(Rel {
            node: Node::Values(rows),
            columns,
        })
    }

    fn constants(&mut self, row: &[ast::Expr]) -> Result<Vec<Expr>> {
        let (scope, mut calls) = (Scope::default(), Default::default());
        let mut exprs = Exprs {
            binder: self,
            scope: &scope,
            calls: &mut calls,
        };
        row.iter().map(|expr| exprs.bind(expr)).collect()
    }
}

/// Plain literals, signed numbers included, make a VALUES row that Flink keeps as a row.
fn is_plain_literal(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Value(_) | ast::Expr::TypedString(_) => true,
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr,
        } => matches!(expr.as_ref(), ast::Expr::Value(_)),
        _ => false,
    }
}

/// The type that a VALUES column gets; Flink cannot run doubles beside exact numbers there.
fn values_type(parts: &[&FlinkType]) -> Result<FlinkType> {
    let mut root = Root::Null;
    for part in parts {
        let mixed = root != Root::Null && part.root.is_approximate() != root.is_approximate();
        let united = common_root(&root, &part.root).filter(|_| !mixed);
        root = united.ok_or_else(|| {
            refuse(
                format!(
                    "a VALUES column of {} and {part}",
                    FlinkType::nullable(root.clone())
                ),
                "implicit-conversion",
            )
        })?;
    }
    if root == Root::Null || parts.iter().any(|part| part.root == Root::Null) {
        return Err(invalid("illegal use of NULL in VALUES"));
    }
    Ok(FlinkType {
        root,
        nullable: parts.iter().any(|part| part.nullable),
    })
}
