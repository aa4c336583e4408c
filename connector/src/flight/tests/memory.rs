//! What readers and producers hold of the memory budget, and what becomes of them when it is spent.

use super::{bridge_within, rows, schema, whole};
use crate::flight::{Client, limits};
use arrow_array::{LargeBinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use flinkspark_model::budget::Budget;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Endpoint;

async fn read_all(client: &Client) -> usize {
    let info = client.info(&whole("d")).await.unwrap();
    let batches: Vec<RecordBatch> = client.get(&info).try_collect().await.unwrap();
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Everything that was reserved is given back soon after its owner has gone.
async fn settles(budget: &Budget) {
    for _ in 0..500 {
        if budget.used() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} are still reserved", budget.shares());
}

/// A client whose connection takes no more than it reads.
async fn taking_little(url: &str) -> Client {
    let endpoint = limits::endpoint(Endpoint::from_shared(url.to_owned()).unwrap())
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(64 << 10);
    Client::over(endpoint.connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stall_are_counted_and_hold_nobody_up() {
    let budget = Budget::new(32 << 20);
    let bridge = bridge_within(&budget).await;
    bridge.fake.dataset_named("d", schema()).await;
    let batches: Vec<RecordBatch> = (0..2).map(|n| rows(n * 200_000, 200_000)).collect();
    bridge.commit("d", &batches).await;
    settles(&budget).await;
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let client = taking_little(&bridge.url).await;
        let info = client.info(&whole("d")).await.unwrap();
        let mut rows = client.read(&info.endpoints[0]).await.unwrap();
        rows.next().await.unwrap().unwrap();
        stalled.push((client, rows));
    }
    for _ in 0..3 {
        assert_eq!(read_all(&bridge.client).await, 400_000);
    }
    assert!(budget.used() > 0);
    drop(stalled);
    settles(&budget).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_puts_than_there_is_memory_for_wait_for_one_another() {
    let budget = Budget::new(12 << 20);
    let bridge = bridge_within(&budget).await;
    bridge.fake.dataset_named("d", schema()).await;
    let txn = bridge.begin("d").await;
    let bridge = Arc::new(bridge);
    let puts = (0..24_u32).map(|partition| {
        let (bridge, txn) = (Arc::clone(&bridge), txn.clone());
        tokio::spawn(async move {
            let first = i64::from(partition) * 20_000;
            bridge
                .put(&txn, partition, vec![Ok(rows(first, 20_000))])
                .await
                .unwrap()
        })
    });
    let puts: Vec<_> = puts.collect();
    let mut receipts = Vec::new();
    for put in puts {
        receipts.push(put.await.unwrap());
    }
    bridge.client.commit(&txn, receipts).await.unwrap();
    assert_eq!(read_all(&bridge.client).await, 480_000);
    settles(&budget).await;
}

#[tokio::test]
async fn a_message_that_never_fits_the_memory_is_refused_and_nothing_stays_reserved() {
    let budget = Budget::new(1 << 20);
    let bridge = bridge_within(&budget).await;
    let blobs = Arc::new(Schema::new(vec![Field::new(
        "blob",
        DataType::LargeBinary,
        true,
    )]));
    bridge.fake.dataset_named("blobs", Arc::clone(&blobs)).await;
    let cell = vec![1_u8; 2 << 20];
    let column = Arc::new(LargeBinaryArray::from_vec(vec![&cell]));
    let batch = RecordBatch::try_new(Arc::clone(&blobs), vec![column]).unwrap();
    let txn = bridge.begin("blobs").await;
    let command = crate::flight::body::PutCommand {
        txn,
        partition: 0,
        attempt: 0,
    };
    let batches = stream::iter([Ok(batch)]).boxed();
    let refused = bridge.client.put(&command, &blobs, batches, &|_| {}).await;
    assert_eq!(refused.unwrap_err().code(), "FS0031");
    settles(&budget).await;
}
