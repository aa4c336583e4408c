//! IDLs that are printed, that come from elsewhere, and what they make of records.

use super::*;
use crate::format::stored_schema;

/// The IDL of `docs/thrift.md` and the schema that it stands for there.
#[test]
fn the_idl_of_the_documentation_is_that_of_its_schema() {
    let page = include_str!("../../../../../docs/thrift.md");
    let idl = page.split("```thrift\n").nth(1).unwrap();
    let idl = idl.split("```").next().unwrap();
    let item = Fields::from(vec![
        Field::new("sku", DataType::Utf8, false),
        Field::new("price", DataType::Decimal128(10, 2), true),
    ]);
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new(
            "event.time",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
        Field::new(
            "items",
            DataType::new_list(DataType::Struct(item), true),
            true,
        ),
        Field::new(
            "codes",
            DataType::new_large_list(DataType::Int32, false),
            true,
        ),
    ]);
    assert_eq!(thrift_idl(&schema).unwrap(), idl);
    assert_eq!(*schema_of(idl).unwrap(), schema);
}

#[test]
fn a_printed_idl_gives_the_exact_schema() {
    let odd = [
        "plain",
        "event.time",
        "event_time",
        "1st",
        "snow \u{2603}",
        "_",
        "\u{2603}",
        "a b",
        "list",
        "class",
        "quo'te\"s",
        "back\\slash",
    ];
    let named = odd.map(|name| Field::new(name, DataType::Int32, true));
    let noted = Field::new(
        "noted",
        DataType::List(Arc::new(Field::new("it's \"x\"", DataType::Date32, false))),
        false,
    );
    let noted = noted.with_metadata([("k\n\"'\\".to_owned(), "v\t'\u{2603}".to_owned())].into());
    let flat = Field::new("flat", DataType::Int64, true)
        .with_metadata([("a".to_owned(), "b".to_owned())].into());
    let metadata = [
        ("one".to_owned(), "'\"\\".to_owned()),
        ("two".to_owned(), String::new()),
    ];
    let plain = Schema::new_with_metadata(named.to_vec(), metadata.into());
    let deep = Schema::new(vec![
        noted,
        flat,
        Field::new("in", DataType::Struct(named.to_vec().into()), true),
    ]);
    let types = [super::types::every_type(), super::types::every_nesting()];
    let types = types.map(|batch| batch.schema().as_ref().clone());
    for schema in [plain, deep, Schema::empty()].into_iter().chain(types) {
        let idl = thrift_idl(&schema).unwrap();
        assert_eq!(*schema_of(&idl).unwrap(), schema, "{idl}");
    }
}

#[test]
fn encodings_are_plain_in_an_idl() {
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = Schema::new(vec![
        Field::new("w", words, true),
        Field::new("v", DataType::BinaryView, true),
    ]);
    let idl = thrift_idl(&schema).unwrap();
    assert_eq!(schema_of(&idl).unwrap(), stored_schema(&schema).unwrap());
}

#[test]
fn an_idl_from_elsewhere_says_the_columns() {
    let schema = schema_of(
        "struct Inner { 1: required string s }
         enum Colour { RED }
         typedef i64 (flinkspark.type = \"timestamp[ms]\") Moment
         struct Row {
            7: required byte a, 1: i16 b, 2: optional double c = 1.5, 3: list<set<i32>> d, 4: map<string, Inner> e,
            5: Colour f, 6: Moment g, 8: uuid h, 9: binary i (flinkspark.type = \"decimal128(10,2)\"),
            10: i64 j (flinkspark.name = \"a.b\", else = \"x\"), 11: Colour k (flinkspark.type = \"int32\"),
         }",
    )
    .unwrap();
    let printed = schema.fields().iter().map(|field| {
        let name = flinkspark_model::schema::type_name(field.data_type());
        let null = if field.is_nullable() { "" } else { " not null" };
        format!("{}: {name}{null}", field.name())
    });
    let wanted = [
        "a: int8 not null",
        "b: int16",
        "c: float64 not null",
        "d: list<list<int32>>",
        "e: map<utf8 not null, struct<s: utf8 not null>>",
        "f: utf8",
        "g: timestamp[ms]",
        "h: fixed_size_binary[16]",
        "i: decimal128(10,2)",
        "a.b: int64",
        "k: int32",
    ];
    assert_eq!(printed.collect::<Vec<_>>(), wanted);
}

#[test]
fn a_struct_is_chosen_by_its_name_or_as_the_last_that_no_other_refers_to() {
    let idl = "struct A { 1: i32 a } struct B { 1: A b } struct C { 1: i32 c } struct D { 1: map<i32, list<C>> d }
        typedef D E struct F { 1: E e } exception X { 1: i32 x } struct G { 1: F f }
        struct Used { 1: i32 u } union Z { 1: Used used }";
    let of = |structure: Option<&str>| {
        let thrift = ThriftOptions {
            structure: structure.map(Into::into),
            ..options(ThriftProtocol::Binary, Some(idl))
        };
        reader_of(&[], &read_options(None, thrift))
            .map(|reader| reader.schema().field(0).name().clone())
    };
    assert_eq!(of(None).unwrap(), "f");
    assert_eq!(of(Some("C")).unwrap(), "c");
    assert_eq!(of(Some("X")).unwrap(), "x");
    for (name, says) in [
        ("Z", "the union Z is not read"),
        ("Y", "no struct with the name \"Y\""),
    ] {
        let error = of(Some(name)).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0318"));
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}

#[test]
fn defaults_stand_for_absent_fields() {
    let idl = "enum E { A = 1, B = 2 } const i32 MOST = 7 const string WORD = \"w\"
        struct Row { 1: bool a = true, 2: i8 b = -1, 3: i32 c = MOST, 4: double d = 2, 5: string e = WORD, 6: E f = E.B,
            7: binary g = 'x', 8: i64 h = 0x10, 9: E i = B }";
    for protocol in BOTH {
        let back = open_idl(&framed(&[&[0], &[0]]), idl, protocol).unwrap();
        let cells = back[0].columns().iter().map(|column| {
            assert_eq!(column.null_count(), 0);
            arrow_cast::display::array_value_to_string(column, 1).unwrap()
        });
        assert_eq!(
            cells.collect::<Vec<_>>(),
            ["true", "-1", "7", "2.0", "w", "B", "78", "16", "B"]
        );
        // A null would come back as the default, and is not written.
        let nulls = batch(vec![("b", Arc::new(Int8Array::from(vec![None])))]);
        let error = write_at(&[nulls], options(protocol, Some(idl))).unwrap_err();
        assert_eq!(error.code(), "FS0311", "{error}");
        assert!(error.detail().unwrap().contains("its default"), "{error}");
    }
}

#[test]
fn fields_that_the_schema_lacks_are_skipped_and_counted() {
    let idl = "struct In { 1: i32 a } struct Row { 1: i32 a, 2: list<In> b }";
    // Fields 9 (in the first record twice, a list of maps) and 3 in each item.
    let record = "08 0001 00000001 0f 0009 0d 00000001 0808 00000001 00000001 00000001
        0f 0002 0c 00000002  02 0003 01 00  02 0003 00 08 0001 00000005 00  00";
    let file = framed(&[&hex(record), &hex("0b 0009 00000001 61 00")]);
    let options = read_options(None, options(ThriftProtocol::Binary, Some(idl)));
    let mut reader = reader_of(&file, &options).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert_eq!(
        batch
            .column(1)
            .as_list::<i32>()
            .value(0)
            .as_struct()
            .column(0)
            .null_count(),
        1
    );
    assert!(reader.next().is_none());
    assert_eq!(
        reader.notices(),
        [
            "field 9, which the schema lacks, was there 2 times and skipped",
            "column \"b\": field 3, which the schema lacks, was there 2 times and skipped",
        ]
    );
}

#[test]
fn with_a_schema_beside_an_idl_the_numbers_are_the_idls_and_the_types_the_schemas() {
    let idl = "struct Row { 5: i64 at, 2: string name, 3: i32 day, 9: i64 exact (flinkspark.type = \"timestamp[ms]\"), 4: string digits }";
    let micros = || DataType::Timestamp(TimeUnit::Microsecond, None);
    let wanted = Schema::new(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("at", micros(), true),
        Field::new("exact", micros(), true),
        Field::new("digits", DataType::Decimal128(5, 0), true),
        Field::new("missing", DataType::Int32, true),
    ]);
    let options = read_options(
        Some(Arc::new(wanted)),
        options(ThriftProtocol::Binary, Some(idl)),
    );
    let file = framed(&[&hex("0a 0005 0000000000000001 08 0003 00000002 00")]);
    let mut reader = reader_of(&file, &options).unwrap();
    let schema = reader.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["day", "at", "exact", "digits", "name"]);
    assert_eq!(*schema.field(0).data_type(), DataType::Date32);
    assert_eq!(*schema.field(1).data_type(), micros());
    // What the IDL says exactly, stays; and text is no decimal.
    assert_eq!(
        *schema.field(2).data_type(),
        DataType::Timestamp(TimeUnit::Millisecond, None)
    );
    assert_eq!(*schema.field(3).data_type(), DataType::Utf8);
    let batch = reader.next().unwrap().unwrap();
    assert_eq!(
        batch
            .column(1)
            .as_primitive::<TimestampMicrosecondType>()
            .value(0),
        1
    );
}

#[test]
fn columns_that_an_idl_does_not_fit_are_refused_by_name() {
    let column = batch(vec![(
        "a",
        Arc::new(TimestampMicrosecondArray::from(vec![1])),
    )]);
    for (idl, says) in [
        ("struct R { 1: i64 b }", "column \"a\""),
        (
            "struct R { 1: i32 a }",
            "its type is timestamp[us], and the IDL says int32",
        ),
        (
            "struct R { 1: i64 a (flinkspark.type = \"timestamp[ms]\") }",
            "the IDL says timestamp[ms]",
        ),
        ("struct R { 1: i64 a, 2: required i64 c }", "column \"c\""),
    ] {
        let error = write_at(
            std::slice::from_ref(&column),
            options(ThriftProtocol::Binary, Some(idl)),
        )
        .unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0306"),
            "{error}"
        );
        let text = format!("{} {}", error.message(), error.detail().unwrap());
        assert!(text.contains(says), "{text}");
    }
    let fits = write_at(
        &[column],
        options(ThriftProtocol::Binary, Some("struct R { 300: i64 a }")),
    )
    .unwrap();
    assert_eq!(fits, framed(&[&hex("0a 012c 0000000000000001 00")]));
}

#[test]
fn an_enum_has_words_both_ways() {
    let idl = "enum E { A = 1, B = 5 } struct R { 1: E e }";
    let words = batch(vec![("e", Arc::new(StringArray::from(vec!["B"])))]);
    let alone = std::slice::from_ref(&words);
    let file = write_at(alone, options(ThriftProtocol::Binary, Some(idl))).unwrap();
    assert_eq!(file, framed(&[&hex("08 0001 00000005 00")]));
    assert_eq!(
        open_idl(&file, idl, ThriftProtocol::Binary).unwrap(),
        [words]
    );
    let other = batch(vec![("e", Arc::new(StringArray::from(vec!["C"])))]);
    let error = write_at(&[other], options(ThriftProtocol::Binary, Some(idl))).unwrap_err();
    assert_eq!(error.code(), "FS0311", "{error}");
    let error = open_idl(
        &framed(&[&hex("08 0001 00000002 00")]),
        idl,
        ThriftProtocol::Binary,
    )
    .unwrap_err();
    assert_eq!(error.code(), "FS0310", "{error}");
    assert!(
        error
            .detail()
            .unwrap()
            .contains("the enum E has no word for 2"),
        "{error}"
    );
    // Numbers where the column says so.
    let numbers = idl.replace("E e", "E e (flinkspark.type = \"int32\")");
    let back = open_idl(
        &framed(&[&hex("08 0001 00000002 00")]),
        &numbers,
        ThriftProtocol::Binary,
    )
    .unwrap();
    assert_eq!(back[0].column(0).as_primitive::<Int32Type>().value(0), 2);
}
