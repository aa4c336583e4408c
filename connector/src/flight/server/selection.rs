//! The columns, casts and filter of a read, checked against the catalogue's schema.
//!
//! Invariant: a schema that comes out of here has plain columns that the reader's profile can hold.

use super::Components;
use crate::flight::body::ReadCommand;
use crate::flight::peer::Peer;
use crate::flight::wire;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use flinkspark_model::access::Verb;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::filter::Split;
use flinkspark_model::{Error, Kind, Result, profile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A read that was asked for, checked against the catalogue's schema.
pub(super) struct Selection {
    pub(super) dataset: Arc<Dataset>,
    pub(super) command: ReadCommand,
    pub(super) columns: Option<Vec<usize>>,
    pub(super) schema: SchemaRef,
    /// What becomes of the filter.
    pub(super) filter: Option<Split>,
}

/// The columns and casts of a read: indexes of the dataset's columns, and the schema that is sent.
pub(super) fn result_schema(
    schema: &SchemaRef,
    columns: Option<&[usize]>,
    profile: profile::Profile,
    lossy: profile::Lossy,
) -> Result<SchemaRef> {
    let projected = match columns {
        None => Schema::clone(schema),
        Some(columns) => schema.project(columns).map_err(not_written)?,
    };
    wire::plain(&profile::check(&projected, profile, lossy)?.schema)
}

/// The reader of these columns.
pub(super) fn peer(
    schema: &SchemaRef,
    columns: Option<&[usize]>,
    profile: profile::Profile,
    lossy: profile::Lossy,
) -> Result<Peer> {
    let schema = result_schema(schema, columns, profile, lossy)?;
    Ok(Peer::new(schema, profile, lossy))
}

pub(super) async fn select(components: &Components, command: ReadCommand) -> Result<Selection> {
    let dataset = components.lookup(&command.dataset, Verb::Read).await?;
    let columns = command
        .columns
        .as_ref()
        .map(|names| indexes(&dataset, names))
        .transpose()?;
    let schema = result_schema(
        &dataset.schema,
        columns.as_deref(),
        command.profile,
        command.lossy,
    )?;
    let filter = command.filter.as_ref();
    let filter = filter.map(|filter| filter.bind(&dataset.schema));
    Ok(Selection {
        filter: filter.transpose()?.map(|bound| bound.split()),
        dataset,
        command,
        columns,
        schema,
    })
}

fn indexes(dataset: &Dataset, names: &[String]) -> Result<Vec<usize>> {
    let refuse = |why: String| {
        Error::new(
            Kind::Invalid,
            "FS0416",
            "the columns that were asked for cannot be read",
        )
        .with_detail(format!("{why} (dataset {})", dataset.name))
        .with_hint(format!(
            "`flinkspark dataset show {}` prints the columns",
            dataset.name
        ))
    };
    let mut seen = BTreeSet::new();
    let index = |name: &String| match dataset.schema.index_of(name) {
        Err(_) => Err(refuse(format!(
            "there is no column \"{}\"",
            name.escape_debug()
        ))),
        Ok(index) if !seen.insert(index) => {
            Err(refuse(format!("column \"{name}\" is named twice")))
        }
        Ok(index) => Ok(index),
    };
    names.iter().map(index).collect()
}

pub(super) fn not_written(cause: ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0499", "a schema could not be written").with_source(cause)
}
