//! Looks at everything in a data directory that no server holds.
//!
//! Reads logs and records, not rows. Changes nothing that a server would not make at its next start.
//! Invariant: one damaged object does not hide another.

use super::catalogue_dir;
use super::readiness::note_wholes;
use crate::damage::{Damage, Object};
use crate::jobs::Records;
use crate::system::{SystemClock, SystemEntropy};
use flinkspark_connector::store::{Logs, Settings, Store, local::Local};
use flinkspark_metadata::{Catalogue, Options};
use flinkspark_model::Result;
use flinkspark_model::budget::Budget;
use flinkspark_model::port::{Catalog, Clock, Datasets, Entropy, Heads};
use std::path::Path;
use std::sync::Arc;

/// Datasets of one page of the catalogue.
const PAGE: usize = 1000;

/// What is damaged in the data directory at `path`, which the caller holds.
pub async fn inspect(path: &Path) -> Result<Damage> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let options = Options::new(catalogue_dir(path));
    let (of_clock, of_entropy) = (Arc::clone(&clock), Arc::clone(&entropy));
    let catalogue = Catalogue::open_even_damaged(&options, of_clock, of_entropy)?;
    let catalogue = Arc::new(catalogue);
    let store: Arc<dyn Store> = Arc::new(Local::open(path).await?);
    let heads = Arc::clone(&catalogue) as Arc<dyn Heads>;
    let of_store = Arc::clone(&store);
    let writers = Budget::unlimited().share("writers", u64::MAX);
    let logs = Logs::open_known(
        of_store,
        clock,
        entropy,
        Settings::default(),
        heads,
        writers,
    )
    .await?;
    let damage = Damage::default();
    note_wholes(&damage, &catalogue, logs.signer().damage());
    if catalogue.damage().is_none() {
        datasets(&catalogue, &logs, &damage).await?;
    }
    let records = Records::new(store);
    let found = records.all().await?;
    for job in found.damaged {
        damage.note(Object::Job(job.id), &job.error);
    }
    for record in found.records {
        let object = || Object::Job(record.id.to_string());
        // What is not damage may pass, and says nothing of the file.
        let _ = damage.seen(object, records.life(&record.id).await);
        let log = async { logs.job(record.id.log()).await?.refresh().await };
        let _ = damage.seen(object, log.await);
    }
    Ok(damage)
}

async fn datasets(catalogue: &Catalogue, logs: &Logs, damage: &Damage) -> Result<()> {
    let mut after = None;
    loop {
        let page = catalogue.list("", after.as_ref(), PAGE).await?;
        for one in page.damaged {
            damage.note(Object::Dataset(one.id, one.name.to_string()), &one.error);
        }
        for dataset in page.datasets {
            let object = || Object::Dataset(dataset.id, dataset.name.to_string());
            let log = logs.dataset(dataset.id, Arc::clone(&dataset.schema));
            damage.seen(object, log.await.map(drop)).or_else(|error| {
                if damage.of(dataset.id).is_some() {
                    return Ok(());
                }
                Err(error)
            })?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
