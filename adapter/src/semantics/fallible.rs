//! Which expressions can fail on a row.
//!
//! Owns the list of those that cannot: they may be evaluated on more rows, or earlier, than the statement
//! says. Never looks at rows. Invariant: what is not listed here can fail.

use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::Root;

/// Functions that have a value for all arguments of their types.
const TOTAL: [&str; 15] = [
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "IS NULL",
    "IS TRUE",
    "IS FALSE",
    "IS NOT DISTINCT FROM",
    "NOT",
    "+",
    "-",
    "*",
    "NEGATE",
];

/// Whether the expression fails on any row.
pub fn can_fail(expr: &Expr) -> bool {
    expr.any(&|part| match &part.kind {
        ExprKind::Column(_)
        | ExprKind::Literal(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Case(..)
        | ExprKind::Coalesce(_) => false,
        ExprKind::Call(function, args) => match function.name {
            // An escape that stands before an ordinary character fails.
            "LIKE" => args.len() > 2,
            name => !TOTAL.contains(&name),
        },
        ExprKind::Cast(input) => !is_total_cast(&input.ty.root, &part.ty.root),
        ExprKind::TryCast(_) | ExprKind::Aggregate(_) | ExprKind::Over(_) => true,
    })
}

fn is_total_cast(from: &Root, to: &Root) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        // Only to a type that holds every value.
        (Root::Foreign(_), _) => true,
        (from, to) if from.is_integer() => to.is_numeric(),
        (Root::Decimal(..), to) => *to == Root::Double || matches!(to, Root::Decimal(..)),
        (from, to) => from.is_text() && to.is_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::cast;
    use crate::semantics::function::operator;
    use crate::semantics::types::FlinkType;

    fn column(index: usize, root: Root) -> Expr {
        Expr::column(index, FlinkType::nullable(root))
    }

    #[test]
    fn comparisons_cannot_fail_and_divisions_and_readings_can() {
        let (a, b) = (column(0, Root::Int), column(1, Root::BigInt));
        let equal = operator::EQUAL.call(vec![a.clone(), b.clone()]).unwrap();
        assert!(!can_fail(&equal));
        let quotient = operator::DIVIDE.call(vec![a, b]).unwrap();
        assert!(can_fail(
            &operator::EQUAL
                .call(vec![quotient.clone(), quotient])
                .unwrap()
        ));
        let read = cast::bind(column(0, Root::STRING), &Root::Int, false).unwrap();
        assert!(can_fail(&operator::IS_NULL.call(vec![read]).unwrap()));
    }
}
