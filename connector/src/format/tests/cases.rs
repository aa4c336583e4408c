//! Files as people of this job have met them, each with its right values.
//!
//! `integration-tests/data/cases` holds them; `make.py` there made those that a library can make.

use super::*;
use crate::format::BatchReader;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_schema::IntervalUnit;

fn case(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("../integration-tests/data/cases").join(name)
}

fn reader(name: &str) -> Result<Box<dyn BatchReader>> {
    open(case(name), &ReadOptions::default())
}

/// The file's rows in one batch.
fn rows(name: &str) -> Result<RecordBatch> {
    gathered(reader(name)?)
}

fn gathered(reader: Box<dyn BatchReader>) -> Result<RecordBatch> {
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>>>()?;
    Ok(arrow_select::concat::concat_batches(&schema, &batches).unwrap())
}

fn refusal(name: &str) -> Error {
    rows(name).unwrap_err()
}

/// The file's rows after a way through another file.
fn again(batch: &RecordBatch, format: Format) -> RecordBatch {
    let bytes = written(
        format,
        std::slice::from_ref(batch),
        &WriteOptions::default(),
    )
    .unwrap();
    let options = ReadOptions::default();
    gathered(
        format
            .read(Box::new(Cursor::new(bytes)), "again", &options)
            .unwrap(),
    )
    .unwrap()
}

const DAY: i64 = 86_400_000_000;

/// Microseconds of a day's midnight.
fn midnight(year: i64, month: i64, day: i64) -> i64 {
    crate::format::civil::day_of(crate::format::civil::Date { year, month, day }) * DAY
}

#[test]
fn int96_keeps_the_year_of_far_dates() {
    let all = rows("parquet-int96-far-dates/pyarrow.parquet").unwrap();
    let micros = all.column(1).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(
        micros.values(),
        &[1000, 2000, 3000].map(|year| midnight(year, 1, 1))
    );
    // Its last moment is a nanosecond after midnight of 1600-02-29: no unit holds that and the year 9999.
    let error = refusal("parquet-int96-far-dates/contracts.parquet");
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0310"));
    let says = "row 5 of column \"valid_to\"";
    assert!(error.message().contains(says), "{error}");
}

#[test]
fn int96_is_read_in_lists_beside_nulls_and_to_the_nanosecond() {
    let all = rows("made-int96/nested.parquet").unwrap();
    let far = [
        Some(midnight(10_000, 1, 1) - 1),
        None,
        Some(midnight(1, 1, 1)),
    ];
    let micros = all.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(micros.iter().collect::<Vec<_>>(), far);
    let nanos = all.column(1).as_primitive::<TimestampNanosecondType>();
    assert_eq!(nanos.iter().collect::<Vec<_>>(), [Some(1), None, Some(-1)]);
    let lists = all.column(2).as_list::<i32>();
    assert!(lists.is_null(1));
    let first = lists.value(0);
    let first = first.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(first.iter().collect::<Vec<_>>(), [far[0], None]);
    let last = lists.value(2);
    assert_eq!(
        last.as_primitive::<TimestampMicrosecondType>().value(0),
        midnight(1, 1, 1)
    );
}

#[test]
fn a_moment_that_the_wanted_unit_does_not_hold_is_named_by_row_and_column() {
    let at = |unit| {
        let list = Field::new(
            "element",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        );
        let schema = Schema::new(vec![
            Field::new("far", DataType::Timestamp(unit, None), true),
            Field::new(
                "fine",
                DataType::Timestamp(TimeUnit::Nanosecond, None),
                true,
            ),
            Field::new("list", DataType::List(list.into()), true),
        ]);
        let options = ReadOptions {
            schema: Some(schema.into()),
            ..ReadOptions::default()
        };
        open(case("made-int96/nested.parquet"), &options).and_then(gathered)
    };
    assert!(at(TimeUnit::Microsecond).is_ok());
    let error = at(TimeUnit::Nanosecond).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0310"));
    assert!(
        error.message().contains("row 1 of column \"far\""),
        "{error}"
    );
}

#[test]
fn int96_that_is_an_instant_says_so() {
    let utc = |unit| DataType::Timestamp(unit, Some("UTC".into()));
    let all = rows("parquet-int96-instant/spark_default.parquet").unwrap();
    assert_eq!(all.column(1).data_type(), &utc(TimeUnit::Microsecond));
    let micros = all.column(1).as_primitive::<TimestampMicrosecondType>();
    let ten = midnight(2024, 6, 1) + 10 * DAY / 24;
    assert_eq!(micros.values(), &[ten + 123_456, ten + DAY / 24]);
    assert_eq!(again(&all, Format::PARQUET).columns(), all.columns());
    let zoned = rows("made-int96/zoned.parquet").unwrap();
    assert_eq!(zoned.column(0).data_type(), &utc(TimeUnit::Microsecond));
    let micros = zoned.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(micros.value(0), midnight(3000, 1, 1));
}

#[test]
fn a_page_that_does_not_fit_its_checksum_is_damage() {
    assert_eq!(rows("parquet-page-crc/good.parquet").unwrap().num_rows(), 3);
    let error = refusal("parquet-page-crc/flipped.parquet");
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0305"));
    assert!(error.detail().unwrap().contains("CRC"), "{error}");
}

#[test]
fn a_flipped_byte_under_a_checksum_never_becomes_other_rows() {
    for name in ["v1_none", "v1_snappy", "v2_none", "v2_snappy"] {
        let bytes = std::fs::read(case(&format!("made-page-crc/{name}.parquet"))).unwrap();
        let good = gathered(
            Format::PARQUET
                .read(
                    Box::new(Cursor::new(bytes.clone())),
                    name,
                    &ReadOptions::default(),
                )
                .unwrap(),
        )
        .unwrap();
        let footer = u32::from_le_bytes(*bytes[bytes.len() - 8..].first_chunk().unwrap());
        let pages = bytes.len() - 8 - footer as usize;
        let (mut noticed, mut harmless) = (0, 0);
        for at in 4..pages {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let input = Box::new(Cursor::new(damaged));
            let back = Format::PARQUET
                .read(input, name, &ReadOptions::default())
                .and_then(gathered);
            match back {
                Err(error) => {
                    assert_eq!(error.code(), "FS0305", "{name}, byte {at}: {error}");
                    noticed += 1;
                }
                Ok(rows) => {
                    assert_eq!(rows, good, "{name}, byte {at}");
                    harmless += 1;
                }
            }
        }
        assert!(
            noticed > 3 * harmless,
            "{name}: {noticed} noticed, {harmless} harmless"
        );
    }
}

#[test]
fn an_interval_keeps_its_months() {
    let all = rows("parquet-interval-months/terms.parquet").unwrap();
    let month_day_nano = DataType::Interval(IntervalUnit::MonthDayNano);
    assert_eq!(all.column(1).data_type(), &month_day_nano);
    let terms = all.column(1).as_primitive::<IntervalMonthDayNanoType>();
    let terms: Vec<_> = terms
        .values()
        .iter()
        .map(|term| (term.months, term.days, term.nanoseconds))
        .collect();
    assert_eq!(terms, [(14, 3, 5_000_000_000), (1, 0, 0), (0, 10, 0)]);
    assert_eq!(again(&all, Format::ARROW), all);
    let error = written(Format::PARQUET, &[all], &WriteOptions::default()).unwrap_err();
    assert_eq!(error.code(), "FS0306");
    let months = IntervalYearMonthArray::from(vec![Some(14), None, Some(-1)]);
    let days = IntervalDayTimeArray::from(vec![
        Some(IntervalDayTimeType::make_value(3, -4)),
        None,
        None,
    ]);
    let own = RecordBatch::try_from_iter([
        ("months", Arc::new(months) as ArrayRef),
        ("days", Arc::new(days) as ArrayRef),
    ])
    .unwrap();
    assert_eq!(again(&own, Format::PARQUET), own);
}

#[test]
fn dates_of_sparks_old_calendar_are_those_that_were_meant() {
    let all = rows("parquet-spark-legacy-calendar/legacy.parquet").unwrap();
    let check = |all: &RecordBatch| {
        let days = all.column(1).as_primitive::<Date32Type>();
        let meant = [midnight(1001, 1, 1), midnight(2024, 6, 1)];
        assert_eq!(days.values(), &meant.map(|micros| (micros / DAY) as i32));
        let micros = all.column(2).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(micros.values(), &meant);
        let marked = all
            .schema()
            .metadata()
            .keys()
            .any(|key| key.contains("spark"));
        assert!(!marked, "{:?}", all.schema().metadata());
    };
    check(&all);
    check(&again(&all, Format::PARQUET));
    check(&again(&all, Format::ARROW));
    let error = refusal("made-ipc/spark_marker.arrow");
    assert_eq!(error.code(), "FS0313");
    assert!(
        error
            .detail()
            .unwrap()
            .contains("org.apache.spark.legacyDateTime"),
        "{error}"
    );
}

#[test]
fn units_that_parquet_lacks_are_typed_for_others_and_come_back() {
    let all = rows("made-seconds/seconds.arrow").unwrap();
    let back = again(&all, Format::PARQUET);
    assert_eq!(back, all);
    // pyarrow writes them in the same way.
    let theirs = rows("made-seconds/pyarrow.parquet").unwrap();
    let digest = |batch: &RecordBatch| digest_of(&all.schema(), std::slice::from_ref(batch));
    assert_eq!(digest(&theirs), digest(&all));
    let bytes = written(Format::PARQUET, &[all], &WriteOptions::default()).unwrap();
    let options =
        ::parquet::arrow::arrow_reader::ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let bare = ::parquet::arrow::arrow_reader::ArrowReaderMetadata::load(
        &bytes::Bytes::from(bytes),
        options,
    )
    .unwrap();
    let types: Vec<_> = bare
        .schema()
        .fields()
        .iter()
        .take(4)
        .map(|field| field.data_type().clone())
        .collect();
    let moment =
        |zone: Option<&str>| DataType::Timestamp(TimeUnit::Millisecond, zone.map(Into::into));
    assert_eq!(
        types,
        [
            moment(None),
            moment(Some("UTC")),
            DataType::Date32,
            DataType::Time32(TimeUnit::Millisecond)
        ]
    );
}

#[test]
fn the_files_own_unit_counts_whatever_schema_was_left_beside_it() {
    use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
    use ::parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter, encode_arrow_schema};
    use ::parquet::file::metadata::KeyValue;
    use ::parquet::file::properties::WriterProperties;
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![
        1_717_243_200_000_000_000,
    ]));
    let batch = RecordBatch::try_from_iter([("at", Arc::clone(&nanos))]).unwrap();
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
    ] {
        let said = Schema::new(vec![Field::new(
            "at",
            DataType::Timestamp(unit, None),
            true,
        )]);
        let pair = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&said));
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![pair]));
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let back = read(Format::PARQUET, bytes, &ReadOptions::default()).unwrap();
        assert_eq!(back[0].column(0), &nanos, "{unit:?}");
    }
}

#[test]
fn a_value_that_parquet_has_no_place_for_is_named_by_row_and_column() {
    let fails = |array: ArrayRef| {
        let one = RecordBatch::try_from_iter([("x", Arc::clone(&array))]).unwrap();
        let offsets = arrow_buffer::OffsetBuffer::from_lengths([0, array.len()]);
        let item = Arc::new(Field::new("item", array.data_type().clone(), true));
        let list = ListArray::new(item, offsets, array, None);
        let nested = RecordBatch::try_from_iter([("x", Arc::new(list) as ArrayRef)]).unwrap();
        for batch in [one, nested] {
            let error = written(
                Format::PARQUET,
                &[batch.slice(0, 1), batch.slice(1, batch.num_rows() - 1)],
                &WriteOptions::default(),
            )
            .unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0311"));
            assert!(error.message().contains("row 2 of column \"x\""), "{error}");
        }
    };
    fails(Arc::new(TimestampSecondArray::from(vec![0, i64::MAX])));
    fails(Arc::new(
        TimestampSecondArray::from(vec![0, i64::MIN]).with_timezone("UTC"),
    ));
    fails(Arc::new(Date64Array::from(vec![
        Some(-86_400_000),
        Some(-1),
    ])));
    fails(Arc::new(Date64Array::from(vec![
        0,
        i64::MAX / 86_400_000 * 86_400_000,
    ])));
    fails(Arc::new(Time32SecondArray::from(vec![0, 86_400])));
    fails(Arc::new(Time32MillisecondArray::from(vec![0, -1])));
    fails(Arc::new(Time64MicrosecondArray::from(vec![
        0,
        86_400_000_000,
    ])));
    fails(Arc::new(Time64NanosecondArray::from(vec![0, i64::MIN])));
    // What lies beneath a null is no value.
    let nulls = arrow_buffer::NullBuffer::from(vec![true, false]);
    let hidden = Time32SecondArray::new(vec![1, i32::MAX].into(), Some(nulls));
    let batch = RecordBatch::try_from_iter([("x", Arc::new(hidden) as ArrayRef)]).unwrap();
    assert_eq!(again(&batch, Format::PARQUET), batch);
}

#[test]
fn six_codecs_give_one_table() {
    let table = rows("parquet-codecs/none.parquet").unwrap();
    assert_eq!(table.num_rows(), 1000);
    for codec in ["snappy", "zstd", "lz4", "gzip", "brotli"] {
        assert_eq!(
            rows(&format!("parquet-codecs/{codec}.parquet")).unwrap(),
            table,
            "{codec}"
        );
    }
    for codec in ["lz4", "zstd"] {
        let all = rows(&format!("made-ipc/{codec}.arrow")).unwrap();
        let words: Vec<_> = all.column(0).as_string::<i32>().iter().collect();
        assert_eq!(words, ["a", "b", "a"].map(Some), "{codec}");
    }
}

#[test]
fn avro_is_read_in_every_codec() {
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let all = rows(&format!("made-avro/{codec}.avro")).unwrap();
        let schema = all.schema();
        let types = schema.fields().iter().map(|field| field.data_type());
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let [id, note, price, at, kind] =
            <[_; 5]>::try_from(types.take(5).collect::<Vec<_>>()).unwrap();
        assert_eq!((id, note, at), (&DataType::Int64, &DataType::Utf8, &micros));
        assert_eq!(
            (price, kind),
            (&DataType::Decimal128(12, 2), &DataType::Utf8)
        );
        let nullable: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.is_nullable())
            .collect();
        assert_eq!(
            nullable,
            [false, true, false, true, false, false, true, false]
        );
        let ids = all.column(0).as_primitive::<Int64Type>();
        assert_eq!(ids.values(), &[-2, -1, 0, 1, 2], "{codec}");
        let notes: Vec<_> = all.column(1).as_string::<i32>().iter().collect();
        assert_eq!(
            notes,
            [Some("note 0"), None, Some("note 2"), None, Some("note 4")]
        );
        let prices = all.column(2).as_primitive::<Decimal128Type>();
        assert_eq!(prices.values(), &[-10_000, -2_499, 5_002, 12_503, 20_004]);
        let moments: Vec<_> = all
            .column(3)
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .collect();
        let before = [2, 3, 4, 5].map(|seconds: i64| Some(-1_000_000 * seconds));
        assert_eq!(moments[0], None);
        assert_eq!(moments[1..], before);
        let kinds: Vec<_> = all.column(4).as_string::<i32>().iter().flatten().collect();
        assert_eq!(kinds, ["IN", "OUT", "IN", "OUT", "IN"]);
        let x = |column: usize| {
            all.column(column)
                .as_struct()
                .column(0)
                .as_primitive::<Float64Type>()
                .clone()
        };
        assert_eq!(x(5).values(), &[0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(x(6).iter().flatten().collect::<Vec<_>>(), [-0.5, -1.5]);
        let tags = all.column(7).as_map().value(4);
        assert_eq!(tags.column(0).as_string::<i32>().value(0), "a");
        let items = tags.column(1).as_list::<i32>().value(0);
        assert_eq!(items.as_primitive::<Int32Type>().values(), &[0, 1, 2, 3]);
        assert_eq!(again(&all, Format::AVRO), all, "{codec}");
        assert_eq!(again(&all, Format::PARQUET).num_rows(), 5);
    }
}

#[test]
fn a_codec_that_is_not_read_is_no_damage() {
    // FileMetaData { 4: [RowGroup { 1: [ColumnChunk { 3: ColumnMetaData { 4: codec } }] }] }
    for (codec, says) in [(3u8, "LZO"), (42, "codec 42")] {
        let footer = [0x49, 0x1c, 0x19, 0x1c, 0x3c, 0x45, codec << 1, 0, 0, 0, 0];
        let length = (footer.len() as u32).to_le_bytes();
        let file = [&b"PAR1"[..], &footer, &length, b"PAR1"].concat();
        let error = read(Format::PARQUET, file, &ReadOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0312"));
        assert!(error.message().contains(says), "{error}");
    }
}

#[test]
fn a_count_of_nothing_does_not_hold_the_reader_up() {
    // A map of 2^62 pairs of booleans, which take no byte as fields.
    let mut footer = vec![0x1b];
    footer.extend([0xff; 8]);
    footer.extend([0x3f, 0x11, 0, 0]);
    let length = (footer.len() as u32).to_le_bytes();
    let file = [b"PAR1", footer.as_slice(), &length, b"PAR1"].concat();
    let error = read(Format::PARQUET, file, &ReadOptions::default()).unwrap_err();
    assert_eq!(error.code(), "FS0305");
}

#[test]
fn another_byte_order_is_refused_by_name() {
    let little = rows("ipc-big-endian/little.arrow").unwrap();
    assert_eq!(
        little.column(0).as_primitive::<Int64Type>().values(),
        &[1, 2, 3]
    );
    assert_eq!(
        little.column(1).as_primitive::<Int32Type>().values(),
        &[10, 20, 30]
    );
    let error = refusal("ipc-big-endian/big.arrow");
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0314"));
    assert!(error.message().contains("big-endian"), "{error}");
}

#[test]
fn other_kinds_of_files_are_named() {
    let opened =
        |format, bytes: &[u8]| read(format, bytes.to_vec(), &ReadOptions::default()).unwrap_err();
    let feather = opened(Format::ARROW, b"FEA1\0\0\0\0and so on FEA1");
    assert_eq!(feather.code(), "FS0314");
    assert!(feather.message().contains("Feather"), "{feather}");
    let encrypted = opened(Format::PARQUET, b"PAREabcd\x04\0\0\0PARE");
    assert_eq!(encrypted.code(), "FS0314");
    assert!(encrypted.message().contains("encrypted"), "{encrypted}");
}

#[test]
fn dictionaries_grow_and_are_replaced_within_a_stream() {
    let words = ["a", "b", "a", "a", "b", "c", "", "z"];
    for name in ["grown", "replaced"] {
        let all = rows(&format!("made-ipc/{name}.arrows")).unwrap();
        let found: Vec<_> = all.column(0).as_string::<i32>().iter().collect();
        let expected = words.map(|word| Some(word).filter(|word| !word.is_empty()));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn two_columns_of_one_name_are_refused_before_anything_is_read() {
    for name in [
        "same-column-names/join.parquet",
        "same-column-names/struct.arrow",
        "csv-line-ends/same_names.csv",
    ] {
        let error = reader(name).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0122"),
            "{name}"
        );
    }
    let twice = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true);
        2
    ]));
    for (format, _) in formats() {
        let output = Box::new(std::io::sink());
        let error = format
            .write(output, "x", Arc::clone(&twice), &WriteOptions::default())
            .unwrap_err();
        assert_eq!(error.code(), "FS0122", "{format}");
    }
    assert_eq!(
        reader("csv-line-ends/empty_name.csv").unwrap_err().code(),
        "FS0124"
    );
}

mod csv {
    use super::*;

    fn texts(name: &str) -> Vec<Vec<Option<String>>> {
        let all = rows(&format!("csv-line-ends/{name}.csv")).unwrap();
        let text = |column: &ArrayRef, row| {
            let formatter = arrow_cast::display::array_value_to_string(column, row).unwrap();
            (!column.is_null(row)).then_some(formatter)
        };
        (0..all.num_rows())
            .map(|row| {
                all.columns()
                    .iter()
                    .map(|column| text(column, row))
                    .collect()
            })
            .collect()
    }

    fn table(rows: &[&[&str]]) -> Vec<Vec<Option<String>>> {
        rows.iter()
            .map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect())
            .collect()
    }

    #[test]
    fn what_is_inferred_is_written_as_it_was() {
        let path = case("csv-inference/parts.csv");
        let all = rows("csv-inference/parts.csv").unwrap();
        let bytes = written(Format::CSV, &[all], &WriteOptions::default()).unwrap();
        // Texts that look like numbers stand in quotes now; the fields are the same.
        let unquoted = String::from_utf8(bytes).unwrap().replace('"', "");
        assert_eq!(unquoted, std::fs::read_to_string(path).unwrap());
    }

    #[test]
    fn what_will_be_written_otherwise_is_said() {
        let text = "b,n,at,z,ok\nTrue,1,2024-03-31 02:30:00,2024-03-31T02:30:00+01:00,1.5\nfalse,2.5,2024-03-31T02:30:00,2024-03-31T02:30:00Z,2.5\n";
        let input = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let reader = Format::CSV
            .read(input, "x.csv", &ReadOptions::default())
            .unwrap();
        let notices = reader.notices();
        assert_eq!(notices.len(), 4, "{notices:?}");
        for (notice, says) in notices.iter().zip([
            "\"True\" in line 2 will be written as true",
            "\"1\" in line 2 will be written as 1.0",
            "will be written as 2024-03-31T02:30:00",
            "will be written as 2024-03-31T01:30:00Z",
        ]) {
            assert!(notice.contains(says), "{notice}");
        }
    }

    #[test]
    fn digits_beyond_a_declared_float_are_said() {
        let schema = Schema::new(vec![Field::new("x", DataType::Float64, true)]);
        let options = ReadOptions {
            schema: Some(schema.into()),
            ..ReadOptions::default()
        };
        let text = b"x\n1.10\n0.1234567890123456789\n9007199254740993.0\n1E5\n";
        let mut reader = Format::CSV
            .read(Box::new(Cursor::new(text.to_vec())), "x.csv", &options)
            .unwrap();
        assert_eq!(reader.next().unwrap().unwrap().num_rows(), 4);
        assert!(reader.next().is_none());
        let notices = reader.notices();
        assert!(
            matches!(notices.as_slice(), [only] if only.contains("2 fields")),
            "{notices:?}"
        );
    }

    #[test]
    fn lines_end_in_all_their_ways() {
        let ab = table(&[&["1", "a"], &["2", "b"]]);
        for name in ["blank_lines", "lone_cr_at_end", "no_last_line_end"] {
            assert_eq!(texts(name), ab, "{name}");
        }
        assert_eq!(
            texts("bom_crlf"),
            table(&[
                &["1", "two\r\nlines"],
                &["2", "a \"quote\""],
                &["3", "plain"]
            ])
        );
        let names = reader("csv-line-ends/bom_crlf.csv").unwrap().schema();
        assert_eq!(names.field(0).name(), "id");
        assert_eq!(texts("single_column"), table(&[&["ann"], &["bob"]]));
        assert_eq!(texts("header_only"), table(&[]));
        let error = refusal("csv-line-ends/old_mac.csv");
        assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0315"));
    }

    #[test]
    fn odd_files_are_read_as_they_are_or_refused_by_name() {
        for (name, code) in [
            ("comment", "FS0305"),
            ("empty", "FS0305"),
            ("long", "FS0305"),
            ("short", "FS0305"),
            ("quote_inside", "FS0305"),
            ("latin1", "FS0316"),
        ] {
            assert_eq!(
                refusal(&format!("csv-line-ends/{name}.csv")).code(),
                code,
                "{name}"
            );
        }
        assert_eq!(texts("nul"), table(&[&["1", "a\0b"]]));
        let empty = texts("empty_text");
        assert_eq!(empty, [[Some("1".into()), None], [Some("2".into()), None]]);
        assert_eq!(texts("spaces"), table(&[&["1", " a"], &["2", "b "]]));
        let nulls = texts("nulls");
        let second = nulls
            .iter()
            .map(|row| row[1].as_deref())
            .collect::<Vec<_>>();
        // The file is of an earlier version, whose null was \N: that is said.
        assert_eq!(second, [Some(r"\N"), Some("NULL"), Some("")]);
        let notices = reader("csv-line-ends/nulls.csv").unwrap().notices();
        assert!(notices[0].contains(r"--null '\N'"), "{notices:?}");
        let semicolon = reader("csv-line-ends/semicolon.csv").unwrap();
        assert_eq!(semicolon.schema().fields().len(), 2);
        let notices = semicolon.notices();
        assert!(notices[0].contains("taken to be \";\""), "{notices:?}");
    }

    #[test]
    fn a_line_end_within_a_read_or_between_two_is_the_same() {
        for (text, code) in [
            ("a,b\r\n1,2\r\n", None),
            ("a,b\n1,\r\n\r\n", None),
            ("a,b\r\n\"1\",\"2\"\r", None),
            ("a,b\r1,2\r", Some("FS0315")),
            ("a,b\n1,2\r\r\n", Some("FS0315")),
            ("a,b\n1,x\ry\n", Some("FS0315")),
            ("a,b\n1,\"x\"\ry\n", Some("FS0315")),
        ] {
            let result = super::super::read(Format::CSV, text.into(), &ReadOptions::default());
            assert_eq!(
                result.err().map(|error| error.code().to_owned()).as_deref(),
                code,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_blank_line_that_could_be_a_null_is_refused() {
        let csv = crate::format::CsvOptions {
            nulls: vec![String::new()],
            ..Default::default()
        };
        let read = |text: &str, csv| {
            let options = ReadOptions {
                csv,
                ..ReadOptions::default()
            };
            super::super::read(Format::CSV, text.into(), &options)
        };
        assert_eq!(
            read("a\n1\n\n2\n", csv.clone()).unwrap_err().code(),
            "FS0309"
        );
        assert!(read("a\n1\n\n2\n", Default::default()).is_ok());
        assert!(read("a,b\n1,\n\n2,\n", csv).is_ok());
    }

    #[test]
    fn a_latin1_file_and_one_with_comments_are_read_when_that_is_told() {
        let csv = crate::format::CsvOptions {
            encoding: Some("latin1".parse().unwrap()),
            comment: Some("#".into()),
            ..Default::default()
        };
        let options = ReadOptions {
            csv,
            ..ReadOptions::default()
        };
        for (name, expected) in [("latin1", "caf\u{e9}"), ("comment", "a")] {
            let path = case(&format!("csv-line-ends/{name}.csv"));
            let all = gathered(open(path, &options).unwrap()).unwrap();
            assert_eq!(all.num_rows(), 1);
            assert_eq!(all.column(1).as_string::<i32>().value(0), expected);
        }
    }

    #[test]
    fn a_time_that_is_none_is_not_written() {
        let times = Time32SecondArray::from(vec![Some(0), None, Some(86_400)]);
        let batch = RecordBatch::try_from_iter([("t", Arc::new(times) as ArrayRef)]).unwrap();
        let error = written(Format::CSV, &[batch], &WriteOptions::default()).unwrap_err();
        assert_eq!(error.code(), "FS0311");
        assert!(error.message().contains("row 3 of column \"t\""), "{error}");
    }
}

#[test]
fn columns_of_parquet_that_are_chosen_are_those_of_the_whole_and_the_others_are_not_read() {
    let mut seen = 0;
    for folder in std::fs::read_dir(case("")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path())
            .into_iter()
            .flatten()
        {
            let path = file.unwrap().path();
            let whole = open(&path, &ReadOptions::default()).and_then(gathered);
            let Some(whole) = whole
                .ok()
                .filter(|_| path.extension().is_some_and(|end| end == "parquet"))
            else {
                continue;
            };
            let names: Vec<String> = whole
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            let mut choices: Vec<Vec<String>> =
                names.iter().map(|name| vec![name.clone()]).collect();
            choices.push(names.into_iter().rev().collect());
            for columns in choices {
                let places: Vec<usize> = columns
                    .iter()
                    .map(|name| whole.schema().index_of(name).unwrap())
                    .collect();
                let options = ReadOptions {
                    columns: Some(columns.clone()),
                    ..ReadOptions::default()
                };
                let chosen = open(&path, &options).and_then(gathered).unwrap();
                assert_eq!(
                    chosen,
                    whole.project(&places).unwrap(),
                    "{columns:?} of {}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "{seen} choices of columns were tried");
    // A column with a value that no unit holds keeps nobody from the others.
    let options = ReadOptions {
        columns: Some(vec!["id".into()]),
        ..ReadOptions::default()
    };
    let path = case("parquet-int96-far-dates/contracts.parquet");
    assert!(
        open(&path, &ReadOptions::default())
            .and_then(gathered)
            .is_err()
    );
    assert!(open(&path, &options).and_then(gathered).is_ok());
}
