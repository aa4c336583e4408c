//! Comparisons of one column with constants, as sets of values.
//!
//! Owns the arithmetic of such sets: the constants, and the gaps between them, are cells that a comparison
//! holds on or not. Never looks at rows. Invariant: a cell is all or nothing for each comparison.

use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::{Function, operator};
use crate::semantics::types::Root;
use crate::semantics::value::Value;
use crate::semantics::{cast, compare, decimal};
use arrow_buffer::i256;
use std::cmp::Ordering;

/// A column on the left of an operator, a constant on its right.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) column: usize,
    /// The column as it stands in the plan, without a conversion.
    pub(super) operand: Expr,
    pub(super) operator: &'static Function,
    constant: Expr,
}

impl Comparison {
    /// The comparison that an expression is, none where it is another form.
    pub(super) fn of(expr: &Expr) -> Option<Self> {
        let ExprKind::Call(function, args) = &expr.kind else {
            return None;
        };
        let (operator, turned) = known(function)?;
        let [left, right] = args.as_slice() else {
            return None;
        };
        match (column(left), column(right)) {
            (Some((column, operand)), None) => right.as_literal().is_some().then(|| Self {
                column,
                operand,
                operator,
                constant: right.clone(),
            }),
            (None, Some((column, operand))) => left.as_literal().is_some().then(|| Self {
                column,
                operand,
                operator: turned,
                constant: left.clone(),
            }),
            _ => None,
        }
    }

    /// The comparison that an expression is, or is the NOT of.
    pub(super) fn of_any(expr: &Expr) -> Option<Self> {
        match &expr.kind {
            ExprKind::Call(function, args) if function.name == "NOT" => {
                let inner = Self::of(args.first()?)?;
                let operator = match inner.operator.name {
                    "=" => &operator::NOT_EQUAL,
                    "<>" => &operator::EQUAL,
                    "<" => &operator::GREATER_EQUAL,
                    "<=" => &operator::GREATER,
                    ">" => &operator::LESS_EQUAL,
                    _ => &operator::LESS,
                };
                Some(Self { operator, ..inner })
            }
            _ => Self::of(expr),
        }
    }

    /// Whether a NaN may stand on the left.
    pub(super) fn is_of_float(&self) -> bool {
        self.operand.ty.root.is_approximate()
    }

    /// Whether a DOUBLE is compared with a DECIMAL.
    pub(super) fn is_beside_decimal(&self) -> bool {
        operator::is_beside_decimal(&self.operand.ty.root, &self.constant.ty.root)
    }

    /// Whether the constant is a zero.
    pub(super) fn is_zero(&self) -> bool {
        match self.constant.as_literal() {
            Some(Value::Double(x)) => *x == 0.0,
            Some(Value::Float(x)) => *x == 0.0,
            Some(Value::Decimal(x)) => *x == 0,
            Some(Value::Integer(x)) => *x == 0,
            _ => false,
        }
    }

    /// Whether it holds on a value that lies so to the constant.
    fn holds(&self, order: Ordering) -> bool {
        match self.operator.name {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        }
    }
}

/// The operator, and the one that it becomes when its operands change places.
fn known(function: &Function) -> Option<(&'static Function, &'static Function)> {
    Some(match function.name {
        "=" => (&operator::EQUAL, &operator::EQUAL),
        "<>" => (&operator::NOT_EQUAL, &operator::NOT_EQUAL),
        "<" => (&operator::LESS, &operator::GREATER),
        "<=" => (&operator::LESS_EQUAL, &operator::GREATER_EQUAL),
        ">" => (&operator::GREATER, &operator::LESS),
        ">=" => (&operator::GREATER_EQUAL, &operator::LESS_EQUAL),
        _ => return None,
    })
}

/// The column below the conversions that a comparison adds.
fn column(expr: &Expr) -> Option<(usize, Expr)> {
    match &expr.kind {
        ExprKind::Column(index) => Some((*index, expr.clone())),
        // Above the grouping an aggregate is a column of its own.
        ExprKind::Aggregate(index) => Some((usize::MAX - *index, expr.clone())),
        ExprKind::Cast(input) if input.ty.root.is_numeric() && expr.ty.root.is_numeric() => {
            column(input)
        }
        _ => None,
    }
}

/// The line of a column's values, cut at the constants of some comparisons.
pub(super) struct Cells<'c> {
    /// The constants in order, each once.
    constants: Vec<&'c Expr>,
    comparisons: &'c [&'c Comparison],
}

impl<'c> Cells<'c> {
    /// None where two constants have no order that is known.
    pub(super) fn of(comparisons: &'c [&'c Comparison]) -> Option<Self> {
        let mut constants: Vec<&Expr> = Vec::with_capacity(comparisons.len());
        for comparison in comparisons {
            let mut at = 0;
            let mut there = false;
            for known in &constants {
                match order(&comparison.constant, known)? {
                    Ordering::Greater => at += 1,
                    Ordering::Equal => there = true,
                    Ordering::Less => {}
                }
            }
            if !there {
                constants.insert(at, &comparison.constant);
            }
        }
        Some(Self {
            constants,
            comparisons,
        })
    }

    /// Whether a comparison holds on a cell: an odd one is a constant, an even one the gap before it.
    fn holds(&self, comparison: &Comparison, cell: usize) -> bool {
        let own = self
            .constants
            .iter()
            .position(|known| order(known, &comparison.constant) == Some(Ordering::Equal));
        comparison.holds(cell.cmp(&(2 * own.unwrap_or(0) + 1)))
    }

    fn cells(&self) -> std::ops::Range<usize> {
        0..2 * self.constants.len() + 1
    }

    /// Whether no value satisfies all comparisons.
    pub(super) fn nothing_in_all(&self) -> bool {
        self.cells().all(|cell| {
            let holds = |comparison: &&&Comparison| self.holds(comparison, cell);
            !self.comparisons.iter().all(|comparison| holds(&comparison))
        })
    }

    /// The constants that no comparison holds on, where every other value satisfies one of them.
    pub(super) fn left_out_of_any(&self) -> Option<Vec<Expr>> {
        let mut left_out = Vec::new();
        for cell in self.cells() {
            let held = self
                .comparisons
                .iter()
                .any(|comparison| self.holds(comparison, cell));
            match (held, cell % 2) {
                (true, _) => {}
                (false, 0) => return None,
                (false, _) => left_out.push((*self.constants.get(cell / 2)?).clone()),
            }
        }
        Some(left_out)
    }
}

/// The order of two constants of one type, or of two numbers.
fn order(left: &Expr, right: &Expr) -> Option<Ordering> {
    let (a, b) = (left.as_literal()?, right.as_literal()?);
    if a.is_null() || b.is_null() {
        return None;
    }
    if left.ty.root == right.ty.root || left.ty.root.is_text() && right.ty.root.is_text() {
        return compare::sql(a, b);
    }
    match (exact(a, &left.ty.root), exact(b, &right.ty.root)) {
        (Some(a), Some(b)) => {
            let difference = decimal::add_exact(a, (b.0.checked_neg()?, b.1)).0;
            Some(difference.cmp(&i256::ZERO))
        }
        _ => double(a, &left.ty.root)?.partial_cmp(&double(b, &right.ty.root)?),
    }
}

fn exact(value: &Value, root: &Root) -> Option<(i128, u8)> {
    match (value, root) {
        (Value::Integer(number), _) => Some((i128::from(*number), 0)),
        (Value::Decimal(unscaled), Root::Decimal(_, scale)) => Some((*unscaled, *scale)),
        _ => None,
    }
}

fn double(value: &Value, root: &Root) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Decimal(unscaled) => Some(cast::decimal_to_double(*unscaled, root)),
        Value::Double(number) => Some(*number),
        Value::Float(number) => Some(f64::from(*number)),
        _ => None,
    }
}
