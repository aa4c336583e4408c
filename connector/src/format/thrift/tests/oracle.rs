//! What another implementation reads of ours, and what it writes that we read: Apache's own, without generated code.

use super::*;
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TCompactInputProtocol, TCompactOutputProtocol,
    TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TOutputProtocol,
    TSetIdentifier, TStructIdentifier, TType,
};

/// Writes a record with the other implementation.
fn theirs(protocol: ThriftProtocol, write: impl Fn(&mut dyn TOutputProtocol)) -> Vec<u8> {
    let mut bytes = Vec::new();
    match protocol {
        ThriftProtocol::Binary => write(&mut TBinaryOutputProtocol::new(&mut bytes, true)),
        ThriftProtocol::Compact => write(&mut TCompactOutputProtocol::new(&mut bytes)),
    }
    bytes
}

fn field(
    out: &mut dyn TOutputProtocol,
    id: i16,
    kind: TType,
    value: impl FnOnce(&mut dyn TOutputProtocol),
) {
    out.write_field_begin(&TFieldIdentifier::new("f", kind, id))
        .unwrap();
    value(out);
    out.write_field_end().unwrap();
}

fn structure(out: &mut dyn TOutputProtocol, fields: impl FnOnce(&mut dyn TOutputProtocol)) {
    out.write_struct_begin(&TStructIdentifier::new("s"))
        .unwrap();
    fields(out);
    out.write_field_stop().unwrap();
    out.write_struct_end().unwrap();
}

const IDL: &str = "
    struct Inner { 1: bool yes, 3: list<bool> all, 2: i64 n }
    struct Row {
        1: bool flag, 2: i8 tiny, 5: i16 small, 200: i32 mid, 6: i64 big, 7: double real, 8: string text, 9: binary raw,
        10: list<Inner> inner, 11: set<i16> few, 12: map<i32, string> words, 13: uuid id, 14: bool last,
    }";

/// A record of every kind, by number.
fn put(out: &mut dyn TOutputProtocol, n: i64) {
    structure(out, |out| {
        field(out, 1, TType::Bool, |out| {
            out.write_bool(n % 2 == 0).unwrap()
        });
        field(out, 2, TType::I08, |out| out.write_i8(n as i8).unwrap());
        field(out, 5, TType::I16, |out| out.write_i16(n as i16).unwrap());
        field(out, 6, TType::I64, |out| out.write_i64(n << 40).unwrap());
        field(out, 7, TType::Double, |out| {
            out.write_double(n as f64 / 3.0).unwrap()
        });
        field(out, 8, TType::String, |out| {
            out.write_string(&"x\u{e9}".repeat(n as usize)).unwrap()
        });
        field(out, 9, TType::String, |out| {
            out.write_bytes(&[0xff, n as u8]).unwrap()
        });
        field(out, 10, TType::List, |out| {
            out.write_list_begin(&TListIdentifier::new(TType::Struct, n as i32))
                .unwrap();
            for at in 0..n {
                structure(out, |out| {
                    field(out, 1, TType::Bool, |out| {
                        out.write_bool(at % 2 == 1).unwrap()
                    });
                    field(out, 2, TType::I64, |out| out.write_i64(-at).unwrap());
                    field(out, 3, TType::List, |out| {
                        out.write_list_begin(&TListIdentifier::new(TType::Bool, 2))
                            .unwrap();
                        out.write_bool(true).unwrap();
                        out.write_bool(false).unwrap();
                        out.write_list_end().unwrap();
                    });
                });
            }
            out.write_list_end().unwrap();
        });
        field(out, 11, TType::Set, |out| {
            out.write_set_begin(&TSetIdentifier::new(TType::I16, 1))
                .unwrap();
            out.write_i16(-7).unwrap();
            out.write_set_end().unwrap();
        });
        field(out, 12, TType::Map, |out| {
            out.write_map_begin(&TMapIdentifier::new(TType::I32, TType::String, 2))
                .unwrap();
            for key in [n as i32, -1] {
                out.write_i32(key).unwrap();
                out.write_string("w").unwrap();
            }
            out.write_map_end().unwrap();
        });
        field(out, 13, TType::Uuid, |out| {
            out.write_uuid(&uuid::Uuid::from_u128(n as u128)).unwrap()
        });
        field(out, 14, TType::Bool, |out| out.write_bool(true).unwrap());
        field(out, 200, TType::I32, |out| out.write_i32(i32::MIN).unwrap());
    });
}

#[test]
fn what_another_writes_is_read_and_written_again_byte_by_byte() {
    for protocol in BOTH {
        let records: Vec<_> = (0..20)
            .map(|n| theirs(protocol, |out| put(out, n)))
            .collect();
        let file = framed(&records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let back = open_idl(&file, IDL, protocol).unwrap();
        assert_eq!(back[0].num_rows(), 20);
        let column = |name: &str| Arc::clone(back[0].column_by_name(name).unwrap());
        assert_eq!(
            column("big").as_primitive::<Int64Type>().value(19),
            19 << 40
        );
        assert_eq!(column("text").as_string::<i32>().value(2), "x\u{e9}x\u{e9}");
        assert_eq!(column("inner").as_list::<i32>().value(19).len(), 19);
        assert_eq!(column("id").as_fixed_size_binary().value(3)[15], 3);
        assert_eq!(column("mid").as_primitive::<Int32Type>().value(0), i32::MIN);
        // In the order of the numbers the bytes are theirs.
        let idl = IDL.replace(
            "1: bool yes, 3: list<bool> all, 2: i64 n",
            "1: bool yes, 2: i64 n, 3: list<bool> all",
        );
        let idl = idl
            .replace("200: i32 mid, ", "")
            .replace("14: bool last,", "14: bool last, 200: i32 mid");
        let back = open_idl(&file, &idl, protocol).unwrap();
        assert_eq!(
            write_at(&back, options(protocol, Some(&idl))).unwrap(),
            file
        );
    }
}

/// A value as the other implementation reads it, as text.
fn told(input: &mut dyn TInputProtocol, kind: TType) -> String {
    match kind {
        TType::Bool => input.read_bool().unwrap().to_string(),
        TType::I08 => input.read_i8().unwrap().to_string(),
        TType::I16 => input.read_i16().unwrap().to_string(),
        TType::I32 => input.read_i32().unwrap().to_string(),
        TType::I64 => input.read_i64().unwrap().to_string(),
        TType::Double => format!("{:?}", input.read_double().unwrap()),
        TType::String => format!(
            "{:?}",
            String::from_utf8_lossy(&input.read_bytes().unwrap())
        ),
        TType::List => {
            let list = input.read_list_begin().unwrap();
            let items = (0..list.size)
                .map(|_| told(input, list.element_type))
                .collect::<Vec<_>>();
            format!("[{}]", items.join(", "))
        }
        TType::Map => {
            let map = input.read_map_begin().unwrap();
            let entries = (0..map.size).map(|_| {
                let key = told(input, map.key_type.unwrap());
                format!("{key}: {}", told(input, map.value_type.unwrap()))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        TType::Struct => {
            input.read_struct_begin().unwrap();
            let mut fields = Vec::new();
            loop {
                let field = input.read_field_begin().unwrap();
                if field.field_type == TType::Stop {
                    break;
                }
                fields.push(format!(
                    "{}={}",
                    field.id.unwrap(),
                    told(input, field.field_type)
                ));
            }
            input.read_struct_end().unwrap();
            format!("({})", fields.join(", "))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_reads_what_is_written() {
    let fields = Fields::from(vec![
        Field::new("a", DataType::Boolean, true),
        Field::new("b", DataType::Int32, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(vec![Some(false), None])),
        Arc::new(Int32Array::from(vec![None, Some(-5)])),
    ];
    let inner = StructArray::new(fields, columns, None);
    let lists = ListArray::from_iter_primitive::<Int16Type, _, _>(vec![
        Some(vec![Some(1), Some(-1)]),
        None,
    ]);
    let mut words = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    words.keys().append_value("k");
    words.values().append_value(1 << 40);
    words.append(true).unwrap();
    words.append(true).unwrap();
    let batch = batch(vec![
        ("inner", Arc::new(inner)),
        (
            "moment",
            Arc::new(TimestampMillisecondArray::from(vec![Some(-1), Some(7)])),
        ),
        ("list", Arc::new(lists)),
        ("words", Arc::new(words.finish())),
        ("real", Arc::new(Float32Array::from(vec![None, Some(0.5)]))),
    ]);
    let wanted = [
        r#"(1=(1=false), 2=-1, 3=[1, -1], 4={"k": 1099511627776})"#,
        "(1=(2=-5), 2=7, 4={}, 5=0.5)",
    ];
    for protocol in BOTH {
        let file = write(std::slice::from_ref(&batch), protocol).unwrap();
        let mut rest = file.as_slice();
        for wanted in wanted {
            let length = u32::from_be_bytes(*rest.first_chunk().unwrap()) as usize;
            let record = &rest[4..4 + length];
            let found = match protocol {
                ThriftProtocol::Binary => {
                    told(&mut TBinaryInputProtocol::new(record, true), TType::Struct)
                }
                ThriftProtocol::Compact => {
                    told(&mut TCompactInputProtocol::new(record), TType::Struct)
                }
            };
            assert_eq!(found, wanted);
            rest = &rest[4 + length..];
        }
        assert!(rest.is_empty());
    }
}

/// Why the other implementation does not read our files: a number of 17 bits becomes another one of 16.
#[test]
fn the_other_cuts_numbers_that_are_refused_here() {
    let record = hex("14 808008 00");
    let mut input = TCompactInputProtocol::new(record.as_slice());
    input.read_struct_begin().unwrap();
    input.read_field_begin().unwrap();
    assert_eq!(input.read_i16().unwrap(), 0);
    let error = open_idl(
        &framed(&[&record]),
        "struct R { 1: i16 a }",
        ThriftProtocol::Compact,
    )
    .unwrap_err();
    torn(&error, &["65536 is no i16"]);
}
