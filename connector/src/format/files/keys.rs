//! Columns that stand in the names of folders: `day=2024-02-29/hour=7`.
//!
//! A value is percent-encoded, and `__HIVE_DEFAULT_PARTITION__` is null, as Hive and Spark write them. Invariant: a
//! value is read at the declared type, or at one that holds the values of all files without loss of a digit.

use super::apart;
use super::find::Found;
use crate::format::text::{Seen, column};
use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use std::path::Path;

/// What stands for a null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns that folders name, and each file's values of them.
pub(super) struct Keys {
    pub(super) fields: Vec<Field>,
    /// For each file, a value of each column, as an array of one.
    values: Vec<Vec<ArrayRef>>,
}

impl Keys {
    /// Those of all files, at the declared types where there are any.
    pub(super) fn new(found: &Found, declared: Option<&Schema>) -> Result<Self> {
        let read: Vec<Vec<Pair>> = found
            .files
            .iter()
            .map(|file| pairs(&found.root, file))
            .collect();
        let first = read.first().map(Vec::as_slice).unwrap_or_default();
        for (file, pairs) in found.files.iter().zip(&read) {
            if !names(pairs).eq(names(first)) {
                let list = |pairs: &[Pair]| names(pairs).collect::<Vec<_>>().join(", ");
                let why = format!(
                    "the folders of the first one name [{}], those of \"{}\" [{}]",
                    list(first),
                    file.display(),
                    list(pairs)
                );
                let hint = "name one folder of those whose names agree";
                return Err(apart(&found.asked, why, hint));
            }
        }
        let fields = (0..first.len()).map(|at| {
            let values = || read.iter().filter_map(|pairs| pairs.get(at));
            let name = values().next().map_or("", |pair| pair.name.as_str());
            let known = declared.and_then(|schema| schema.field_with_name(name).ok());
            let data_type = known.map_or_else(|| seen(values()), |field| field.data_type().clone());
            // The next folder may say null.
            Field::new(name, data_type, true)
        });
        let fields: Vec<Field> = fields.collect();
        let one = |(file, pairs): (&std::path::PathBuf, &Vec<Pair>)| {
            let values = fields.iter().zip(pairs);
            values
                .map(|(field, pair)| pair.array(field, file))
                .collect()
        };
        let values = found.files.iter().zip(&read).map(one);
        let values = values.collect::<Result<Vec<Vec<ArrayRef>>>>()?;
        Ok(Self { fields, values })
    }

    /// The columns of so many rows of a file.
    pub(super) fn columns(&self, file: usize, rows: usize) -> Result<Vec<ArrayRef>> {
        let first = UInt32Array::from(vec![0; rows]);
        let values = self.values.get(file).map(Vec::as_slice).unwrap_or_default();
        let columns = values.iter().map(|value| take(value, &first, None));
        columns.collect::<Result<_, _>>().map_err(|cause| {
            Error::new(
                Kind::Internal,
                "FS0499",
                "a folder's value cannot be repeated",
            )
            .with_source(cause)
        })
    }
}

/// What one folder says.
struct Pair {
    name: String,
    value: Option<String>,
}

impl Pair {
    fn array(&self, field: &Field, file: &Path) -> Result<ArrayRef> {
        let data_type = field.data_type();
        let misfit = || {
            let shown = self.value.as_deref().unwrap_or(NULL).escape_debug();
            let message = format!(
                "the folder \"{}={shown}\" is no {}",
                self.name,
                type_name(data_type)
            );
            Error::new(Kind::Data, "FS0307", message)
                .with_detail(format!("file \"{}\"", file.display()))
                .with_hint("rename the folder, or read it at a schema whose column holds its value")
        };
        let mut column = column(data_type).ok_or_else(misfit)?;
        match &self.value {
            None => column.push_null(),
            Some(text) if column.push(text) => {}
            Some(_) => return Err(misfit()),
        }
        Ok(column.finish())
    }
}

fn names(pairs: &[Pair]) -> impl Iterator<Item = &str> {
    pairs.iter().map(|pair| pair.name.as_str())
}

/// The type that holds the values of all files.
fn seen<'a>(pairs: impl Iterator<Item = &'a Pair>) -> DataType {
    let mut seen = Seen::NOTHING;
    for value in pairs.filter_map(|pair| pair.value.as_deref()) {
        seen.see(value, 0);
    }
    seen.data_type()
}

/// The folders between the root and a file that say something.
fn pairs(root: &Path, file: &Path) -> Vec<Pair> {
    let below = file.strip_prefix(root).unwrap_or(file);
    let folders = below.parent().into_iter().flat_map(Path::components);
    let pair = |folder: std::path::Component<'_>| {
        let folder = folder.as_os_str().to_string_lossy();
        let (name, value) = folder.split_once('=')?;
        let value = unescaped(value);
        Some(Pair {
            name: unescaped(name),
            value: (value != NULL).then_some(value),
        })
    };
    folders.filter_map(pair).collect()
}

/// Percent-encoding undone; what is none stays.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_unescaped_as_spark_escapes_them() {
        let read = |path: &str| {
            let pairs = pairs(Path::new("/r"), Path::new(path));
            let shown = pairs.into_iter().map(|pair| (pair.name, pair.value));
            shown.collect::<Vec<_>>()
        };
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            read("/r/a=1/plain/b%3Dc=x%2Fy%/f.csv"),
            [pair("a", Some("1")), pair("b=c", Some("x/y%"))]
        );
        assert_eq!(read("/r/a=__HIVE_DEFAULT_PARTITION__/f"), [pair("a", None)]);
        assert_eq!(read("/r/a=/f"), [pair("a", Some(""))]);
        assert_eq!(read("/r/f=1.csv"), []);
    }
}
