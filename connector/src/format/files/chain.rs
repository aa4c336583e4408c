//! The rows of several files, one file after another.
//!
//! Each is opened twice: for its schema, and when its turn comes. Invariant: one file is open at a time.

use super::find::Found;
use super::keys::Keys;
use super::unify::{Unified, unify};
use super::{apart, format_of};
use crate::fit::{Alignment, Misfit, Obstacle};
use crate::format::{BatchReader, Format, ReadOptions};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_model::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads files of one format.
struct Chain {
    format: Format,
    asked: PathBuf,
    files: Vec<PathBuf>,
    keys: Keys,
    schema: SchemaRef,
    options: ReadOptions,
    rows_total: Option<u64>,
    notices: Vec<String>,
    /// The file whose turn is next.
    next: usize,
    present: Option<Present>,
}

/// The file that is being read.
struct Present {
    file: usize,
    reader: Box<dyn BatchReader>,
    /// Its columns and those that folders name.
    schema: SchemaRef,
    alignment: Alignment,
}

/// Opens several files as one.
pub(super) fn open(found: Found, options: &ReadOptions) -> Result<Box<dyn BatchReader>> {
    let format = format(&found, options)?;
    let keys = Keys::new(&found, options.schema.as_deref())?;
    let mut options = without_keys(options, &keys);
    let (mut schemas, mut notices) = (Vec::new(), Vec::new());
    let mut rows_total = Some(0);
    for file in &found.files {
        let reader = format.open(file, &options)?;
        rows_total = rows_total
            .zip(reader.rows_total())
            .map(|(all, more)| all + more);
        add(&mut notices, reader.notices());
        with_keys(&reader.schema(), &keys, file)?;
        schemas.push((file.clone(), reader.schema()));
    }
    let unified = unify(&found.asked, &schemas, format.is_text())?;
    let Unified {
        schema,
        notices: said,
    } = unified;
    add(&mut notices, said);
    if format.is_text() {
        options.schema = Some(Arc::clone(&schema));
    }
    let schema = with_keys(&schema, &keys, &found.asked)?;
    Ok(Box::new(Chain {
        format,
        asked: found.asked,
        files: found.files,
        keys,
        schema,
        options,
        rows_total,
        notices,
        next: 0,
        present: None,
    }))
}

/// How one file is read: what folders name is not in it.
fn without_keys(options: &ReadOptions, keys: &Keys) -> ReadOptions {
    let is_key = |name: &String| keys.fields.iter().any(|key| key.name() == name);
    let mut options = options.clone();
    options.schema = options.schema.map(|schema| {
        let fields = schema.fields().iter().filter(|field| !is_key(field.name()));
        let fields: Vec<_> = fields.cloned().collect();
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    });
    options.columns = options
        .columns
        .map(|columns| columns.into_iter().filter(|name| !is_key(name)).collect());
    options
}

/// The one format that all of them have.
fn format(found: &Found, options: &ReadOptions) -> Result<Format> {
    let mut files = found.files.iter();
    let first = files.next().map_or(found.asked.as_path(), PathBuf::as_path);
    let format = format_of(first, options)?;
    for file in files {
        let other = format_of(file, options)?;
        if other != format {
            let why = format!(
                "\"{}\" is {format} and \"{}\" is {other}",
                first.display(),
                file.display()
            );
            let hint = "name those of one format, such as folder/*.parquet";
            return Err(apart(&found.asked, why, hint));
        }
    }
    Ok(format)
}

/// A file's columns, and after them those that folders name.
fn with_keys(schema: &Schema, keys: &Keys, file: &Path) -> Result<SchemaRef> {
    let twice = keys
        .fields
        .iter()
        .find(|key| schema.index_of(key.name()).is_ok());
    if let Some(twice) = twice {
        let why = format!(
            "column \"{}\" is in \"{}\" and in the name of its folder, too",
            twice.name().escape_debug(),
            file.display()
        );
        let hint =
            "name the files alone, such as folder/name=value/*.parquet, or rename the folder";
        return Err(apart(file, why, hint));
    }
    let fields = schema.fields().iter().map(|field| field.as_ref().clone());
    let fields: Vec<Field> = fields.chain(keys.fields.iter().cloned()).collect();
    let metadata = schema.metadata().clone();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// What was not said yet: many files have the same to say.
fn add(notices: &mut Vec<String>, more: Vec<String>) {
    for notice in more {
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }
}

impl Chain {
    fn open_next(&mut self) -> Result<Option<Present>> {
        let Some(path) = self.files.get(self.next) else {
            return Ok(None);
        };
        let reader = self.format.open(path, &self.options)?;
        let schema = with_keys(&reader.schema(), &self.keys, path)?;
        let alignment = Alignment::new(&self.schema, &schema);
        let alignment = alignment.map_err(|obstacles| changed(path, &obstacles))?;
        let file = self.next;
        self.next += 1;
        Ok(Some(Present {
            file,
            reader,
            schema,
            alignment,
        }))
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let present = match &mut self.present {
                Some(present) => present,
                None => match self.open_next()? {
                    None => return Ok(None),
                    Some(next) => self.present.insert(next),
                },
            };
            if let Some(batch) = present.reader.next().transpose()? {
                let file = present.file;
                let path = self.files.get(file).unwrap_or(&self.asked);
                let mut columns = batch.columns().to_vec();
                columns.extend(self.keys.columns(file, batch.num_rows())?);
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let schema = Arc::clone(&present.schema);
                let whole = RecordBatch::try_new_with_options(schema, columns, &options);
                let whole = whole.map_err(|cause| {
                    let why = cause.to_string();
                    misfit(path, Misfit { column: None, why })
                })?;
                let aligned = present.alignment.apply(&whole);
                return aligned.map(Some).map_err(|cause| misfit(path, cause));
            }
            add(&mut self.notices, present.reader.notices());
            self.present = None;
        }
    }
}

/// A file is another one than it was when its schema was looked at.
fn changed(path: &Path, obstacles: &[Obstacle]) -> Error {
    let why = format!(
        "\"{}\" has changed since it was looked at: {obstacles:?}",
        path.display()
    );
    apart(
        path,
        why,
        "run the same command again when nobody writes the files",
    )
}

fn misfit(path: &Path, misfit: Misfit) -> Error {
    let column = misfit.column.unwrap_or_default();
    let message = format!(
        "column \"{}\" does not fit those of the other files",
        column.escape_debug()
    );
    Error::new(Kind::Data, "FS0320", message)
        .with_detail(format!("{} (file \"{}\")", misfit.why, path.display()))
        .with_hint("correct the file, or move the files one after another")
}

impl Iterator for Chain {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl BatchReader for Chain {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn rows_total(&self) -> Option<u64> {
        self.rows_total
    }

    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}
