//! Reads JSON at a schema, declared or inferred.
//!
//! Lines are read apart from one another, by as many threads as there are; the rows of an array one after another.
//! Invariant: a row of the file is a row of a batch, in the file's order.

use super::column::Table;
use super::infer::{Inferred, infer};
use super::leaf::Reading;
use super::report::{as_error, refuse};
use super::rows::{LINES_BYTES, Lines, Rows, Source};
use crate::format::conform::stored_schema;
use crate::format::error::{cannot_open, damaged};
use crate::format::ordered::Pieces;
use crate::format::{Aside, BatchReader, Format, Input, ReadOptions};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use flinkspark_model::Result;
use flinkspark_model::schema::type_name;
use std::io::{BufReader, SeekFrom};
use std::sync::Arc;

/// The largest batch, in bytes: offsets of 32 bits reach all of it, and a row more.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Reads a file's rows into batches.
pub(in crate::format) struct Reader {
    rows: Rows<BufReader<Box<dyn Input>>>,
    pieces: Pieces<Lines, Read>,
    plan: Arc<Plan>,
    notices: Vec<String>,
    rounded: Rounded,
    /// What the rows of an array are read into.
    table: Table,
}

/// How rows are read.
struct Plan {
    schema: SchemaRef,
    reading: Reading,
    /// Whether rows may have keys that the schema lacks.
    skipping: bool,
    name: String,
    batch_rows: usize,
    batch_bytes: usize,
    aside: Option<Aside>,
}

/// What is read.
enum Read {
    Rows(RecordBatch),
    /// What is to be said of the rows of a piece, behind them.
    Rounded(Rounded),
}

/// The columns that took other numbers than stood there: their paths, their types and how many.
#[derive(Default)]
struct Rounded(Vec<(String, DataType, u64)>);

impl Rounded {
    fn of(table: &Table) -> Self {
        let mut all = Vec::new();
        table.rounded(&mut |path, data_type, count| {
            all.push((path.to_owned(), data_type.clone(), count));
        });
        Self(all)
    }

    fn add(&mut self, behind: Self) {
        for (path, data_type, count) in behind.0 {
            match self.0.iter_mut().find(|(known, ..)| *known == path) {
                Some((.., all)) => *all += count,
                None => self.0.push((path, data_type, count)),
            }
        }
    }
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
                let inferred = infer(&mut input, &reading.patterns, options.aside.is_some());
                let inferred = inferred.map_err(|broken| as_error(name, broken))?;
                let Inferred { schema, notices } = inferred;
                let rewound = input.seek(SeekFrom::Start(0));
                rewound.map_err(|cause| cannot_open(name, cause))?;
                (Arc::new(schema), notices)
            }
        };
        let plan = Arc::new(Plan {
            schema,
            reading,
            skipping: options.columns.is_some(),
            name: name.into(),
            batch_rows: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes.clamp(1, BATCH_BYTES_MAX),
            aside: options.aside.clone(),
        });
        let table = plan.table()?;
        let lines = Arc::clone(&plan);
        Ok(Self {
            rows: Rows::new(input),
            pieces: Pieces::new(move |piece: Lines, give| match &lines.aside {
                Some(aside) => lines.read_right(&piece, aside, give),
                None => lines.read(&piece, give),
            }),
            plan,
            notices,
            rounded: Rounded::default(),
            table,
        })
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let (rows, name) = (&mut self.rows, &self.plan.name);
            let cut = || {
                rows.lines(LINES_BYTES)
                    .map_err(|broken| as_error(name, broken))
            };
            match self.pieces.next(cut)? {
                Some(Read::Rows(batch)) => return Ok(Some(batch)),
                Some(Read::Rounded(rounded)) => self.rounded.add(rounded),
                None => return self.plan.batch(&mut self.rows, &mut self.table),
            }
        }
    }
}

impl Plan {
    fn table(&self) -> Result<Table> {
        let table = Table::new(&self.schema, &self.reading);
        let table = table.map_err(|(column, data_type)| refuse(&column, &data_type))?;
        Ok(if self.skipping {
            table.skipping()
        } else {
            table
        })
    }

    /// Gives the rows of the lines that are rows, and sets the others aside: line by line only where there are others.
    fn read_right(
        &self,
        lines: &Lines,
        aside: &Aside,
        give: &mut dyn FnMut(Read) -> bool,
    ) -> Result<()> {
        let mut all = Vec::new();
        let read = self.read(lines, &mut |read| {
            all.push(read);
            true
        });
        if read.is_err() {
            return self.read(&self.right(lines, aside)?, give);
        }
        // Nobody takes more after the first that is not taken.
        all.into_iter().all(give);
        Ok(())
    }

    /// The lines that are rows, each at its place; the others are set aside.
    fn right(&self, lines: &Lines, aside: &Aside) -> Result<Lines> {
        let mut table = self.table()?;
        let mut right = lines.without();
        for line in lines.each() {
            let read = self.try_line(&line, &mut table);
            if let Err(error) = read {
                aside.put(&self.name, line.line(), line.bytes(), &error);
                table = self.table()?;
                right.push_blank(&line);
                continue;
            }
            right.push(&line);
            // What was read is read again, with all of the rows.
            let _read = table.finish();
        }
        Ok(right)
    }

    /// Reads a line by itself, which has at most one row.
    fn try_line(&self, line: &Lines, table: &mut Table) -> Result<()> {
        let broken = |broken| as_error(&self.name, broken);
        let mut rows = line.rows();
        while rows.advance().map_err(broken)? {
            let read = table.read(rows.text());
            read.map_err(|wrong| broken(rows.broken(wrong)))?;
        }
        Ok(())
    }

    /// Gives the rows of lines in batches.
    fn read(&self, lines: &Lines, give: &mut dyn FnMut(Read) -> bool) -> Result<()> {
        match lines.line_rows() {
            Some(rows) => self.read_all(rows, give),
            // Where that is wrong is found row by row.
            None => self.read_all(lines.rows(), give),
        }
    }

    fn read_all(&self, mut rows: impl Source, give: &mut dyn FnMut(Read) -> bool) -> Result<()> {
        let mut table = self.table()?;
        while let Some(batch) = self.batch(&mut rows, &mut table)? {
            if !give(Read::Rows(batch)) {
                return Ok(());
            }
        }
        give(Read::Rounded(Rounded::of(&table)));
        Ok(())
    }

    /// Reads the next batch; none at the end.
    fn batch(&self, rows: &mut impl Source, table: &mut Table) -> Result<Option<RecordBatch>> {
        let (mut count, mut bytes) = (0, 0);
        let broken = |broken| as_error(&self.name, broken);
        while count < self.batch_rows
            && bytes < self.batch_bytes
            && rows.advance().map_err(broken)?
        {
            let read = table.read(rows.text());
            bytes += read.map_err(|wrong| broken(rows.broken(wrong)))?;
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let batch = table.finish().map(Some);
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
        Arc::clone(&self.plan.schema)
    }

    fn notices(&self) -> Vec<String> {
        let mut rounded = Rounded::of(&self.table);
        rounded.add(Rounded(self.rounded.0.clone()));
        let says = rounded.0.iter().map(|(path, data_type, count)| {
            format!(
                "column \"{path}\": {count} numbers have more digits than {} holds; the nearest were taken",
                type_name(data_type)
            )
        });
        self.notices.iter().cloned().chain(says).collect()
    }
}
