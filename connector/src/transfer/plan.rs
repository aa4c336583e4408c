//! Which rows go where. Pure.
//!
//! Invariant: every batch of a file goes to exactly one partition, and the partitions advance
//! through the file together, so that their event times, and with them watermarks, stay close.

use super::standard::{self, Standard};
use crate::format::{self, BatchReader, BatchWriter, Format, ReadOptions, WriteOptions};
use arrow_schema::SchemaRef;
use flinkspark_model::{Error, Kind, Result};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The most partitions that a file is spread over: each is a stream of its own.
pub const PARTITIONS_MAX: u32 = 64;

/// Batches that each partition gets at least where the file has enough rows.
const BATCHES_PER_PARTITION: u64 = 4;

/// The prefix of a dataset among paths.
const SCHEME: &str = "dataset://";

/// One end of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A file, a folder or a pattern, opened by this process.
    File(PathBuf),
    /// Standard input, or standard output.
    Standard(Standard),
    /// A dataset's name, id or handle.
    Dataset(String),
}

impl End {
    /// The rows of a file, or of standard input.
    ///
    /// `FS0301` where nothing tells the format; besides, the errors of [`format::open`].
    pub fn open(&self, options: &ReadOptions) -> Result<Box<dyn BatchReader>> {
        match self {
            Self::File(path) => format::open(path, options),
            Self::Standard(standard) => {
                let format = options.format.ok_or_else(untold)?;
                let input = Box::new(standard.input()?);
                format::chosen(
                    format.read(input, standard::NAME, options)?,
                    standard::NAME,
                    options,
                )
            }
            Self::Dataset(_) => Err(no_file(self)),
        }
    }

    /// A file, or standard output, to write to.
    pub(super) fn create(
        &self,
        schema: SchemaRef,
        options: &WriteOptions,
    ) -> Result<Box<dyn BatchWriter>> {
        let of = |path: &PathBuf| options.format.map_or_else(|| Format::from_path(path), Ok);
        match self {
            Self::File(path) => of(path)?.create(path, schema, options),
            Self::Standard(_) => {
                let format = options.format.ok_or_else(untold)?;
                format.write(Box::new(std::io::stdout()), standard::NAME, schema, options)
            }
            Self::Dataset(_) => Err(no_file(self)),
        }
    }
}

/// Nothing tells the format of standard input or output.
fn untold() -> Error {
    let message = "the format of standard input or output is not known";
    Error::new(Kind::Invalid, "FS0301", message)
        .with_detail("a file's name tells its format, and there is no name")
        .with_hint("pass --format, such as --format csv")
}

fn no_file(end: &End) -> Error {
    Error::new(Kind::Internal, "FS0499", format!("{end} is no file"))
}

impl FromStr for End {
    type Err = Error;

    /// `dataset://NAME` is a dataset, `-` standard input or output, `file://PATH` and everything else without a scheme
    /// a path.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Error::new(
                Kind::Invalid,
                "FS0433",
                format!(
                    "\"{}\" is neither a file nor a dataset",
                    text.escape_debug()
                ),
            )
            .with_detail(why)
            .with_hint(
                "write dataset://NAME, or a path whose end tells a format, such as out.parquet",
            )
        };
        match text.split_once("://") {
            _ if text.is_empty() => Err(refuse("it is empty")),
            Some(("dataset", "")) => Err(refuse("the dataset has no name")),
            Some(("dataset", name)) => Ok(Self::Dataset(name.into())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(_) => Err(refuse("its scheme is not known")),
            None if text == standard::NAME => Ok(Self::Standard(Standard::default())),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Standard(_) => f.write_str(standard::NAME),
            Self::Dataset(name) => write!(f, "{SCHEME}{name}"),
        }
    }
}

/// The partition of a file's batch: in turn.
pub fn route(batch: u64, partitions: u32) -> u32 {
    u32::try_from(batch % u64::from(partitions.max(1))).unwrap_or(0)
}

/// The partitions that were asked for, within the limit.
pub(super) fn partitions(asked: Option<u32>) -> Result<u32> {
    match asked.unwrap_or(1) {
        count @ 1..=PARTITIONS_MAX => Ok(count),
        count => Err(Error::new(
            Kind::Invalid,
            "FS0434",
            format!("{count} partitions are not possible"),
        )
        .with_detail(format!(
            "a transfer writes 1 to {PARTITIONS_MAX} partitions at once"
        ))
        .with_hint(format!("use --partitions 1 to {PARTITIONS_MAX}"))),
    }
}

/// Rows of a batch, so that a small file still reaches every partition.
pub(super) fn batch_rows(total: Option<u64>, partitions: u32, rows_max: usize) -> usize {
    let Some(total) = total.filter(|_| partitions > 1) else {
        return rows_max;
    };
    let rows = total.div_ceil(u64::from(partitions) * BATCHES_PER_PARTITION);
    usize::try_from(rows)
        .unwrap_or(rows_max)
        .clamp(1, rows_max.max(1))
}

/// The transaction of a transfer: its own part of the ids that callers choose.
pub(super) fn transaction(id: &str) -> String {
    format!("transfer.{id}")
}
