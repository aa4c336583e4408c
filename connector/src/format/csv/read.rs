//! Reads CSV at a schema, declared or inferred.

use super::infer::{Inferred, check_width, infer, utf8};
use super::options::CsvOptions;
use super::record::{Broken, Records};
use super::schema::check_schema;
use crate::format::conform::{conform, stored_schema};
use crate::format::error::{cannot_open, damaged, described, foreign_line_ends, not_utf8};
use crate::format::text::{Column, column};
use crate::format::{BatchReader, Format, Input, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::io::SeekFrom;
use std::sync::Arc;

/// Characters of a wrong field that an error shows.
const SHOWN_CHARS: usize = 40;

/// Reads a file's records into batches.
pub(in crate::format) struct Reader {
    records: Records<Box<dyn Input>>,
    columns: Vec<Box<dyn Column>>,
    /// What the columns build, before their encodings are the schema's.
    built: SchemaRef,
    schema: SchemaRef,
    options: CsvOptions,
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
        options.csv.check()?;
        let broken = |broken| as_error(name, broken);
        let (schema, notices) = match &options.schema {
            Some(schema) => (stored_schema(schema)?, Vec::new()),
            None => {
                let Inferred {
                    schema,
                    notices,
                    blank,
                } = infer(&mut input, &options.csv).map_err(broken)?;
                options.csv.check_blank(schema.fields().len(), blank)?;
                input
                    .seek(SeekFrom::Start(0))
                    .map_err(|cause| cannot_open(name, cause))?;
                (Arc::new(schema), notices)
            }
        };
        check_schema(&schema)?;
        let columns: Vec<_> = schema
            .fields()
            .iter()
            .filter_map(|field| column(field.data_type()))
            .collect();
        let records =
            Records::new(input, options.csv.delimiter).map_err(|cause| cannot_open(name, cause))?;
        let mut reader = Self {
            records,
            built: Arc::clone(&schema),
            schema,
            columns,
            options: options.csv.clone(),
            name: name.into(),
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes,
            notices,
        };
        if reader.options.header {
            reader.check_header()?;
        }
        let built = reader
            .columns
            .iter_mut()
            .map(|column| column.finish().data_type().clone());
        let fields = reader
            .schema
            .fields()
            .iter()
            .zip(built)
            .map(|(field, built)| Field::new(field.name(), built, true));
        reader.built = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(reader)
    }

    fn check_header(&mut self) -> Result<()> {
        if !self.advance()? {
            return Err(damaged(
                Format::CSV,
                &self.name,
                "it is empty: the header line is missing",
            ));
        }
        let header: Vec<String> = (0..self.records.len())
            .filter_map(|index| self.records.field(index))
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        if header
            .iter()
            .eq(self.schema.fields().iter().map(|field| field.name()))
        {
            return Ok(());
        }
        let quoted = |names: &mut dyn Iterator<Item = &String>| {
            names
                .map(|name| format!("\"{}\"", name.escape_debug()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (found, wanted) = (
            quoted(&mut header.iter()),
            quoted(&mut self.schema.fields().iter().map(|field| field.name())),
        );
        Err(Error::new(
            Kind::Data,
            "FS0308",
            format!("the header of \"{}\" does not fit the schema", self.name),
        )
        .with_detail(format!("it says {found}; the schema says {wanted}"))
        .with_hint(
            "columns stand in the schema's order; pass --no-header if the first line is a row",
        ))
    }

    fn advance(&mut self) -> Result<bool> {
        let more = self
            .records
            .advance()
            .map_err(|broken| as_error(&self.name, broken))?;
        self.options
            .check_blank(self.columns.len(), self.records.blank())?;
        Ok(more)
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < self.batch_bytes && self.advance()? {
            check_width(&self.records, self.columns.len())
                .map_err(|broken| as_error(&self.name, broken))?;
            for index in 0..self.columns.len() {
                bytes += self.push(index)?;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = self
            .columns
            .iter_mut()
            .map(|column| column.finish())
            .collect();
        let wrong =
            |cause: arrow_schema::ArrowError| damaged(Format::CSV, &self.name, cause.to_string());
        let batch = RecordBatch::try_new(Arc::clone(&self.built), columns).map_err(wrong)?;
        conform(&batch, &self.schema)
            .map(Some)
            .map_err(|misfit| damaged(Format::CSV, &self.name, described(&misfit)))
    }

    /// Appends the present record's field to its column; how many bytes it had.
    fn push(&mut self, index: usize) -> Result<usize> {
        let (bytes, quoted) = self.records.field(index).unwrap_or_default();
        let is_null = !quoted && bytes == self.options.null.as_bytes();
        let text =
            utf8(bytes, self.records.line()).map_err(|broken| as_error(&self.name, broken))?;
        let nullable = self.schema.field(index).is_nullable();
        let fits = match self.columns.get_mut(index) {
            Some(column) if is_null => {
                column.push_null();
                nullable
            }
            Some(column) => column.push(text),
            None => false,
        };
        if fits {
            Ok(bytes.len() + 1)
        } else {
            Err(self.misfit(index, text, is_null))
        }
    }

    fn misfit(&self, index: usize, text: &str, is_null: bool) -> Error {
        let (line, field) = (self.records.line(), self.schema.field(index));
        let (name, kind) = (field.name(), type_name(field.data_type()));
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        let dots = if shown.len() < text.len() { "..." } else { "" };
        let what = if is_null {
            format!("the null in line {line} has no place in column \"{name}\"")
        } else {
            format!(
                "\"{}{dots}\" in line {line} is no {kind}",
                shown.escape_debug()
            )
        };
        Error::new(Kind::Data, "FS0307", what)
            .with_detail(format!(
                "file \"{}\", column \"{name}\" of type {kind}",
                self.name
            ))
            .with_hint(
                if text.is_empty() || matches!(text, "NA" | "NULL" | "null" | "N/A") {
                    format!("if it stands for a null, pass --null \"{text}\"")
                } else {
                    "correct the file, or read it at a schema whose column is text".into()
                },
            )
    }
}

fn as_error(name: &str, broken: Broken) -> Error {
    match broken {
        Broken::Io(cause) => cannot_open(name, cause),
        Broken::Damaged(why) => damaged(Format::CSV, name, why),
        Broken::LineEnds(line) => foreign_line_ends(name, line),
        Broken::Encoding(line) => not_utf8(name, &format!("line {line}")),
    }
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
        let rounded = self.columns.iter().zip(self.schema.fields());
        let rounded = rounded.filter_map(|(column, field)| match column.rounded() {
            0 => None,
            count => Some(format!(
                "column \"{}\": {count} fields have more digits than {} holds; the nearest numbers were taken",
                field.name(),
                type_name(field.data_type())
            )),
        });
        self.notices.iter().cloned().chain(rounded).collect()
    }
}
