//! Named writers over a dataset's log, for engines that keep their own checkpoints.
//!
//! A put names the writer alone; one party opens it and commits sets of receipts under a number and a token.
//! `model::log` decides what becomes of both; this checks receipts, sees to it that what is committed is still
//! there, and carries the decisions out. Nothing here counts receipts: a set is what its commit says.
//! Invariant: a segment that a slot names was there when the slot was written, whoever gave it up meanwhile.

mod commit;
mod heard;
mod parts;
#[cfg(test)]
mod tests;

use heard::Heard;
pub(super) use heard::{WriterHeard, writer_heard};
pub use parts::PART_SEGMENTS_MAX;
pub(super) use parts::{sweep as sweep_parts, writer_of};

use super::log::{Driver, RACES_MAX};
use super::logs::Logs;
use super::names::{self, Owner, WriterId};
use super::receipt::{self, Sealed};
use super::shared::Shared;
use async_trait::async_trait;
use flinkspark_model::access::Principal;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::log::{
    Generation, LogId, Opened, Opening, Receipt, Refusal, SegmentFormat, SegmentName, View,
    WriterName,
};
use flinkspark_model::port::{
    self, Dataset, DatasetWriter, OpenWriter, OpenedWriter, PartStored, RETENTION_MS_MAX, Released,
    SegmentSpec, SegmentWriter, WriterCommit, WriterCommitted, WriterPart, WriterStatus,
    check_writer_text,
};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// What a named writer's name begins with in the log: jobs' and transactions' writers never do.
const PREFIX: &str = "w:";

/// Named writers over the logs of a store. Cheap to clone.
#[derive(Clone)]
pub struct Writers {
    logs: Logs,
    heard: Arc<Heard>,
}

impl Writers {
    /// Named writers over these logs.
    pub fn new(logs: Logs) -> Self {
        Self {
            logs,
            heard: Arc::default(),
        }
    }

    fn shared(&self) -> &Shared {
        self.logs.shared()
    }

    async fn driver(&self, dataset: DatasetId) -> Result<Arc<Driver>> {
        let driver = self.logs.dataset_driver(dataset)?;
        driver.refresh().await?;
        Ok(driver)
    }

    /// The receipts' segments, each checked, in the order that was given.
    fn read(&self, log: LogId, writer: WriterId, receipts: &[String]) -> Result<Vec<Sealed>> {
        let read = |text: &String| receipt::read(self.logs.signer(), log, writer, text);
        receipts.iter().map(read).collect()
    }

    async fn open_one(&self, open: OpenWriter) -> Result<OpenedWriter> {
        check_writer_text("incarnation", &open.opening.incarnation)?;
        if open.retention_ms.is_some_and(|ms| ms > RETENTION_MS_MAX) {
            let why = format!("a retention has at most {RETENTION_MS_MAX} ms");
            return Err(
                Error::new(Kind::Invalid, "FS1035", "the retention cannot be used")
                    .with_detail(why)
                    .with_hint("declare a shorter one, or leave it out"),
            );
        }
        let writer = open.opening.writer.clone();
        let opening = Opening {
            writer: stored(&writer)?,
            ..open.opening
        };
        let driver = self.driver(open.of.dataset).await?;
        let principal = open.of.principal;
        self.heard
            .note(
                &driver,
                &opening.writer,
                principal.as_ref(),
                open.retention_ms,
            )
            .await?;
        let (generation, replayed) = fence(&driver, &opening, principal.as_ref()).await?;
        let view = driver.view();
        let state = view.writer(&opening.writer);
        Ok(OpenedWriter {
            writer,
            generation,
            restored_n: state.map_or(0, |state| state.restored),
            last_n: state.map_or(0, |state| state.last()),
            replayed,
        })
    }

    async fn stage_one(
        &self,
        of: DatasetWriter,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        let writer = stored(&of.writer)?;
        let dataset = self.logs.open_dataset(of.dataset, of.schema).await?;
        let driver = self.logs.dataset_driver(of.dataset)?;
        self.heard
            .note(&driver, &writer, of.principal.as_ref(), None)
            .await?;
        let schema_version = driver.view().schema_version();
        let spec = SegmentSpec {
            partition,
            attempt,
            format: SegmentFormat::Arrow,
            schema: dataset.schema(),
            job: None,
        };
        let id = WriterId::from(&writer);
        let segment = dataset.stage_as(&Owner::Writer(id), spec).await?;
        Ok(Box::new(Staged {
            segment,
            logs: self.logs.clone(),
            log: driver.id(),
            writer: id,
            schema_version,
        }))
    }

    /// Deletes what these receipts stand for, unless a slot names it or may come to.
    async fn release_all(&self, of: DatasetWriter, receipts: &[String]) -> Result<Released> {
        let writer = stored(&of.writer)?;
        let driver = self.driver(of.dataset).await?;
        let sealed = self.read(driver.id(), WriterId::from(&writer), receipts)?;
        let _alone = driver.staged().write().await;
        let view = driver.refresh().await?;
        let mut released = Released::default();
        for Sealed { segment, .. } in sealed {
            if driver.is_doubtful() || is_data(&view, &segment.name) {
                released.kept += 1;
                continue;
            }
            let key = names::segment_key(driver.root(), &segment)?;
            self.shared().store.delete(&key).await?;
            released.released += 1;
        }
        Ok(released)
    }

    async fn describe(&self, of: DatasetWriter) -> Result<WriterStatus> {
        let writer = stored(&of.writer)?;
        let driver = self.driver(of.dataset).await?;
        let id = WriterId::from(&writer);
        let listed = self
            .shared()
            .store
            .list(&driver.root().join("segments")?)
            .await?;
        let view = driver.refresh().await?;
        let staged = listed.iter().filter(|file| {
            let name = names::from_file(&file.name);
            name.is_some_and(|name| {
                Owner::of(&name) == Some(Owner::Writer(id)) && !is_data(&view, &name)
            })
        });
        let (staged, staged_bytes) = staged.fold((0, 0), |(count, bytes), file| {
            (count + 1, bytes + file.bytes)
        });
        let state = view.writer(&writer);
        let last = state.and_then(|state| state.commits.last_key_value());
        Ok(WriterStatus {
            writer: of.writer,
            generation: state.map_or(0, |state| state.generation),
            incarnation: state.map_or_else(String::new, |state| state.incarnation.clone()),
            restored_n: state.map_or(0, |state| state.restored),
            last_n: state.map_or(0, |state| state.last()),
            last_token: last.and_then(|(_, there)| there.token.clone()),
            last_slot: last.map(|(_, there)| there.slot),
            staged,
            staged_bytes,
        })
    }
}

/// The name under which a named writer stands in the log.
fn stored(writer: &WriterName) -> Result<WriterName> {
    check_writer_text("writer's name", writer.as_str())?;
    Ok(format!("{PREFIX}{writer}").into())
}

/// Whether a slot names the segment, now or before.
fn is_data(view: &View, name: &SegmentName) -> bool {
    view.is_live(name) || view.is_retired(name)
}

/// Opens the writer: its generation, and whether this incarnation had it before. A fence that was decided at an
/// older log is decided again.
async fn fence(
    driver: &Driver,
    opening: &Opening,
    principal: Option<&Principal>,
) -> Result<(Generation, bool)> {
    for _ in 0..RACES_MAX {
        let fence = match driver.refresh().await?.open(opening)? {
            Opened::Already(generation) => return Ok((generation, true)),
            Opened::Fence(fence) => fence,
        };
        match driver.propose(*fence, principal).await? {
            Ok(_) => return Ok((opening.after + 1, false)),
            // Somebody else was first, or a commit of the former generation came between.
            Err(Refusal::GenerationTaken { .. }) => {}
            Err(Refusal::Rewind { .. })
                if opening.restored.is_none() && opening.history.is_none() => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(
        Error::new(Kind::Unavailable, "FS1018", "a limit was reached")
            .with_detail(format!("{RACES_MAX} other writes to the log were first"))
            .with_hint("open the writer again"),
    )
}

/// A segment of a named writer; its receipt is short.
struct Staged {
    segment: Box<dyn SegmentWriter>,
    logs: Logs,
    log: LogId,
    writer: WriterId,
    schema_version: u32,
}

#[async_trait]
impl SegmentWriter for Staged {
    async fn write(&mut self, batch: &arrow_array::RecordBatch) -> Result<()> {
        self.segment.write(batch).await
    }

    async fn seal(self: Box<Self>) -> Result<Receipt> {
        let Receipt { segment, .. } = self.segment.seal().await?;
        let sealed = Sealed {
            segment,
            schema_version: self.schema_version,
        };
        let signature = receipt::write(self.logs.signer(), self.log, self.writer, &sealed)?;
        Ok(Receipt {
            segment: sealed.segment,
            signature,
        })
    }
}

#[async_trait]
impl port::Writers for Writers {
    async fn open(&self, open: OpenWriter) -> Result<OpenedWriter> {
        self.open_one(open).await
    }

    async fn stage(
        &self,
        writer: DatasetWriter,
        partition: u32,
        attempt: u32,
    ) -> Result<Box<dyn SegmentWriter>> {
        self.stage_one(writer, partition, attempt).await
    }

    async fn part(&self, part: WriterPart) -> Result<PartStored> {
        self.keep_part(part).await
    }

    async fn commit(&self, commit: WriterCommit) -> Result<WriterCommitted> {
        self.commit_one(commit).await
    }

    async fn release(&self, writer: DatasetWriter, receipts: Vec<String>) -> Result<Released> {
        self.release_all(writer, &receipts).await
    }

    async fn owner(&self, of: &DatasetWriter) -> Result<Option<Principal>> {
        let writer = stored(&of.writer)?;
        let driver = self.driver(of.dataset).await?;
        self.heard.owner(&driver, &writer).await
    }

    async fn status(&self, writer: DatasetWriter) -> Result<WriterStatus> {
        self.describe(writer).await
    }
}
