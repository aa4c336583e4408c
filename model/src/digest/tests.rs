//! The digest against its golden vectors and its laws.

use super::*;
use crate::error::Kind;
use arrow_array::types::Int32Type;
use arrow_array::*;
use arrow_schema::{DataType, Field, TimeUnit};

const VECTORS: &str = include_str!("../../../docs/digest-vectors.json");

fn one(array: impl Array + 'static) -> RecordBatch {
    let field = Field::new("x", array.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(array)]).unwrap()
}

fn digest_of(batch: &RecordBatch) -> Digest {
    digest(&batch.schema(), [batch]).unwrap()
}

#[test]
fn the_golden_vectors_hold() {
    use base64::Engine;
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors["start"], format!("{:032x}", State::START.hash()));
    let mut state = State::START;
    state.absorb(2);
    state.absorb(1);
    assert_eq!(vectors["words_2_1"], format!("{:032x}", state.hash()));
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 50);
    for vector in vectors {
        let ipc = base64::engine::general_purpose::STANDARD
            .decode(vector["ipc"].as_str().unwrap())
            .unwrap();
        let reader = arrow_ipc::reader::StreamReader::try_new(ipc.as_slice(), None).unwrap();
        let mut digester = Digester::new(&reader.schema()).unwrap();
        for batch in reader {
            digester.update(&batch.unwrap()).unwrap();
        }
        assert_eq!(
            digester.finish().to_string(),
            vector["digest"],
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn the_text_survives_and_nothing_else_is_one() {
    let digest = Digest {
        rows: 336_776,
        sum: 0xabc,
    };
    assert_eq!(
        digest.to_string(),
        "v1:336776:00000000000000000000000000000abc"
    );
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    assert_eq!(
        serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(),
        digest
    );
    for text in [
        "",
        "v1",
        "v1:1",
        "v2:1:00000000000000000000000000000abc",
        "v1:1:abc",
        "v1:+1:0",
        "v1:01:0",
    ] {
        assert_eq!(
            text.parse::<Digest>().unwrap_err().code(),
            "FS0113",
            "{text}"
        );
    }
    assert!(
        "v1:1:00000000000000000000000000000ABC"
            .parse::<Digest>()
            .is_err()
    );
}

#[test]
fn a_union_is_refused_by_name() {
    let fields = [(0, Arc::new(Field::new("a", DataType::Int32, true)))]
        .into_iter()
        .collect();
    let union = DataType::Union(fields, arrow_schema::UnionMode::Sparse);
    let item = Field::new("item", union, true);
    let schema = Schema::new(vec![Field::new("u", DataType::List(item.into()), true)]);
    let error = Digester::new(&schema).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0110"));
    assert!(
        error.message().contains("\"u\"") && error.detail().unwrap().contains("union<a: int32>"),
        "{error}"
    );
}

#[test]
fn nesting_has_a_limit() {
    let mut data_type = DataType::Int32;
    for _ in 0..crate::schema::DEPTH_MAX - 1 {
        data_type = DataType::List(Field::new("item", data_type, true).into());
    }
    let schema = |data_type: &DataType| Schema::new(vec![Field::new("x", data_type.clone(), true)]);
    assert!(Digester::new(&schema(&data_type)).is_ok());
    let deeper = DataType::List(Field::new("item", data_type, true).into());
    assert_eq!(
        Digester::new(&schema(&deeper)).unwrap_err().code(),
        "FS0111"
    );
}

#[test]
fn rows_of_another_shape_are_refused_and_change_nothing() {
    let declared = Schema::new(vec![Field::new("x", DataType::Decimal128(10, 2), true)]);
    let mut digester = Digester::new(&declared).unwrap();
    let other_scale = Decimal128Array::from(vec![1])
        .with_precision_and_scale(10, 3)
        .unwrap();
    let error = digester.update(&one(other_scale)).unwrap_err();
    assert_eq!(error.code(), "FS0112");
    assert!(error.detail().unwrap().contains("scale 3"), "{error}");
    assert!(
        digester
            .update(&RecordBatch::new_empty(Arc::new(Schema::empty())))
            .is_err()
    );
    assert_eq!(digester.finish(), Digest::EMPTY);
    digester.update(&one(NullArray::new(2))).unwrap();
    assert_eq!(digester.finish().rows, 2);
}

#[test]
fn a_dictionary_of_nothing_but_nulls_is_nulls() {
    let keys = Int32Array::from(vec![None, None]);
    let empty =
        DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(Vec::<&str>::new())));
    let value = DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![0, 0]),
        Arc::new(StringArray::from(vec![None::<&str>])),
    );
    let nulls = digest_of(&one(StringArray::from(vec![None::<&str>, None])));
    assert_eq!(digest_of(&one(empty)), nulls);
    assert_eq!(digest_of(&one(value)), nulls);
}

#[test]
fn slices_of_nested_columns_count_their_own_rows() {
    let field = Arc::new(Field::new("item", DataType::Int64, true));
    let lists =
        FixedSizeListArray::new(field, 2, Arc::new(Int64Array::from_iter_values(0..8)), None);
    let structs = StructArray::from(vec![(
        Arc::new(Field::new("l", lists.data_type().clone(), true)),
        Arc::new(lists) as ArrayRef,
    )]);
    let batch = one(structs);
    let parts = digest_of(&batch.slice(0, 1)) + digest_of(&batch.slice(1, 3));
    assert_eq!(parts, digest_of(&batch));
    assert_ne!(
        digest_of(&batch.slice(0, 1)).sum,
        digest_of(&batch.slice(1, 1)).sum
    );
}

#[test]
fn values_exchanged_between_rows_show() {
    let rows = |a: [i64; 2], b: [i64; 2]| {
        let columns = [("a", a), ("b", b)].map(|(name, values)| {
            (
                name,
                Arc::new(Int64Array::from(values.to_vec())) as ArrayRef,
            )
        });
        digest_of(&RecordBatch::try_from_iter(columns).unwrap())
    };
    assert_ne!(rows([1, 2], [3, 4]), rows([1, 2], [4, 3]));
    assert_ne!(rows([1, 2], [3, 4]), rows([3, 4], [1, 2]));
    assert_eq!(rows([1, 2], [3, 4]), rows([2, 1], [4, 3]));
}

#[test]
fn no_two_of_a_million_rows_share_a_lane() {
    let batch = one(Int64Array::from_iter_values(-500_000..500_000));
    let cells = cells::cells(batch.column(0).as_ref()).unwrap();
    let mut states = vec![State::START; batch.num_rows()];
    cells.absorb_range(0, &mut states);
    for shift in [0, 64] {
        let mut lane: Vec<u64> = states
            .iter()
            .map(|state| (state.hash() >> shift) as u64)
            .collect();
        lane.sort_unstable();
        lane.dedup();
        assert_eq!(lane.len(), batch.num_rows());
    }
}

mod property {
    use super::*;
    use arrow_select::{concat::concat_batches, take::take_record_batch};
    use proptest::prelude::*;

    type Row = (
        Option<i32>,
        Option<String>,
        Option<u64>,
        Option<i64>,
        Option<Vec<Option<i16>>>,
    );

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let few = prop_oneof![Just(0), Just(-1), any::<i32>()];
        let text = prop_oneof![Just(String::new()), Just("NA".into()), ".{0,20}"];
        let bits = prop_oneof![
            Just(0),
            Just(1 << 63),
            Just(f64::NAN.to_bits()),
            any::<u64>()
        ];
        let micros = -9_000_000_000_000_000i64..9_000_000_000_000_000;
        let list = prop::collection::vec(prop::option::of(any::<i16>()), 0..4);
        use prop::option::of as cell;
        prop::collection::vec(
            (cell(few), cell(text), cell(bits), cell(micros), cell(list)),
            0..40,
        )
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let texts = StringArray::from_iter(rows.iter().map(|row| row.1.as_deref()));
        let floats = Float64Array::from_iter(rows.iter().map(|row| row.2.map(f64::from_bits)));
        let times = TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.3));
        let lists = ListArray::from_iter_primitive::<types::Int16Type, _, _>(
            rows.iter().map(|row| row.4.clone()),
        );
        RecordBatch::try_from_iter_with_nullable([
            (
                "i",
                Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.0))) as ArrayRef,
                true,
            ),
            ("s", Arc::new(texts), true),
            ("f", Arc::new(floats), true),
            ("t", Arc::new(times), true),
            ("l", Arc::new(lists), true),
        ])
        .unwrap()
    }

    fn permuted(batch: &RecordBatch, keys: &[u32]) -> RecordBatch {
        let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
        order.sort_by_key(|row| keys[*row as usize % keys.len()].rotate_left(*row));
        take_record_batch(batch, &UInt32Array::from(order)).unwrap()
    }

    fn reencoded(batch: &RecordBatch, text: &DataType) -> RecordBatch {
        let item = Field::new("element", DataType::Int64, true).into();
        let types = [
            DataType::Int64,
            text.clone(),
            DataType::Float64,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::LargeList(item),
        ];
        let columns = batch
            .columns()
            .iter()
            .zip(types)
            .map(|(column, to)| arrow_cast::cast(column, &to).unwrap());
        let names = ["i", "s", "f", "t", "l"];
        RecordBatch::try_from_iter_with_nullable(
            names.into_iter().zip(columns).map(|(n, c)| (n, c, true)),
        )
        .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn cuts_and_order_do_not_count(
            rows in rows(), keys in prop::collection::vec(any::<u32>(), 1..40), cut in any::<prop::sample::Index>(),
        ) {
            let whole = batch(&rows);
            let mixed = permuted(&whole, &keys);
            let cut = cut.index(rows.len() + 1);
            let (left, right) = (mixed.slice(0, cut), mixed.slice(cut, rows.len() - cut));
            prop_assert_eq!(digest_of(&whole), digest(&whole.schema(), [&right, &left]).unwrap());
            prop_assert_eq!(digest_of(&whole), digest_of(&left) + digest_of(&right));
        }

        #[test]
        fn encodings_do_not_count(rows in rows()) {
            let plain = batch(&rows);
            let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
            let runs = DataType::RunEndEncoded(
                Field::new("run_ends", DataType::Int32, false).into(),
                Field::new("values", DataType::Utf8, true).into(),
            );
            for text in [DataType::LargeUtf8, DataType::Utf8View, dictionary, runs] {
                let other = reencoded(&plain, &text);
                let at_declared = digest(&plain.schema(), [&other]).unwrap();
                prop_assert_eq!(digest_of(&plain), at_declared, "{}", text);
            }
        }

        #[test]
        fn a_row_that_came_twice_or_never_shows(rows in rows(), which in any::<prop::sample::Index>()) {
            prop_assume!(!rows.is_empty());
            let whole = batch(&rows);
            let row = whole.slice(which.index(rows.len()), 1);
            let twice = concat_batches(&whole.schema(), [&whole, &row]).unwrap();
            prop_assert_ne!(digest_of(&twice).sum, digest_of(&whole).sum);
            prop_assert_eq!(digest_of(&twice), digest_of(&whole) + digest_of(&row));
        }

        #[test]
        fn a_changed_cell_shows(rows in rows(), which in any::<prop::sample::Index>(), value in any::<Option<i32>>()) {
            prop_assume!(!rows.is_empty());
            let which = which.index(rows.len());
            prop_assume!(rows[which].0 != value);
            let mut changed = rows.clone();
            changed[which].0 = value;
            prop_assert_ne!(digest_of(&batch(&rows)), digest_of(&batch(&changed)));
        }
    }
}
