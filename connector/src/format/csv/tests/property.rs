//! What holds of any rows and of any bytes.

use super::*;
use proptest::prelude::*;

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "NA",
            r"\N",
            "NaN",
            "true",
            "12",
            "-0",
            "2013-01-01",
            "31.01.2013",
            "1,5",
            "\r",
            "\u{feff}"
        ])
        .prop_map(String::from),
        "[a,;|\t#'\"\n\r\\\\N0-9 .-]{0,8}",
        ".{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_survives_with_and_without_a_schema(
        rows in prop::collection::vec((prop::option::of(word()), prop::option::of(word())), 0..12),
        names in prop::array::uniform2("[a,;|#'\" .\\\\N0-9]{1,8}"), nulls in prop::sample::subsequence(vec![r"\N", "NA", "", "12"], 0..=3),
        header in any::<bool>(),
        delimiter in prop::sample::select(vec![None, Some(b','), Some(b';'), Some(b'\t'), Some(b'a')]),
        quote in prop::sample::select(vec![b'"', b'\'']),
        comment in prop::sample::select(vec![None, Some("#"), Some("--"), Some("N")]),
        encoding in prop::sample::select(vec![None, Some(Encoding::Utf16Le), Some(Encoding::Utf16Be)]),
        date in prop::sample::select(vec![None, Some("dd.MM.yyyy")]),
        decimal_comma in any::<bool>(), alone in any::<bool>(),
    ) {
        prop_assume!(names[0] != names[1]);
        let nulls: Vec<String> = nulls.into_iter().map(String::from).collect();
        let (comment, date) = (comment.map(String::from), date.map(String::from));
        let options = CsvOptions {
            nulls, header, delimiter, quote: Some(quote), comment, date, decimal_comma, encoding, ..CsvOptions::default()
        };
        let width = if alone { 1 } else { 2 };
        prop_assume!(options.check().is_ok());
        prop_assume!(super::super::nulls::Nulls::new(&options, width, options.usual_delimiter()).is_ok());
        let columns = [
            StringArray::from_iter(rows.iter().map(|row| row.0.as_deref())),
            StringArray::from_iter(rows.iter().map(|row| row.1.as_deref())),
        ].map(|column| Arc::new(column) as ArrayRef);
        let fields = names.iter().take(width).map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let batch = RecordBatch::try_new(Arc::new(schema), columns[..width].to_vec()).unwrap();
        let text = write_bytes(&batch, options.clone());
        let back = read_bytes(&text, Some(batch.schema()), options.clone()).unwrap();
        prop_assert_eq!(back.iter().map(RecordBatch::num_rows).sum::<usize>(), rows.len());
        for back in back {
            prop_assert_eq!(&back, &batch);
        }
        if header {
            for back in read_bytes(&text, None, options).unwrap() {
                prop_assert_eq!(&back, &batch);
            }
        }
    }

    #[test]
    fn any_moment_survives(
        ticks in prop::collection::vec(any::<i64>(), 1..20), days in any::<i32>(), bits in any::<u64>(),
        short in any::<u32>(), unscaled in any::<i128>(),
    ) {
        let zone = |zoned: bool| zoned.then_some("UTC");
        let length = ticks.len();
        let columns: Vec<(String, ArrayRef)> = [
            Arc::new(TimestampSecondArray::from(ticks.clone())) as ArrayRef,
            Arc::new(TimestampMillisecondArray::from(ticks.clone()).with_timezone_opt(zone(true))),
            Arc::new(TimestampMicrosecondArray::from(ticks.clone())),
            Arc::new(TimestampNanosecondArray::from(ticks.clone()).with_timezone_opt(zone(true))),
            Arc::new(Date32Array::from(vec![days; length])),
            Arc::new(Time64MicrosecondArray::from(
                ticks.iter().map(|tick| tick.rem_euclid(86_400_000_000)).collect::<Vec<_>>(),
            )),
            Arc::new(UInt64Array::from(vec![bits; length])),
            Arc::new(Decimal128Array::from(vec![unscaled / 100; length]).with_precision_and_scale(38, 7).unwrap()),
            Arc::new(BinaryArray::from(vec![&bits.to_le_bytes()[..(bits % 9) as usize]; length])),
            Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::repeat_n(bits.to_le_bytes(), length)).unwrap()),
        ].into_iter().enumerate().map(|(index, column)| (index.to_string(), column)).collect();
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let back = read(&write(&batch, CsvOptions::default()), Some(batch.schema()), CsvOptions::default()).unwrap();
        prop_assert_eq!(back, [batch]);

        let floats = RecordBatch::try_from_iter([
            ("d", Arc::new(Float64Array::from(vec![f64::from_bits(bits)])) as ArrayRef),
            ("f", Arc::new(Float32Array::from(vec![f32::from_bits(short)]))),
        ]).unwrap();
        let back = read(&write(&floats, CsvOptions::default()), Some(floats.schema()), CsvOptions::default()).unwrap();
        let digest = |batches: &[RecordBatch]| flinkspark_model::digest::digest(&floats.schema(), batches).unwrap();
        prop_assert_eq!(digest(&back), digest(std::slice::from_ref(&floats)));
    }

    #[test]
    fn wherever_a_text_is_cut_its_records_are_the_same(
        text in prop::collection::vec(prop::sample::select(b"ab,,\"\"\n\n\r#".to_vec()), 0..60),
        comment in prop::sample::select(vec![None, Some("#"), Some("#a")]),
        quote in prop::sample::select(vec![None, Some(b'"')]),
    ) {
        let options = CsvOptions { comment: comment.map(String::from), quote, ..CsvOptions::default() };
        let text = String::from_utf8(text).unwrap();
        let whole = split_so(&text, usize::MAX / 2, &options);
        for step in [1, 2, 3, 7, 19] {
            prop_assert_eq!(&split_so(&text, step, &options), &whole, "step {}", step);
        }
    }

    #[test]
    fn any_bytes_are_a_file_or_a_typed_error(bytes in prop::collection::vec(
        prop::sample::select(b"ab1\",\n\r\\N\xef\xbb\xbf\xff".to_vec()), 0..40)
    ) {
        let read = Format::CSV.read(Box::new(Cursor::new(bytes)), "x.csv", &ReadOptions::default());
        if let Err(error) = read.and_then(|reader| reader.collect::<Result<Vec<_>>>()) {
            let named = error.code().starts_with("FS012");
            prop_assert!(named || error.kind() == Kind::Data, "{}", error);
            prop_assert!(error.hint().is_some());
        }
    }
}
