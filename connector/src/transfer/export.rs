//! A dataset into a file, which takes its name when its digest is the dataset's.

use super::{BATCHES_QUEUED, Outcome, Progress, Transfer, broken, differs};
use crate::flight::body::ReadCommand;
use crate::flight::{Client, bytes_of};
use crate::format::{self, WriteOptions};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use flinkspark_model::digest::{Digest, Digester};
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

pub(super) async fn run(
    transfer: &Transfer,
    client: &Client,
    dataset: &str,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let info = client
        .info(&ReadCommand {
            dataset: dataset.into(),
            ..ReadCommand::default()
        })
        .await?;
    progress.total(Some(info.metadata.rows));
    let (queue, batches) = mpsc::channel(BATCHES_QUEUED);
    let writing = tokio::task::spawn_blocking({
        let (path, schema, options) = (
            path.to_owned(),
            Arc::clone(&info.schema),
            transfer.options.write.clone(),
        );
        let expected = info.metadata.digest;
        move || write(path, schema, &options, batches, expected)
    });
    let sent = send(client.get(&info), queue, progress).await;
    let written = writing.await.map_err(broken)?;
    // A reader that failed explains a file that was given up, not the other way round.
    sent?;
    let bytes = written?;
    let slot = info.metadata.slots.map(|slots| slots.last);
    Ok(Outcome {
        rows: info.metadata.rows,
        bytes,
        digest: info.metadata.digest,
        slot,
        replayed: false,
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

/// Writes what comes and returns the file's bytes; the file is dropped unless all of it came.
fn write(
    path: PathBuf,
    schema: SchemaRef,
    options: &WriteOptions,
    mut batches: mpsc::Receiver<Option<RecordBatch>>,
    expected: Digest,
) -> Result<u64> {
    let mut digester = Digester::new(&schema)?;
    let mut writer = format::create(&path, schema, options)?;
    while let Some(next) = batches.blocking_recv() {
        if let Some(batch) = next {
            digester.update(&batch)?;
            writer.write(&batch)?;
            continue;
        }
        if digester.finish() != expected {
            return Err(differs(
                &path.display().to_string(),
                expected,
                digester.finish(),
            ));
        }
        writer.finish()?;
        return Ok(std::fs::metadata(&path).map_or(0, |file| file.len()));
    }
    // The reader gave up; its own error is the one that is returned.
    Ok(0)
}
