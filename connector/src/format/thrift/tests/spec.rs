//! Bytes laid out by hand, after the specifications of the two protocols.

use super::*;

const IDL: &str = "
    enum Colour { RED = 1, GREEN, BLUE = 7 }
    struct Inner { 1: optional bool yes, 20: optional i16 n }
    struct Row {
        1: optional bool flag, 2: optional i8 tiny, 3: optional i16 small, 4: optional i32 mid,
        5: optional i64 big, 6: optional double real, 7: optional string text, 8: optional binary raw,
        9: optional uuid id, 10: optional list<bool> flags, 11: optional set<i32> few,
        12: optional map<string, i64> counts, 13: optional Inner inner, 300: optional Colour colour,
    }";

/// The row that both files hold, after one without any field.
fn check(batches: &[RecordBatch]) {
    let [batch] = batches else {
        panic!("{} batches", batches.len())
    };
    assert_eq!(batch.num_rows(), 2);
    assert!(batch.columns().iter().all(|column| column.is_null(0)));
    let whole = |name: &str| {
        arrow_cast::display::array_value_to_string(batch.column_by_name(name).unwrap(), 1).unwrap()
    };
    let found = [
        "flag", "tiny", "small", "mid", "big", "real", "text", "raw", "id", "flags", "few",
        "counts", "inner", "colour",
    ];
    let found = found.map(whole);
    let wanted = [
        "true",
        "-2",
        "-300",
        "70000",
        "-5000000000",
        "-1.5",
        "h\u{e9}",
        "00ff",
        "000102030405060708090a0b0c0d0e0f",
        "[true, false]",
        "[1, -1]",
        "{a: 1}",
        "{yes: false, n: 5}",
        "BLUE",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn the_binary_protocol_is_read_as_it_is_specified() {
    let record = hex("02 0001 01
         03 0002 fe
         06 0003 fed4
         08 0004 00011170
         0a 0005 fffffffed5fa0e00
         04 0006 bff8000000000000
         0b 0007 00000003 68c3a9
         0b 0008 00000002 00ff
         10 0009 000102030405060708090a0b0c0d0e0f
         0f 000a 02 00000002 01 00
         0e 000b 08 00000002 00000001 ffffffff
         0d 000c 0b0a 00000001 00000001 61 0000000000000001
         0c 000d  02 0001 00  06 0014 0005  00
         08 012c 00000007
         00");
    let file = framed(&[&[0], &record]);
    check(&open_idl(&file, IDL, ThriftProtocol::Binary).unwrap());
    // The writer makes the same bytes of what was read.
    let batches = open_idl(&file, IDL, ThriftProtocol::Binary).unwrap();
    let thrift = options(ThriftProtocol::Binary, Some(IDL));
    assert_eq!(write_at(&batches, thrift).unwrap(), file);
}

#[test]
fn the_compact_protocol_is_read_as_it_is_specified() {
    // Numbers of fields as differences; signs in the lowest bit; truth in the header; doubles with the last byte first.
    let record = hex("11
         13 fe
         14 d704
         15 e0c508
         16 ffc7afa025
         17 000000000000f8bf
         18 03 68c3a9
         18 02 00ff
         1d 000102030405060708090a0b0c0d0e0f
         19 21 01 02
         1a 25 02 01
         1b 01 86 01 61 02
         1c  12  04 28 0a  00
         05 d804 0e
         00");
    let file = framed(&[&[0], &record]);
    check(&open_idl(&file, IDL, ThriftProtocol::Compact).unwrap());
    let batches = open_idl(&file, IDL, ThriftProtocol::Compact).unwrap();
    let thrift = options(ThriftProtocol::Compact, Some(IDL));
    assert_eq!(write_at(&batches, thrift).unwrap(), file);
}

#[test]
fn fields_come_in_any_order_and_in_the_long_form() {
    let idl = "struct Row { 1: i32 a, 2: i32 b }";
    for (protocol, record) in [
        (
            ThriftProtocol::Binary,
            "08 0002 00000002  08 0001 00000001 00",
        ),
        (ThriftProtocol::Compact, "05 04 04  05 02 02 00"),
    ] {
        let back = open_idl(&framed(&[&hex(record)]), idl, protocol).unwrap();
        let values = |at: usize| back[0].column(at).as_primitive::<Int32Type>().value(0);
        assert_eq!((values(0), values(1)), (1, 2));
    }
}

#[test]
fn lists_of_fifteen_and_more_have_their_length_apart() {
    let idl = "struct Row { 1: list<i8> a }";
    for count in [0, 14, 15, 127, 128, 300] {
        let items = Int8Array::from_iter_values((0..count).map(|n: i32| n as i8));
        let lists = ListArray::new(
            Arc::new(Field::new_list_field(DataType::Int8, true)),
            arrow_buffer::OffsetBuffer::from_lengths([items.len()]),
            Arc::new(items),
            None,
        );
        let batch = batch(vec![("a", Arc::new(lists))]);
        let file = write(std::slice::from_ref(&batch), ThriftProtocol::Compact).unwrap();
        let length = count as usize + [2, 1][usize::from(count < 15)] + usize::from(count > 127);
        assert_eq!(file.len(), 4 + 1 + length + 1, "{count}");
        assert_eq!(
            open_idl(&file, idl, ThriftProtocol::Compact).unwrap(),
            [batch]
        );
    }
}

#[test]
fn truth_in_lists_is_read_of_writers_old_and_new() {
    let idl = "struct Row { 1: list<bool> a }";
    for list in ["19 31 01 02 00", "19 32 01 02 00"] {
        let file = framed(&[&hex(&format!("{list} 00"))]);
        let back = open_idl(&file, idl, ThriftProtocol::Compact).unwrap();
        let list = back[0].column(0).as_list::<i32>().value(0);
        assert_eq!(
            list.as_boolean(),
            &BooleanArray::from(vec![true, false, false])
        );
    }
}

#[test]
fn an_empty_list_is_of_any_type() {
    let idl = "struct Row { 1: list<i64> a, 2: map<i32, i32> b }";
    for (protocol, record) in [
        (
            ThriftProtocol::Binary,
            "0f 0001 00 00000000  0d 0002 00 00 00000000 00",
        ),
        (ThriftProtocol::Compact, "19 00  1b 00 00"),
    ] {
        let back = open_idl(&framed(&[&hex(record)]), idl, protocol).unwrap();
        assert!(!back[0].column(0).is_null(0) && !back[0].column(1).is_null(0));
        assert!(back[0].column(0).as_list::<i32>().value(0).is_empty());
    }
}

#[test]
fn numbers_of_fields_are_differences_up_to_fifteen() {
    let idl = "struct Row { 1: i8 a, 16: i8 b, 32: i8 c }";
    let file = framed(&[&hex("13 01  f3 02  03 40 03  00")]);
    let back = open_idl(&file, idl, ThriftProtocol::Compact).unwrap();
    let values = back[0].columns().iter();
    let values = values.map(|column| column.as_primitive::<Int8Type>().value(0));
    assert_eq!(values.collect::<Vec<_>>(), [1, 2, 3]);
    let thrift = options(ThriftProtocol::Compact, Some(idl));
    assert_eq!(write_at(&back, thrift).unwrap(), file);
}
