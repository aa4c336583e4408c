//! The errors of files: what was expected, what was found, what to do.

use super::Format;
use arrow_schema::Schema;
use flinkspark_model::{Error, Kind, Result};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Columns that an error lists.
const NAMES_SHOWN: usize = 20;

pub(super) fn unknown_format(path: &Path) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0301",
        format!("\"{}\" is not a file of a known format", path.display()),
    )
    .with_detail("the format is told by the end of the name")
    .with_hint(format!(
        "use a name that ends in {}, or pass --format",
        usual_suffixes()
    ))
}

/// `.a, .b or .c`
fn usual_suffixes() -> String {
    let usual = Format::ALL.map(|format| format!(".{}", format.suffixes()[0]));
    let [others @ .., last] = usual.as_slice() else {
        return String::new();
    };
    format!("{} or {last}", others.join(", "))
}

pub(super) fn cannot_open(name: &str, cause: io::Error) -> Error {
    let kind = match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => {
            Kind::Invalid
        }
        io::ErrorKind::InvalidData => Kind::Data,
        _ => Kind::Unavailable,
    };
    Error::new(kind, "FS0302", format!("\"{name}\" cannot be read"))
        .with_source(cause)
        .with_hint("check the path and its permissions; a path on the command line is opened where the command runs")
}

/// A folder or a pattern that stands for no file.
pub(super) fn nothing_there(path: &Path) -> Error {
    let message = format!("\"{}\" stands for no file", path.display());
    Error::new(Kind::Invalid, "FS0302", message)
        .with_detail("no file matches it, or all that do are hidden: their names begin with . or _")
        .with_hint("check the pattern with ls; quote it, so that the shell leaves it as it is")
}

/// A column that was asked for and is not in the file.
pub(super) fn not_there(name: &str, column: &str, schema: &Schema) -> Error {
    let names = schema.fields().iter().take(NAMES_SHOWN);
    let names: Vec<String> = names
        .map(|field| format!("\"{}\"", field.name().escape_debug()))
        .collect();
    let more = match schema.fields().len() > NAMES_SHOWN {
        true => " and more",
        false => "",
    };
    let message = format!("\"{name}\" has no column \"{}\"", column.escape_debug());
    Error::new(Kind::Invalid, "FS0319", message)
        .with_detail(format!("it has {}{more}", names.join(", ")))
        .with_hint(
            "name columns as they stand in the file; names that differ in case are two names",
        )
}

pub(super) fn cannot_write(
    name: &str,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(Kind::Unavailable, "FS0303", format!("\"{name}\" cannot be written"))
        .with_source(cause)
        .with_hint("check the folder, its permissions and the free space (df), then run the same command again")
}

/// The file is torn, damaged or of another format.
pub(super) fn damaged(format: Format, name: &str, why: impl Into<String>) -> Error {
    let name_of_format = format.name();
    let article = format.article();
    Error::new(Kind::Data, "FS0305", format!("\"{name}\" is not a whole {name_of_format} file"))
        .with_detail(why)
        .with_hint(format!(
            "fetch or write it again; if it is not {article} {name_of_format} file, give it the name that it should have"
        ))
}

pub(super) fn unheld(format: Format, column: &str, why: impl Into<String>, hint: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0306",
        format!(
            "column \"{column}\" cannot be held by a {} file",
            format.name()
        ),
    )
    .with_detail(why)
    .with_hint(hint)
}

/// A value of a file that no value of its column's type stands for. `row` counts from 1.
pub(super) fn unreadable_value(name: &str, column: &str, row: u64, why: String) -> Error {
    Error::new(
        Kind::Data,
        "FS0310",
        format!("the value in row {row} of column \"{column}\" cannot be read without loss"),
    )
    .with_detail(format!("{why} (file \"{name}\")"))
    .with_hint("cast the column where the file is written, or write it as text")
}

/// A value that a file of this format has no place for. `row` counts from 1.
pub(super) fn unwritable_value(format: Format, column: &str, row: u64, why: String) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0311",
        format!(
            "the value in row {row} of column \"{column}\" cannot be held by a {} file",
            format.name()
        ),
    )
    .with_detail(why)
    .with_hint("write it as .arrow, or correct the value in the dataset")
}

/// The file is compressed with something that this build does not read.
pub(super) fn unread_codec(name: &str, codec: &str, hint: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0312",
        format!("\"{name}\" is compressed with {codec}, which is not read"),
    )
    .with_detail("the file may be whole; nothing of it was read")
    .with_hint(hint)
}

/// The file's values are of a calendar that its format does not have.
pub(super) fn foreign_calendar(name: &str, why: String, hint: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0313",
        format!("\"{name}\" says that its dates are of Spark's hybrid calendar"),
    )
    .with_detail(why)
    .with_hint(hint)
}

/// The file is whole, and of a form that is not read: `what` says of it that it "is ...".
pub(super) fn unread_form(name: &str, what: &str, why: &str, hint: &str) -> Error {
    let message = format!("\"{name}\" {what}, which is not read");
    Error::new(Kind::Invalid, "FS0314", message)
        .with_detail(why)
        .with_hint(hint)
}

/// A line of a CSV file ends in something else than a line feed.
pub(super) fn foreign_line_ends(name: &str, line: u64) -> Error {
    Error::new(
        Kind::Data,
        "FS0315",
        format!("\"{name}\" has line ends that are not read"),
    )
    .with_detail(format!(
        "line {line} holds a carriage return without a line feed: lines end in LF or CRLF, and within a field it stands in quotes"
    ))
    .with_hint(r"convert the file: tr '\r' '\n' < OLD > NEW")
}

/// A text file is not UTF-8; the place is a line or more exact.
pub(super) fn not_utf8(name: &str, place: &str) -> Error {
    undecodable(name, "UTF-8", place, "bytes that UTF-8 does not have")
}

/// A text file is not of its encoding: the place, which is a line or more exact, holds what it does not have.
pub(super) fn undecodable(name: &str, encoding: &str, place: &str, what: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS0316",
        format!("\"{name}\" is not {encoding} text"),
    )
    .with_detail(format!("{place} holds {what}"))
    .with_hint(
        "convert the file, for example: iconv -f latin1 -t utf-8 OLD > NEW; for CSV pass --encoding",
    )
}

/// Nothing says what the records of the file are.
pub(super) fn without_schema(format: Format, name: &str) -> Error {
    let (name_of_format, article) = (format.name(), format.article());
    let message = format!("\"{name}\" does not say what its columns are");
    Error::new(Kind::Invalid, "FS0317", message)
        .with_detail(format!(
            "{article} {name_of_format} file holds numbers of fields and values, and neither names nor exact types"
        ))
        .with_hint("pass the IDL of its records, or transfer it into a dataset that is registered")
}

/// A Thrift IDL that says nothing which could be used.
pub(super) fn unread_idl(why: String) -> Error {
    Error::new(Kind::Invalid, "FS0318", "the Thrift IDL cannot be used")
        .with_detail(why)
        .with_hint("correct the IDL, or pass one that has only the structs of the file's records")
}

/// An Avro file cannot be read at the schema that was passed: `why` says what is between them.
pub(super) fn unresolved_schema(name: &str, why: String, hint: &str) -> Error {
    let message = format!("\"{name}\" cannot be read at the Avro schema that was passed");
    Error::new(Kind::Invalid, "FS0324", message)
        .with_detail(why)
        .with_hint(hint)
}

/// Records cannot be set aside of a file of this format.
pub(super) fn no_aside(format: Format, name: &str) -> Error {
    let (article, name_of_format) = (format.article(), format.name());
    let message = format!("nothing can be set aside of {article} {name_of_format} file");
    Error::new(Kind::Invalid, "FS0322", message)
        .with_detail(format!(
            "file \"{name}\": its values stand in columns or blocks, and one that cannot be read leaves no whole record"
        ))
        .with_hint("leave --bad-rows out: the error says which value it is; or write the file as CSV or JSON")
}

/// An error's message and detail as the detail of another.
pub(super) fn described(error: &Error) -> String {
    format!(
        "{}: {}",
        error.message(),
        error.detail().unwrap_or_default()
    )
}

/// Runs a decoder that may panic on hostile bytes, and makes that an error like any other.
///
/// The decoder's state is not used again after an error, so that it need not be unwind safe.
pub(super) fn guarded<T>(
    format: Format,
    name: &str,
    decode: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|payload| {
        let why = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("the decoder gave up");
        Err(damaged(
            format,
            name,
            format!("the decoder found it inconsistent: {why}"),
        ))
    })
}
