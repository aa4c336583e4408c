//! Files that are torn or that lie.

use super::*;

const IDL: &str = "
    struct Inner { 1: required i32 n, 2: optional string s }
    struct Row { 1: required i64 id, 2: optional list<Inner> items, 3: optional bool yes, 4: optional map<i32, i32> map }";

fn record(protocol: ThriftProtocol) -> &'static str {
    match protocol {
        ThriftProtocol::Binary => {
            "0a 0001 0000000000000007  0f 0002 0c 00000002  08 0001 00000001 00  08 0001 00000002 0b 0002 00000001 61 00
             02 0003 01  0d 0004 0808 00000001 00000001 00000002  00"
        }
        ThriftProtocol::Compact => "16 0e  19 2c  15 02 00  15 04 18 01 61 00  11  1b 01 55 02 04  00",
    }
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[test]
fn a_file_that_was_cut_ends_with_a_record_or_is_torn() {
    for protocol in BOTH {
        let record = hex(record(protocol));
        let file = framed(&[&record, &record, &record]);
        let mut whole = Vec::new();
        for length in 0..file.len() {
            match open_idl(&file[..length], IDL, protocol) {
                Ok(batches) => whole.push(rows(&batches)),
                Err(error) => torn(&error, &["record", "the file ends within it"]),
            }
        }
        // Like lines, records that were cut between two of them cannot be told from a whole file.
        assert_eq!(whole, [0, 1, 2]);
        assert_eq!(rows(&open_idl(&file, IDL, protocol).unwrap()), 3);
    }
}

#[test]
fn a_record_that_was_cut_is_torn() {
    for protocol in BOTH {
        let record = hex(record(protocol));
        for length in 0..record.len() {
            let file = framed(&[&record, &record[..length]]);
            torn(
                &open_idl(&file, IDL, protocol).unwrap_err(),
                &["record 2, at byte "],
            );
        }
        let more = [record.as_slice(), &[0]].concat();
        let error = open_idl(&framed(&[&more]), IDL, protocol).unwrap_err();
        torn(
            &error,
            &["it has 1 bytes behind its last field", "read as the"],
        );
    }
}

#[test]
fn every_flipped_byte_gives_rows_or_an_error_that_says_where() {
    for protocol in BOTH {
        let record = hex(record(protocol));
        let file = framed(&[&record, &record, &record]);
        let mut refused = 0;
        for at in 0..file.len() {
            for flip in [0x01, 0x02, 0x40, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= flip;
                if let Err(error) = open_idl(&damaged, IDL, protocol) {
                    torn(&error, &["record ", ", at byte "]);
                    refused += 1;
                }
            }
        }
        assert!(refused > file.len() * 2, "{refused} of {}", file.len() * 5);
    }
}

#[test]
fn what_is_wrong_is_said_with_record_byte_and_column() {
    let (binary, compact) = (ThriftProtocol::Binary, ThriftProtocol::Compact);
    let good = hex(record(binary));
    for (protocol, record, says) in [
        (
            binary,
            "08 0001 00000007 00",
            "at byte 74, column \"id\": field 1 is i32, and its column i64",
        ),
        (
            binary,
            "00",
            "column \"id\": it is absent, and every record has it",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0a 0001 0000000000000007 00",
            "at byte 85, column \"id\": field 1 is there twice",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 0c 00000001 00 00",
            "column \"items[0].n\": it is absent",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 08 00000000 00",
            "",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 08 00000001 00000001 00",
            "column \"items\": its items are i32, and those of its column struct",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 0c 7fffffff 00",
            "a list of 2147483647 goes beyond the end",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 0c ffffffff 00",
            "a value has the length -1",
        ),
        (
            binary,
            "0a 0001 0000000000000007 02 0003 02 00",
            "column \"yes\": a truth value is 2",
        ),
        (
            binary,
            "0a 0001 0000000000000007 05 0003 02 00",
            "a value has the type 5, which Thrift does not have",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0d 0004 0808 40000000 00",
            "a list of 1073741824 goes beyond the end",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0d 0004 0808 ffffffff 00",
            "the length -1",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0d 0004 080a 00000001 00 00000000000000000000000000",
            "its entries are of i32 and i64",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0f 0002 0c 00000001 08 0001 00000001 0b 0002 00000001 ff 00 00",
            "column \"items[0].s\": a string is not UTF-8",
        ),
        (
            binary,
            "0a 0001 0000000000000007 0b 0009 7fffffff 00",
            "a value goes beyond the end of its record",
        ),
        (
            compact,
            "16 ffffffffffffffffff02 00",
            "a number has more than 64 bits",
        ),
        (compact, "16 0e 0b 8080808010 00", "2147483648 is no i16"),
        (
            compact,
            "16 0e 05 feff03 02 15 02 00",
            "a field has the number 32768, and Thrift has 16 bits for it",
        ),
        (
            compact,
            "16 0e 19 fc ffffffff7f 00",
            "a value has the length 34359738367",
        ),
        (
            compact,
            "16 0e 8d 00",
            "a value goes beyond the end of its record",
        ),
        (compact, "16 0e 1e 00", "a value has the type 14"),
    ] {
        let first = if protocol == binary {
            good.clone()
        } else {
            hex(super::hostile::record(compact))
        };
        let result = open_idl(&framed(&[&first, &hex(record)]), IDL, protocol);
        match says {
            "" => assert_eq!(rows(&result.unwrap()), 2),
            says => torn(&result.unwrap_err(), &["record 2, at byte ", says]),
        }
    }
}

#[test]
fn a_length_is_believed_for_as_many_bytes_as_there_are() {
    for length in [0_u32, (64 << 20) + 1, u32::MAX, 0x8000_0001] {
        let file = [&length.to_be_bytes()[..], &[0; 8]].concat();
        let error = open_idl(&file, IDL, ThriftProtocol::Binary).unwrap_err();
        torn(
            &error,
            &["record 1, at byte 1: its length is", "1 to 67108864 bytes"],
        );
    }
    let file = [&(64_u32 << 20).to_be_bytes()[..], &[0; 8]].concat();
    torn(
        &open_idl(&file, IDL, ThriftProtocol::Binary).unwrap_err(),
        &["8 of 67108864 bytes are there"],
    );
}

#[test]
fn nesting_that_nobody_wants_is_skipped_so_far_and_no_further() {
    // Field 9, which the IDL lacks, holds lists within lists.
    for (depth, fits) in [(10, true), (63, true), (64, false), (100_000, false)] {
        let lists = "0f 00000001".repeat(depth);
        let record = hex(&format!(
            "0a 0001 0000000000000007 0f 0009 {lists} 08 00000000 00"
        ));
        match open_idl(&framed(&[&record]), IDL, ThriftProtocol::Binary) {
            Ok(batches) => assert!(fits && rows(&batches) == 1, "{depth}"),
            Err(error) => {
                assert!(!fits, "{depth}: {error}");
                torn(&error, &["nested more than 64 levels deep"]);
            }
        }
    }
}

#[test]
fn what_stands_for_absent_fields_is_counted_and_bounded() {
    // Each empty struct of two bytes or less stands for a thousand nulls of eight bytes.
    let fields = (1..=1000)
        .map(|id| format!("{id}: i64 f{id}"))
        .collect::<Vec<_>>()
        .join(", ");
    let idl = format!("struct Wide {{ {fields} }} struct Row {{ 1: list<Wide> a }}");
    let count = 20_000_u32;
    let record = [
        &hex("0f 0001 0c")[..],
        &count.to_be_bytes(),
        &vec![0; count as usize],
        &[0],
    ]
    .concat();
    let error = open_idl(&framed(&[&record]), &idl, ThriftProtocol::Binary).unwrap_err();
    torn(&error, &["a record takes more than 67108864 bytes"]);
}

#[test]
fn a_file_without_idl_and_schema_is_refused_with_the_way_out() {
    let error = reader_of(&[], &ReadOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0317"));
    assert_eq!(
        error.message(),
        "\"test\" does not say what its columns are"
    );
    assert!(error.hint().unwrap().contains("IDL"), "{error}");
}
