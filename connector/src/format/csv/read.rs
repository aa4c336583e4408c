//! Reads CSV at a schema, declared or inferred.

use super::encoding::Encoding;
use super::infer::{Inferred, Uninferred, blank_lines, check_width, infer, utf8};
use super::look::Look;
use super::met::{self, Met, notices};
use super::nulls::{BACKSLASH_N, Nulls, is_textual};
use super::record::Records;
use super::schema::check_schema;
use super::sniff::{Sniffed, sniff};
use super::source::{Broken, Source};
use crate::format::conform::{conform, stored_schema};
use crate::format::error::{cannot_open, damaged, described, foreign_line_ends, undecodable};
use crate::format::text::Column;
use crate::format::{BatchReader, Format, Input, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::io::SeekFrom;
use std::sync::Arc;

/// Characters of a wrong field that an error shows.
const SHOWN_CHARS: usize = 40;

/// A column, and what was met in it.
struct Cells {
    column: Box<dyn Column>,
    textual: bool,
    nullable: bool,
    met: Met,
}

/// Reads a file's records into batches.
pub(in crate::format) struct Reader {
    records: Records<Box<dyn Input>>,
    columns: Vec<Cells>,
    /// What the columns build, before their encodings are the schema's.
    built: SchemaRef,
    schema: SchemaRef,
    nulls: Nulls,
    /// Whether the schema was declared, so that nobody has said yet what is met.
    is_declared: bool,
    decimal_comma: bool,
    name: String,
    batch_rows: usize,
    batch_bytes: usize,
    notices: Vec<String>,
}

impl Reader {
    pub(in crate::format) fn new(
        input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Self> {
        let csv = &options.csv;
        csv.check()?;
        let look = Look::new(csv)?;
        let broken = |broken| as_error(name, broken);
        let mut source = Source::new(input, csv.encoding).map_err(broken)?;
        let mut said = Vec::new();
        said.extend(
            csv.encoding
                .is_none()
                .then(|| marked(source.marked()))
                .flatten(),
        );
        let columns = options.schema.as_ref().map(|schema| schema.fields().len());
        let Sniffed { delimiter, notice } = sniff(&mut source, csv, columns).map_err(broken)?;
        said.extend(notice);
        let mut records = Records::new(source, csv.dialect(delimiter));
        let schema = match &options.schema {
            Some(schema) if csv.header => {
                let header = header(&mut records, name)?;
                Arc::new(named(&*stored_schema(schema)?, &header, name)?)
            }
            Some(schema) => stored_schema(schema)?,
            None => {
                let inferred = infer(&mut records, csv, delimiter);
                let Inferred { schema, notices } = inferred.map_err(|why| match why {
                    Uninferred::Broken(why) => as_error(name, why),
                    Uninferred::Refused(error) => error,
                })?;
                said.extend(notices);
                let mut input = records.into_input();
                input
                    .seek(SeekFrom::Start(0))
                    .map_err(|cause| cannot_open(name, cause))?;
                let source = Source::new(input, csv.encoding).map_err(broken)?;
                records = Records::new(source, csv.dialect(delimiter));
                if csv.header {
                    header(&mut records, name)?;
                }
                Arc::new(schema)
            }
        };
        check_schema(&schema)?;
        let columns = schema.fields().iter().filter_map(|field| {
            Some(Cells {
                column: look.column(field.data_type())?,
                textual: is_textual(field.data_type()),
                nullable: field.is_nullable(),
                met: Met::default(),
            })
        });
        let mut reader = Self {
            records,
            columns: columns.collect(),
            built: Arc::clone(&schema),
            nulls: Nulls::new(csv, schema.fields().len(), delimiter)?,
            schema,
            is_declared: options.schema.is_some(),
            decimal_comma: csv.decimal_comma,
            name: name.into(),
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes,
            notices: said,
        };
        let built = reader
            .columns
            .iter_mut()
            .map(|cells| cells.column.finish().data_type().clone());
        let fields = reader
            .schema
            .fields()
            .iter()
            .zip(built)
            .map(|(field, built)| Field::new(field.name(), built, true));
        reader.built = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(reader)
    }

    fn advance(&mut self) -> Result<bool> {
        let more = self
            .records
            .advance()
            .map_err(|broken| as_error(&self.name, broken))?;
        self.nulls.check_blank(self.records.blank())?;
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
            .map(|cells| cells.column.finish())
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
        let line = self.records.line();
        let text = utf8(bytes, line).map_err(|broken| as_error(&self.name, broken))?;
        let Some(cells) = self.columns.get_mut(index) else {
            return Err(self.misfit(index, text, false));
        };
        let everywhere = !quoted && self.nulls.holds(bytes);
        let beside = !quoted && !everywhere && !cells.textual && self.nulls.holds_beside(bytes);
        if beside && !bytes.is_empty() {
            cells.met.word(bytes);
        }
        if cells.textual && !quoted && !everywhere && text == BACKSLASH_N {
            cells.met.backslash_n += 1;
        }
        let is_null = everywhere || beside;
        let fits = if is_null {
            cells.column.push_null();
            cells.nullable
        } else {
            cells.column.push(text)
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
        let shown = format!("\"{}{dots}\"", shown.escape_debug());
        let what = match (is_null, text) {
            (true, "") => format!("the null in line {line} has no place in column \"{name}\""),
            (true, _) => format!(
                "the null in line {line} has no place in column \"{name}\": {shown} stands for one"
            ),
            (false, _) => format!("{shown} in line {line} is no {kind}"),
        };
        let is_word = matches!(text, "NA" | "NULL" | "null" | "N/A" | BACKSLASH_N);
        let comma = !self.decimal_comma && text.contains(',') && !text.contains('.');
        Error::new(Kind::Data, "FS0307", what)
            .with_detail(format!(
                "file \"{}\", column \"{name}\" of type {kind}",
                self.name
            ))
            .with_hint(if is_null {
                "correct the file, or read it at a schema whose column may be null".into()
            } else if is_word {
                format!("if it stands for a null, pass --null '{text}'")
            } else if comma && (field.data_type().is_floating() || field.data_type().is_decimal()) {
                "if its comma is a decimal point, pass --decimal-comma".into()
            } else {
                "correct the file, or read it at a schema whose column is text".to_owned()
            })
    }
}

/// The names of the first line.
fn header(records: &mut Records<Box<dyn Input>>, name: &str) -> Result<Vec<String>> {
    if !records.advance().map_err(|broken| as_error(name, broken))? {
        let why = "it is empty: the header line is missing";
        return Err(damaged(Format::CSV, name, why));
    }
    let fields = (0..records.len()).filter_map(|index| records.field(index));
    Ok(fields
        .map(|(field, _)| String::from_utf8_lossy(field).into_owned())
        .collect())
}

/// The columns of the header at the types that a schema has for their names; others are text.
fn named(schema: &Schema, header: &[String], name: &str) -> Result<Schema> {
    let known = |column: &String| schema.field_with_name(column).ok();
    if !header.iter().any(|column| known(column).is_some()) {
        return Err(foreign_header(schema, header, name));
    }
    let fields = header.iter().map(|column| {
        known(column).map_or_else(|| Field::new(column, DataType::Utf8, true), Field::clone)
    });
    let metadata = schema.metadata().clone();
    Ok(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        metadata,
    ))
}

/// The first line names no column that is known: it is another file, or a row.
fn foreign_header(schema: &Schema, header: &[String], name: &str) -> Error {
    let quoted = |names: &mut dyn Iterator<Item = &String>| {
        let names = names.map(|name| format!("\"{}\"", name.escape_debug()));
        names.collect::<Vec<_>>().join(", ")
    };
    let found = quoted(&mut header.iter());
    let wanted = quoted(&mut schema.fields().iter().map(|field| field.name()));
    let message = format!("the header of \"{name}\" does not fit the schema");
    Error::new(Kind::Data, "FS0308", message)
        .with_detail(format!("it says {found}; the schema says {wanted}"))
        .with_hint("pass --no-header if the first line is a row, and --delimiter if the names were not split rightly")
}

/// A word on an encoding that the file's first bytes told.
fn marked(encoding: Option<Encoding>) -> Option<String> {
    let encoding = encoding.filter(|encoding| *encoding != Encoding::Utf8)?;
    Some(format!(
        "the file is read as {}, as its byte order mark says",
        encoding.name()
    ))
}

fn as_error(name: &str, broken: Broken) -> Error {
    match broken {
        Broken::Io(cause) => cannot_open(name, cause),
        Broken::Damaged(why) => damaged(Format::CSV, name, why),
        Broken::Torn(line) => {
            let why = format!("line {line}: the file ends within a quoted field");
            damaged(Format::CSV, name, why)
        }
        Broken::LineEnds(line) => foreign_line_ends(name, line),
        Broken::Encoding(encoding, line, what) => {
            undecodable(name, encoding.title(), &format!("line {line}"), what)
        }
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
        let columns = || self.columns.iter().zip(self.schema.fields());
        let met = columns()
            .filter(|_| self.is_declared)
            .map(|(cells, field)| {
                let (name, textual) = (field.name(), cells.textual);
                // Who declared the schema knows what an empty field is.
                let empty = false;
                let column = met::Column {
                    name,
                    textual,
                    empty,
                };
                (column, &cells.met)
            });
        let rounded = columns().filter_map(|(cells, field)| match cells.column.rounded() {
            0 => None,
            count => Some(format!(
                "column \"{}\": {count} fields have more digits than {} holds; the nearest numbers were taken",
                field.name(),
                type_name(field.data_type())
            )),
        });
        let mut all = self.notices.clone();
        if self.is_declared {
            all.extend(blank_lines(self.columns.len(), self.records.blanks()));
        }
        all.extend(notices(met));
        all.extend(rounded);
        all
    }
}
