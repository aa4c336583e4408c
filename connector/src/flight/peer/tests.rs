//! What becomes of values that an engine holds otherwise.

use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::Time64NanosecondType;
use arrow_array::*;
use arrow_buffer::{IntervalDayTime, OffsetBuffer};
use arrow_schema::Schema;
use flinkspark_model::profile;

/// The one column as the peer takes it, or the code.
fn taken(
    column: ArrayRef,
    profile: Profile,
    lossy: Lossy,
) -> std::result::Result<ArrayRef, String> {
    let field = Field::new("x", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let plan = profile::check(&schema, profile, lossy).map_err(|error| error.code().to_owned())?;
    let peer = Peer::new(wire::plain(&plan.schema).unwrap(), profile, lossy);
    let batch = peer.take(&batch).map_err(|error| error.code().to_owned())?;
    assert_eq!(&batch.schema(), peer.schema());
    Ok(Arc::clone(batch.column(0)))
}

fn of<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

const DAY: i64 = 86_400_000;

#[test]
fn values_are_the_same_at_the_engines_types() {
    use Profile::{Flink2, Spark4};
    let most = i64::MAX;
    let cases: Vec<(ArrayRef, Profile, ArrayRef)> = vec![
        (
            of(UInt8Array::from(vec![Some(255), None])),
            Flink2,
            of(Int16Array::from(vec![Some(255), None])),
        ),
        (
            of(UInt64Array::from(vec![u64::MAX])),
            Spark4,
            of(decimal(u64::MAX.into(), 20, 0)),
        ),
        (
            of(decimal(99_999, 5, -2)),
            Spark4,
            of(decimal(9_999_900, 7, 0)),
        ),
        (
            of(Date64Array::from(vec![-DAY, 0, 3 * DAY])),
            Flink2,
            of(Date32Array::from(vec![-1, 0, 3])),
        ),
        (
            of(Time32SecondArray::from(vec![86_399])),
            Spark4,
            of(Time64NanosecondArray::from(vec![86_399_000_000_000])),
        ),
        (
            of(Time32SecondArray::from(vec![86_399])),
            Flink2,
            of(Time32SecondArray::from(vec![86_399])),
        ),
        (
            of(Time64MicrosecondArray::from(vec![7_000])),
            Flink2,
            of(Time64MicrosecondArray::from(vec![7_000])),
        ),
        (
            of(TimestampSecondArray::from(vec![-1]).with_timezone("Europe/Berlin")),
            Spark4,
            of(TimestampMicrosecondArray::from(vec![-1_000_000]).with_timezone("UTC")),
        ),
        (
            of(TimestampMicrosecondArray::from(vec![most]).with_timezone("+05:30")),
            Spark4,
            of(TimestampMicrosecondArray::from(vec![most]).with_timezone("UTC")),
        ),
        (
            of(TimestampNanosecondArray::from(vec![i64::MIN, most])),
            Flink2,
            of(TimestampNanosecondArray::from(vec![i64::MIN, most])),
        ),
        (
            of(DurationMillisecondArray::from(vec![-3])),
            Spark4,
            of(DurationMicrosecondArray::from(vec![-3_000])),
        ),
        (
            of(IntervalDayTimeArray::from(vec![IntervalDayTime::new(
                -1, 2,
            )])),
            Spark4,
            of(IntervalMonthDayNanoArray::from(vec![
                IntervalMonthDayNano::new(0, -1, 2_000_000),
            ])),
        ),
        (of(NullArray::new(2)), Spark4, of(NullArray::new(2))),
    ];
    for (given, profile, expected) in cases {
        let what = format!("{} for {profile}", given.data_type());
        let slice = given.slice(0, given.len());
        assert_eq!(
            &taken(slice, profile, Lossy::Refuse).unwrap(),
            &expected,
            "{what}"
        );
    }
}

fn decimal(value: i128, precision: u8, scale: i8) -> Decimal128Array {
    let array = Decimal128Array::from(vec![value]);
    array.with_precision_and_scale(precision, scale).unwrap()
}

#[test]
fn a_finer_value_is_refused_or_cut_as_the_reader_chose() {
    let nanos = |nanos| {
        of(IntervalMonthDayNanoArray::from(vec![
            IntervalMonthDayNano::new(1, 2, nanos),
        ]))
    };
    let (s, f) = (Profile::Spark4, Profile::Flink2);
    for (given, profile, cut) in [
        (
            of(Time64NanosecondArray::from(vec![1_999])),
            s,
            of(Time64NanosecondArray::from(vec![1_000])),
        ),
        (
            of(Time64MicrosecondArray::from(vec![1_999])),
            f,
            of(Time64MicrosecondArray::from(vec![1_000])),
        ),
        (nanos(-1), s, nanos(-1_000)),
        (
            of(Date64Array::from(vec![-1])),
            s,
            of(Date32Array::from(vec![-1])),
        ),
        (
            of(TimestampNanosecondArray::from(vec![i64::MIN])),
            s,
            of(TimestampMicrosecondArray::from(vec![
                i64::MIN.div_euclid(1_000),
            ])),
        ),
        (
            of(DurationMicrosecondArray::from(vec![-1])),
            f,
            of(DurationMillisecondArray::from(vec![-1])),
        ),
    ] {
        let what = given.data_type().clone();
        let take = |lossy| taken(Arc::clone(&given), profile, lossy);
        assert_eq!(take(Lossy::Refuse), Err("FS0121".into()), "{what}");
        assert_eq!(take(Lossy::Truncate).as_ref(), Ok(&cut), "{what}");
        assert_eq!(
            take(Lossy::String).unwrap().data_type(),
            &DataType::Utf8,
            "{what}"
        );
    }
}

#[test]
fn what_lies_outside_is_refused_and_never_wraps() {
    for given in [
        of(TimestampSecondArray::from(vec![i64::MAX])),
        of(DurationSecondArray::from(vec![i64::MIN])),
        of(Time32SecondArray::from(vec![86_400])),
        of(Time64NanosecondArray::from(vec![-1_000])),
        of(Date64Array::from(vec![i64::MAX - i64::MAX % DAY])),
    ] {
        for lossy in [Lossy::Refuse, Lossy::Truncate] {
            let what = given.data_type().clone();
            assert_eq!(
                taken(Arc::clone(&given), Profile::Spark4, lossy),
                Err("FS0409".into()),
                "{what}"
            );
        }
    }
}

#[test]
fn a_value_beneath_a_null_is_nobodys() {
    let hidden =
        Time64NanosecondArray::new(vec![1_001, 2_000].into(), Some(vec![false, true].into()));
    let taken = taken(of(hidden), Profile::Spark4, Lossy::Refuse).unwrap();
    assert_eq!(taken.null_count(), 1);
    assert_eq!(taken.as_primitive::<Time64NanosecondType>().value(1), 2_000);
}

#[test]
fn truncation_rounds_down_before_1970_at_every_depth() {
    let nanos = vec![
        Some(-1),
        Some(-1_000),
        Some(-1_001),
        None,
        Some(1_999),
        Some(0),
    ];
    let flat = of(TimestampNanosecondArray::from(nanos));
    let micros = vec![Some(-1), Some(-1), Some(-2), None, Some(1), Some(0)];
    let expected = TimestampMicrosecondArray::from(micros);
    let cut = taken(Arc::clone(&flat), Profile::Spark4, Lossy::Truncate).unwrap();
    assert_eq!(cut.as_primitive(), &expected);
    let item = Arc::new(Field::new("item", flat.data_type().clone(), true));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 4]), flat, None);
    let cut = taken(of(list.slice(1, 2)), Profile::Spark4, Lossy::Truncate).unwrap();
    let last = cut.as_list::<i32>().value(1);
    assert_eq!(last.as_primitive(), &expected.slice(2, 4));
    let DataType::List(element) = cut.data_type() else {
        unreachable!()
    };
    assert_eq!(element.name(), "element");
}

#[test]
fn a_refusal_names_the_column_and_the_row() {
    let times = of(Time64MicrosecondArray::from(vec![0, 1_000, 1_001]));
    let schema = Arc::new(Schema::new(vec![Field::new(
        "at",
        times.data_type().clone(),
        true,
    )]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![times]).unwrap();
    let peer = Peer::new(schema, Profile::Flink2, Lossy::Refuse);
    let error = peer.take(&batch).unwrap_err();
    assert_eq!(
        error.message(),
        "a value of column \"at\" is finer than Flink holds"
    );
    assert!(error.detail().unwrap().starts_with("row 3 "), "{error}");
}
