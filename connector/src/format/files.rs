//! One file, or several as one: those of a folder, or those that a pattern matches.
//!
//! Several files are one sequence of rows, in the order of their paths. Their columns are found by name, and folders that
//! are called `name=value` are columns, too, as Hive and Spark write them. Invariant: what is left out or filled in is
//! said, and files that do not go together are refused before a row of them is read.

mod chain;
mod find;
mod keys;
mod unify;

use super::{BatchReader, Format, ReadOptions, chosen};
use flinkspark_model::{Error, Kind, Result};
use std::path::Path;

/// Opens what a path stands for: a file, a folder, or a pattern such as `data/*.csv`.
///
/// Its format is that of the options, or what the name tells. `FS0319` where a column that was chosen is not there,
/// `FS0320` where several files do not go together; besides, the errors of [`Format::open`].
pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Box<dyn BatchReader>> {
    let path = path.as_ref();
    let reader = match find::find(path)? {
        None => format_of(path, options)?.open(path, options)?,
        Some(found) => chain::open(found, options)?,
    };
    chosen::chosen(reader, &path.display().to_string(), options)
}

fn format_of(path: &Path, options: &ReadOptions) -> Result<Format> {
    options.format.map_or_else(|| Format::from_path(path), Ok)
}

/// Files that are no single sequence of rows.
fn apart(what: &Path, why: String, hint: &str) -> Error {
    let message = format!("the files of \"{}\" do not go together", what.display());
    Error::new(Kind::Invalid, "FS0320", message)
        .with_detail(why)
        .with_hint(hint)
}

#[cfg(test)]
mod tests;
