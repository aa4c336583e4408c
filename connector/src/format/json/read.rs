//! Reads JSON at a schema, declared or inferred.

use super::column::Table;
use super::infer::{Inferred, infer};
use super::leaf::Reading;
use super::report::{as_error, refuse};
use super::rows::Rows;
use crate::format::conform::stored_schema;
use crate::format::error::{cannot_open, damaged};
use crate::format::{BatchReader, Format, Input, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use flinkspark_model::Result;
use flinkspark_model::schema::type_name;
use std::io::SeekFrom;
use std::sync::Arc;

/// The largest batch, in bytes: offsets of 32 bits reach all of it, and a row more.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Reads a file's rows into batches.
pub(in crate::format) struct Reader {
    rows: Rows<Box<dyn Input>>,
    table: Table,
    schema: SchemaRef,
    name: String,
    batch_rows: usize,
    batch_bytes: usize,
    notices: Vec<String>,
}

impl Reader {
    pub(in crate::format) fn new(
        mut input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Self> {
        let reading = Reading {
            verbatim: options.schema.is_none(),
            patterns: options.json.patterns()?,
        };
        let (schema, notices) = match &options.schema {
            Some(schema) => {
                let chosen = chosen(schema, options.columns.as_deref());
                (stored_schema(&chosen)?, Vec::new())
            }
            None => {
                let inferred = infer(&mut input, &reading.patterns);
                let inferred = inferred.map_err(|broken| as_error(name, broken))?;
                let Inferred { schema, notices } = inferred;
                let rewound = input.seek(SeekFrom::Start(0));
                rewound.map_err(|cause| cannot_open(name, cause))?;
                (Arc::new(schema), notices)
            }
        };
        let table = Table::new(&schema, &reading);
        let mut table = table.map_err(|(column, data_type)| refuse(&column, &data_type))?;
        if options.columns.is_some() {
            table = table.skipping();
        }
        Ok(Self {
            rows: Rows::new(input),
            table,
            schema,
            name: name.into(),
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.clamp(1, BATCH_BYTES_MAX),
            notices,
        })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut count, mut bytes) = (0, 0);
        while count < self.batch_rows && bytes < self.batch_bytes {
            let more = self.rows.advance();
            if !more.map_err(|broken| as_error(&self.name, broken))? {
                break;
            }
            let read = self.table.read(self.rows.text());
            bytes += read.map_err(|wrong| as_error(&self.name, self.rows.broken(wrong)))?;
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let batch = self.table.finish().map(Some);
        batch.map_err(|cause| damaged(Format::JSON, &self.name, cause.to_string()))
    }
}

/// The columns of the schema that are asked for.
fn chosen(schema: &Schema, columns: Option<&[String]>) -> Schema {
    let is_chosen = |name: &String| columns.is_none_or(|columns| columns.contains(name));
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| is_chosen(field.name())).cloned();
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

impl Iterator for Reader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn notices(&self) -> Vec<String> {
        let mut notices = self.notices.clone();
        self.table.rounded(&mut |path, data_type, count| {
            notices.push(format!(
                "column \"{path}\": {count} numbers have more digits than {} holds; the nearest were taken",
                type_name(data_type)
            ));
        });
        notices
    }
}
