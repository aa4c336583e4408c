//! Expression forms with a grammar of their own.
//!
//! Invariant: a form that is not matched here is refused by name.

use super::state::Exprs;
use super::trees::{case_of, connective, named, negated};
use super::{literal, types};
use crate::semantics::cast;
use crate::semantics::expr::Expr;
use crate::semantics::function::{array, operator, time};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, CastKind, CeilFloorKind, DateTimeField, UnaryOperator,
};
use flinkspark_model::Result;

impl Exprs<'_, '_> {
    /// Functions with a grammar of their own.
    pub(super) fn special_form(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Substring {
                expr: inner,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut args = vec![self.tree(inner)?, self.tree(from)?];
                if let Some(length) = substring_for {
                    args.push(self.tree(length)?);
                }
                named("SUBSTRING", args)
            }
            E::Position { expr: needle, r#in } => {
                named("POSITION", vec![self.tree(needle)?, self.tree(r#in)?])
            }
            E::Trim {
                trim_where,
                trim_what,
                expr: inner,
                trim_characters: None,
            } => {
                let name = match trim_where {
                    None | Some(ast::TrimWhereField::Both) => "TRIM",
                    Some(ast::TrimWhereField::Leading) => "LTRIM",
                    Some(ast::TrimWhereField::Trailing) => "RTRIM",
                };
                let mut args = vec![self.tree(inner)?];
                if let Some(what) = trim_what {
                    args.push(self.tree(what)?);
                }
                named(name, args)
            }
            E::Overlay {
                expr: inner,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let mut args = vec![
                    self.tree(inner)?,
                    self.tree(overlay_what)?,
                    self.tree(overlay_from)?,
                ];
                if let Some(length) = overlay_for {
                    args.push(self.tree(length)?);
                }
                named("OVERLAY", args)
            }
            E::Extract {
                field, expr: inner, ..
            } => time::EXTRACT.call(vec![
                literal::text_literal(&field.to_string()),
                self.tree(inner)?,
            ]),
            E::Floor { expr: inner, field } => match field {
                CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {
                    named("FLOOR", vec![self.tree(inner)?])
                }
                CeilFloorKind::DateTimeField(unit) => time::FLOOR_TO.call(vec![
                    literal::text_literal(&unit.to_string()),
                    self.tree(inner)?,
                ]),
                CeilFloorKind::Scale(_) => Err(refuse(expr, "syntax")),
            },
            E::Ceil {
                expr: inner,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => named("CEIL", vec![self.tree(inner)?]),
            E::InSubquery { .. } => Err(refuse(expr, "in-subquery")),
            E::Exists { .. } => Err(refuse(expr, "correlated-subquery")),
            E::Subquery(query) => self.binder.scalar_subquery(query, self.scope),
            other => Err(refuse(format!("the expression {other}"), "syntax")),
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOperator, inner: &ast::Expr) -> Result<Expr> {
        match (op, inner) {
            (UnaryOperator::Minus, ast::Expr::Value(value)) => match &value.value {
                ast::Value::Number(digits, false) => literal::number(digits, true),
                other => Err(refuse(format!("-{other}"), "implicit-conversion")),
            },
            (UnaryOperator::Minus, _) => self.call(&operator::NEGATE, [inner]),
            (UnaryOperator::Plus, _) => {
                let inner = self.tree(inner)?;
                if inner.ty.root.is_numeric() {
                    Ok(inner)
                } else {
                    Err(invalid("the operand of + is no number"))
                }
            }
            (UnaryOperator::Not, _) => {
                let inner = self.tree(inner)?;
                negated(inner)
            }
            (op, _) => Err(refuse(format!("the operator {op}"), "syntax")),
        }
    }

    pub(super) fn in_list(
        &mut self,
        inner: &ast::Expr,
        list: &[ast::Expr],
        not: bool,
    ) -> Result<Expr> {
        let inner = self.operand(inner)?;
        let mut tests = Vec::with_capacity(list.len());
        for item in list {
            let item = self.operand(item)?;
            if inner.ty.root.is_text() != item.ty.root.is_text() {
                return Err(refuse(
                    format!("IN over {} and {}", inner.ty, item.ty),
                    "implicit-conversion",
                ));
            }
            // The items of a list become the type of what is looked for, which a DECIMAL beside = does not.
            let mixed = operator::is_beside_decimal(&inner.ty.root, &item.ty.root);
            let item = if mixed && inner.ty.root == Root::Double {
                cast::to_root(item, &Root::Double)
            } else {
                item
            };
            tests.push(operator::EQUAL.call(vec![inner.clone(), item])?);
        }
        let any = connective(tests, false);
        if not { negated(any) } else { Ok(any) }
    }

    pub(super) fn cast(
        &mut self,
        kind: &CastKind,
        inner: &ast::Expr,
        to: &ast::DataType,
    ) -> Result<Expr> {
        let root = types::sql_type(to)?;
        let inner = self.operand(inner)?;
        match kind {
            CastKind::Cast => cast::bind(inner, &root, false),
            CastKind::TryCast => cast::bind(inner, &root, true),
            _ => Err(refuse("a cast that is neither CAST nor TRY_CAST", "syntax")),
        }
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
    ) -> Result<Expr> {
        let operand = operand.map(|operand| self.tree(operand)).transpose()?;
        let mut whens = Vec::with_capacity(conditions.len());
        for ast::CaseWhen { condition, result } in conditions {
            let when = self.tree(condition)?;
            let when = match &operand {
                Some(operand) => operator::EQUAL.call(vec![operand.clone(), when])?,
                None if when.ty.root == Root::Boolean => when,
                None => return Err(invalid(format!("the condition {condition} is not BOOLEAN"))),
            };
            whens.push((when, self.tree(result)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.tree(otherwise)?,
            None => Expr::literal(Value::Null, FlinkType::nullable(Root::Null)),
        };
        case_of(whens, otherwise)
    }

    pub(super) fn access(
        &mut self,
        root: &ast::Expr,
        chain: &[AccessExpr],
        whole: &ast::Expr,
    ) -> Result<Expr> {
        let mut value = self.tree(root)?;
        for access in chain {
            let AccessExpr::Subscript(ast::Subscript::Index { index }) = access else {
                return Err(refuse(whole, "syntax"));
            };
            let index = self.tree(index)?;
            value = array::ITEM.call(vec![value, index])?;
        }
        Ok(value)
    }
}
