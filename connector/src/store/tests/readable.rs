//! What was acknowledged can be read back, whatever its type and however many its rows.

use super::columns::{column, types};
use super::fixture::*;
use crate::fit;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::digest;
use flinkspark_model::log::{Intent, Receipt};
use flinkspark_model::port::{Dataset, Log, SegmentSpec};
use flinkspark_model::{Error, Result};
use std::sync::Arc;
use uuid::Uuid;

const ROWS: [usize; 13] = [
    0, 1, 7, 8, 9, 255, 256, 257, 4097, 65_535, 65_536, 65_537, 100_000,
];

async fn seal_as(
    dataset: &dyn Dataset,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<Receipt> {
    let spec = SegmentSpec {
        schema: Arc::clone(schema),
        ..spec(0)
    };
    let mut writer = dataset.stage(spec).await?;
    writer.write(batch).await?;
    writer.seal().await
}

/// Commits the rows to a dataset of their own, and reads them back.
async fn there_and_back(batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
    let schema = batch.schema();
    let dataset = memory()
        .await
        .open_dataset(id(), Arc::clone(&schema))
        .await?;
    dataset.append(fence(1, 0)).await?;
    let receipt = seal_as(&dataset, &schema, batch).await?;
    dataset
        .append(Intent::Commit(commit(1, 1, &[receipt])))
        .await?;
    read_all(&dataset).await
}

fn check(batch: &RecordBatch, read: &[RecordBatch], what: &str) {
    let schema = batch.schema();
    let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, batch.num_rows(), "{what}");
    let plain = fit::plain_schema(&schema);
    let read: Vec<RecordBatch> = read
        .iter()
        .map(|batch| {
            assert_eq!(batch.schema(), schema, "{what}");
            fit::apply(batch, &plain).unwrap()
        })
        .collect();
    let given = fit::apply(batch, &plain).unwrap();
    if batch.num_columns() > 0 {
        assert_eq!(concat_batches(&plain, &read).unwrap(), given, "{what}");
    }
    let digest = |batches: &[RecordBatch]| digest::digest(&plain, batches).unwrap();
    assert_eq!(digest(&read), digest(&[given]), "{what}");
}

#[tokio::test]
async fn every_type_is_read_back_at_every_count_of_rows() {
    let mut checked = 0;
    for data_type in types() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", data_type.clone(), true)]));
        for rows in ROWS
            .into_iter()
            .filter(|rows| !data_type.is_nested() || !rows.is_multiple_of(65_536))
        {
            let columns = vec![column(&data_type, rows)];
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            let what = format!("{rows} rows of {data_type}");
            let read = there_and_back(&batch)
                .await
                .unwrap_or_else(|error: Error| panic!("{what}: {error}"));
            check(&batch, &read, &what);
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
}

#[tokio::test]
async fn rows_without_columns_are_read_back() {
    let schema = Arc::new(Schema::empty());
    for rows in ROWS {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch =
            RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).unwrap();
        let read = there_and_back(&batch).await.unwrap();
        check(&batch, &read, &format!("{rows} rows"));
    }
}

fn keyed(keys: DataType, item: bool) -> SchemaRef {
    let keyed = DataType::Dictionary(keys.into(), DataType::Utf8.into());
    let list = DataType::List(Arc::new(Field::new("item", keyed.clone(), true)));
    Arc::new(Schema::new(vec![Field::new(
        "a",
        if item { list } else { keyed },
        true,
    )]))
}

#[tokio::test]
async fn more_values_than_a_key_names_are_read_back_in_smaller_batches() {
    let texts: StringArray = (0..5000).map(|n| Some(n.to_string())).collect();
    let plain = RecordBatch::try_from_iter([("a", Arc::new(texts) as ArrayRef)]).unwrap();
    let schema = keyed(DataType::Int8, false);
    let dataset = memory()
        .await
        .open_dataset(id(), Arc::clone(&schema))
        .await
        .unwrap();
    dataset.append(fence(1, 0)).await.unwrap();
    let receipt = seal_as(&dataset, &plain.schema(), &plain).await.unwrap();
    let commit = Intent::Commit(commit(1, 1, &[receipt]));
    dataset.append(commit).await.unwrap();
    let read = read_all(&dataset).await.unwrap();
    let digest = |batches: &[RecordBatch]| digest::digest(&schema, batches).unwrap();
    assert_eq!(digest(&read), digest(&[plain]));
}

#[tokio::test]
async fn a_cell_that_could_not_be_read_back_is_refused() {
    let texts: ArrayRef = Arc::new(
        (0..5000)
            .map(|n| Some(n.to_string()))
            .collect::<StringArray>(),
    );
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let offsets = vec![0, 5000].into();
    let list = arrow_array::ListArray::try_new(
        item,
        arrow_buffer::OffsetBuffer::new(offsets),
        texts,
        None,
    );
    let batch = RecordBatch::try_from_iter([("a", Arc::new(list.unwrap()) as ArrayRef)]).unwrap();
    for (keys, code) in [(DataType::Int8, Some("FS1030")), (DataType::Int16, None)] {
        let dataset = memory()
            .await
            .open_dataset(id(), keyed(keys, true))
            .await
            .unwrap();
        let sealed = seal_as(&dataset, &batch.schema(), &batch).await;
        assert_eq!(sealed.err().as_ref().map(Error::code), code);
    }
}

#[tokio::test]
async fn cells_and_rows_that_no_message_carries_are_refused() {
    let cell = |mebibytes: usize| {
        Arc::new(StringArray::from(vec!["x".repeat(mebibytes << 20)])) as ArrayRef
    };
    for (cells, code) in [
        (vec![31], None),
        (vec![33], Some("FS1031")),
        (vec![100], Some("FS1031")),
        (vec![31, 31], None),
        (vec![30, 30, 30], Some("FS1032")),
    ] {
        let columns = cells
            .iter()
            .enumerate()
            .map(|(at, size)| (format!("c{at}"), cell(*size)));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        match there_and_back(&batch).await {
            Ok(read) => {
                assert_eq!(code, None, "{cells:?}");
                check(&batch, &read, "large cells");
            }
            Err(error) => assert_eq!(Some(error.code()), code, "{cells:?}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_stored_batch_can_be_sent() {
    let texts: StringArray = (0..9000).map(|_| Some("x".repeat(20_000))).collect();
    let batch = RecordBatch::try_from_iter([("a", Arc::new(texts) as ArrayRef)]).unwrap();
    let read = there_and_back(&batch).await.unwrap();
    assert!(read.iter().all(|batch| fit::bytes_of(batch) <= 8 << 20));
    check(&batch, &read, "180 MB");
}

#[tokio::test]
async fn a_schema_that_no_reader_takes_is_refused_before_anything_is_staged() {
    let fields =
        |count: usize| (0..count).map(|n| Field::new(format!("c{n}"), DataType::Boolean, true));
    for (count, code) in [(10_000, None), (100_000, Some("FS1034"))] {
        let schema: SchemaRef = Arc::new(Schema::new(fields(count).collect::<Vec<_>>()));
        let id = DatasetId(Uuid::from_u128(count as u128));
        let dataset = memory()
            .await
            .open_dataset(id, Arc::clone(&schema))
            .await
            .unwrap();
        let spec = SegmentSpec { schema, ..spec(0) };
        assert_eq!(
            dataset.stage(spec).await.err().as_ref().map(Error::code),
            code
        );
    }
}
