//! Commits a set of receipts as one slot.
//!
//! Invariant: while a commit is under way nobody gives its segments up, and one whose segments are gone writes
//! nothing.

use super::{Writers, is_data, stored};
use crate::store::log::Driver;
use crate::store::names::{self, WriterId};
use crate::store::receipt::Sealed;
use flinkspark_model::log::{
    COMMIT_SEGMENTS_MAX, Commit, Intent, Replacement, SegmentName, SegmentRef, Slot, View,
    WriterName,
};
use flinkspark_model::port::{Isolation, Mode, WriterCommit, WriterCommitted, check_writer_text};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;

/// Segments that are looked for one by one; of more the folder is listed once.
const SEGMENTS_LOOKED_FOR_MAX: usize = 256;
/// Of those, how many at once.
const LOOKED_FOR_AT_ONCE: usize = 16;

impl Writers {
    pub(super) async fn commit_one(&self, request: WriterCommit) -> Result<WriterCommitted> {
        check_writer_text("token", request.token.as_str())?;
        check_isolation(&request)?;
        let writer = stored(&request.of.writer)?;
        let driver = self.driver(request.of.dataset).await?;
        let principal = request.of.principal.clone();
        self.heard
            .note(&driver, &writer, principal.as_ref(), None)
            .await?;
        let _staged = driver.staged().read().await;
        let view = driver.refresh().await?;
        let sealed = self.set_of(&driver, &writer, &request).await;
        if let Some(done) = self
            .repeated(&driver, &view, &writer, &request, &sealed)
            .await?
        {
            return Ok(done);
        }
        let sealed = sealed?;
        self.are_there(&driver, &view, &sealed).await?;
        let commit = commit_of(&request, writer, &view, sealed);
        let appended = driver
            .propose(intent(&request, &view, &commit), principal.as_ref())
            .await??;
        if !appended.replayed {
            return Ok(done_of(&request, appended.slot, &commit.segments));
        }
        let mut done = self.committed(&driver, &request, appended.slot).await?;
        done.replayed = true;
        done.same_rows = Some(appended.same_rows);
        Ok(done)
    }

    /// The segments of the receipts and of the parts, in order within each partition.
    async fn set_of(
        &self,
        driver: &Driver,
        writer: &WriterName,
        request: &WriterCommit,
    ) -> Result<Vec<Sealed>> {
        let id = WriterId::from(writer);
        let mut sealed = self.read(driver.id(), id, &request.receipts)?;
        for key in &request.parts {
            let receipts = self.part_receipts(driver, id, key).await?;
            sealed.extend(self.read(driver.id(), id, &receipts)?);
            if sealed.len() > COMMIT_SEGMENTS_MAX {
                break;
            }
        }
        if sealed.len() > COMMIT_SEGMENTS_MAX {
            return Err(Error::new(
                Kind::Invalid,
                "FS0202",
                "a commit is too large for one slot",
            )
            .with_detail(format!("it has more than {COMMIT_SEGMENTS_MAX} segments"))
            .with_hint("write fewer, larger segments in one commit"));
        }
        sealed.sort_by_key(|sealed| sealed.segment.partition);
        Ok(sealed)
    }

    /// The answer to a commit whose number and token stand already; its receipts may be void by now, and its
    /// parts gone.
    async fn repeated(
        &self,
        driver: &Driver,
        view: &View,
        writer: &WriterName,
        request: &WriterCommit,
        sealed: &Result<Vec<Sealed>>,
    ) -> Result<Option<WriterCommitted>> {
        let there = view
            .writer(writer)
            .and_then(|state| state.commits.get(&request.n))
            .filter(|there| there.token.as_ref() == Some(&request.token));
        let Some(there) = there else {
            return Ok(None);
        };
        let digest = sealed.as_ref().ok().map(|sealed| {
            let digests = sealed.iter().map(|sealed| sealed.segment.digest);
            digests.sum()
        });
        let mut done = self.committed(driver, request, there.slot).await?;
        done.replayed = true;
        done.same_rows = digest.map(|digest| there.digest == digest);
        Ok(Some(done))
    }

    /// Refuses a set of which a segment was given up, or collected.
    async fn are_there(&self, driver: &Driver, view: &View, sealed: &[Sealed]) -> Result<()> {
        let store = &self.shared().store;
        let wanted = sealed.iter().map(|sealed| &sealed.segment);
        let wanted: Vec<&SegmentRef> = wanted
            .filter(|segment| !is_data(view, &segment.name))
            .collect();
        if wanted.len() <= SEGMENTS_LOOKED_FOR_MAX {
            let mut looks = Vec::with_capacity(wanted.len());
            for segment in wanted {
                looks.push(self.is_there(driver, segment));
            }
            let mut looks = stream::iter(looks).buffered(LOOKED_FOR_AT_ONCE);
            while looks.try_next().await?.is_some() {}
            return Ok(());
        }
        let listed = store.list(&driver.root().join("segments")?).await?;
        let there: BTreeSet<SegmentName> = listed
            .iter()
            .filter_map(|file| names::from_file(&file.name))
            .collect();
        match wanted
            .into_iter()
            .find(|segment| !there.contains(&segment.name))
        {
            Some(segment) => Err(gone(segment)),
            None => Ok(()),
        }
    }

    async fn is_there(&self, driver: &Driver, segment: &SegmentRef) -> Result<()> {
        let key = names::segment_key(driver.root(), segment)?;
        let found = self.shared().store.open(&key).await?;
        found.map(drop).ok_or_else(|| gone(segment))
    }

    /// What a commit has become in its slot.
    async fn committed(
        &self,
        driver: &Driver,
        request: &WriterCommit,
        slot: u64,
    ) -> Result<WriterCommitted> {
        let record = driver.slot(slot).await?;
        let segments = match &record.body {
            Slot::Epoch(commit)
            | Slot::Replace {
                with: Replacement::Overwrite(commit),
                ..
            } => commit.segments.as_slice(),
            _ => &[],
        };
        Ok(done_of(request, slot, segments))
    }
}

/// The answer to a commit that was made just now.
fn done_of(request: &WriterCommit, slot: u64, segments: &[SegmentRef]) -> WriterCommitted {
    WriterCommitted {
        writer: request.of.writer.clone(),
        n: request.n,
        slot,
        rows: segments.iter().map(|segment| segment.rows).sum(),
        bytes: segments.iter().map(|segment| segment.bytes).sum(),
        digest: segments.iter().map(|segment| segment.digest).sum(),
        replayed: false,
        same_rows: None,
    }
}

fn commit_of(
    request: &WriterCommit,
    writer: WriterName,
    view: &View,
    sealed: Vec<Sealed>,
) -> Commit {
    let oldest = sealed.iter().map(|sealed| sealed.schema_version).min();
    Commit {
        writer,
        generation: request.generation,
        n: request.n,
        token: Some(request.token.clone()),
        run: request.run.clone().unwrap_or_default(),
        source_offsets: request.source_offsets.clone(),
        // Files say for themselves what their columns are; the epoch says from when on none is missing.
        schema_version: oldest.unwrap_or(view.schema_version()),
        watermark_ms: request.watermark_ms,
        checkpoint_ref: request.checkpoint_ref.clone(),
        lineage: request.lineage.clone(),
        segments: sealed.into_iter().map(|sealed| sealed.segment).collect(),
        manifest: None,
    }
}

/// An overwrite of nothing is a commit like any other.
fn intent(request: &WriterCommit, view: &View, commit: &Commit) -> Intent {
    let first = view.horizon() + 1;
    let last = request.replace_through.unwrap_or(view.head());
    match request.mode {
        Mode::Replace if first <= last => Intent::Replace {
            read_at: last,
            first,
            last,
            with: Replacement::Overwrite(commit.clone()),
            serializable: request.isolation == Isolation::Serializable,
        },
        _ => Intent::Commit(commit.clone()),
    }
}

/// What gives way to whatever came later says what it read.
fn check_isolation(request: &WriterCommit) -> Result<()> {
    let says =
        request.mode == Mode::Replace && request.replace_through.is_some_and(|last| last > 0);
    if request.isolation == Isolation::Snapshot || says {
        return Ok(());
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0225",
        "a serializable commit does not say what it read",
    )
    .with_detail("it has no mode \"replace\", or no replace_through")
    .with_hint("give as replace_through the slot at which the rows were read"))
}

fn gone(segment: &SegmentRef) -> Error {
    Error::new(
        Kind::Conflict,
        "FS1037",
        "a segment of the commit is not there any more",
    )
    .with_detail(format!(
        "segment {} with {} rows of partition {}: it was released, or its writer was not heard for its retention",
        segment.name, segment.rows, segment.partition
    ))
    .with_hint("nothing was committed; put the rows again and commit their new receipts")
}
