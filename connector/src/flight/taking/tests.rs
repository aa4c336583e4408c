//! Rows that were matched by name are the dataset's.

use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::*;
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use flinkspark_model::profile::Profile;

const BY_NAME: Columns = Columns {
    matched: Match::Name,
    profile: Profile::Generic,
};

fn schema(fields: Vec<(&str, DataType, bool)>) -> SchemaRef {
    let fields = fields
        .into_iter()
        .map(|(name, data_type, nullable)| Field::new(name, data_type, nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns.first().map_or(0, |(_, array)| array.len());
    batch_of(rows, columns)
}

/// Rows that may be without columns.
fn batch_of(rows: usize, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new_with_options(
        Arc::new(schema),
        columns.into_iter().map(|(_, array)| array).collect(),
        &RecordBatchOptions::new().with_row_count(Some(rows)),
    )
    .unwrap()
}

/// The rows as the dataset takes them, or the code.
fn taken(
    wanted: &SchemaRef,
    given: &RecordBatch,
    columns: Columns,
) -> std::result::Result<RecordBatch, String> {
    let code = |error: Error| error.code().to_owned();
    let taking = Taking::new("d", wanted, &given.schema(), columns).map_err(code)?;
    let pieces = taking.pieces(given).map_err(code)?;
    let made = pieces.iter().map(|piece| {
        let made = taking.apply(piece)?;
        assert!(
            fit::bytes_of(&made) <= taking.bytes(piece),
            "{} > {}",
            fit::bytes_of(&made),
            taking.bytes(piece)
        );
        Ok(made)
    });
    let made = made.collect::<Result<Vec<_>>>().map_err(code)?;
    Ok(arrow_select::concat::concat_batches(wanted, &made).unwrap())
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[test]
fn a_zone_is_the_same_instant_and_a_unit_the_same_moment() {
    let to = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let wanted = schema(vec![("at", to, true)]);
    for zone in ["Europe/Berlin", "Etc/UTC", "+00:00", "Z", "UTC"] {
        let millis = TimestampMillisecondArray::from(vec![Some(-1), None, Some(1_711_846_800_000)]);
        let given = batch(vec![("at", Arc::new(millis.with_timezone(zone)))]);
        let made = taken(&wanted, &given, BY_NAME).unwrap();
        let micros = cast(made.column(0), &DataType::Int64).unwrap();
        assert_eq!(
            &micros,
            &ints(&[Some(-1_000), None, Some(1_711_846_800_000_000)]),
            "{zone}"
        );
        assert_eq!(
            taken(&wanted, &given, Columns::default()),
            Err("FS0408".into())
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_by_code() {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
    let hidden = NullBuffer::from(vec![false]);
    let beneath = TimestampSecondArray::new(vec![i64::MAX].into(), Some(hidden));
    let wanted = schema(vec![("at", micros, true), ("n", DataType::Int32, false)]);
    let n = |value: Option<i32>| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    for (at, n, code) in [
        (far, n(Some(1)), Some("FS0409")),
        (Arc::new(beneath) as ArrayRef, n(Some(1)), None),
        (new_null_array(&DataType::Null, 1), n(None), Some("FS0409")),
    ] {
        let made = taken(&wanted, &batch(vec![("n", n), ("at", at)]), BY_NAME);
        assert_eq!(made.err().as_deref(), code);
    }
}

#[test]
fn structs_within_lists_and_maps_go_by_name() {
    let pair = |names: [&str; 2], types: [DataType; 2]| -> Fields {
        let fields = names.into_iter().zip(types);
        fields
            .map(|(name, data_type)| Field::new(name, data_type, true))
            .collect()
    };
    let given = pair(["b", "a"], [DataType::Utf8View, DataType::Int8]);
    let b: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "y", "z"]));
    let a: ArrayRef = Arc::new(Int8Array::from(vec![Some(1), None, Some(-3)]));
    let structs = StructArray::new(given.clone(), vec![b, a], None);
    let item = Arc::new(Field::new("array", DataType::Struct(given), true));
    let lists = ListArray::new(
        item,
        OffsetBuffer::from_lengths([1, 0, 2]),
        Arc::new(structs),
        None,
    );
    let wanted = pair(["a", "b"], [DataType::Int64, DataType::Utf8]);
    let to = DataType::LargeList(Field::new("item", DataType::Struct(wanted), true).into());
    let wanted = schema(vec![("l", to, true)]);
    let given = batch(vec![("l", Arc::new(lists.slice(1, 2)))]);
    let made = taken(&wanted, &given, BY_NAME).unwrap();
    let last = made.column(0).as_list::<i64>().value(1);
    let last = last.as_struct();
    assert_eq!(
        last.column(0).as_primitive::<Int64Type>(),
        &Int64Array::from(vec![None, Some(-3)])
    );
    assert_eq!(
        last.column(1).as_string::<i32>(),
        &StringArray::from(vec!["y", "z"])
    );
}

#[test]
fn columns_that_are_filled_are_counted_before_they_are_made() {
    let mut fields: Vec<_> = (0..5_000)
        .map(|index| Field::new(format!("c{index}"), DataType::Decimal256(76, 0), true))
        .collect();
    fields.push(Field::new("n", DataType::Int8, true));
    let wanted = Arc::new(Schema::new(fields));
    let given = batch(vec![("n", Arc::new(Int8Array::from(vec![1; 4_096])))]);
    let taking = Taking::new("d", &wanted, &given.schema(), BY_NAME).unwrap();
    let pieces = taking.pieces(&given).unwrap();
    assert_eq!(
        pieces.iter().map(RecordBatch::num_rows).sum::<usize>(),
        4_096
    );
    for piece in &pieces {
        assert!(taking.bytes(piece) <= 2 * limits::PIECE_BYTES_MAX);
    }
    let made = taking.apply(&pieces[0]).unwrap();
    assert!(fit::bytes_of(&made) <= taking.bytes(&pieces[0]));
}

#[test]
fn rows_without_a_column_are_rows_of_nulls() {
    let wanted = schema(vec![
        ("a", DataType::Int64, true),
        ("b", DataType::Utf8, true),
    ]);
    for rows in [0, 1, 70_000] {
        let made = taken(&wanted, &batch_of(rows, Vec::new()), BY_NAME).unwrap();
        let nulls: Vec<usize> = made
            .columns()
            .iter()
            .map(|column| column.null_count())
            .collect();
        assert_eq!((made.num_rows(), nulls), (rows, vec![rows, rows]));
    }
}

mod property {
    use super::*;
    use proptest::prelude::*;

    /// The dataset's type and one that comes in its place, whose values are the same.
    fn pairs() -> Vec<(DataType, DataType)> {
        use DataType as D;
        use TimeUnit::{Microsecond as Us, Millisecond as Ms, Second as S};
        let zoned = |unit, zone: &str| D::Timestamp(unit, Some(zone.into()));
        vec![
            (D::Int32, D::Int16),
            (D::Int64, D::Int8),
            (D::Float64, D::Float32),
            (D::Timestamp(Us, None), D::Timestamp(Ms, None)),
            (zoned(Us, "UTC"), zoned(S, "Europe/Berlin")),
            (zoned(Ms, "UTC"), zoned(Ms, "+05:30")),
            (D::Duration(Us), D::Duration(S)),
            (D::Utf8, D::LargeUtf8),
            (D::LargeUtf8, D::Utf8View),
            (D::Decimal128(20, 0), D::Decimal128(10, 0)),
            (D::Int16, D::Int16),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_table_that_is_permuted_renamed_in_case_and_narrowed_is_the_same(
            values in prop::collection::vec(prop::option::of(-100_i64..100), 0..40),
            order in Just((0..pairs().len()).collect::<Vec<_>>()).prop_shuffle(),
            dropped in prop::collection::vec(any::<bool>(), pairs().len()),
            spark in any::<bool>(),
        ) {
            let names: Vec<String> = (0..pairs().len()).map(|index| format!("Col{index}")).collect();
            let wanted = schema(names.iter().zip(pairs()).map(|(name, (to, _))| (name.as_str(), to, true)).collect());
            let narrow = |index: usize| {
                let (_, from) = &pairs()[index];
                let numbers = ints(&values);
                cast(&numbers, from).unwrap()
            };
            let kept: Vec<usize> = order.into_iter().filter(|index| !dropped[*index]).collect();
            let shown: Vec<String> = kept.iter().map(|index| match spark {
                true => names[*index].to_uppercase(),
                false => names[*index].clone(),
            }).collect();
            let columns = kept.iter().zip(&shown).map(|(index, name)| (name.as_str(), narrow(*index)));
            let given = batch_of(values.len(), columns.collect());
            let profile = if spark { Profile::Spark4 } else { Profile::Flink2 };
            let made = taken(&wanted, &given, Columns { profile, ..BY_NAME }).unwrap();
            for (index, (to, _)) in pairs().iter().enumerate() {
                let expected = match dropped[index] {
                    true => new_null_array(to, values.len()),
                    false => cast(&narrow(index), to).unwrap(),
                };
                prop_assert_eq!(made.column(index), &expected, "{}", to);
            }
        }
    }
}
