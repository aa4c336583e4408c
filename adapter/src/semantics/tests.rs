//! Facts of Flink's semantics, one kernel at a time.

use super::function::{find, operator};
use super::{cast, ledger, refuse};
use crate::semantics::evaluate::evaluate;
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;

fn column(index: usize, root: Root) -> Expr {
    Expr::column(index, FlinkType::nullable(root))
}

fn on(expr: &Expr, row: &[Value]) -> Value {
    evaluate(expr, row).unwrap()
}

#[test]
fn integers_wrap_at_their_own_width_and_divide_towards_zero() {
    let tiny = operator::PLUS
        .call(vec![column(0, Root::TinyInt), column(1, Root::TinyInt)])
        .unwrap();
    assert_eq!(
        on(&tiny, &[Value::Integer(100), Value::Integer(100)]),
        Value::Integer(-56)
    );
    let quotient = operator::DIVIDE
        .call(vec![column(0, Root::Int), column(1, Root::Int)])
        .unwrap();
    assert_eq!(
        on(&quotient, &[Value::Integer(-7), Value::Integer(2)]),
        Value::Integer(-3)
    );
    assert_eq!(
        on(
            &quotient,
            &[Value::Integer(i32::MIN.into()), Value::Integer(-1)]
        ),
        Value::Integer(i32::MIN.into())
    );
    assert!(evaluate(&quotient, [Value::Integer(1), Value::Integer(0)].as_slice()).is_err());
}

#[test]
fn comparisons_are_ieee_and_unknown_on_null() {
    let equal = operator::EQUAL
        .call(vec![column(0, Root::Double), column(1, Root::Double)])
        .unwrap();
    let nan = Value::Double(f64::NAN);
    assert_eq!(
        on(&equal, &[nan.clone(), nan.clone()]),
        Value::Boolean(false)
    );
    assert_eq!(
        on(&equal, &[Value::Double(0.0), Value::Double(-0.0)]),
        Value::Boolean(true)
    );
    assert_eq!(on(&equal, &[Value::Null, nan]), Value::Null);
}

#[test]
fn a_decimal_that_does_not_fit_is_null() {
    let root = Root::Decimal(38, 0);
    let sum = operator::PLUS
        .call(vec![column(0, root.clone()), column(0, root)])
        .unwrap();
    assert_eq!(
        on(&sum, &[Value::Decimal(10_i128.pow(38) - 1)]),
        Value::Null
    );
}

#[test]
fn casts_narrow_as_java_does() {
    let to = |root: Root, value: f64| {
        let cast = cast::bind(column(0, Root::Double), &root, false).unwrap();
        on(&cast, &[Value::Double(value)])
    };
    assert_eq!(to(Root::Int, 1e20), Value::Integer(i32::MAX.into()));
    assert_eq!(to(Root::Int, f64::NAN), Value::Integer(0));
    assert_eq!(to(Root::TinyInt, 300.7), Value::Integer(44));
    assert_eq!(to(Root::Decimal(10, 2), 1.005), Value::Decimal(101));
}

#[test]
fn a_failing_cast_is_null_only_where_it_is_asked_to_try() {
    let text = [Value::text("abc")];
    let strict = cast::bind(column(0, Root::STRING), &Root::Int, false).unwrap();
    assert_eq!(
        evaluate(&strict, text.as_slice()).unwrap_err().code(),
        "FS0805"
    );
    let lenient = cast::bind(column(0, Root::STRING), &Root::Int, true).unwrap();
    assert_eq!(on(&lenient, &text), Value::Null);
}

#[test]
fn timestamps_before_1970_become_dates_as_flink_makes_them() {
    let cast = cast::bind(column(0, Root::Timestamp(3)), &Root::Date, false).unwrap();
    assert_eq!(on(&cast, &[Value::Timestamp(-1_000_000)]), Value::Date(0));
}

#[test]
fn like_has_no_escape_of_its_own() {
    let like = |text: &str, pattern: &str| {
        let literal = Expr::literal(Value::text(pattern), FlinkType::not_null(Root::STRING));
        let call = find("LIKE")
            .unwrap()
            .call(vec![column(0, Root::STRING), literal])
            .unwrap();
        on(&call, &[Value::text(text)])
    };
    assert_eq!(like("a\\xb", "a\\%b"), Value::Boolean(true));
    assert_eq!(like("a%b", "a\\%b"), Value::Boolean(false));
    assert_eq!(like("abcabd", "%ab_"), Value::Boolean(true));
    assert_eq!(like("", "%"), Value::Boolean(true));
}

#[test]
fn a_refusal_names_its_ledger_entry_and_the_way_out() {
    let error = refuse("x", "nan-equality");
    let entry = ledger::find("nan-equality").unwrap();
    assert!(error.detail().unwrap().contains(entry.difference));
    assert_eq!(error.hint(), Some(entry.way_out));
}
