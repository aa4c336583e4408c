//! What fits, what it takes, and where it is cut.

use super::*;
use arrow_array::builder::BinaryViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    BooleanArray, DictionaryArray, Int32Array, Int64Array, LargeListViewArray, ListViewArray,
    RunArray, StringArray, StructArray,
};
use arrow_schema::{DataType, Schema};

fn one(array: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("a", array)]).unwrap()
}

/// Views of one value of a megabyte.
fn views(rows: usize) -> ArrayRef {
    let mut builder = BinaryViewBuilder::new();
    let block = builder.append_block("x".repeat(1 << 20).into_bytes().into());
    for _ in 0..rows {
        builder.try_append_view(block, 0, 1 << 20).unwrap();
    }
    Arc::new(builder.finish())
}

/// Lists that all show the same items.
fn list_views(rows: usize, items: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    let (offsets, sizes) = (vec![0_i64; rows], vec![items.len() as i64; rows]);
    Arc::new(LargeListViewArray::try_new(item, offsets.into(), sizes.into(), items, None).unwrap())
}

fn runs(rows: i32, text: &str) -> ArrayRef {
    let values = StringArray::from(vec![text]);
    Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![rows]), &values).unwrap())
}

fn keyed(rows: usize, text: &str) -> ArrayRef {
    let keys = Int32Array::from(vec![0; rows]);
    let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
    Arc::new(DictionaryArray::try_new(keys, values).unwrap())
}

#[test]
fn what_a_few_bytes_stand_for_is_known_before_it_is_made() {
    let million = "x".repeat(1 << 20);
    for array in [
        views(1 << 20),
        runs(1 << 20, &million),
        keyed(1 << 20, &million),
        list_views(1 << 20, Arc::new(Int64Array::from(vec![7; 1 << 17]))),
        list_views(1 << 20, Arc::new(BooleanArray::from(vec![true; 1 << 22]))),
        list_views(1 << 20, Arc::new(arrow_array::NullArray::new(1 << 20))),
        list_views(
            1 << 10,
            list_views(1 << 10, Arc::new(Int64Array::from(vec![7; 1 << 17]))),
        ),
        list_views(1 << 10, views(1 << 10)),
    ] {
        let batch = one(array);
        let bytes = bytes_of(&batch);
        assert!(
            bytes >= 1 << 39,
            "{bytes} for {}",
            batch.column(0).data_type()
        );
        let plain = plain_schema(&batch.schema());
        assert!(
            apply(&batch, &plain)
                .unwrap_err()
                .why
                .contains("once they are plain")
        );
    }
}

#[test]
fn pieces_have_every_row_and_are_bounded() {
    let texts: StringArray = (0..5000).map(|n| Some("y".repeat(n % 977))).collect();
    for array in [Arc::new(texts) as ArrayRef, views(64), keyed(5000, "short")] {
        let batch = one(array);
        let bounds = Cut {
            rows_max: 700,
            bytes_max: 20_000,
        };
        let pieces = cut(&batch, bounds);
        let rows: usize = pieces.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, batch.num_rows());
        for piece in &pieces {
            let small = bytes_of(piece) <= 20_000 && piece.num_rows() <= 700;
            assert!(small || piece.num_rows() == 1, "{} rows", piece.num_rows());
        }
        let again = arrow_select::concat::concat_batches(&batch.schema(), &pieces).unwrap();
        assert_eq!(again, batch);
    }
    assert!(
        cut(
            &one(keyed(0, "x")),
            Cut {
                rows_max: 1,
                bytes_max: 1
            }
        )
        .is_empty()
    );
}

#[test]
fn a_cell_and_a_row_that_are_too_large_are_named() {
    let bounds = Cut {
        rows_max: 100,
        bytes_max: 1 << 20,
    };
    let cell =
        |bytes: usize| Arc::new(StringArray::from(vec!["a".into(), "x".repeat(bytes)])) as ArrayRef;
    let cause = cut_checked(&one(cell(33 << 20)), bounds).unwrap_err();
    assert_eq!((cause.column.as_deref(), cause.row), (Some("a"), 1));
    assert_eq!(cut_checked(&one(cell(31 << 20)), bounds).unwrap().len(), 2);
    let three = ["a", "b", "c"].map(|name| (name, cell(30 << 20)));
    let cause = cut_checked(&RecordBatch::try_from_iter(three).unwrap(), bounds).unwrap_err();
    assert_eq!((cause.column, cause.row), (None, 1));
}

#[test]
fn fields_of_one_name_are_cast_by_position() {
    let field = |to: DataType| Field::new("x", to, true);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["first"])),
        Arc::new(StringArray::from(vec!["second"])),
    ];
    let fields = vec![field(DataType::Utf8), field(DataType::Utf8)];
    let given: ArrayRef = Arc::new(StructArray::new(fields.into(), columns, None));
    let wide = vec![field(DataType::LargeUtf8), field(DataType::LargeUtf8)];
    let wanted = Field::new("s", DataType::Struct(wide.into()), true);
    let cast = column(&given, &wanted).unwrap();
    let second = cast.as_struct().column(1).as_string::<i64>().value(0);
    assert_eq!(second, "second");
}

#[test]
fn encodings_of_a_type_are_told_from_other_types() {
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
    let view = |item: DataType| DataType::LargeListView(Arc::new(Field::new("x", item, false)));
    let keyed = |values: DataType| DataType::Dictionary(DataType::Int8.into(), values.into());
    for (expected, given, wire, any) in [
        (DataType::Utf8, DataType::Utf8View, true, true),
        (DataType::Utf8, DataType::Binary, false, false),
        (list(DataType::Utf8), view(DataType::LargeUtf8), true, true),
        (DataType::Utf8, keyed(DataType::LargeUtf8), false, true),
        (keyed(DataType::Utf8), DataType::Utf8, true, true),
        (DataType::Int32, DataType::Int64, false, false),
        (list(DataType::Int32), list(DataType::Int64), false, false),
    ] {
        assert_eq!(
            encodes(&expected, &given, Accept::Wire),
            wire,
            "{expected} {given}"
        );
        assert_eq!(
            encodes(&expected, &given, Accept::Any),
            any,
            "{expected} {given}"
        );
    }
}

#[test]
fn a_slice_of_a_list_of_views_casts_what_it_shows() {
    let items = views(300);
    let item = Arc::new(Field::new("item", DataType::BinaryView, true));
    let offsets: Vec<i32> = (0..300).collect();
    let lists =
        ListViewArray::try_new(item, offsets.into(), vec![1; 300].into(), items, None).unwrap();
    let batch = one(Arc::new(lists));
    let plain = plain_schema(&batch.schema());
    assert!(apply(&batch, &plain).is_err());
    let cast = apply(&batch.slice(299, 1), &plain).unwrap();
    assert_eq!(bytes_of(&cast), (1 << 20) + 10);
}

#[test]
fn keys_that_are_too_narrow_are_a_misfit() {
    let texts: StringArray = (0..300).map(|n| Some(n.to_string())).collect();
    let narrow = DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into());
    let schema = Arc::new(Schema::new(vec![Field::new("a", narrow, true)]));
    let batch = one(Arc::new(texts));
    assert!(apply(&batch, &schema).is_err());
    let fits = apply(&batch.slice(0, 100), &schema).unwrap();
    assert_eq!(fits.column(0).as_dictionary::<Int8Type>().len(), 100);
}
