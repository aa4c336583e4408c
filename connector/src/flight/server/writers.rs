//! Actions of named writers.
//!
//! Invariant: each can be repeated with the same effect, and a commit that was written reaches the catalogue
//! though its caller has left.

use super::{Components, to_its_end};
use crate::flight::body::{
    self, OpenWriterRequest, PartRequest, ReleaseRequest, WriterCommitRequest, WriterRequest,
};
use bytes::Bytes;
use flinkspark_model::access::Verb;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::log::{Opening, WriterName};
use flinkspark_model::port::{DatasetWriter, OpenWriter, WriterCommit, WriterPart};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// A writer of a dataset, if it is the caller's own to go on with or an admin of the dataset asks.
pub(super) async fn of(
    components: &Components,
    dataset: &Dataset,
    writer: WriterName,
) -> Result<DatasetWriter> {
    let writer = DatasetWriter {
        dataset: dataset.id,
        schema: Arc::clone(&dataset.schema),
        writer,
        principal: components.acting(),
    };
    let owner = components.writers.owner(&writer).await?;
    let others = owner.filter(|owner| Some(owner) != writer.principal.as_ref());
    if others.is_some() && components.caller.may(Verb::Admin, &dataset.name).is_err() {
        return Err(Error::new(
            Kind::Forbidden,
            "FS1105",
            "the writer belongs to another principal",
        )
        .with_detail(format!(
            "writer \"{}\" of dataset {} was not opened by {}",
            writer.writer,
            dataset.name,
            components.caller.principal()
        ))
        .with_hint("write under a name of your own"));
    }
    Ok(writer)
}

pub(super) async fn open(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: OpenWriterRequest = body::parse("body of open_writer", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let writer = of(components, &dataset, request.writer).await?;
    let open = OpenWriter {
        opening: Opening {
            writer: writer.writer.clone(),
            incarnation: request.incarnation,
            after: request.after,
            restored: request.restored_n,
            history: request.history,
            rewind: request.rewind,
        },
        retention_ms: request.retention_ms,
        of: writer,
    };
    let drops = open.opening.rewind.is_some();
    let components = Arc::clone(components);
    let opened = to_its_end(async move {
        let opened = components.writers.open(open).await?;
        if drops {
            components.advance(&dataset).await;
        }
        Ok(opened)
    });
    body::write(&opened.await?)
}

pub(super) async fn commit(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: WriterCommitRequest = body::parse("body of commit", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let commit = WriterCommit {
        of: of(components, &dataset, request.writer).await?,
        generation: request.generation,
        n: request.n,
        token: request.token,
        receipts: request.receipts,
        parts: request.parts,
        source_offsets: request.source_offsets,
        watermark_ms: request.watermark_ms,
        checkpoint_ref: request.checkpoint_ref,
        lineage: request.lineage,
        mode: request.mode,
        replace_through: request.replace_through,
        isolation: request.isolation,
        run: request.run,
    };
    let components = Arc::clone(components);
    let committed = to_its_end(async move {
        let committed = components.writers.commit(commit).await?;
        components.advance(&dataset).await;
        Ok(committed)
    });
    body::write(&committed.await?)
}

pub(super) async fn part(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: PartRequest = body::parse("body of part", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let part = WriterPart {
        of: of(components, &dataset, request.writer).await?,
        key: request.key,
        receipts: request.receipts,
    };
    let writers = Arc::clone(&components.writers);
    body::write(&to_its_end(async move { writers.part(part).await }).await?)
}

pub(super) async fn release(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: ReleaseRequest = body::parse("body of abort", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let writer = of(components, &dataset, request.writer).await?;
    let writers = Arc::clone(&components.writers);
    let released = to_its_end(async move { writers.release(writer, request.receipts).await });
    body::write(&released.await?)
}

pub(super) async fn status(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: WriterRequest = body::parse("body of status", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Write).await?;
    let writer = of(components, &dataset, request.writer).await?;
    body::write(&components.writers.status(writer).await?)
}
