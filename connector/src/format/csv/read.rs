//! Reads CSV at a schema, declared or inferred.
//!
//! Chunks are read apart from one another, by as many threads as there are. Invariant: a row of the file is a row of a
//! batch, in the file's order.

use super::chunks::{CHUNK_BYTES, Chunks, first};
use super::encoding::Encoding;
use super::infer::{Inferred, Uninferred, blank_lines, check_width, infer};
use super::look::Look;
use super::met::{self, Met, notices};
use super::nulls::{BACKSLASH_N, Nulls, is_textual};
use super::options::Dialect;
use super::record::{Chunk, Records};
use super::schema::check_schema;
use super::sniff::{Sniffed, sniff};
use super::source::{Broken, Source};
use crate::format::conform::{conform, stored_schema};
use crate::format::error::{cannot_open, damaged, described, foreign_line_ends, undecodable};
use crate::format::ordered::Pieces;
use crate::format::text::Column;
use crate::format::{Aside, BatchReader, Format, Input, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::io::SeekFrom;
use std::sync::Arc;

/// Characters of a wrong field that an error shows.
const SHOWN_CHARS: usize = 40;

/// Reads a file's records into batches.
pub(in crate::format) struct Reader {
    chunks: Chunks<Box<dyn Input>>,
    pieces: Pieces<Chunk, Rows>,
    plan: Arc<Plan>,
    /// Whether the schema was declared, so that nobody has said yet what is met.
    is_declared: bool,
    notices: Vec<String>,
    met: Vec<Met>,
    /// For each column its fields that have more digits than its type holds.
    rounded: Vec<u64>,
    blanks: u64,
}

/// How the chunks of a file are read.
struct Plan {
    schema: SchemaRef,
    dialect: Dialect,
    nulls: Nulls,
    look: Look,
    decimal_comma: bool,
    name: String,
    batch_rows: usize,
    batch_bytes: usize,
    aside: Option<Aside>,
}

/// Rows of a chunk, and what is to be said of them.
struct Rows {
    batch: RecordBatch,
    met: Vec<Met>,
    rounded: Vec<u64>,
    blanks: u64,
}

/// Records that were read.
struct Batch {
    columns: Vec<Cells>,
    /// The rows of those that could not be read, and are nulls here.
    wrong: Vec<usize>,
    /// Whether there may be more behind them.
    more: bool,
}

/// A column, and what was met in it.
struct Cells {
    column: Box<dyn Column>,
    textual: bool,
    nullable: bool,
    met: Met,
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
        let mut chunks = Chunks::new(source, csv.dialect(delimiter));
        let schema = match &options.schema {
            Some(schema) if csv.header => {
                let header = header(&mut chunks, name)?;
                Arc::new(named(&*stored_schema(schema)?, &header, name)?)
            }
            Some(schema) => stored_schema(schema)?,
            None => {
                let aside = options.aside.is_some();
                let inferred = infer(&mut chunks, csv, delimiter, aside);
                let Inferred { schema, notices } = inferred.map_err(|why| match why {
                    Uninferred::Broken(why) => as_error(name, why),
                    Uninferred::Refused(error) => error,
                })?;
                said.extend(notices);
                let mut input = chunks.into_input();
                input
                    .seek(SeekFrom::Start(0))
                    .map_err(|cause| cannot_open(name, cause))?;
                let source = Source::new(input, csv.encoding).map_err(broken)?;
                chunks = Chunks::new(source, csv.dialect(delimiter));
                if csv.header {
                    header(&mut chunks, name)?;
                }
                Arc::new(schema)
            }
        };
        check_schema(&schema)?;
        let columns = schema.fields().len();
        let plan = Arc::new(Plan {
            nulls: Nulls::new(csv, columns, delimiter)?,
            dialect: csv.dialect(delimiter),
            schema,
            look,
            decimal_comma: csv.decimal_comma,
            name: name.into(),
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes,
            aside: options.aside.clone(),
        });
        let reading = Arc::clone(&plan);
        Ok(Self {
            chunks,
            pieces: Pieces::new(move |chunk, give| reading.read(&chunk, give)),
            plan,
            is_declared: options.schema.is_some(),
            notices: said,
            met: vec![Met::default(); columns],
            rounded: vec![0; columns],
            blanks: 0,
        })
    }

    fn rows(&mut self) -> Result<Option<RecordBatch>> {
        let (chunks, name) = (&mut self.chunks, &self.plan.name);
        let cut = || {
            chunks
                .next(CHUNK_BYTES)
                .map_err(|broken| as_error(name, broken))
        };
        let Some(rows) = self.pieces.next(cut)? else {
            return Ok(None);
        };
        for (all, more) in self.met.iter_mut().zip(rows.met) {
            all.add(more);
        }
        for (all, more) in self.rounded.iter_mut().zip(rows.rounded) {
            *all += more;
        }
        self.blanks += rows.blanks;
        Ok(Some(rows.batch))
    }
}

impl Plan {
    /// Gives the rows of a chunk in batches.
    fn read(&self, chunk: &Chunk, give: &mut dyn FnMut(Rows) -> bool) -> Result<()> {
        let mut records = Records::new(chunk, &self.dialect);
        let mut blanks = 0;
        loop {
            let batch = self.batch(&mut records)?;
            let before = std::mem::replace(&mut blanks, records.blanks());
            let more = batch.more;
            if !give(self.rows(batch, blanks - before)?) || !more {
                return Ok(());
            }
        }
    }

    /// Reads the records of a batch.
    fn batch(&self, records: &mut Records<'_>) -> Result<Batch> {
        let broken = |broken| as_error(&self.name, broken);
        let mut batch = Batch {
            columns: self.columns(),
            wrong: Vec::new(),
            more: true,
        };
        let (mut rows, mut bytes) = (0, 0);
        while rows < self.batch_rows && bytes < self.batch_bytes {
            let more = records.advance().map_err(broken)?;
            self.nulls.check_blank(records.blank())?;
            if !more {
                batch.more = false;
                break;
            }
            match self.record(records, &mut batch.columns) {
                Ok(more) => bytes += more,
                Err(error) => {
                    let aside = self.aside.as_ref().ok_or_else(|| error.clone())?;
                    aside.put(&self.name, records.line(), records.raw(), &error);
                    batch.wrong.push(rows);
                }
            }
            rows += 1;
        }
        Ok(batch)
    }

    /// Appends the present record to the columns, or nulls where it cannot be read; how many bytes it has.
    fn record(&self, records: &Records<'_>, columns: &mut [Cells]) -> Result<usize> {
        let width = check_width(records, columns.len());
        let mut wrong = width.map_err(|broken| as_error(&self.name, broken)).err();
        let mut bytes = 0;
        for (index, cells) in columns.iter_mut().enumerate() {
            match self.push(records, index, cells) {
                Ok(more) => bytes += more,
                Err(error) => {
                    wrong.get_or_insert(error);
                }
            }
        }
        wrong.map_or(Ok(bytes), Err)
    }

    /// The rows of a batch without those that are wrong.
    fn rows(&self, batch: Batch, blanks: u64) -> Result<Rows> {
        let Batch {
            mut columns, wrong, ..
        } = batch;
        let unfit = |cause: ArrowError| damaged(Format::CSV, &self.name, cause.to_string());
        let built: Vec<_> = columns
            .iter_mut()
            .map(|cells| cells.column.finish())
            .collect();
        let fields = self.schema.fields().iter().zip(&built);
        let fields =
            fields.map(|(field, built)| Field::new(field.name(), built.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut batch = RecordBatch::try_new(schema, built).map_err(unfit)?;
        if !wrong.is_empty() {
            let mut right = vec![true; batch.num_rows()];
            for row in wrong {
                right[row] = false;
            }
            batch = filter_record_batch(&batch, &right.into()).map_err(unfit)?;
        }
        let batch = conform(&batch, &self.schema)
            .map_err(|misfit| damaged(Format::CSV, &self.name, described(&misfit)))?;
        Ok(Rows {
            batch,
            rounded: columns.iter().map(|cells| cells.column.rounded()).collect(),
            met: columns.into_iter().map(|cells| cells.met).collect(),
            blanks,
        })
    }

    fn columns(&self) -> Vec<Cells> {
        let columns = self.schema.fields().iter().filter_map(|field| {
            Some(Cells {
                column: self.look.column(field.data_type())?,
                textual: is_textual(field.data_type()),
                nullable: field.is_nullable(),
                met: Met::default(),
            })
        });
        columns.collect()
    }

    /// Appends the present record's field to its column, or a null where it cannot be read; how many bytes it had.
    fn push(&self, records: &Records<'_>, index: usize, cells: &mut Cells) -> Result<usize> {
        let (text, quoted) = match records.text(index) {
            Ok(field) => field,
            Err(broken) => {
                cells.column.push_null();
                return Err(as_error(&self.name, broken));
            }
        };
        let bytes = text.as_bytes();
        let everywhere = !quoted && self.nulls.holds(bytes);
        let beside = !quoted && !everywhere && !cells.textual && self.nulls.holds_beside(bytes);
        if beside && !bytes.is_empty() {
            cells.met.word(bytes);
        }
        if cells.textual && !quoted && !everywhere && text == BACKSLASH_N {
            cells.met.backslash_n += 1;
        }
        let is_null = everywhere || beside;
        if !is_null && cells.column.push(text) {
            return Ok(bytes.len() + 1);
        }
        cells.column.push_null();
        match is_null && cells.nullable {
            true => Ok(bytes.len() + 1),
            false => Err(self.misfit(records.line(), index, text, is_null)),
        }
    }

    fn misfit(&self, line: u64, index: usize, text: &str, is_null: bool) -> Error {
        let field = self.schema.field(index);
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
fn header(chunks: &mut Chunks<Box<dyn Input>>, name: &str) -> Result<Vec<String>> {
    let broken = |broken| as_error(name, broken);
    match first(chunks).map_err(broken)? {
        Some(first) => Ok(first.fields),
        None => {
            let why = "it is empty: the header line is missing";
            Err(damaged(Format::CSV, name, why))
        }
    }
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
        self.rows().transpose()
    }
}

impl BatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.schema)
    }

    fn notices(&self) -> Vec<String> {
        let fields = || self.plan.schema.fields().iter();
        let met = fields()
            .zip(&self.met)
            .filter(|_| self.is_declared)
            .map(|(field, met)| {
                // Who declared the schema knows what an empty field is.
                let column = met::Column {
                    name: field.name(),
                    textual: is_textual(field.data_type()),
                    empty: false,
                };
                (column, met)
            });
        let rounded = fields().zip(&self.rounded);
        let rounded = rounded.filter_map(|(field, count)| match count {
            0 => None,
            count => Some(format!(
                "column \"{}\": {count} fields have more digits than {} holds; the nearest numbers were taken",
                field.name(),
                type_name(field.data_type())
            )),
        });
        let mut all = self.notices.clone();
        if self.is_declared {
            all.extend(blank_lines(self.met.len(), self.blanks));
        }
        all.extend(notices(met));
        all.extend(rounded);
        all
    }
}
