//! A schema that changes under rows that are there.

use super::*;
use crate::evolution;
use arrow_array::{Float32Array, Float64Array, Int32Array};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::digest::digest;
use flinkspark_model::log::{Intent, Slot};
use flinkspark_model::port::{Catalog, Datasets, Log, Reference};
use flinkspark_model::schema::{Compatibility, to_json};
use flinkspark_model::{Error, Kind};
use futures::TryStreamExt;
use std::sync::atomic::Ordering;

fn fields(schema: &SchemaRef) -> Vec<Field> {
    schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect()
}

fn with(mut columns: Vec<Field>, more: Vec<Field>) -> SchemaRef {
    columns.extend(more);
    Arc::new(Schema::new(columns))
}

async fn change(
    bridge: &Bridge,
    dataset: &Dataset,
    schema: &SchemaRef,
    mode: Compatibility,
) -> Result<Arc<Dataset>> {
    let now = bridge.fake.lookup(&Reference::Id(dataset.id)).await?;
    let (catalog, datasets) = (&*bridge.fake, &*bridge.fake);
    evolution::change(
        catalog,
        datasets,
        now.id,
        now.version,
        Arc::clone(schema),
        mode,
    )
    .await
}

/// Everything that a dataset holds, and that its digest is that of its rows.
async fn everything(bridge: &Bridge, name: &str) -> Vec<RecordBatch> {
    let info = bridge.client.info(&whole(name)).await.unwrap();
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    assert_eq!(
        digest(&info.schema, &batches).unwrap(),
        info.metadata.digest.unwrap()
    );
    let endpoints = info
        .endpoints
        .iter()
        .map(|endpoint| endpoint.metadata.digest.unwrap());
    assert_eq!(
        endpoints.sum::<flinkspark_model::digest::Digest>(),
        info.metadata.digest.unwrap()
    );
    batches
}

#[tokio::test]
async fn old_epochs_are_read_at_the_new_schema() {
    let bridge = bridge().await;
    let old = with(
        fields(&schema()),
        vec![
            Field::new("f", DataType::Float32, true),
            Field::new("gone", DataType::Int32, false),
        ],
    );
    let dataset = bridge.fake.dataset_named("a", Arc::clone(&old)).await;
    let texts = rows(0, 3);
    let first = RecordBatch::try_new(
        Arc::clone(&old),
        vec![
            Arc::clone(texts.column(0)),
            Arc::clone(texts.column(1)),
            Arc::new(Float32Array::from(vec![Some(0.5), None, Some(-0.0)])),
            Arc::new(Int32Array::from(vec![7, 8, 9])),
        ],
    )
    .unwrap();
    let txn = bridge.begin("a").await;
    let put = PutCommand {
        txn: txn.clone(),
        partition: 0,
        attempt: 0,
    };
    let batches = stream::iter(vec![Ok(first)]).boxed();
    let receipt = bridge
        .client
        .put(&put, &old, batches, &|_| {})
        .await
        .unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();

    // One column goes, one comes between the others, one is widened.
    let new = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("extra", DataType::Utf8, true),
        Field::new("f", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
    ]));
    let changed = change(&bridge, &dataset, &new, Compatibility::None)
        .await
        .unwrap();
    assert_eq!((changed.schema_version, &changed.schema), (2, &new));
    let log = bridge
        .fake
        .logs
        .open_dataset(dataset.id, Arc::clone(&new))
        .await
        .unwrap();
    let head = log.refresh().await.unwrap().head();
    let slot = log.slot(head).await.unwrap().body;
    assert_eq!(
        slot,
        Slot::Schema {
            version: 2,
            schema: to_json(&new).unwrap()
        }
    );

    let read = everything(&bridge, "a").await;
    let expected = RecordBatch::try_new(
        Arc::clone(&new),
        vec![
            Arc::clone(texts.column(0)),
            Arc::new(StringArray::from(vec![None::<&str>; 3])),
            Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-0.0)])),
            Arc::clone(texts.column(1)),
        ],
    )
    .unwrap();
    assert_eq!(
        digest(&new, &read).unwrap(),
        digest(&new, [&expected]).unwrap()
    );
    let columns: Vec<_> = read[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(columns, ["n", "extra", "f", "text"]);

    // New rows beside the old ones, and the old shape is refused.
    let txn = bridge.begin("a").await;
    let put = PutCommand {
        txn: txn.clone(),
        partition: 0,
        attempt: 0,
    };
    let batches = stream::iter(vec![Ok(expected.clone())]).boxed();
    let receipt = bridge
        .client
        .put(&put, &new, batches, &|_| {})
        .await
        .unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
    let read = everything(&bridge, "a").await;
    assert_eq!(
        digest(&new, &read).unwrap(),
        digest(&new, [&expected, &expected]).unwrap()
    );
}

#[tokio::test]
async fn a_change_is_refused_before_anything_is_written() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 10)]).await;
    let log = bridge
        .fake
        .logs
        .open_dataset(dataset.id, schema())
        .await
        .unwrap();
    let head = log.refresh().await.unwrap().head();
    let base = || fields(&schema());
    let required = with(base(), vec![Field::new("x", DataType::Int64, false)]);
    let optional = with(base(), vec![Field::new("x", DataType::Int64, true)]);
    let shorter = Arc::new(Schema::new(vec![base().remove(0)]));
    let other = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Utf8, false),
        base().remove(1),
    ]));
    let narrower = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int32, false),
        base().remove(1),
    ]));
    let stricter = Arc::new(Schema::new(vec![
        base().remove(0),
        Field::new("text", DataType::Utf8, false),
    ]));
    let twice = with(base(), base());
    use Compatibility::{Backward, Forward, Full, None};
    let cases = [
        (&twice, None, "FS0122"),
        (&required, Backward, "FS0116"),
        (&required, Full, "FS0116"),
        (&required, Forward, "FS0521"),
        (&required, None, "FS0521"),
        (&shorter, Backward, "FS0116"),
        (&shorter, Full, "FS0116"),
        (&other, Backward, "FS0116"),
        (&other, None, "FS0521"),
        (&narrower, Forward, "FS0521"),
        (&stricter, Forward, "FS0521"),
        (&stricter, None, "FS0521"),
    ];
    for (wanted, mode, code) in cases {
        let error = change(&bridge, &dataset, wanted, mode).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, code),
            "{mode}: {error}"
        );
    }
    let (catalog, datasets) = (&*bridge.fake, &*bridge.fake);
    let stale =
        evolution::change(catalog, datasets, dataset.id, 9, optional.clone(), Backward).await;
    assert_eq!(stale.unwrap_err().code(), "FS0520");
    assert_eq!(log.refresh().await.unwrap().head(), head);
    for mode in [Full, Backward, Forward, None] {
        // The same schema again changes nothing.
        let changed = change(&bridge, &dataset, &optional, mode).await.unwrap();
        assert_eq!(changed.schema_version, 2);
    }
    assert_eq!(log.refresh().await.unwrap().head(), head + 1);
    let gone = change(&bridge, &dataset, &schema(), Forward).await.unwrap();
    assert_eq!(gone.schema_version, 3);
    assert_eq!(everything(&bridge, "a").await.len(), 1);
}

#[tokio::test]
async fn a_kill_between_slot_and_record_loses_nothing() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 10)]).await;
    let wider = with(
        fields(&schema()),
        vec![Field::new("x", DataType::Int64, true)],
    );
    // The record cannot be changed: to the log this is a server that was killed after the slot.
    bridge.fake.down.store(true, Ordering::SeqCst);
    let error = change(&bridge, &dataset, &wider, Compatibility::Backward)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::InDoubt, "FS0522"));
    let behind = bridge
        .fake
        .lookup(&Reference::Id(dataset.id))
        .await
        .unwrap();
    assert_eq!(behind.schema_version, 1);
    bridge.fake.down.store(false, Ordering::SeqCst);
    let read = everything(&bridge, "a").await;
    assert_eq!(read[0].num_columns(), 3);
    let now = bridge
        .fake
        .lookup(&Reference::Id(dataset.id))
        .await
        .unwrap();
    assert_eq!(
        (now.schema_version, &now.schema),
        (2, &wider),
        "the record has followed"
    );
}

#[tokio::test]
async fn a_ticket_of_another_schema_is_refused_and_a_record_ahead_is_repaired_at_the_start() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 10)]).await;
    let before = bridge.client.info(&whole("a")).await.unwrap();
    let wider = with(
        fields(&schema()),
        vec![Field::new("x", DataType::Int64, true)],
    );
    // As an older build did it: the record alone.
    let follow = flinkspark_model::port::Change::Schema {
        schema: Arc::clone(&wider),
        version: 2,
    };
    bridge.fake.update(dataset.id, 1, follow).await.unwrap();
    assert_eq!(
        bridge.client.info(&whole("a")).await.unwrap_err().code(),
        "FS0524"
    );
    let ahead = bridge
        .fake
        .lookup(&Reference::Id(dataset.id))
        .await
        .unwrap();
    let agreed = evolution::repair(&*bridge.fake, &*bridge.fake, ahead)
        .await
        .unwrap();
    assert_eq!(
        (agreed.view.schema_version(), agreed.dataset.version),
        (2, 2)
    );
    assert_eq!(everything(&bridge, "a").await[0].num_columns(), 3);
    let stale: Result<Vec<RecordBatch>, Error> = bridge.client.get(&before).try_collect().await;
    assert_eq!(stale.unwrap_err().code(), "FS0421");
}

#[tokio::test]
async fn an_epoch_of_the_older_schema_may_still_be_committed() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let receipt = bridge.put(&txn, 0, vec![Ok(rows(0, 10))]).await.unwrap();
    let wider = with(
        fields(&schema()),
        vec![Field::new("x", DataType::Int64, true)],
    );
    change(&bridge, &dataset, &wider, Compatibility::Backward)
        .await
        .unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
    let read = everything(&bridge, "a").await;
    assert_eq!((read[0].num_rows(), read[0].num_columns()), (10, 3));
    // Whoever writes the slot without the checks of the port still cannot skip a version.
    let log = bridge.fake.dataset(dataset.id, wider).await.unwrap();
    let schema = to_json(&schema()).unwrap();
    let skipped = log
        .append(Intent::Schema { version: 4, schema })
        .await
        .unwrap_err();
    assert_eq!(skipped.code(), "FS0220");
}
