//! Changes a dataset's schema, and keeps its record and its log at one schema.
//!
//! One path: the `Schema` slot of the log first, then the catalogue's record. Whoever finds the record
//! behind, after a kill between the two, lets it follow. It works over the model's ports alone.
//! Invariant: the record's schema is at no time newer than the log's.

use arrow_schema::SchemaRef;
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::log::View;
use flinkspark_model::port::{self, Catalog, Change, Datasets, Reference};
use flinkspark_model::schema::{self, Compatibility, compatible, names};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// How often a record that others change meanwhile is tried.
const TRIES_MAX: usize = 64;

/// A dataset whose record and log are at one schema.
#[derive(Clone)]
pub struct Agreed {
    /// The record.
    pub dataset: Arc<Dataset>,
    /// Its log.
    pub log: Arc<dyn port::Dataset>,
    /// The log, read to its tail.
    pub view: Arc<View>,
}

/// Puts a schema in force for a dataset whose record is at `version`.
///
/// Errors: `FS0520` where the record has changed since, the codes of [`names::check`], `FS0116` where `mode` forbids the change,
/// `FS0521` where committed rows could not be read at it: nothing is written then. `FS0522` (`InDoubt`)
/// says that the log has the schema and the record does not yet; it follows by itself.
pub async fn change(
    catalog: &dyn Catalog,
    datasets: &dyn Datasets,
    id: DatasetId,
    version: u64,
    schema: SchemaRef,
    mode: Compatibility,
) -> Result<Arc<Dataset>> {
    let dataset = catalog.lookup(&Reference::Id(id)).await?;
    let Agreed { dataset, log, .. } = agree(catalog, datasets, dataset).await?;
    if dataset.version != version {
        return Err(stale(&dataset, version));
    }
    if dataset.schema == schema {
        return Ok(dataset);
    }
    Dataset {
        schema: Arc::clone(&schema),
        ..dataset.as_ref().clone()
    }
    .validate()?;
    names::check(&schema)?;
    compatible(&dataset.schema, &schema, mode)?;
    log.put_schema(dataset.schema_version + 1, schema).await?;
    let agreed = agree(catalog, datasets, Arc::clone(&dataset)).await;
    agreed.map(|agreed| agreed.dataset).map_err(|cause| {
        Error::new(
            Kind::InDoubt,
            "FS0522",
            "the schema is in force, and the catalogue does not say so yet",
        )
        .with_detail(format!("dataset {}: {cause}", dataset.name))
        .with_hint("look the dataset up: its record follows the log by itself")
    })
}

/// The dataset at the schema that its log has in force; a record that is behind follows.
pub async fn agree(
    catalog: &dyn Catalog,
    datasets: &dyn Datasets,
    mut dataset: Arc<Dataset>,
) -> Result<Agreed> {
    for _ in 0..TRIES_MAX {
        let log = datasets
            .dataset(dataset.id, Arc::clone(&dataset.schema))
            .await?;
        let view = log.refresh().await?;
        let (known, in_force) = (dataset.schema_version, view.schema_version());
        if known == in_force {
            return Ok(Agreed { dataset, log, view });
        }
        dataset = match (known > in_force, view.schema()) {
            (true, _) | (_, None) => return Err(ahead(&dataset, in_force)),
            (false, Some(text)) => {
                let follow = Change::Schema {
                    schema: Arc::new(schema::from_json(text)?),
                    version: in_force,
                };
                match catalog.update(dataset.id, dataset.version, follow).await {
                    Ok(dataset) => dataset,
                    Err(cause) if cause.kind() == Kind::Conflict => {
                        catalog.lookup(&Reference::Id(dataset.id)).await?
                    }
                    Err(cause) => return Err(cause),
                }
            }
        };
    }
    Err(Error::new(
        Kind::Unavailable,
        "FS0523",
        "the dataset changes faster than it can be read",
    )
    .with_detail(format!("dataset {}: {TRIES_MAX} tries", dataset.name))
    .with_hint("repeat the request"))
}

/// Writes the slots that a build forgot which changed the record alone; then record and log agree.
/// Only for the start, once the log was found to be whole.
pub async fn repair(
    catalog: &dyn Catalog,
    datasets: &dyn Datasets,
    dataset: Arc<Dataset>,
) -> Result<Agreed> {
    let log = datasets
        .dataset(dataset.id, Arc::clone(&dataset.schema))
        .await?;
    let in_force = log.refresh().await?.schema_version();
    for version in in_force + 1..=dataset.schema_version {
        tracing::warn!(dataset = %dataset.name, version, "its log lacks the schema of its record: written now");
        log.put_schema(version, Arc::clone(&dataset.schema)).await?;
    }
    agree(catalog, datasets, dataset).await
}

fn stale(dataset: &Dataset, version: u64) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0520",
        format!("dataset \"{}\" has changed since it was read", dataset.name),
    )
    .with_detail(format!(
        "its record is at version {}, not {version}",
        dataset.version
    ))
    .with_hint("look it up again and decide anew")
}

fn ahead(dataset: &Dataset, in_force: u32) -> Error {
    Error::new(
        Kind::Data,
        "FS0524",
        format!("the log of dataset \"{}\" lacks a schema", dataset.name),
    )
    .with_detail(format!(
        "the catalogue knows version {}, the log has version {in_force}",
        dataset.schema_version
    ))
    .with_hint("restore the dataset's folder from a backup, or start the server again where an older build has changed the schema")
}
