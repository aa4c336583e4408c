//! The errors of JSON files: what is wrong, with line, byte and path.
//!
//! Invariant: every error of a file's content names the file, a line and a byte.

use super::rows::{Broken, Place};
use super::wrong::{What, Wrong};
use crate::format::Format;
use crate::format::error::{cannot_open, damaged, not_utf8, unheld};
use arrow_schema::DataType;
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind};

/// The error for a file of this name.
pub(super) fn as_error(name: &str, broken: Broken) -> Error {
    match broken {
        Broken::Io(cause) => cannot_open(name, cause),
        Broken::Wrong(wrong, place) => content(name, wrong, place),
    }
}

fn content(name: &str, Wrong { what, path, .. }: Wrong, Place { line, byte }: Place) -> Error {
    let place = format!("line {line}, byte {byte} of the file");
    let column = match path.is_empty() {
        true => String::new(),
        false => format!(", column \"{path}\""),
    };
    let data = |code, message: String, hint| {
        Error::new(Kind::Data, code, message)
            .with_detail(format!("file \"{name}\"{column}, {place}"))
            .with_hint(hint)
    };
    let correct = "correct the file, or read it at a schema whose column holds what stands there";
    match what {
        What::Broken(why) => damaged(Format::JSON, name, format!("{place}{column}: {why}")),
        What::Encoding => not_utf8(name, &place),
        What::Misfit { found, wanted } => data(
            "FS0307",
            format!("{found} in line {line} is no {wanted}"),
            correct,
        ),
        What::Null => {
            let message =
                format!("line {line} has no value for column \"{path}\", which holds no nulls");
            data("FS0307", message, correct)
        }
        What::Unknown(key) => {
            let message = format!("line {line} has a key that the schema lacks: \"{key}\"");
            let hint = "name the columns to be read with --columns, add this one to the dataset, or take the key out of the file";
            data("FS0308", message, hint)
        }
    }
}

/// A column of a type for whose values there is no JSON.
pub(super) fn refuse(column: &str, data_type: &DataType) -> Error {
    let why = format!("{} has no JSON that reads back", type_name(data_type));
    let hint = "use .parquet or .arrow, or leave the column out";
    unheld(Format::JSON, column, why, hint)
}
