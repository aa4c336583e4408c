//! Files that are torn, that lie, or that are of a form which is not read.

use super::*;
use apache_avro::types::Value;
use std::io::{Read, Write as _, repeat};

/// A small file of each codec, by another writer: ten rows in each of three blocks.
fn small() -> Vec<(&'static str, Vec<u8>)> {
    let schema = r#"{"type":"record","name":"r","fields":[
        {"name":"n","type":["null","long"]},{"name":"s","type":"string"},
        {"name":"l","type":{"type":"array","items":"int"}}]}"#;
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let files = oracle::codecs().map(|(name, codec)| {
        let mut writer = apache_avro::Writer::with_codec(&schema, Vec::new(), codec).unwrap();
        for row in 0..30_i64 {
            let number = if row % 3 == 0 {
                Value::Union(0, Value::Null.into())
            } else {
                Value::Union(1, Value::Long(row << 40).into())
            };
            let list = (0..row % 4).map(|item| Value::Int(item as i32)).collect();
            let fields = [
                ("n", number),
                ("s", Value::String("x".repeat(row as usize))),
                ("l", Value::Array(list)),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            writer.append_value(Value::Record(fields.to_vec())).unwrap();
            if row % 10 == 9 {
                writer.flush().unwrap();
            }
        }
        (name, writer.into_inner().unwrap())
    });
    files.to_vec()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Damage, said as such.
fn torn(error: &Error, what: &str) {
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Data, "FS0305"),
        "{what}: {error}"
    );
    assert!(
        error
            .message()
            .contains("\"test\" is not a whole Avro file"),
        "{error}"
    );
}

#[test]
fn every_truncation_is_an_error_or_ends_with_a_block() {
    for (codec, bytes) in small() {
        let mut whole = Vec::new();
        for length in 0..bytes.len() {
            match open(&bytes[..length]) {
                Ok(batches) => whole.push(rows(&batches)),
                Err(error) => torn(&error, codec),
            }
        }
        assert_eq!(whole, [0, 10, 20], "{codec}");
        assert_eq!(rows(&open(&bytes).unwrap()), 30);
    }
}

#[test]
fn every_flipped_byte_is_an_error_or_gives_rows() {
    for (codec, bytes) in small() {
        let mut errors = 0;
        for at in 0..bytes.len() {
            for flip in [0x01, 0x40, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                errors += u32::from(open(&damaged).is_err());
            }
        }
        assert!(errors > 300, "{codec}: {errors}");
    }
}

#[test]
fn a_file_of_ours_that_ends_between_two_blocks_is_torn() {
    let texts = StringArray::from_iter_values((0..3).map(|_| "x".repeat(1 << 20)));
    let bytes = write(&[batch(vec![("x", Arc::new(texts))])]).unwrap();
    assert_eq!(rows(&open(&bytes).unwrap()), 3);
    let sync = &bytes[bytes.len() - 16..];
    let ends = (16..bytes.len()).filter(|end| &bytes[end - 16..*end] == sync);
    let ends = ends.collect::<Vec<_>>();
    assert_eq!(ends.len(), 3);
    for (blocks, end) in ends.into_iter().enumerate() {
        let error = open(&bytes[..end]).unwrap_err();
        torn(&error, "between two blocks");
        let says =
            format!("it ends after block {blocks}, before the one that its writer ended with");
        assert!(error.detail().unwrap().contains(&says), "{error}");
    }
    // One that appends to the file begins behind its last block, and says of no block that it is the last.
    let mut appended = bytes.clone();
    appended.extend(packed_block(&bytes));
    assert_eq!(rows(&open(&appended).unwrap()), 4);
}

/// Another block for the file: its first, whose number of rows is not the last's.
fn packed_block(bytes: &[u8]) -> Vec<u8> {
    let sync = &bytes[bytes.len() - 16..];
    let mut ends = (16..bytes.len()).filter(|end| &bytes[end - 16..*end] == sync);
    let (first, second) = (ends.next().unwrap(), ends.next().unwrap());
    bytes[first..second].to_vec()
}

#[test]
fn a_file_of_ours_that_others_packed_anew_is_whole_and_keeps_its_types() {
    let numbers = batch(vec![("n", Arc::new(UInt8Array::from(vec![1, 2, 3])))]);
    let schema = numbers.schema();
    let avro = print::schema(schema.fields()).unwrap().to_string();
    let own = flinkspark_model::schema::to_json(&schema).unwrap();
    let parsed = apache_avro::Schema::parse_str(&avro).unwrap();
    let mut writer = apache_avro::Writer::new(&parsed, Vec::new()).unwrap();
    writer
        .add_user_metadata(container::OWN_SCHEMA.into(), own)
        .unwrap();
    for n in 1..4 {
        let value = Value::Union(1, Value::Int(n).into());
        writer
            .append_value(Value::Record(vec![("n".into(), value)]))
            .unwrap();
    }
    assert_eq!(open(&writer.into_inner().unwrap()).unwrap(), [numbers]);
}

#[test]
fn a_schema_of_ours_that_is_not_the_files_is_not_believed() {
    let bytes = Field::new("a", DataType::UInt8, false);
    let more = Field::new("b", DataType::UInt8, false);
    let own = |fields: Vec<&Field>| {
        let fields: Vec<Field> = fields.into_iter().cloned().collect();
        flinkspark_model::schema::to_json(&Schema::new(fields)).unwrap()
    };
    let (fits, wide) = (own(vec![&bytes]), own(vec![&bytes, &more]));
    for (kind, entry, wanted) in [
        ("\"int\"", fits.as_str(), DataType::UInt8),
        ("\"long\"", &fits, DataType::Int64),
        ("\"int\"", &wide, DataType::Int32),
        ("\"int\"", "{}", DataType::Int32),
    ] {
        let schema = one(kind).replace("\"r\"", "\"row\"");
        let mut bytes = header(&[("avro.schema", &schema), (container::OWN_SCHEMA, entry)]);
        bytes.extend([7; 16]);
        bytes.extend([2, 2, 2]);
        bytes.extend([7; 16]);
        let read = open(&bytes).unwrap();
        assert_eq!(read[0].column(0).data_type(), &wanted, "{entry}");
    }
}

#[test]
fn damage_names_the_block_and_its_byte() {
    let (_, whole) = small().remove(0);
    let sync = whole[whole.len() - 16..].to_vec();
    let mut ends = (16..=whole.len()).filter(|end| whole[end - 16..*end] == sync);
    let (_, first, second) = (
        ends.next().unwrap(),
        ends.next().unwrap(),
        ends.next().unwrap(),
    );
    let place = format!("block 2, at byte {first}: ");
    let mut marker = whole.clone();
    marker[second - 1] ^= 1;
    let mut longer = whole.clone();
    longer.splice(first..=first, [22]);
    let mut shorter = whole.clone();
    shorter.splice(first..=first, [18]);
    let mut negative = whole.clone();
    negative.splice(first..=first, [1]);
    let mut missing = whole.clone();
    missing.drain(second - 16..second);
    for (bytes, says) in [
        (marker, "sync marker"),
        (longer, "beyond the end of the block"),
        (shorter, "behind its last row"),
        (negative, "says that it has -1 rows"),
        (missing, "sync marker"),
    ] {
        let error = open(&bytes).unwrap_err();
        torn(&error, says);
        let detail = error.detail().unwrap();
        assert!(
            detail.starts_with(&place) && detail.contains(says),
            "{error}"
        );
    }
    let trailing = [whole.as_slice(), b"\n"].concat();
    let error = open(&trailing).unwrap_err();
    torn(&error, "trailing");
}

/// A block of this codec that unpacks to so many zeros.
fn bomb(codec: &str, length: u64) -> Vec<u8> {
    let mut zeros = repeat(0).take(length);
    let mut packed = Vec::new();
    match codec {
        "deflate" => {
            let mut encoder =
                flate2::write::DeflateEncoder::new(&mut packed, flate2::Compression::fast());
            std::io::copy(&mut zeros, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(&mut packed, bzip2::Compression::fast());
            std::io::copy(&mut zeros, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(&mut packed, 0);
            std::io::copy(&mut zeros, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        "zstandard" => {
            let mut encoder = zstd::stream::write::Encoder::new(&mut packed, 1).unwrap();
            std::io::copy(&mut zeros, &mut encoder).unwrap();
            encoder.finish().unwrap();
        }
        _ => {
            let mut plain = Vec::new();
            zeros.read_to_end(&mut plain).unwrap();
            packed = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
            packed
                .write_all(&crc32fast::hash(&plain).to_be_bytes())
                .unwrap();
        }
    }
    packed
}

#[test]
fn a_block_is_unpacked_to_its_limit_and_no_further() {
    let limit = 64 << 20;
    for codec in ["deflate", "bzip2", "xz", "zstandard", "snappy"] {
        let schema = one(r#"{"type":"fixed","name":"f","size":4194304}"#);
        let most = open(&file(&schema, codec, 16, &bomb(codec, limit))).unwrap();
        assert_eq!(rows(&most), 16, "{codec}");
        let error = open(&file(&schema, codec, 17, &bomb(codec, limit + 1))).unwrap_err();
        torn(&error, codec);
        assert!(
            error
                .detail()
                .unwrap()
                .contains("unpacks to more than 67108864 bytes"),
            "{codec}: {error}"
        );
    }
    let block = bomb("zstandard", 1 << 30);
    assert!(block.len() < 1 << 20);
    let error = open(&file(&one("\"null\""), "zstandard", 1, &block)).unwrap_err();
    assert!(
        error.detail().unwrap().contains("unpacks to more than"),
        "{error}"
    );
}

#[test]
fn a_snappy_block_that_lies_is_damage() {
    let block = bomb("snappy", 10);
    let schema = one("\"long\"");
    assert_eq!(
        rows(&open(&file(&schema, "snappy", 10, &block)).unwrap()),
        10
    );
    let mut checksum = block.clone();
    *checksum.last_mut().unwrap() ^= 1;
    let states_much = [vec![0x80, 0x80, 0x80, 0x10], block[1..].to_vec()].concat();
    for (block, says) in [
        (vec![], "too short"),
        (vec![0; 3], "too short"),
        (vec![0; 4], "cannot be unpacked"),
        (checksum, "checksum"),
        (states_much, "says that it unpacks to 33554432"),
    ] {
        let error = open(&file(&schema, "snappy", 10, &block)).unwrap_err();
        torn(&error, says);
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}

fn long(value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_number(value, &mut bytes);
    bytes
}

#[test]
fn no_claim_is_believed() {
    let list = |item: &str| format!(r#"{{"type":"array","items":{item}}}"#);
    let wide: Vec<String> = (0..100)
        .map(|n| format!(r#"{{"name":"c{n}","type":"long"}}"#))
        .collect();
    let wide = format!(
        r#"["null",{{"type":"record","name":"w","fields":[{}]}}]"#,
        wide.join(",")
    );
    let much = 1 << 60;
    let behind_much = |rest: &[u8]| [long(much), rest.to_vec()].concat();
    let nulls = [long(2_000_000), vec![0; 2_000_000], long(0)].concat();
    for (kind, rows, block, says) in [
        (
            list("\"null\""),
            1,
            behind_much(&[0]),
            "values without bytes",
        ),
        (
            list("\"long\""),
            1,
            behind_much(&[0]),
            "beyond the end of the block",
        ),
        (
            list("\"int\""),
            1,
            [long(i64::MIN), long(1), vec![0, 0]].concat(),
            "beyond the end of the block",
        ),
        (
            list("\"int\""),
            1,
            [long(-1), long(-1), vec![0, 0]].concat(),
            "beyond the end of the block",
        ),
        (
            list("\"int\""),
            1,
            [long(-1), long(2), vec![0, 0]].concat(),
            "not as long as it says",
        ),
        (
            list("\"int\""),
            1,
            [long(-2), long(much), vec![0, 0]].concat(),
            "beyond the end of the block",
        ),
        (list(&wide), 1, nulls, "a row takes more than"),
        (
            r#"["null",{"type":"fixed","name":"f","size":2147483647}]"#.into(),
            1,
            vec![0],
            "a row takes more than",
        ),
        (
            "\"string\"".into(),
            1,
            behind_much(b"a"),
            "beyond the end of the block",
        ),
        ("\"bytes\"".into(), 1, long(-1), "the length -1"),
        ("\"null\"".into(), much, vec![], "values without bytes"),
        (
            "\"long\"".into(),
            much,
            vec![0],
            "beyond the end of the block",
        ),
        ("\"long\"".into(), 1, vec![0xff; 11], "more than 64 bits"),
        (
            "\"int\"".into(),
            1,
            long(1 << 31),
            "2147483648 is no value of its type",
        ),
        ("\"boolean\"".into(), 1, vec![2], "a boolean is 2"),
        ("\"string\"".into(), 1, vec![2, 0xff], "not UTF-8"),
        (r#"["null","int"]"#.into(), 1, long(2), "no branch 2"),
        (r#"["null","int"]"#.into(), 1, long(-1), "no branch -1"),
        (
            r#"{"type":"enum","name":"e","symbols":["A"]}"#.into(),
            1,
            long(1),
            "no symbol 1",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4}"#.into(),
            1,
            long(0),
            "a decimal has no bytes",
        ),
    ] {
        let error = open(&file(&one(&kind), "null", rows, &block)).unwrap_err();
        torn(&error, says);
        let detail = error.detail().unwrap();
        assert!(
            detail.contains(says) && detail.contains("block 1, at byte"),
            "{kind}: {error}"
        );
        assert!(
            rows == much || detail.contains("row 1, column \"a\": "),
            "{kind}: {error}"
        );
    }
    let header_of = |count: i64| [b"Obj\x01".to_vec(), long(count), long(much)].concat();
    for bytes in [header_of(much), header_of(-much), header_of(i64::MIN)] {
        torn(&open(&bytes).unwrap_err(), "header");
    }
    let mut much_packed = file(&one("\"long\""), "null", 1, &[0]);
    let length = much_packed.len() - 18;
    much_packed.splice(length..=length, long(much));
    torn(&open(&much_packed).unwrap_err(), "length");
}

#[test]
fn a_value_that_a_column_does_not_hold_is_refused_by_row() {
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":3,"scale":1}"#;
    let duration = r#"{"type":"fixed","name":"d","size":12,"logicalType":"duration"}"#;
    for (kind, first, second, says) in [
        (
            decimal,
            vec![2, 1],
            vec![4, 0x03, 0xe8],
            "more than the 3 digits",
        ),
        (
            decimal,
            vec![2, 1],
            [vec![34, 1], vec![0; 16]].concat(),
            "more than 128 bits",
        ),
        (duration, vec![0; 12], vec![0xff; 12], "31 bits"),
    ] {
        let error = open(&file(&one(kind), "null", 2, &[first, second].concat())).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Data, "FS0310"),
            "{error}"
        );
        assert!(error.message().contains("row 2 of column \"a\""), "{error}");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}

#[test]
fn schemas_that_are_no_columns_are_refused_by_name() {
    let deep = (0..33).fold("\"int\"".to_owned(), |inner, _| {
        format!(r#"{{"type":"array","items":{inner}}}"#)
    });
    let mut many =
        r#"{"type":"record","name":"t0","fields":[{"name":"x","type":"int"}]}"#.to_owned();
    for n in 1..40 {
        let before = format!("t{}", n - 1);
        many = format!(
            r#"{{"type":"record","name":"t{n}","fields":[{{"name":"x","type":{many}}},{{"name":"y","type":"{before}"}}]}}"#
        );
    }
    let recursive = r#"["null",{"type":"record","name":"node","fields":[{"name":"next","type":["null","node"]}]}]"#;
    for (kind, says) in [
        (
            r#"["null","int","string"]"#.to_owned(),
            "has a union in column \"a\"",
        ),
        (r#"["int","string"]"#.into(), "has a union in column \"a\""),
        (
            recursive.into(),
            "has a recursive type in column \"a.next\"",
        ),
        (deep, "has too many types in column \"a\""),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":77}"#.into(),
            "has a decimal that is too wide in column \"a\"",
        ),
    ] {
        let error = open(&file(&one(&kind), "null", 0, &[])).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0314"),
            "{error}"
        );
        assert!(error.message().contains(says), "{error}");
        assert!(
            error.detail().is_some() && error.hint().is_some(),
            "{error}"
        );
    }
    let error = open(&file("\"int\"", "null", 0, &[])).unwrap_err();
    assert!(error.message().contains("no records"), "{error}");
    // Twice as many fields with each type, in a schema of a few thousand bytes.
    let error = open(&file(&one(&many), "null", 0, &[])).unwrap_err();
    assert!(["FS0314", "FS0305"].contains(&error.code()), "{error}");
}

#[test]
fn schemas_that_are_none_are_damage() {
    let deep = "[".repeat(200_000);
    for schema in [
        "",
        "{",
        deep.as_str(),
        r#"{"type":"record","name":"r"}"#,
        r#"{"type":"record","fields":[]}"#,
        r#"{"type":"record","name":"r","fields":[{"name":"a"}]}"#,
        &one("\"strin\""),
        &one("[]"),
        &one(r#"["null","null"]"#),
        &one(r#"["null",["null","int"]]"#),
        &one("7"),
        &one(r#"{"type":"array"}"#),
        &one(r#"{"type":"map"}"#),
        &one(r#"{"type":"fixed","name":"f","size":0}"#),
        &one(r#"{"type":"fixed","name":"f","size":-1}"#),
        &one(r#"{"type":"fixed","name":"r","size":1}"#),
        &one(r#"{"type":"enum","name":"e","symbols":[1]}"#),
    ] {
        let error = open(&file(schema, "null", 0, &[])).unwrap_err();
        torn(&error, schema.get(..80).unwrap_or(schema));
        assert!(error.detail().unwrap().contains("its schema"), "{error}");
    }
    let mut without = header(&[("avro.codec", "null")]);
    without.extend([7; 16]);
    torn(&open(&without).unwrap_err(), "no schema");
}

#[test]
fn a_codec_that_is_not_read_is_named() {
    let error = open(&file(&one("\"int\""), "lz4\n", 0, &[])).unwrap_err();
    assert_eq!(error.code(), "FS0312");
    assert!(
        error.message().contains(r#"compressed with "lz4\n""#),
        "{error}"
    );
}

#[test]
fn days_of_the_hybrid_calendar_are_refused() {
    let file = |kind: &str| {
        let schema = one(kind);
        let mut bytes = header(&[
            ("avro.schema", &schema),
            ("org.apache.spark.legacyDateTime", ""),
        ]);
        bytes.extend([7; 16]);
        bytes
    };
    let date = r#"{"type":"int","logicalType":"date"}"#;
    assert_eq!(open(&file(date)).unwrap_err().code(), "FS0313");
    assert_eq!(open(&file("\"int\"")).unwrap().len(), 0);
}
