//! Some columns of a file, in the order in which they were asked for.

use super::error::not_there;
use super::{BatchReader, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use flinkspark_model::schema::names;
use std::sync::Arc;

struct Chosen {
    reader: Box<dyn BatchReader>,
    places: Vec<usize>,
    schema: SchemaRef,
    name: String,
}

/// The columns that the options choose, or all; `name` stands for the file in errors.
pub(crate) fn chosen(
    reader: Box<dyn BatchReader>,
    name: &str,
    options: &ReadOptions,
) -> Result<Box<dyn BatchReader>> {
    let Some(columns) = &options.columns else {
        return Ok(reader);
    };
    let all = reader.schema();
    let place = |column: &String| {
        all.index_of(column)
            .map_err(|_| not_there(name, column, &all))
    };
    let places = columns.iter().map(place).collect::<Result<Vec<_>>>()?;
    let schema = all.project(&places);
    let schema = schema.map_err(|cause| not_there(name, &cause.to_string(), &all))?;
    names::check(&schema)?;
    Ok(Box::new(Chosen {
        reader,
        places,
        schema: Arc::new(schema),
        name: name.into(),
    }))
}

impl Iterator for Chosen {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| {
            let projected = batch.project(&self.places);
            projected.map_err(|cause| not_there(&self.name, &cause.to_string(), &self.schema))
        }))
    }
}

impl BatchReader for Chosen {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn rows_total(&self) -> Option<u64> {
        self.reader.rows_total()
    }

    fn notices(&self) -> Vec<String> {
        self.reader.notices()
    }
}
