//! Torn, foreign and hostile files.

use super::*;

fn outcome(format: Format, bytes: Vec<u8>, what: &str) -> Result<Vec<RecordBatch>> {
    let options = without_schema(format, &small_for(format).schema());
    let result = read(format, bytes, &options);
    if let Err(error) = &result {
        let code = error.code();
        // A flipped byte can make a type, a name, a codec or a byte order of another, which is no
        // damage but is refused.
        let refused = ["FS0110", "FS0111", "FS0312", "FS0314"];
        if refused.contains(&code) || code.starts_with("FS012") {
            return result;
        }
        assert_eq!(error.kind(), Kind::Data, "{format}, {what}: {error}");
        assert!(code.starts_with("FS03"), "{format}, {what}: {error}");
        assert!(
            error.detail().is_some() && error.hint().is_some(),
            "{format}, {what}: {error}"
        );
    }
    result
}

fn small() -> RecordBatch {
    small_for(Format::ARROW)
}

fn small_for(format: Format) -> RecordBatch {
    let batch = nested_for(format);
    batch.project(&[0, 1, 3, 10, 11]).unwrap().slice(0, 4)
}

#[test]
fn every_truncation_of_a_binary_file_is_noticed() {
    for format in [Format::ARROW, Format::PARQUET, Format::AVRO] {
        let bytes = written(format, &[small()], &WriteOptions::default()).unwrap();
        for length in 0..bytes.len() {
            let error = outcome(
                format,
                bytes[..length].to_vec(),
                &format!("first {length} bytes"),
            )
            .unwrap_err();
            assert!(error.message().contains("\"test\""), "{error}");
        }
    }
}

#[test]
fn every_flipped_byte_is_harmless_or_noticed() {
    for format in [Format::ARROW, Format::PARQUET, Format::AVRO, Format::THRIFT] {
        let batch = small_for(format);
        let bytes = written(
            format,
            std::slice::from_ref(&batch),
            &WriteOptions::default(),
        )
        .unwrap();
        let mut refused = 0;
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                refused +=
                    u32::from(outcome(format, damaged, &format!("byte {at} ^ {flip:#x}")).is_err());
            }
        }
        assert!(
            refused > 300,
            "{format}: {refused} of {} were refused",
            bytes.len() * 3
        );
    }
}

#[test]
fn a_file_of_another_format_says_what_was_expected() {
    for (format, _) in formats() {
        let batch = small_for(format);
        for (other, _) in formats().filter(|(other, _)| *other != format && *other != Format::CSV) {
            let bytes = if format == Format::CSV {
                b"a,b\n1,2\n".to_vec()
            } else {
                let rows = std::slice::from_ref(&batch);
                written(format, rows, &WriteOptions::default()).unwrap()
            };
            let error = outcome(other, bytes, "foreign").unwrap_err();
            assert_eq!(error.code(), "FS0305");
            assert!(error.message().contains(other.name()), "{error}");
        }
    }
}

#[test]
fn a_footer_nested_too_deep_is_refused_before_it_is_decoded() {
    // FileMetaData { 1: version i32, 2: schema list<SchemaElement { 4: name, 5: num_children }> }
    let element = |children: u8| [0x48, 1, b'a', 0x15, children << 1, 0].to_vec();
    let depth = 200_000u32;
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    let mut count = depth;
    while count >= 0x80 {
        footer.push(count as u8 | 0x80);
        count >>= 7;
    }
    footer.push(count as u8);
    (0..depth).for_each(|_| footer.extend(element(1)));
    footer.push(0);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    let file = [b"PAR1", footer.as_slice(), &length, b"PAR1"].concat();
    let error = outcome(Format::PARQUET, file, "deep").unwrap_err();
    assert!(
        error.detail().unwrap().contains("nested too deep"),
        "{error}"
    );
}

#[test]
fn what_an_arrow_file_states_of_a_batch_is_bounded() {
    use arrow_ipc::CompressionType;
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
    let file = |array: ArrayRef, codec| {
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        let options = IpcWriteOptions::default();
        let options = options.try_with_compression(codec).unwrap();
        let mut writer =
            FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    let lie = |mut bytes: Vec<u8>, truth: u64, lie: u64| {
        let places: Vec<usize> = (0..bytes.len() - 8)
            .filter(|at| bytes[*at..at + 8] == truth.to_le_bytes())
            .collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
        }
        bytes
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; 12_345]));
    let packed = file(numbers, Some(CompressionType::LZ4_FRAME));
    let nulls = file(Arc::new(NullArray::new(12_345)), None);
    for (bytes, says) in [
        (
            lie(packed, 8 * 12_345, 3 << 30),
            "unpacks to 3221225472 bytes",
        ),
        (lie(nulls, 12_345, 1 << 40), "has 1099511627776 rows"),
    ] {
        let input = Box::new(Cursor::new(bytes));
        let mut reader = Format::ARROW
            .read(input, "test", &ReadOptions::default())
            .unwrap();
        let error = reader.next().unwrap().unwrap_err();
        assert_eq!(error.code(), "FS0305");
        assert!(error.detail().unwrap().contains(says), "{error}");
    }
}
