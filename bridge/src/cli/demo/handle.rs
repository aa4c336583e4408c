//! The demo's last step: a kept partition is damaged, noticed, and computed again, and only it.

use super::process::failed;
use super::{say, step};
use crate::config::Config;
use crate::server::Server;
use flinkspark_engine::batch::{Cache, Rdd, Why};
use flinkspark_model::handle::StorageLevel;
use flinkspark_model::port::Reference;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use std::path::Path;
use std::sync::Arc;

/// Memory of the demo's cache, in bytes; its partitions are kept on disk.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// Persists `flights`, damages one kept partition and reads everything again.
pub(super) async fn recompute(data: &Path, folder: &Path) -> Result<()> {
    step(
        8,
        "lineage: a damaged partition of the RDD-like handle is noticed and computed again",
    )?;
    let config = Config {
        data_dir: data.into(),
        grpc: ([127, 0, 0, 1], 0).into(),
        http: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let server = Server::start(config).await?;
    let dataset = server
        .parts()
        .catalog
        .lookup(&Reference::Name("flights".parse()?))
        .await?;
    let log = server
        .parts()
        .datasets
        .dataset(dataset.id, Arc::clone(&dataset.schema))
        .await?;
    let head = log.refresh().await?.head();
    let cache = Arc::new(Cache::new(folder.join("cache"), CACHE_BYTES_MAX)?);
    let rdd = Rdd::of_slots(log, 1, head)
        .await?
        .persist(Arc::clone(&cache), StorageLevel::DiskOnly);

    let first = rows(&rdd).await?;
    let file = cache
        .file(rdd.id(), 0)
        .ok_or_else(|| failed(std::io::Error::other("no partition was kept")))?;
    damage(&file).map_err(failed)?;
    let second = rows(&rdd).await?;
    let again: Vec<u32> = cache
        .events()
        .iter()
        .filter(|event| event.why == Why::Corrupt)
        .map(|event| event.partition)
        .collect();
    say(&format!(
        "  {} rows before, {} rows after one byte was flipped in {}; tasks run again: partition {again:?} of {}\n",
        first,
        second,
        file.file_name().unwrap_or_default().display(),
        rdd.partitions().len()
    ))?;
    server.stop().await?;
    if first != second || again != [0] {
        return Err(
            Error::new(Kind::Data, "FS0021", "the demo found a difference")
                .with_detail("a damaged partition was not computed again exactly once"),
        );
    }
    Ok(())
}

async fn rows(rdd: &Rdd) -> Result<u64> {
    let mut rows = 0;
    for partition in rdd.partitions() {
        let batches: Vec<_> = rdd.iterate(partition.index).await?.try_collect().await?;
        rows += batches
            .iter()
            .map(|batch| batch.num_rows() as u64)
            .sum::<u64>();
    }
    Ok(rows)
}

/// Flips one bit in the middle of a file.
fn damage(file: &Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(file)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    std::fs::write(file, bytes)
}
