//! Files: Arrow IPC, Parquet, CSV, JSON, Avro and Thrift, read and written batch by batch.
//!
//! Owns the conversion between a file and a sequence of record batches. It knows nothing of
//! datasets and never casts a value to another type: it changes encodings (dictionaries and run-ends
//! are written and read as plain columns, views are read as plain strings), and units where a format
//! lacks one. Blocking:
//! callers move it off an async runtime. Invariant: what is read back has the digest of what was
//! written, or there was an error; in memory are a few pieces and batches for each thread, as `ordered` bounds them
//! (Parquet's writer: one row group of at most [`ROW_GROUP_BYTES_MAX`], besides).
//!
//! ```
//! use arrow_array::{Int64Array, RecordBatch};
//! use flinkspark_connector::format::{Format, ReadOptions, WriteOptions};
//! use std::{io::Cursor, sync::Arc};
//!
//! let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as _)])?;
//! let file = tempfile::NamedTempFile::with_suffix(".csv")?;
//! let format = Format::from_path(file.path())?;
//! let mut writer = format.create(file.path(), batch.schema(), &WriteOptions::default())?;
//! writer.write(&batch)?;
//! writer.finish()?;
//! assert_eq!(std::fs::read_to_string(file.path())?, "n\n1\n2\n");
//! let mut reader = format.open(file.path(), &ReadOptions::default())?;
//! assert_eq!(reader.next().transpose()?.map(|batch| batch.num_rows()), Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aside;
mod avro;
mod bounds;
mod chosen;
mod civil;
mod complement;
mod conform;
mod csv;
mod error;
mod file;
mod files;
mod identifiers;
mod ipc;
mod json;
pub(crate) mod leaves;
mod ordered;
mod packed;
mod parquet;
#[cfg(test)]
mod tests;
mod text;
mod thrift;
pub(crate) mod units;
mod written;

pub use aside::{Aside, BadRow};
pub use avro::{AvroCodec, AvroOptions};
pub(crate) use chosen::chosen;
pub(crate) use civil::per_second;
pub use conform::stored_schema;
pub use csv::{CsvOptions, Encoding};
pub use files::open;
pub use json::JsonOptions;
pub use parquet::ROW_GROUP_BYTES_MAX;
pub use thrift::{ThriftOptions, ThriftProtocol, thrift_idl};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::schema::names;
use flinkspark_model::{Error, Result};
use std::fmt;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::str::FromStr;

/// Rows of a batch unless told otherwise.
pub const BATCH_ROWS: usize = 32_768;

/// Bytes of a batch unless told otherwise; a single larger row is a batch of its own.
pub const BATCH_BYTES: usize = 8 << 20;

/// What a kind of file is: how the names of its files end, how they are read and written.
///
/// A new kind is one folder that implements this, and one line in [`Format::ALL`].
trait FileKind: Send + Sync {
    /// Its name in messages, with the article that goes before it.
    fn name(&self) -> (&'static str, &'static str);

    /// How names of its files end, in small letters and without the dot; the usual one first.
    fn suffixes(&self) -> &'static [&'static str];

    /// Whether its files are text, which is read from the beginning on and packed from outside.
    fn is_text(&self) -> bool {
        false
    }

    /// The batches of a file, whatever sizes they have. `name` stands for the file in errors.
    fn read(
        &self,
        input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>>;

    /// Writes a file at a schema that [`stored_schema`] gave. `name` stands for the file in errors.
    fn write(
        &self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: &SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>>;
}

/// A kind of file.
#[derive(Clone, Copy)]
pub struct Format(&'static dyn FileKind);

/// How files are read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOptions {
    /// The largest batch, in rows; at least 1.
    pub batch_rows: usize,
    /// The largest batch, in bytes; at least one row.
    pub batch_bytes: usize,
    /// The schema that a CSV or JSON file is read at; inferred where there is none. The columns of a CSV file with a
    /// header are those of the header, at the types that the schema has for their names; one that it lacks is text.
    /// A Thrift file needs a schema, or an IDL. Other formats carry their own; Parquet takes from it the unit of timestamps that are INT96.
    pub schema: Option<SchemaRef>,
    /// The columns that [`open`] gives, in this order; all where there are none. The others are skipped: they may
    /// be unknown to the schema.
    pub columns: Option<Vec<String>>,
    /// The format of what [`open`] opens, whatever its name.
    pub format: Option<Format>,
    /// Where records go that cannot be read: they are errors without it. Only CSV and JSON have such records (`FS0322`).
    pub aside: Option<Aside>,
    /// What only Avro needs.
    pub avro: AvroOptions,
    /// What only CSV needs.
    pub csv: CsvOptions,
    /// What only JSON needs.
    pub json: JsonOptions,
    /// What only Thrift needs.
    pub thrift: ThriftOptions,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            batch_rows: BATCH_ROWS,
            batch_bytes: BATCH_BYTES,
            schema: None,
            columns: None,
            format: None,
            aside: None,
            avro: AvroOptions::default(),
            csv: CsvOptions::default(),
            json: JsonOptions::default(),
            thrift: ThriftOptions::default(),
        }
    }
}

/// How files are written.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOptions {
    /// The largest batch that a file holds, in rows; at least 1.
    pub batch_rows: usize,
    /// The largest batch that a file holds, in bytes; at least one row.
    pub batch_bytes: usize,
    /// The format of what a transfer writes, whatever its name.
    pub format: Option<Format>,
    /// How Avro's blocks are packed.
    pub avro_codec: AvroCodec,
    /// What only CSV needs.
    pub csv: CsvOptions,
    /// What only JSON needs.
    pub json: JsonOptions,
    /// What only Thrift needs.
    pub thrift: ThriftOptions,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            batch_rows: BATCH_ROWS,
            batch_bytes: BATCH_BYTES,
            format: None,
            avro_codec: AvroCodec::default(),
            csv: CsvOptions::default(),
            json: JsonOptions::default(),
            thrift: ThriftOptions::default(),
        }
    }
}

/// What a file is read from.
pub trait Input: Read + Seek + Send {}

impl<T: Read + Seek + Send> Input for T {}

/// The batches of one file, in its order.
///
/// After an error there are no more batches. Errors of kind `Data` name the file.
pub trait BatchReader: Iterator<Item = Result<RecordBatch>> + Send {
    /// The schema of every batch.
    fn schema(&self) -> SchemaRef;

    /// The file's rows, where its metadata says how many.
    fn rows_total(&self) -> Option<u64> {
        None
    }

    /// What the user should know of how the file is read, one sentence each; when all was read,
    /// also of what was read.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Debug for dyn BatchReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchReader({})", self.schema())
    }
}

/// Writes one file; it is whole only after [`BatchWriter::finish`].
pub trait BatchWriter: Send {
    /// Writes the batch's rows. Its columns must be encodings of the file's types (`FS0304`).
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Ends the file. A file of a path is synced and takes its name only now; dropped before, it
    /// leaves nothing behind.
    fn finish(self: Box<Self>) -> Result<()>;
}

impl fmt::Debug for dyn BatchWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchWriter")
    }
}

/// Creates a file of the format that its name ends in.
pub fn create(
    path: impl AsRef<Path>,
    schema: SchemaRef,
    options: &WriteOptions,
) -> Result<Box<dyn BatchWriter>> {
    Format::from_path(path.as_ref())?.create(path, schema, options)
}

impl Format {
    /// Arrow IPC: the file format; on reading the stream format, too.
    pub const ARROW: Self = Self(&ipc::Arrow);
    /// Apache Parquet.
    pub const PARQUET: Self = Self(&parquet::Parquet);
    /// Comma-separated values, RFC 4180.
    pub const CSV: Self = Self(&csv::Csv);
    /// JSON: an object a line; on reading also one array of objects.
    pub const JSON: Self = Self(&json::Json);
    /// Avro object container files.
    pub const AVRO: Self = Self(&avro::Avro);
    /// Apache Thrift: records with their lengths before them, which carry no schema.
    pub const THRIFT: Self = Self(&thrift::Thrift);

    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::ARROW,
        Self::PARQUET,
        Self::CSV,
        Self::JSON,
        Self::AVRO,
        Self::THRIFT,
    ];

    /// The format that the file's name ends in, as [`Format::suffixes`] has it, with `.gz`, `.zst`, `.bz2` or `.lz4`
    /// behind it where it is text. Any other name is `FS0301`.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let packed = packed::Codec::of_name(path);
        let inner = packed.map_or(path, |(_, inner)| Path::new(inner));
        let suffix = inner.extension().and_then(|suffix| suffix.to_str());
        let suffix = suffix.map(str::to_ascii_lowercase).unwrap_or_default();
        let of = |format: &Self| {
            let takes = packed.is_none() || format.0.is_text();
            takes && format.suffixes().contains(&suffix.as_str())
        };
        let found = Self::ALL.into_iter().find(of);
        found.ok_or_else(|| error::unknown_format(path))
    }

    /// The format's name in messages.
    pub fn name(self) -> &'static str {
        self.0.name().1
    }

    /// The article that goes before the name.
    fn article(self) -> &'static str {
        self.0.name().0
    }

    /// How names of its files end, in small letters and without the dot; the usual one first.
    pub fn suffixes(self) -> &'static [&'static str] {
        self.0.suffixes()
    }

    /// Whether its files are text, whose types are inferred unless they are told.
    fn is_text(self) -> bool {
        self.0.is_text()
    }

    /// Opens a file; `FS0302` where the system refuses, `FS0305` where it is torn or foreign, and the
    /// codes of [`names::check`] where its columns have names that no dataset may have.
    pub fn open(
        self,
        path: impl AsRef<Path>,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        let (input, name) = file::open(path.as_ref())?;
        self.read(Box::new(input), &name, options)
    }

    /// Reads from any input; `name` stands for it in errors.
    pub fn read(
        self,
        mut input: Box<dyn Input>,
        name: &str,
        options: &ReadOptions,
    ) -> Result<Box<dyn BatchReader>> {
        if options.aside.is_some() && !self.is_text() {
            return Err(error::no_aside(self, name));
        }
        if self.is_text() {
            let unpacked = packed::unpacked(input);
            input = unpacked.map_err(|cause| error::cannot_open(name, cause))?;
        }
        let reader = self.0.read(input, name, options)?;
        names::check(&reader.schema())?;
        Ok(Box::new(bounds::Bounded::new(
            reader,
            options.batch_rows,
            options.batch_bytes,
        )))
    }

    /// Creates a file, replacing one of that name when it is finished.
    ///
    /// `FS0303` where the system refuses, `FS0306` where the format cannot hold a column.
    pub fn create(
        self,
        path: impl AsRef<Path>,
        schema: SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        let (pending, output, name) = file::create(path.as_ref())?;
        let writer = self.write(output, &name, schema, options)?;
        Ok(Box::new(file::Published::new(writer, pending)))
    }

    /// Writes to any output; `name` stands for it in errors.
    pub fn write(
        self,
        output: Box<dyn Write + Send>,
        name: &str,
        schema: SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        names::distinct(&schema)?;
        let schema = stored_schema(&schema)?;
        let writer = self.0.write(output, name, &schema, options)?;
        Ok(Box::new(conform::Conformed::new(
            writer,
            schema,
            options.batch_rows,
            options.batch_bytes,
        )))
    }
}

impl FromStr for Format {
    type Err = Error;

    /// What names of its files end in; `FS0301` where that is no format.
    fn from_str(text: &str) -> Result<Self> {
        let suffix = text.to_ascii_lowercase();
        let of = |format: &Self| format.suffixes().contains(&suffix.as_str());
        let found = Self::ALL.into_iter().find(of);
        found.ok_or_else(|| error::unknown_format(Path::new(text)))
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
