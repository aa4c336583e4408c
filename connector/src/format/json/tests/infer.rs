//! Types of files without a schema.

use super::*;

fn types(lines: &[&str]) -> Vec<DataType> {
    let schema = open(lines.join("\n").as_bytes(), None).unwrap().schema();
    let types = schema
        .fields()
        .iter()
        .map(|field| field.data_type().clone());
    types.collect()
}

fn notices(lines: &[&str]) -> Vec<String> {
    open(lines.join("\n").as_bytes(), None).unwrap().notices()
}

fn values(values: &[&str]) -> Vec<String> {
    values
        .iter()
        .map(|value| format!("{{\"x\":{value}}}"))
        .collect()
}

#[test]
fn a_column_has_the_type_that_reads_all_of_it() {
    use DataType as D;
    let moment = |unit, zone: Option<&str>| D::Timestamp(unit, zone.map(Into::into));
    for (cells, expected) in [
        (&["1", "null", "-2"][..], D::Int64),
        (&["9223372036854775807"], D::Int64),
        (&["9223372036854775808"], D::Decimal128(19, 0)),
        (&["18446744073709551615", "-1"], D::Decimal128(20, 0)),
        (
            &["99999999999999999999999999999999999999"],
            D::Decimal128(38, 0),
        ),
        (&["100000000000000000000000000000000000001"], D::Utf8),
        (&["1", "2.5"], D::Float64),
        (&["1.10", "1E5", "1e-07"], D::Float64),
        (&["-0"], D::Float64),
        (&["9007199254740993", "2.5"], D::Decimal128(17, 1)),
        (&["0.1234567890123456789"], D::Decimal128(19, 19)),
        (&["0.1234567890123456789", "-0.0"], D::Utf8),
        (&["1e400"], D::Utf8),
        (&["true", "false"], D::Boolean),
        (&["true", "1"], D::Utf8),
        (&["\"a\"", "1"], D::Utf8),
        (&["\"1\""], D::Utf8),
        (&["\"true\""], D::Utf8),
        (&["\"NaN\""], D::Utf8),
        (&["\"2013-01-01\""], D::Date32),
        (&["\"2013-01-01\"", "\"2013-01-01T00:00:00\""], D::Utf8),
        (
            &["\"2013-01-01T00:00:00.5\""],
            moment(TimeUnit::Microsecond, None),
        ),
        (
            &["\"2013-01-01T00:00:00.0000005\""],
            moment(TimeUnit::Nanosecond, None),
        ),
        (
            &["\"2013-01-01 00:00:00+01:00\""],
            moment(TimeUnit::Microsecond, Some("UTC")),
        ),
        (&["\"2013-01-01\"", "1"], D::Utf8),
        (&["null"], D::Utf8),
        (&["[]", "[null]"], D::new_list(D::Utf8, true)),
        (&["[1]", "null", "[2.5]"], D::new_list(D::Float64, true)),
        (&["{}"], D::Struct(Fields::empty())),
        (
            &["[[1],[]]"],
            D::new_list(D::new_list(D::Int64, true), true),
        ),
    ] {
        let lines = values(cells);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(types(&lines), [expected], "{cells:?}");
        // Every value is kept: the rows at that type say what the file says.
        let text = lines.join("\n");
        let rows = read(&text, None).unwrap();
        assert_eq!(rows.num_rows(), cells.len());
        assert_eq!(read(&write(&rows), Some(rows.schema())).unwrap(), rows);
    }
}

#[test]
fn columns_stand_in_the_order_in_which_they_were_first_seen() {
    let text = "{\"b\":{\"z\":1}}\n{\"a\":true,\"b\":{\"y\":[{\"q\":null}],\"z\":null}}\n{\"c\":\"x\",\"a\":null}\n";
    let schema = open(text.as_bytes(), None).unwrap().schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["b", "a", "c"]);
    let q = DataType::Struct(vec![Field::new("q", DataType::Utf8, true)].into());
    let b = vec![
        Field::new("z", DataType::Int64, true),
        Field::new("y", DataType::new_list(q, true), true),
    ];
    assert_eq!(schema.field(0).data_type(), &DataType::Struct(b.into()));
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
}

#[test]
fn what_will_be_written_otherwise_is_said() {
    let lines = [
        r#"{"n":1,"t":1.50,"u":"x","at":"2024-03-31 02:30:00","s":{"f":[1E5]},"i":9223372036854775808}"#,
        r#"{"n":2.5,"t":"y","u":true,"at":"2024-03-31T02:30:00","s":null,"i":1}"#,
    ];
    let notices = notices(&lines);
    let expected = [
        "\"n\" is read as float64: \"1\" in line 1 will be written as 1.0",
        "\"t\" is read as utf8: \"1.50\" in line 1 will be written as \"1.50\"",
        "\"u\" is read as utf8: \"true\" in line 2 will be written as \"true\"",
        "in line 1 will be written as 2024-03-31T02:30:00",
        "\"s.f[]\" is read as float64: \"1E5\" in line 1 will be written as 100000.0",
    ];
    assert_eq!(notices.len(), expected.len(), "{notices:#?}");
    for (notice, says) in notices.iter().zip(expected) {
        assert!(notice.contains(says), "{notice}");
    }
    let rows = read(&lines.join("\n"), None).unwrap();
    let texts: Vec<_> = rows.column(1).as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("1.50"), Some("y")]);
}

#[test]
fn values_of_two_forms_have_no_common_type() {
    for (second, says) in [
        (
            "{\"x\":{\"y\":[1,{}]}}",
            "an object in line 2 is no plain value as in line 1",
        ),
        (
            "{\"x\":{\"y\":1}}",
            "a plain value in line 2 is no array as in line 1",
        ),
        ("{\"x\":[]}", "an array in line 2 is no object as in line 1"),
    ] {
        let error = open(
            format!("{{\"x\":{{\"y\":[1]}}}}\n{second}").as_bytes(),
            None,
        )
        .unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0307"));
        assert_eq!(error.message(), says);
        assert!(detail(&error).contains("column \"x"), "{error}");
    }
}

#[test]
fn a_file_of_too_many_keys_is_refused() {
    let text: String = (0..70_000)
        .map(|key| format!("{{\"k{key}\":1}}\n"))
        .collect();
    let error = open(text.as_bytes(), None).unwrap_err();
    assert_eq!(error.code(), "FS0305");
    assert!(detail(&error).starts_with("line 65537,"), "{error}");
}

#[test]
fn an_empty_file_has_no_columns_to_tell() {
    for text in ["", "\n", "[]", "\u{feff}"] {
        let error = open(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.code(), "FS0305", "{text:?}");
        let schema = nullable(&[("a", DataType::Int64)]);
        assert_eq!(read(text, Some(schema)).unwrap().num_rows(), 0);
    }
}
