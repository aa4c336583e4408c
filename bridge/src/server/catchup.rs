//! Tells the catalogue how far every log has come: for data the log decides.
//!
//! Invariant: what one dataset runs into is noted or logged, and keeps no other from being served.

use crate::damage::{Damage, Object};
use flinkspark_connector::evolution::{self, Agreed};
use flinkspark_model::Result;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::port::{Catalog, Datasets};
use futures::stream::{self, StreamExt};
use std::sync::Arc;

/// Datasets of one page of the catalogue.
const PAGE: usize = 1000;
/// Logs that are read at once.
const AT_ONCE: usize = 64;

/// Reads every log once.
pub(super) async fn catch_up(
    catalog: &Arc<dyn Catalog>,
    datasets: &Arc<dyn Datasets>,
    damage: &Damage,
) {
    let mut after = None;
    loop {
        let page = match catalog.list("", after.as_ref(), PAGE).await {
            Ok(page) => page,
            Err(error) => return tracing::error!(%error, "the datasets cannot be listed"),
        };
        for record in page.damaged {
            let object = Object::Dataset(record.id, record.name.to_string());
            damage.note(object, &record.error);
        }
        let logs = stream::iter(page.datasets);
        logs.for_each_concurrent(AT_ONCE, |dataset| async move {
            let object = || Object::Dataset(dataset.id, dataset.name.to_string());
            let told = one(catalog, datasets, &dataset).await;
            if let Err(error) = damage.seen(object, told) {
                tracing::warn!(dataset = %dataset.name, %error, "its log could not be compared with the catalogue");
            }
        })
        .await;
        match page.next {
            Some(next) => after = Some(next),
            None => return,
        }
    }
}

async fn one(
    catalog: &Arc<dyn Catalog>,
    datasets: &Arc<dyn Datasets>,
    dataset: &Arc<Dataset>,
) -> Result<()> {
    let agreed = evolution::repair(&**catalog, &**datasets, Arc::clone(dataset)).await?;
    let Agreed { dataset, view, .. } = agreed;
    if view.head() == 0 {
        return Ok(());
    }
    let (rows, _, _) = view.totals();
    let told = catalog
        .advance(dataset.id, view.head(), rows, view.watermark_ms())
        .await;
    if let Err(error) = told {
        // The log is whole. A later commit, or the next start, tells the catalogue again.
        tracing::warn!(dataset = %dataset.name, %error, "the catalogue could not be told of its log");
    }
    Ok(())
}
