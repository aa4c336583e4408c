//! Scalar expressions: AST to typed tree.
//!
//! Owns the list of expression forms. Invariant: a form that is not matched here is refused by name,
//! and each tree is at most [`EXPRESSION_DEPTH_MAX`] deep.

use super::scope::{Field, Scope};
use super::state::{CORRELATED, Exprs};
use super::trees::{connective, named, negated, truths};
use super::{call, conditions, fold, literal, reserved};
use crate::semantics::expr::{EXPRESSION_DEPTH_MAX, Expr, ExprKind};
use crate::semantics::function::{array, operator, time};
use crate::semantics::types::Root;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, BinaryOperator};
use flinkspark_model::{Error, Kind, Result};

impl Exprs<'_, '_> {
    /// The typed tree of a whole expression, constants folded.
    pub(super) fn bind(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let bound = self.tree(expr)?;
        self.folded(bound, expr)
    }

    /// The same; a column that stands alone may be of a type that no function reads.
    pub(super) fn bind_any(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let bound = self.operand(expr)?;
        self.folded(bound, expr)
    }

    fn folded(&mut self, bound: Expr, expr: &ast::Expr) -> Result<Expr> {
        if self.binder.supplementary && bound.any(&orders_text) {
            return Err(refuse(
                format!("the order of text in {expr}"),
                "string-order",
            ));
        }
        let float = |expr: &Expr| expr.ty.root == Root::Float;
        self.binder.float_constants |= bound.any(&|expr| float(expr) && expr.is_constant());
        if self.binder.float_constants && bound.any(&leaves_float) {
            let what = format!("a CAST from FLOAT beside FLOAT constants in {expr}");
            return Err(refuse(what, "constant-folding"));
        }
        let folded = conditions::planned(fold::fold(bound)?)?;
        if !self.scope.fields.is_empty() && fold::has_failing_constant(&folded) {
            return Err(refuse(
                format!("a constant that fails in {expr}"),
                "constant-folding",
            ));
        }
        Ok(folded)
    }

    /// A whole expression that must be BOOLEAN.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let bound = self.bind(expr)?;
        if bound.ty.root != Root::Boolean {
            return Err(invalid(format!(
                "the condition {expr} is {} and not BOOLEAN",
                bound.ty
            )));
        }
        Ok(bound)
    }

    /// The typed tree of a part of an expression.
    pub(super) fn tree(&mut self, expr: &ast::Expr) -> Result<Expr> {
        if self.binder.depth >= EXPRESSION_DEPTH_MAX {
            return Err(Error::new(
                Kind::Invalid,
                "FS0807",
                "an expression is nested too deeply",
            )
            .with_detail(format!("it has more than {EXPRESSION_DEPTH_MAX} levels"))
            .with_hint("split it over subqueries"));
        }
        self.binder.depth += 1;
        let bound = self.form(expr);
        self.binder.depth -= 1;
        bound
    }

    /// The same of what is compared, tested for NULL or carried: a column that stands alone may be of any type.
    pub(super) fn operand(&mut self, expr: &ast::Expr) -> Result<Expr> {
        match expr {
            ast::Expr::Nested(inner) => self.operand(inner),
            ast::Expr::Identifier(name) => {
                reserved::check(name)?;
                Ok(self.field(None, &name.value)?.expr.clone())
            }
            ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => Ok(self.field(Some(&table.value), &name.value)?.expr.clone()),
                _ => self.tree(expr),
            },
            _ => self.tree(expr),
        }
    }

    fn operands<const N: usize>(
        &mut self,
        function: &'static crate::semantics::function::Function,
        args: [&ast::Expr; N],
    ) -> Result<Expr> {
        let args: Result<Vec<Expr>> = args.into_iter().map(|arg| self.operand(arg)).collect();
        function.call(args?)
    }

    fn form(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Nested(inner) => self.tree(inner),
            E::Identifier(name) => reserved::check(name).and(self.column(None, &name.value)),
            E::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => self.column(Some(&table.value), &name.value),
                _ => Err(refuse(format!("the name {expr}"), "syntax")),
            },
            E::Value(value) => literal::plain(&value.value),
            E::TypedString(typed) => literal::typed(typed),
            E::Interval(interval) => literal::interval(interval),
            E::IsNull(inner) => self.operands(&operator::IS_NULL, [inner]),
            E::IsNotNull(inner) => negated(self.operands(&operator::IS_NULL, [inner])?),
            E::IsTrue(inner) => self.call(&operator::IS_TRUE, [inner]),
            E::IsNotTrue(inner) => negated(self.call(&operator::IS_TRUE, [inner])?),
            E::IsFalse(inner) => self.call(&operator::IS_FALSE, [inner]),
            E::IsNotFalse(inner) => negated(self.call(&operator::IS_FALSE, [inner])?),
            E::IsUnknown(inner) => self.call(&operator::IS_NULL, [inner]),
            E::IsNotUnknown(inner) => negated(self.call(&operator::IS_NULL, [inner])?),
            E::IsDistinctFrom(left, right) => {
                negated(self.operands(&operator::SAME, [left, right])?)
            }
            E::IsNotDistinctFrom(left, right) => self.operands(&operator::SAME, [left, right]),
            E::UnaryOp { op, expr: inner } => self.unary(*op, inner),
            E::BinaryOp { left, op, right } => self.binary(left, op, right, expr),
            E::Between {
                expr: inner,
                negated: not,
                low,
                high,
            } => {
                let inner = self.operand(inner)?;
                let (low, high) = (self.operand(low)?, self.operand(high)?);
                let (low, high) = range_of(&inner, low, high);
                let low = operator::GREATER_EQUAL.call(vec![inner.clone(), low])?;
                let both = connective(
                    vec![low, operator::LESS_EQUAL.call(vec![inner, high])?],
                    true,
                );
                if *not { negated(both) } else { Ok(both) }
            }
            E::InList {
                expr: inner,
                list,
                negated: not,
            } => self.in_list(inner, list, *not),
            E::Like {
                negated: not,
                any: false,
                expr: inner,
                pattern,
                escape_char,
            } => {
                let mut args = vec![self.tree(inner)?, self.tree(pattern)?];
                if let Some(escape) = escape_char {
                    args.push(literal::plain(&escape.value)?);
                }
                let like = named("LIKE", args)?;
                if *not { negated(like) } else { Ok(like) }
            }
            E::Cast {
                kind,
                expr: inner,
                data_type,
                format: None,
                array: false,
            } => self.cast(kind, inner, data_type),
            E::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            E::Function(function) => call::function(self, function),
            E::Array(array) => {
                let items: Result<Vec<Expr>> =
                    array.elem.iter().map(|item| self.tree(item)).collect();
                array::MAKE.call(items?)
            }
            E::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, expr),
            _ => self.special_form(expr),
        }
    }

    /// What a name means to whoever computes with it.
    fn column(&self, qualifier: Option<&str>, name: &str) -> Result<Expr> {
        Ok(self.field(qualifier, name)?.read()?.expr.clone())
    }

    /// The column that a name means; one that only a query around this one has makes the subquery correlated.
    fn field(&self, qualifier: Option<&str>, name: &str) -> Result<&Field> {
        let around = |scope: &Scope| scope.has(qualifier, name);
        if !self.scope.has(qualifier, name) && self.binder.around.iter().any(around) {
            return Err(refuse(
                format!("'{name}', a column of the query around this subquery,"),
                CORRELATED,
            ));
        }
        self.scope.resolve(qualifier, name)
    }

    pub(super) fn call<const N: usize>(
        &mut self,
        function: &'static crate::semantics::function::Function,
        args: [&ast::Expr; N],
    ) -> Result<Expr> {
        let args: Result<Vec<Expr>> = args.into_iter().map(|arg| self.tree(arg)).collect();
        function.call(args?)
    }

    fn binary(
        &mut self,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
        whole: &ast::Expr,
    ) -> Result<Expr> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let (left, right) = match op {
            Eq | NotEq | Lt | LtEq | Gt | GtEq => (self.operand(left)?, self.operand(right)?),
            _ => (self.tree(left)?, self.tree(right)?),
        };
        let interval =
            |expr: &Expr| matches!(expr.ty.root, Root::IntervalMonths | Root::IntervalMillis);
        let function = match op {
            BinaryOperator::And => return truths(vec![left, right], true),
            BinaryOperator::Or => return truths(vec![left, right], false),
            BinaryOperator::Plus if interval(&right) => {
                return time::ADD_INTERVAL.call(vec![left, right]);
            }
            BinaryOperator::Plus if interval(&left) => {
                return time::ADD_INTERVAL.call(vec![right, left]);
            }
            BinaryOperator::Minus if interval(&right) => {
                return time::SUBTRACT_INTERVAL.call(vec![left, right]);
            }
            BinaryOperator::Plus => &operator::PLUS,
            BinaryOperator::Minus => &operator::MINUS,
            BinaryOperator::Multiply => &operator::TIMES,
            BinaryOperator::Divide => &operator::DIVIDE,
            BinaryOperator::Modulo => return named("MOD", vec![left, right]),
            BinaryOperator::StringConcat => return named("||", vec![left, right]),
            BinaryOperator::Eq => &operator::EQUAL,
            BinaryOperator::NotEq => &operator::NOT_EQUAL,
            BinaryOperator::Lt => &operator::LESS,
            BinaryOperator::LtEq => &operator::LESS_EQUAL,
            BinaryOperator::Gt => &operator::GREATER,
            BinaryOperator::GtEq => &operator::GREATER_EQUAL,
            _ => return Err(refuse(whole, "syntax")),
        };
        function.call(vec![left, right])
    }
}

/// The bounds of BETWEEN: beside a DECIMAL bound of a DOUBLE column, the planner takes a whole number for
/// a DECIMAL too.
fn range_of(inner: &Expr, low: Expr, high: Expr) -> (Expr, Expr) {
    let decimal = |bound: &Expr| matches!(bound.ty.root, Root::Decimal(..));
    let plain = matches!(inner.kind, ExprKind::Column(_)) && inner.ty.root == Root::Double;
    let constants = low.as_literal().is_some() && high.as_literal().is_some();
    if !plain || !constants || !(decimal(&low) || decimal(&high)) {
        return (low, high);
    }
    (operator::as_decimal(low), operator::as_decimal(high))
}

/// Whether this casts a FLOAT to another number.
fn leaves_float(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Cast(input) | ExprKind::TryCast(input) => {
            input.ty.root == Root::Float && expr.ty.root != Root::Float && !expr.ty.root.is_text()
        }
        _ => false,
    }
}

/// Whether this is a comparison of text by order.
fn orders_text(expr: &Expr) -> bool {
    let ordering = ["<", "<=", ">", ">=", "GREATEST", "LEAST"];
    match &expr.kind {
        ExprKind::Call(function, args) => {
            ordering.contains(&function.name) && args.iter().any(|arg| arg.ty.root.is_text())
        }
        _ => false,
    }
}
