//! Kernels against their definitions, on generated values.

use super::aggregate::{Aggregate, Signature};
use super::function::find;
use super::{decimal, number_text};
use crate::plan::column::{build, read};
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use arrow_buffer::i256;
use proptest::prelude::*;

/// Integers with NULLs among them, small enough to collide.
fn integers() -> impl Strategy<Value = Vec<Value>> {
    let value = prop_oneof![
        1 => Just(Value::Null),
        6 => (-3_i64..4).prop_map(Value::Integer),
        1 => any::<i32>().prop_map(|number| Value::Integer(number.into())),
    ];
    prop::collection::vec(value, 0..20)
}

fn signature(function: Aggregate, distinct: bool) -> Signature {
    let argument = FlinkType::nullable(Root::Int);
    let result = function.result_type(&argument, false).unwrap();
    Signature {
        function,
        distinct,
        argument,
        result,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_does_not_care_where_its_input_was_cut(values in integers(), cut in 0_usize..20, distinct: bool) {
        let functions = [
            Aggregate::Count, Aggregate::Sum, Aggregate::Avg, Aggregate::Min, Aggregate::Max, Aggregate::First,
            Aggregate::Last, Aggregate::ArrayAgg,
        ];
        let cut = cut.min(values.len());
        for function in functions.into_iter().filter(|function| !distinct || function.allows_distinct()) {
            let signature = signature(function, distinct);
            let mut whole = signature.fold();
            values.iter().try_for_each(|value| whole.update(value)).unwrap();
            let (mut first, mut second) = (signature.fold(), signature.fold());
            values[..cut].iter().try_for_each(|value| first.update(value)).unwrap();
            values[cut..].iter().try_for_each(|value| second.update(value)).unwrap();
            // The state travels through Arrow columns, as it does between partitions.
            let mut state = Vec::new();
            for (ty, value) in signature.state_types().iter().zip(second.state()) {
                state.push(read(build(ty, &[value]).unwrap().as_ref(), &ty.root, 0).unwrap());
            }
            first.merge(&state).unwrap();
            prop_assert_eq!(first.finish().unwrap(), whole.finish().unwrap(), "{:?}", function);
        }
    }

    #[test]
    fn a_double_survives_its_text(bits: u64) {
        let value = f64::from_bits(bits);
        let read = number_text::parse_double(&number_text::double_text(value)).unwrap();
        prop_assert!(read.to_bits() == value.to_bits() || read.is_nan() && value.is_nan());
    }

    #[test]
    fn a_decimal_survives_its_text(value in -(10_i128.pow(38))..10_i128.pow(38), scale in 0_u8..38) {
        let text = decimal::to_text(value, scale);
        prop_assert_eq!(decimal::parse(&text), Some((i256::from_i128(value), i64::from(scale))));
    }

    #[test]
    fn a_decimal_quotient_is_within_half_a_unit(
        a in -(10_i128.pow(20))..10_i128.pow(20), b in 1_i128..10_i128.pow(12), scale in 0_u8..6,
    ) {
        let quotient = decimal::divide((a, 0), (b, 0), (38, scale)).unwrap();
        let unit = 10_i128.pow(u32::from(scale));
        let error = i256::from_i128(a)
            .wrapping_mul(i256::from_i128(unit))
            .wrapping_sub(i256::from_i128(quotient).wrapping_mul(i256::from_i128(b)))
            .wrapping_abs();
        prop_assert!(error.wrapping_add(error) <= i256::from_i128(b));
    }

    #[test]
    fn text_functions_take_any_text_and_position(text in "\\PC{0,8}", other in "\\PC{0,3}", at in -12_i64..12) {
        let string = |text: &str| Expr::literal(Value::text(text), FlinkType::nullable(Root::STRING));
        let int = Expr::literal(Value::Integer(at), FlinkType::nullable(Root::Int));
        let calls = [
            ("SUBSTRING", vec![string(&text), int.clone(), int.clone()]),
            ("LEFT", vec![string(&text), int.clone()]),
            ("RIGHT", vec![string(&text), int.clone()]),
            ("LPAD", vec![string(&text), int.clone(), string(&other)]),
            ("RPAD", vec![string(&text), int.clone(), string(&other)]),
            ("LOCATE", vec![string(&other), string(&text), int.clone()]),
            ("SPLIT_INDEX", vec![string(&text), string(&other), int.clone()]),
            ("REPEAT", vec![string(&text), int]),
            ("LIKE", vec![string(&text), string(&other)]),
            ("TRANSLATE", vec![string(&text), string(&other), string(&text)]),
        ];
        for (name, args) in calls {
            let call = find(name).unwrap().call(args).unwrap();
            prop_assert!(evaluate(&call, &NoRow).is_ok(), "{} failed", name);
        }
    }
}
