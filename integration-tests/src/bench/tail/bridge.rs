//! The server as an engine sees it: a named writer that puts and commits, and a follower of each partition.
//!
//! Invariant: an epoch is seen when its last row of its last partition was decoded, and a follower that gets another
//! row than the next one ends the measurement.

use super::pace::Way;
use crate::server::Server;
use crate::{Failure, Step};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_bridge::parts::connector::flight::Client;
use flinkspark_bridge::parts::connector::flight::body::{
    From, OpenWriterRequest, Point, ReadCommand, WriterCommitRequest, WriterPutCommand,
};
use flinkspark_bridge::parts::connector::flight::client::Followed;
use flinkspark_bridge::parts::model::log::SourceOffsets;
use flinkspark_bridge::parts::model::port::{Isolation, Mode};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Rows of an epoch in each partition.
pub(super) const ROWS: u64 = 100;
/// The writer.
const WRITER: &str = "tail";
/// What followers have seen and nobody has asked for.
const SEEN_MAX: usize = 1 << 16;
/// How long an epoch that was committed may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// A dataset, its writer and its followers.
pub(super) struct Bridge {
    dataset: String,
    partitions: u32,
    puts: Client,
    commits: Client,
    generation: u64,
    last_n: AtomicU64,
    /// Bytes of a segment, as the last commit had them.
    bytes: AtomicUsize,
}

/// What the followers of a dataset see.
pub(super) struct Followers {
    partitions: u32,
    seen: mpsc::Receiver<Step<(u64, Instant)>>,
    /// Partitions in which an epoch has been seen.
    partly: BTreeMap<u64, u32>,
}

/// An epoch's columns.
pub(super) fn schema() -> SchemaRef {
    let field = |name, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        field("number", DataType::Int64),
        field("text", DataType::Utf8),
        field("value", DataType::Float64),
    ]))
}

/// The rows of an epoch, numbered on from those of the epochs before.
pub(super) fn rows(epoch: u64) -> Step<RecordBatch> {
    let numbers = i64::try_from(epoch * ROWS)?..i64::try_from((epoch + 1) * ROWS)?;
    let text = numbers.clone().map(|number| format!("row {number}"));
    Ok(RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(numbers.clone())),
            Arc::new(StringArray::from_iter_values(text)),
            Arc::new(Float64Array::from_iter_values(
                numbers.map(|number| number as f64 / 7.0),
            )),
        ],
    )?)
}

impl Bridge {
    /// Registers the dataset like a file, opens its writer and follows its partitions, each over a connection of its own.
    pub(super) async fn open(
        server: &Server,
        like: &Path,
        dataset: &str,
        partitions: u32,
    ) -> Step<(Arc<Self>, Followers)> {
        let like = like.to_str().ok_or("the path is text")?;
        server.must(&["dataset", "register", dataset, "--like", like])?;
        let url = server.url();
        let (sender, seen) = mpsc::channel(SEEN_MAX);
        for partition in 0..partitions {
            let client = Client::connect(url.as_str()).await?;
            tokio::spawn(follow(
                client,
                dataset.to_owned(),
                partition,
                sender.clone(),
            ));
        }
        let commits = Client::connect(url.as_str()).await?;
        let open = OpenWriterRequest {
            dataset: dataset.into(),
            writer: WRITER.into(),
            incarnation: "tail/1".into(),
            after: 0,
            restored_n: None,
            history: None,
            rewind: None,
            retention_ms: None,
        };
        let opened = commits.open_writer(&open).await?;
        let bridge = Self {
            dataset: dataset.into(),
            partitions,
            puts: Client::connect(url.as_str()).await?,
            commits,
            generation: opened.generation,
            last_n: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
        };
        let followers = Followers {
            partitions,
            seen,
            partly: BTreeMap::new(),
        };
        Ok((Arc::new(bridge), followers))
    }

    /// Bytes of a segment, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Puts an epoch's rows of one partition; its receipt.
    async fn put(&self, partition: u32, rows: &RecordBatch) -> Step<String> {
        let command = WriterPutCommand {
            dataset: self.dataset.clone(),
            writer: WRITER.into(),
            partition,
            attempt: 0,
        };
        let batches = futures::stream::iter([Ok(rows.clone())]).boxed();
        Ok(self
            .puts
            .put_as(&command, &rows.schema(), batches, &|_| {})
            .await?)
    }
}

impl Way for Bridge {
    type Staged = Vec<String>;

    async fn stage(self: &Arc<Self>, epoch: u64) -> Step<Vec<String>> {
        let rows = rows(epoch)?;
        let puts = (0..self.partitions).map(|partition| self.put(partition, &rows));
        futures::future::join_all(puts).await.into_iter().collect()
    }

    async fn commit(self: &Arc<Self>, epochs: Vec<(u64, Vec<String>)>) -> Step {
        let n = self.last_n.fetch_add(1, Ordering::Relaxed) + 1;
        let request = WriterCommitRequest {
            dataset: self.dataset.clone(),
            writer: WRITER.into(),
            generation: self.generation,
            n,
            token: format!("tail/{n}").as_str().into(),
            receipts: epochs.into_iter().flat_map(|(_, set)| set).collect(),
            parts: Vec::new(),
            source_offsets: SourceOffsets::default(),
            watermark_ms: None,
            checkpoint_ref: None,
            lineage: Vec::new(),
            mode: Mode::Append,
            replace_through: None,
            isolation: Isolation::Snapshot,
            run: None,
        };
        let done = self.commits.commit_as(&request).await?;
        let bytes = usize::try_from(done.bytes)? / request.receipts.len().max(1);
        self.bytes.store(bytes, Ordering::Relaxed);
        match done.replayed {
            false => Ok(()),
            true => Err(format!("commit {n} was there before").into()),
        }
    }
}

impl Followers {
    /// When each of the next epochs was whole at the followers.
    pub(super) async fn take(&mut self, count: u64) -> Step<Vec<(u64, Instant)>> {
        let mut whole = Vec::new();
        while (whole.len() as u64) < count {
            let next = tokio::time::timeout(SEEN_WITHIN, self.seen.recv()).await;
            let next = next.map_err(|_| "an epoch was committed and never seen")?;
            let (epoch, at) = next.ok_or("every follower has ended")??;
            let partitions = self.partly.entry(epoch).or_default();
            *partitions += 1;
            if *partitions == self.partitions {
                self.partly.remove(&epoch);
                whole.push((epoch, at));
            }
        }
        Ok(whole)
    }
}

/// Follows a partition for as long as anybody asks, and tells of each epoch once its last row is there.
async fn follow(
    client: Client,
    dataset: String,
    partition: u32,
    seen: mpsc::Sender<Step<(u64, Instant)>>,
) {
    if let Err(why) = follow_on(client, dataset, partition, &seen).await {
        // Nobody listens once the measurement has ended.
        let _ = seen.send(Err(why)).await;
    }
}

async fn follow_on(
    client: Client,
    dataset: String,
    partition: u32,
    seen: &mpsc::Sender<Step<(u64, Instant)>>,
) -> Step {
    let command = ReadCommand {
        dataset,
        partition: Some(partition),
        from: Some(From::Everywhere(Point::Slot(1))),
        follow: true,
        ..ReadCommand::default()
    };
    let endpoint = client.ticket(&command).await?;
    let mut stream = client.follow(&endpoint).await?;
    let mut next = 0;
    while let Some(followed) = stream.next().await {
        let Followed::Rows(batch, _) = followed? else {
            continue;
        };
        let at = Instant::now();
        for number in batch.column(0).as_primitive::<Int64Type>().values() {
            let number = u64::try_from(*number)?;
            if number != next {
                return Err(Failure::from(format!(
                    "row {number} came, row {next} was to come"
                )));
            }
            next += 1;
            if next % ROWS == 0 && seen.send(Ok((number / ROWS, at))).await.is_err() {
                return Ok(());
            }
        }
    }
    Err("the follower's stream ended".into())
}
