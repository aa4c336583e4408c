//! A dataset into a file, which takes its name when its digest is the dataset's.

use super::{BATCHES_QUEUED, End, Outcome, Progress, Transfer, broken, differs};
use crate::flight::body::ReadCommand;
use crate::flight::{Client, bytes_of};
use crate::format::WriteOptions;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::{Error, Kind, Result};
use futures::StreamExt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

pub(super) async fn run(
    transfer: &Transfer,
    client: &Client,
    dataset: &str,
    progress: &dyn Progress,
) -> Result<Outcome> {
    if let End::File(path) = &transfer.target {
        check_free(path, transfer.options.force)?;
    }
    let info = client
        .info(&ReadCommand {
            dataset: dataset.into(),
            columns: transfer.options.columns.clone(),
            ..ReadCommand::default()
        })
        .await?;
    progress.total(Some(info.metadata.rows));
    let (queue, batches) = mpsc::channel(BATCHES_QUEUED);
    let writing = tokio::task::spawn_blocking({
        let (target, schema, options) = (
            transfer.target.clone(),
            Arc::clone(&info.schema),
            transfer.options.write.clone(),
        );
        let expected = Expected {
            rows: info.metadata.rows,
            // The server has none of some columns.
            digest: match transfer.options.columns {
                None => info.metadata.digest,
                Some(_) => None,
            },
        };
        move || write(&target, schema, &options, batches, expected)
    });
    let sent = send(client.get(&info), queue, progress).await;
    let written = writing.await.map_err(broken)?;
    // A reader that failed explains a file that was given up, not the other way round.
    sent?;
    let Written { bytes, digest } = written?.unwrap_or_default();
    let slot = info.metadata.slots.map(|slots| slots.last);
    Ok(Outcome {
        rows: info.metadata.rows,
        bytes,
        digest,
        slot,
        replayed: false,
        bad_rows: 0,
    })
}

async fn send(
    mut rows: futures::stream::BoxStream<'static, Result<RecordBatch>>,
    queue: mpsc::Sender<Option<RecordBatch>>,
    progress: &dyn Progress,
) -> Result<()> {
    let (mut moved, mut bytes) = (0, 0);
    while let Some(batch) = rows.next().await.transpose()? {
        moved += batch.num_rows() as u64;
        bytes += bytes_of(&batch) as u64;
        if queue.send(Some(batch)).await.is_err() {
            // The writer has failed and says why.
            return Ok(());
        }
        progress.moved(moved, bytes);
    }
    // Only this says that the rows are complete: a queue that just ends does not.
    let _ = queue.send(None).await;
    Ok(())
}

/// What the rows must turn out to be.
struct Expected {
    rows: u64,
    digest: Option<Digest>,
}

/// A whole file.
#[derive(Default)]
struct Written {
    bytes: u64,
    digest: Digest,
}

/// Writes what comes; the file is dropped unless all of it came.
fn write(
    target: &End,
    schema: SchemaRef,
    options: &WriteOptions,
    mut batches: mpsc::Receiver<Option<RecordBatch>>,
    expected: Expected,
) -> Result<Option<Written>> {
    let mut digester = Digester::new(&schema)?;
    let mut writer = target.create(schema, options)?;
    while let Some(next) = batches.blocking_recv() {
        if let Some(batch) = next {
            digester.update(&batch)?;
            writer.write(&batch)?;
            continue;
        }
        let digest = digester.finish();
        let sent = expected.digest.unwrap_or(Digest {
            rows: expected.rows,
            sum: digest.sum,
        });
        if digest != sent {
            return Err(differs(&target.to_string(), sent, digest));
        }
        writer.finish()?;
        if let End::Standard(_) = target {
            flush()?;
        }
        let bytes = match target {
            End::File(path) => std::fs::metadata(path).map_or(0, |file| file.len()),
            _ => 0,
        };
        return Ok(Some(Written { bytes, digest }));
    }
    // The reader gave up; its own error is the one that is returned.
    Ok(None)
}

/// What standard output keeps back goes on.
fn flush() -> Result<()> {
    std::io::stdout().flush().map_err(|cause| {
        Error::new(
            Kind::Unavailable,
            "FS0303",
            "standard output cannot be written",
        )
        .with_source(cause)
        .with_hint("whoever reads it has ended, or its disk is full (df)")
    })
}

/// Refuses (`FS0321`) a file that exists, unless it may be replaced.
pub fn check_free(path: &Path, force: bool) -> Result<()> {
    if force || !path.is_file() {
        return Ok(());
    }
    let refusal = Error::new(
        Kind::Invalid,
        "FS0321",
        format!("\"{}\" exists", path.display()),
    )
    .with_detail("nothing was read or written")
    .with_hint("pass --force to replace it, or choose another name");
    Err(refusal)
}
