//! What texts look like, and known days.

use super::calendar::{parse_date, parse_moment, put_date};
use super::look::{Kind as Looks, kind};

#[test]
fn what_a_text_looks_like() {
    let stamp = |zoned, micros, nanos| Looks::Timestamp {
        zoned,
        micros,
        nanos,
    };
    for (text, expected) in [
        ("true", Looks::Boolean),
        ("FALSE", Looks::Boolean),
        ("tRue", Looks::Text),
        ("0", Looks::Integer { exact: true }),
        ("-17", Looks::Integer { exact: true }),
        ("9007199254740993", Looks::Integer { exact: false }),
        ("9223372036854775808", Looks::Text),
        ("007", Looks::Text),
        ("+5", Looks::Text),
        ("-0", Looks::Text),
        ("-0.0", Looks::Float),
        ("1.50", Looks::Decimal),
        ("-12.00", Looks::Decimal),
        ("-0.00", Looks::Text),
        ("01.50", Looks::Text),
        ("1.50e1", Looks::Text),
        ("123456789012345678901234567890123456.000", Looks::Text),
        ("1.5", Looks::Float),
        ("1E5", Looks::Text),
        ("0.1234567890123456789", Looks::Decimal),
        ("9007199254740993.0", Looks::Decimal),
        ("1e-7", Looks::Float),
        ("1e400", Looks::Text),
        ("1.", Looks::Text),
        ("NaN", Looks::Float),
        ("-inf", Looks::Float),
        ("NA", Looks::Text),
        ("2013-02-28", Looks::Date),
        ("2013-02-29", Looks::Text),
        ("2013-01-01T05:00", stamp(false, true, true)),
        ("1600-01-01 05:00:00.123456", stamp(false, true, false)),
        ("2013-01-01T05:00:00.1234567Z", stamp(true, false, true)),
        ("2013-01-01T05:00:00+25:00", Looks::Text),
        ("12:30:00", Looks::Text),
        ("1,5", Looks::Text),
        ("-", Looks::Text),
    ] {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn numbers_with_one_scale_are_decimals_and_keep_their_digits() {
    use super::Seen;
    use arrow_schema::DataType;
    for (texts, expected) in [
        (
            ["9.50", "12.00", "-0.25"].as_slice(),
            DataType::Decimal128(18, 2),
        ),
        (&["1.5", "2.5"], DataType::Float64),
        (&["1.10", "1.9"], DataType::Utf8),
        (&["9.50", "12"], DataType::Utf8),
        (&["9.50", "1e-7"], DataType::Utf8),
        (&["1e-7", "9.50"], DataType::Utf8),
        (&["9.50", "-0.00"], DataType::Utf8),
        (&["9.50", "NaN"], DataType::Utf8),
        (&["12345678901234567890.5", "-0.0"], DataType::Utf8),
        (&["1.50", "2024-01-01"], DataType::Utf8),
        (&["0.1234567890123456789"], DataType::Decimal128(20, 19)),
        (
            &["12345678901234567890123456789.10", "0.1234567890"],
            DataType::Utf8,
        ),
        (
            &["12345678901234567890123456789.10", "0.12"],
            DataType::Decimal128(31, 2),
        ),
    ] {
        let of = |texts: &[&str]| {
            let mut seen = Seen::NOTHING;
            texts.iter().for_each(|text| seen.see(text, 1));
            seen
        };
        assert_eq!(of(texts).data_type(), expected, "{texts:?}");
        for at in 0..=texts.len() {
            let (before, behind) = texts.split_at(at);
            let mut seen = of(before);
            seen.add(of(behind));
            assert_eq!(seen.data_type(), expected, "{before:?} and {behind:?}");
        }
    }
}

#[test]
fn known_days() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("1969-12-31", -1),
        ("0000-02-29", -719_469),
        ("+10000-01-01", 2_932_897),
        ("-0001-12-31", -719_529),
    ] {
        let mut out = Vec::new();
        put_date(days, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        assert_eq!(parse_date(text), Some(days));
    }
    for bad in [
        "1970-1-1",
        "10000-01-01",
        "1970-00-01",
        "1970-01-32",
        "1900-02-29",
        "1970-01-01x",
        "-1-01-01",
    ] {
        assert_eq!(parse_date(bad), None, "{bad}");
    }
    let moment = parse_moment("1969-12-31T23:59:59.999999+00:30").unwrap();
    assert_eq!(
        (moment.ticks(1_000_000), moment.ticks(1_000), moment.zoned),
        (Some(-1_800_000_001), None, true)
    );
}

#[test]
fn offsets_are_read_as_others_write_them() {
    let hour = |text: &str| parse_moment(text).map(|moment| moment.seconds / 3600);
    for text in [
        "01Z", "01+00:00", "01+0000", "01+00", "02+01:00", "02+0100", "02+01", "00-01",
    ] {
        let (clock, offset) = text.split_at(2);
        let text = format!("1970-01-01T{clock}:00:00{offset}");
        assert_eq!(hour(&text), Some(1), "{text}");
    }
    for offset in [
        "+", "+1", "+010", "+01:", "+01:0", "+010:0", "+24", "+01000", "Z0",
    ] {
        assert_eq!(
            hour(&format!("1970-01-01T01:00:00{offset}")),
            None,
            "{offset}"
        );
    }
}

#[test]
fn decimals_have_exponents_where_others_write_them() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Decimal128Type;
    let mut column = super::column(&arrow_schema::DataType::Decimal128(5, 3)).unwrap();
    for text in ["0E-10", "1.5e1", "-15E-1", "99999e-3"] {
        assert!(column.push(text), "{text}");
    }
    for text in ["1e-4", "1e2", "e", "1e", "1e99999999999999999999"] {
        assert!(!column.push(text), "{text}");
    }
    let array = column.finish();
    let values = array.as_primitive::<Decimal128Type>().values();
    assert_eq!(values.as_ref(), [0, 15_000, -1_500, 99_999]);
}
