//! Tests of the service and the client together, over loopback.

mod errors;
mod extremes;
pub(crate) mod fake;
mod filter;
mod follow;
mod hostile;
mod live;
mod memory;
mod property;
mod put;
mod query;
mod read;
mod schema;
mod splits;
mod writers;

use super::body::{BeginRequest, PutCommand, ReadCommand};
use super::encode::{self, Encoder};
use super::{Client, Components, Key, Memory, limits, service, wire};
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use fake::Fake;
use flinkspark_model::Result;
use flinkspark_model::access::Caller;
use flinkspark_model::budget::Budget;
use flinkspark_model::log::Receipt;
use flinkspark_model::port::Mode;
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;

/// A bridge in memory with its Flight service on a port of its own; both end with the runtime.
pub(crate) struct Bridge {
    pub(crate) fake: Arc<Fake>,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) components: Components,
    pub(crate) counting: Arc<query::Counting>,
    /// Tells the service that the server comes to rest.
    pub(crate) closing: watch::Sender<bool>,
}

pub(crate) async fn bridge() -> Bridge {
    bridge_within(&Budget::new(1 << 30)).await
}

/// The same, with a quarter of the memory for each kind of work.
pub(crate) async fn bridge_within(budget: &Budget) -> Bridge {
    let fake = Arc::new(Fake::new().await);
    let quarter = budget.limit() / 4;
    let share = |name| budget.kept_share(name, quarter, quarter);
    let memory = Memory {
        puts: share("puts"),
        writers: share("writers"),
        gets: share("gets"),
        reads: share("reads"),
    };
    let counting = Arc::default();
    let (closing, closed) = watch::channel(false);
    let components = Components {
        memory,
        queries: Arc::new(query::Numbers(Arc::clone(&counting))),
        catalog: fake.clone(),
        datasets: fake.clone(),
        transactions: Arc::new(fake.transactions.clone()),
        writers: Arc::new(fake.writers.clone()),
        consumers: Arc::new(crate::store::Consumers::new(fake.logs.clone())),
        clock: fake.clock.clone(),
        key: Key::new([9; 32]),
        caller: Caller::open(),
        location: None,
        closing: closed,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let incoming = limits::incoming(listener);
    let router = limits::server(Server::builder()).add_service(service(components.clone()));
    tokio::spawn(router.serve_with_incoming(incoming));
    let client = Client::connect(url.as_str()).await.unwrap();
    Bridge {
        fake,
        url,
        client,
        components,
        counting,
        closing,
    }
}

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("text", DataType::Utf8, true),
    ]))
}

/// Rows `first..first + count` of the schema above.
pub(crate) fn rows(first: i64, count: i64) -> RecordBatch {
    let n: Int64Array = (first..first + count).collect();
    let text: StringArray = (first..first + count)
        .map(|n| (n % 3 != 0).then(|| format!("row {n}")))
        .collect();
    RecordBatch::try_new(schema(), vec![Arc::new(n), Arc::new(text)]).unwrap()
}

impl Bridge {
    async fn begin(&self, dataset: &str) -> String {
        let request = BeginRequest {
            dataset: dataset.into(),
            id: None,
            mode: Mode::Append,
        };
        self.client.begin(&request).await.unwrap().txn.to_string()
    }

    async fn put(
        &self,
        txn: &str,
        partition: u32,
        batches: Vec<Result<RecordBatch>>,
    ) -> Result<Receipt> {
        let command = PutCommand {
            txn: txn.into(),
            partition,
            attempt: 0,
        };
        let first = batches.first().and_then(|batch| batch.as_ref().ok());
        let schema = first.map_or_else(schema, RecordBatch::schema);
        self.client
            .put(&command, &schema, stream::iter(batches).boxed(), &|_| {})
            .await
    }

    /// Commits batches as one epoch with a partition for each.
    pub(crate) async fn commit(&self, dataset: &str, batches: &[RecordBatch]) {
        let txn = self.begin(dataset).await;
        let mut receipts = Vec::new();
        for (partition, batch) in (0..).zip(batches) {
            receipts.push(
                self.put(&txn, partition, vec![Ok(batch.clone())])
                    .await
                    .unwrap(),
            );
        }
        self.client.commit(&txn, receipts).await.unwrap();
    }
}

pub(crate) fn whole(dataset: &str) -> ReadCommand {
    ReadCommand {
        dataset: dataset.into(),
        ..ReadCommand::default()
    }
}
