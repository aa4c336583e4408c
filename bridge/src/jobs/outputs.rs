//! What is in the logs that a job reads and writes, and what the catalogue is told of it.
//!
//! Invariant: the catalogue hears of nothing that is not committed.

use super::engines::Engines;
use super::record::JobRecord;
use flinkspark_model::Result;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::lineage::{Edge, SlotRange};
use flinkspark_model::log::{Replacement, Slot, View, WriterName};
use flinkspark_model::port::{Dataset, Reference};
use flinkspark_model::position::SlotNo;
use std::sync::Arc;

/// Tells the catalogue of the heads of the job's outputs.
pub(super) async fn publish(engines: &Engines, record: &JobRecord) -> Result<()> {
    for id in outputs(record) {
        let view = view(engines, id).await?;
        let (rows, _, _) = view.totals();
        engines
            .catalog
            .advance(id, view.head(), rows, view.watermark_ms())
            .await?;
    }
    Ok(())
}

/// Records what the job's slots were made from: what the last of them says, once there are no more.
pub(super) async fn trace(engines: &Engines, record: &JobRecord) -> Result<()> {
    let prefix = format!("{}/", record.id);
    let ours = |name: &WriterName| {
        name.as_str() == record.id.as_str() || name.as_str().starts_with(&prefix)
    };
    for id in outputs(record) {
        let log = log(engines, id).await?;
        let view = log.refresh().await?;
        let writers = view.writers().filter(|(name, _)| ours(name));
        let slots: Vec<SlotNo> = writers
            .flat_map(|(_, state)| state.commits.values().map(|commit| commit.slot))
            .collect();
        let (Some(first), Some(last)) = (slots.iter().min(), slots.iter().max()) else {
            continue;
        };
        let commit = match log.slot(*last).await?.body {
            Slot::Epoch(commit) => commit,
            Slot::Replace {
                with: Replacement::Overwrite(commit),
                ..
            } => commit,
            _ => continue,
        };
        for from in commit.lineage {
            let to = SlotRange {
                dataset: id,
                first: *first,
                last: *last,
            };
            let run = record.id.to_string();
            engines.catalog.add_edge(Edge { from, to, run }).await?;
        }
    }
    Ok(())
}

/// The rows of a job's input.
pub(super) async fn rows_in(engines: &Engines, inputs: &[SlotRange]) -> Result<u64> {
    let mut rows = 0;
    for input in inputs {
        let epochs = view(engines, input.dataset)
            .await?
            .as_of(input.first, input.last);
        let segments = epochs.iter().flat_map(|epoch| &epoch.segments);
        rows += segments.map(|segment| segment.rows).sum::<u64>();
    }
    Ok(rows)
}

fn outputs(record: &JobRecord) -> impl Iterator<Item = DatasetId> {
    [Some(record.output), record.late].into_iter().flatten()
}

/// The log of a dataset.
pub(super) async fn log(engines: &Engines, id: DatasetId) -> Result<Arc<dyn Dataset>> {
    let dataset = engines.catalog.lookup(&Reference::Id(id)).await?;
    engines
        .datasets
        .dataset(id, Arc::clone(&dataset.schema))
        .await
}

async fn view(engines: &Engines, id: DatasetId) -> Result<Arc<View>> {
    log(engines, id).await?.refresh().await
}
