//! A file into a dataset: one transaction, one put for each partition.

use super::bad::{self, BadRows};
use super::fitted::Fitted;
use super::{BATCHES_QUEUED, Outcome, Progress, Transfer, Tried, broken, plan};
use crate::flight::body::{BeginRequest, PutCommand, ReadCommand};
use crate::flight::client::Info;
use crate::flight::{Client, bytes_of};
use crate::format::{Aside, BatchReader, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::log::Receipt;
use flinkspark_model::port::{Mode, State, Transaction};
use flinkspark_model::{Error, Kind, Result};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

type Queue = mpsc::Sender<Result<RecordBatch>>;

pub(super) async fn run(
    transfer: &Transfer,
    client: &Client,
    dataset: &str,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let partitions = plan::partitions(transfer.options.partitions)?;
    let info = client
        .info(&ReadCommand {
            dataset: dataset.into(),
            ..ReadCommand::default()
        })
        .await?;
    let (bad_rows, aside) = match &transfer.options.bad_rows {
        Some(dataset) => (
            Some(bad::target(client, dataset).await?),
            Some(Aside::default()),
        ),
        None => (None, None),
    };
    let reader = open(transfer, &info, partitions, aside.clone()).await?;
    progress.total(reader.rows_total());
    let request = BeginRequest {
        dataset: info.metadata.id.clone(),
        id: Some(plan::transaction(&transfer.id)),
        mode: transfer.options.mode,
    };
    let transaction = client.begin(&request).await?;
    if let Some(outcome) = committed(&transaction, true) {
        progress.say("this transfer was committed by an earlier run; nothing is written again");
        let sent = tokio::task::spawn_blocking(move || digest_of(reader, &info.schema));
        let sent = sent.await.map_err(broken)??;
        let bad_rows = aside.map_or(0, |aside| aside.take().len() as u64);
        return same_rows(
            transfer,
            sent,
            Outcome {
                bad_rows,
                ..outcome
            },
        );
    }
    if transfer.options.mode == Mode::Append && info.metadata.rows > 0 {
        progress.say(&format!(
            "{} has {} rows; these are appended",
            info.metadata.name, info.metadata.rows
        ));
    }
    // A run before this one may have staged the first attempt.
    let first = PutCommand {
        txn: transaction.txn.to_string(),
        partition: 0,
        attempt: u32::from(transaction.replayed),
    };
    let read = Read { reader, aside };
    let (receipts, bad) = put(client, &first, &info.schema, read, partitions, progress).await?;
    if let Some(dataset) = &bad_rows {
        bad.commit(client, transfer, dataset).await?;
        if bad.count() > 0 {
            let (count, name) = (bad.count(), &dataset.metadata.name);
            progress.say(&format!(
                "{count} records cannot be read: they are in {name}"
            ));
        }
    }
    let sent: Digest = receipts.iter().map(|receipt| receipt.segment.digest).sum();
    let transaction = client.commit(&first.txn, receipts).await?;
    let outcome =
        committed(&transaction, transaction.replayed).ok_or_else(|| not_committed(&transaction))?;
    let bad_rows = bad.count();
    same_rows(
        transfer,
        sent,
        Outcome {
            bad_rows,
            ..outcome
        },
    )
}

/// What is read, and what is set aside meanwhile.
struct Read {
    reader: Fitted,
    aside: Option<Aside>,
}

/// The source's rows as the dataset's, in batches that reach every partition.
async fn open(
    transfer: &Transfer,
    info: &Info,
    partitions: u32,
    aside: Option<Aside>,
) -> Result<Fitted> {
    let (source, options) = (transfer.source.clone(), transfer.options.read.clone());
    let (name, schema) = (info.metadata.name.clone(), Arc::clone(&info.schema));
    let open = move || {
        let mut options = ReadOptions {
            schema: Some(Arc::clone(&schema)),
            aside,
            ..options
        };
        let mut reader = source.open(&options)?;
        let rows = plan::batch_rows(reader.rows_total(), partitions, options.batch_rows);
        if rows != options.batch_rows {
            options.batch_rows = rows;
            reader = source.open(&options)?;
        }
        Fitted::new(reader, &name, &schema)
    };
    tokio::task::spawn_blocking(open).await.map_err(broken)?
}

pub(super) fn try_reading(
    transfer: &Transfer,
    dataset: &str,
    schema: &SchemaRef,
    progress: &dyn Progress,
) -> Result<Tried> {
    let aside = transfer.options.bad_rows.as_ref().map(|_| Aside::default());
    let options = ReadOptions {
        schema: Some(Arc::clone(schema)),
        aside: aside.clone(),
        ..transfer.options.read.clone()
    };
    let mut bad = BadRows::default();
    let mut fitted = Fitted::new(transfer.source.open(&options)?, dataset, schema)?;
    let mut digester = Digester::new(schema)?;
    for batch in fitted.by_ref() {
        digester.update(&batch?)?;
        aside.iter().try_for_each(|aside| bad.take(aside))?;
    }
    aside.iter().try_for_each(|aside| bad.take(aside))?;
    if bad.count() > 0 {
        let count = bad.count();
        progress.say(&format!(
            "{count} records cannot be read, and would be set aside"
        ));
    }
    fitted
        .notices()
        .iter()
        .for_each(|notice| progress.say(notice));
    let digest = digester.finish();
    Ok(Tried {
        rows: digest.rows,
        digest,
        changes: fitted.changes(),
    })
}

/// Every partition at once, each to its receipt. The first failure ends all of them, and with them
/// the thread that reads.
async fn put(
    client: &Client,
    first: &PutCommand,
    schema: &SchemaRef,
    read: Read,
    partitions: u32,
    progress: &dyn Progress,
) -> Result<(Vec<Receipt>, BadRows)> {
    let (rows, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let (queues, batches): (Vec<Queue>, Vec<_>) = (0..partitions)
        .map(|_| mpsc::channel(BATCHES_QUEUED))
        .unzip();
    let reading = tokio::task::spawn_blocking(move || distribute(read, &queues));
    let puts = (0..).zip(batches).map(|(partition, mut batches)| {
        let (rows, bytes) = (&rows, &bytes);
        let counted =
            stream::poll_fn(move |context| batches.poll_recv(context)).inspect(move |batch| {
                if let Ok(batch) = batch {
                    let more = batch.num_rows() as u64;
                    let rows = rows.fetch_add(more, Ordering::Relaxed) + more;
                    let more = bytes_of(batch) as u64;
                    progress.moved(rows, bytes.fetch_add(more, Ordering::Relaxed) + more);
                }
            });
        let command = PutCommand {
            partition,
            ..first.clone()
        };
        async move { client.put(&command, schema, counted.boxed(), &|_| {}).await }
    });
    let receipts = try_join_all(puts).await;
    let (notices, bad) = reading.await.map_err(broken)?;
    let receipts = receipts?;
    notices.iter().for_each(|notice| progress.say(notice));
    Ok((receipts, bad))
}

/// Hands the file's batches out in turn, and returns what is to be said of them, and what was set aside; a failure to
/// read reaches every partition, so that none of them closes.
fn distribute(read: Read, queues: &[Queue]) -> (Vec<String>, BadRows) {
    let Read { mut reader, aside } = read;
    let mut bad = BadRows::default();
    let mut take = || aside.iter().try_for_each(|aside| bad.take(aside));
    let mut handed = || -> Result<bool> {
        for (index, batch) in (0..).zip(reader.by_ref()) {
            let batch = batch?;
            take()?;
            let partition = plan::route(index, u32::try_from(queues.len()).unwrap_or(1));
            let queue = usize::try_from(partition)
                .ok()
                .and_then(|partition| queues.get(partition));
            // The put has failed and says why.
            if queue.is_none_or(|queue| queue.blocking_send(Ok(batch)).is_err()) {
                return Ok(false);
            }
        }
        take().map(|()| true)
    };
    match handed() {
        Ok(true) => (reader.notices(), bad),
        Ok(false) => (Vec::new(), bad),
        Err(error) => {
            for queue in queues {
                let _ = queue.blocking_send(Err(error.clone()));
            }
            (Vec::new(), bad)
        }
    }
}

fn committed(transaction: &Transaction, replayed: bool) -> Option<Outcome> {
    match transaction.state {
        State::Committed {
            slot,
            rows,
            bytes,
            digest,
        } => Some(Outcome {
            rows,
            bytes,
            digest,
            slot: Some(slot),
            replayed,
            bad_rows: 0,
        }),
        State::Open { .. } | State::Aborted => None,
    }
}

fn digest_of(reader: Fitted, schema: &SchemaRef) -> Result<Digest> {
    let mut digester = Digester::new(schema)?;
    for batch in reader {
        digester.update(&batch?)?;
    }
    Ok(digester.finish())
}

/// An id that was used for other rows is not taken for success.
fn same_rows(transfer: &Transfer, sent: Digest, outcome: Outcome) -> Result<Outcome> {
    if sent == outcome.digest {
        return Ok(outcome);
    }
    Err(Error::new(
        Kind::Conflict,
        "FS0431",
        format!("the id \"{}\" stands for another transfer", transfer.id),
    )
    .with_detail(format!(
        "it committed {} ({} rows); {} is {sent} ({} rows)",
        outcome.digest, outcome.rows, transfer.source, sent.rows
    ))
    .with_hint("choose another --id, or leave it out"))
}

fn not_committed(transaction: &Transaction) -> Error {
    Error::new(
        Kind::InDoubt,
        "FS0435",
        "the transfer was sent but not seen to be committed",
    )
    .with_detail(format!(
        "the server did not say that transaction {} is committed",
        transaction.txn
    ))
    .with_hint("run the same command with the same --id again")
}
