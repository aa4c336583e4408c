//! What is put is what is got.

use super::*;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, LargeStringArray, ListArray, TimestampMicrosecondArray,
};
use arrow_schema::TimeUnit;
use flinkspark_model::digest::digest;
use futures::TryStreamExt;
use proptest::prelude::*;

type Row = (
    Option<bool>,
    Option<f64>,
    Option<String>,
    Option<i64>,
    Option<Vec<Option<i64>>>,
);

fn wide() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("flag", DataType::Boolean, true),
        Field::new("x", DataType::Float64, true),
        Field::new("text", DataType::LargeUtf8, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new(
            "list",
            DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
            true,
        ),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let lists = rows.iter().map(|row| row.4.clone());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| row.2.clone())
                .collect::<LargeStringArray>(),
        ),
        Arc::new(
            rows.iter()
                .map(|row| row.3)
                .collect::<TimestampMicrosecondArray>(),
        ),
        Arc::new(ListArray::from_iter_primitive::<
            arrow_array::types::Int64Type,
            _,
            _,
        >(lists)),
    ];
    RecordBatch::try_new(wide(), columns).unwrap()
}

fn batches() -> impl Strategy<Value = Vec<Vec<Row>>> {
    let list = proptest::option::of(proptest::collection::vec(any::<Option<i64>>(), 0..4));
    let text = proptest::option::of("\\PC{0,20}");
    let row = (
        any::<Option<bool>>(),
        any::<Option<f64>>(),
        text,
        any::<Option<i64>>(),
        list,
    );
    proptest::collection::vec(proptest::collection::vec(row, 0..40), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_get_of_a_put_has_the_same_digest(partitions in batches()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (put, got, stated) = runtime.block_on(async {
            let bridge = bridge().await;
            bridge.fake.dataset_named("wide", wide()).await;
            let txn = bridge.begin("wide").await;
            let mut receipts = Vec::new();
            let sent: Vec<RecordBatch> = partitions.iter().map(|rows| batch(rows)).collect();
            for (partition, batch) in (0..).zip(&sent) {
                let command = PutCommand { txn: txn.clone(), partition, attempt: 0 };
                // Two halves, the second a slice that does not begin at 0.
                let half = batch.num_rows() / 2;
                let halves = [batch.slice(0, half), batch.slice(half, batch.num_rows() - half)];
                let rows = stream::iter(halves.map(Ok)).boxed();
                receipts.push(bridge.client.put(&command, &wide(), rows, &|_| {}).await.unwrap());
            }
            bridge.client.commit(&txn, receipts).await.unwrap();
            let info = bridge.client.info(&whole("wide")).await.unwrap();
            let got: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
            (digest(&wide(), &sent).unwrap(), digest(&wide(), &got).unwrap(), info.metadata.digest.unwrap())
        });
        prop_assert_eq!(put, got);
        prop_assert_eq!(put, stated);
    }
}
