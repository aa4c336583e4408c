//! Numbers keep every digit.

use super::*;

fn column(data_type: DataType, values: &[&str]) -> Result<RecordBatch> {
    let lines = values.iter().map(|value| format!("{{\"x\":{value}}}\n"));
    read(
        &lines.collect::<String>(),
        Some(nullable(&[("x", data_type)])),
    )
}

fn again(data_type: DataType, values: &[&str]) -> Vec<String> {
    let text = write(&column(data_type, values).unwrap());
    let value = |line: &str| line[5..line.len() - 1].to_owned();
    text.lines().map(value).collect()
}

#[test]
fn integers_are_exact_at_their_borders() {
    for (data_type, least, most) in [
        (DataType::Int8, "-128", "127"),
        (DataType::Int32, "-2147483648", "2147483647"),
        (
            DataType::Int64,
            "-9223372036854775808",
            "9223372036854775807",
        ),
        (DataType::UInt64, "0", "18446744073709551615"),
    ] {
        let values = [least, most, "9007199254740993"];
        let values = &values[..if most.len() > 16 { 3 } else { 2 }];
        assert_eq!(again(data_type.clone(), values), values);
        for beyond in [
            format!("{most}0"),
            most.replace('7', "8").replace("615", "616"),
            "1e20".into(),
            "0.5".into(),
            "-1e-1".into(),
        ] {
            let error = column(data_type.clone(), &[&beyond]).unwrap_err();
            assert_eq!(error.code(), "FS0307", "{beyond}");
        }
    }
    // One number has many texts.
    for text in ["1e2", "100", "100.0", "1.00E+2", "1000e-1"] {
        assert_eq!(again(DataType::Int64, &[text]), ["100"]);
        assert_eq!(again(DataType::UInt8, &[text]), ["100"]);
    }
}

#[test]
fn decimals_are_exact_to_38_digits_and_beyond() {
    let nines = "9".repeat(38);
    let fraction = format!("0.{nines}");
    assert_eq!(
        again(DataType::Decimal128(38, 0), &[&nines]),
        [nines.as_str()]
    );
    assert_eq!(
        again(DataType::Decimal128(38, 38), &[&fraction]),
        [fraction.as_str()]
    );
    let long = "7".repeat(76);
    assert_eq!(
        again(DataType::Decimal256(76, 0), &[&long]),
        [long.as_str()]
    );
    let money = |values: &[&str]| again(DataType::Decimal128(10, 2), values);
    assert_eq!(
        money(&[
            "1",
            "-0.01",
            "1.50",
            "1.500",
            "12345678.99",
            "1.5e3",
            "25e-2",
            "-0.0"
        ]),
        [
            "1.00",
            "-0.01",
            "1.50",
            "1.50",
            "12345678.99",
            "1500.00",
            "0.25",
            "0.00"
        ]
    );
    assert_eq!(
        again(DataType::Decimal128(5, -2), &["12300", "0", "1.2e4"]),
        ["12300", "0", "12000"]
    );
    for text in [
        "0.001",
        "123456789",
        "1e8",
        "1e-3",
        "\"1\"",
        "1e999999999999999999999",
    ] {
        let error = column(DataType::Decimal128(10, 2), &[text]).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0307"),
            "{text}"
        );
    }
}

#[test]
fn floats_are_the_nearest_and_it_is_said_where_they_are_others() {
    let floats = |text: &str| {
        let schema = nullable(&[(
            "x",
            DataType::Struct(vec![Field::new("y", DataType::Float64, true)].into()),
        )]);
        let mut reader = open(text.as_bytes(), Some(schema)).unwrap();
        let rows = reader.next().unwrap();
        assert!(reader.next().is_none());
        (rows.map(|rows| write(&rows)), reader.notices())
    };
    let row = |number: &str| format!("{{\"x\":{{\"y\":{number}}}}}\n");
    let (same, notices) = floats(&row("0.30000000000000004"));
    assert_eq!(
        (same.unwrap(), notices.len()),
        (row("0.30000000000000004"), 0)
    );
    let (nearest, notices) = floats(&row("0.1234567890123456789"));
    assert_eq!(nearest.unwrap(), row("0.12345678901234568"));
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}")
    };
    assert!(notice.contains("\"x.y\": 1 numbers"), "{notice}");
    for text in ["1e400", "\"nan\"", "\"inf\"", "\"1.5\"", "true"] {
        assert_eq!(floats(&row(text)).0.unwrap_err().code(), "FS0307", "{text}");
    }
}
