//! What is printed of one dataset.
//!
//! Invariant: the top-level keys of the object are those that scripts read.

use crate::cli::rows;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::{Error, Kind, Result, schema};
use flinkspark_proto::v1;
use serde_json::{Map, Value, json};

/// One object with top-level `id`, `name`, `rows`, `bytes`, `digest`, `handles`.
pub(super) fn describe(view: v1::DatasetView) -> Result<Value> {
    let head = view.head.unwrap_or_default();
    let dataset = Dataset::try_from(view.dataset.unwrap_or_default())?;
    let mut fields = record(&dataset);
    fields.insert("rows".into(), head.rows.into());
    fields.insert("bytes".into(), head.bytes.into());
    fields.insert(
        "digest".into(),
        if head.digest.is_empty() {
            Value::Null
        } else {
            head.digest.into()
        },
    );
    fields.insert("slot".into(), head.slot.into());
    fields.insert(
        "watermark".into(),
        head.watermark_ms
            .map_or(Value::Null, |ms| rows::instant(ms).into()),
    );
    let mut handles = Map::new();
    for handle in &dataset.handles {
        handles.insert(handle.engine().name().into(), handle.identifier().into());
    }
    fields.insert("handles".into(), handles.into());
    fields.insert("schema_version".into(), dataset.schema_version.into());
    let columns = dataset.schema.fields().iter().map(|field| {
        let null = if field.is_nullable() { "" } else { " not null" };
        format!(
            "{} {}{null}",
            field.name(),
            schema::type_name(field.data_type())
        )
    });
    fields.insert("columns".into(), columns.collect::<Vec<_>>().into());
    let traits = serde_json::to_value(&dataset.traits).map_err(|cause| {
        Error::new(Kind::Internal, "FS0008", "the result could not be printed").with_source(cause)
    })?;
    fields.insert("traits".into(), traits);
    let partition = |partition: v1::RddPartition| json!({"index": partition.index, "rows": partition.rows, "preferred_locations": partition.preferred_locations});
    fields.insert(
        "partitions".into(),
        view.partitions.into_iter().map(partition).collect(),
    );
    Ok(fields.into())
}

pub(super) fn record(dataset: &Dataset) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("id".into(), dataset.id.to_string().into());
    fields.insert("name".into(), dataset.name.to_string().into());
    fields.insert("version".into(), dataset.version.into());
    fields
}

/// Why a dataset cannot be used, in one line.
pub(super) fn why(error: &Error) -> String {
    format!(
        "{}: {}: {}",
        error.code(),
        error.message(),
        error.detail().unwrap_or_default()
    )
}
