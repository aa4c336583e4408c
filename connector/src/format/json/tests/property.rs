//! Whatever is written is read back, and whatever is read is rows or an error.

use super::*;
use flinkspark_model::digest::digest;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_survives_as_value_and_as_key(
        words in prop::collection::vec(prop::option::of(".{0,12}|[\u{0}-\u{20}\"\\\\/]{0,6}"), 1..12),
        name in "[^\\p{Cc}]{1,8}",
    ) {
        let mut maps = builder::MapBuilder::new(None, builder::StringBuilder::new(), builder::BooleanBuilder::new());
        for word in &words {
            if let Some(word) = word {
                maps.keys().append_value(word);
                maps.values().append_null();
            }
            maps.append(word.is_some()).unwrap();
        }
        let texts: ArrayRef = Arc::new(StringArray::from_iter(words.iter()));
        let lines = RecordBatch::try_from_iter_with_nullable(
            [(name.clone(), texts, true), (format!("{name}2"), Arc::new(maps.finish()) as ArrayRef, true)],
        ).unwrap();
        let text = write(&lines);
        prop_assert_eq!(text.lines().count(), words.len());
        prop_assert_eq!(&read(&text, Some(lines.schema())).unwrap(), &lines);
        let array = format!("[{}]", text.trim_end_matches('\n').replace('\n', "\n, "));
        prop_assert_eq!(&read(&array, Some(lines.schema())).unwrap(), &lines);
    }

    #[test]
    fn any_value_of_any_type_survives(
        ticks in prop::collection::vec(any::<i64>(), 1..20), days in any::<i32>(), bits in any::<u64>(),
        short in any::<u32>(), unscaled in any::<i128>(), scale in -10_i8..=38,
    ) {
        let length = ticks.len();
        let day = vec![days; length];
        let zoned = TimestampNanosecondArray::from(ticks.clone()).with_timezone("Europe/Berlin");
        let times: Vec<i64> = ticks.iter().map(|tick| tick.rem_euclid(86_400_000_000)).collect();
        let decimals = Decimal128Array::from(vec![unscaled / 100; length]).with_precision_and_scale(38, scale).unwrap();
        let month_day_nano = IntervalMonthDayNanoType::make_value(days, !days, bits as i64);
        let columns: Vec<(String, ArrayRef)> = [
            Arc::new(Int64Array::from(ticks.clone())) as ArrayRef,
            Arc::new(TimestampSecondArray::from(ticks.clone())),
            Arc::new(TimestampMillisecondArray::from(ticks.clone()).with_timezone("UTC")),
            Arc::new(TimestampMicrosecondArray::from(ticks.clone())),
            Arc::new(zoned),
            Arc::new(Date32Array::from(day.clone())),
            Arc::new(Time64MicrosecondArray::from(times)),
            Arc::new(UInt64Array::from(vec![bits; length])),
            Arc::new(decimals),
            Arc::new(BinaryArray::from(vec![&bits.to_le_bytes()[..(bits % 9) as usize]; length])),
            Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::repeat_n(bits.to_le_bytes(), length)).unwrap()),
            Arc::new(DurationSecondArray::from(ticks.clone())),
            Arc::new(DurationMillisecondArray::from(ticks.clone())),
            Arc::new(DurationMicrosecondArray::from(ticks.clone())),
            Arc::new(DurationNanosecondArray::from(ticks.clone())),
            Arc::new(IntervalYearMonthArray::from(day)),
            Arc::new(IntervalDayTimeArray::from(vec![IntervalDayTimeType::make_value(days, !days); length])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![month_day_nano; length])),
        ].into_iter().enumerate().map(|(index, column)| (index.to_string(), column)).collect();
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        prop_assert_eq!(read(&write(&batch), Some(batch.schema())).unwrap(), batch);

        let floats = RecordBatch::try_from_iter([
            ("d", Arc::new(Float64Array::from(vec![f64::from_bits(bits)])) as ArrayRef),
            ("f", Arc::new(Float32Array::from(vec![f32::from_bits(short)]))),
        ]).unwrap();
        let back = read(&write(&floats), Some(floats.schema())).unwrap();
        let digest = |batch: &RecordBatch| digest(&floats.schema(), std::slice::from_ref(batch)).unwrap();
        prop_assert_eq!(digest(&back), digest(&floats));
    }

    #[test]
    fn any_bytes_are_a_file_or_a_typed_error(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "\"", ",", ":", "\\", "\\u", "d800", "\"a\":", "\"b\":", "{\"a\":", "1", "-", "0.5", "e3", "null",
        "true", "\n", " ", "\u{feff}", "\u{e9}",
    ]), 0..40), bad in prop::option::of(0_usize..40)) {
        let mut bytes = parts.concat().into_bytes();
        if let Some(byte) = bad.and_then(|bad| bytes.get_mut(bad)) {
            *byte = 0xff;
        }
        for schema in [None, Some(deep())] {
            let read = open(&bytes, schema).and_then(|reader| reader.collect::<Result<Vec<_>>>());
            if let Err(error) = read {
                let named = error.code().starts_with("FS012");
                prop_assert!(named || error.kind() == Kind::Data, "{}", error);
                prop_assert!(error.hint().is_some());
            }
        }
    }
}
