//! The schema of a whole CSV file.
//!
//! Looks at every field of the file. Invariant: a quoted field is text.

use super::options::CsvOptions;
use super::record::{Broken, Records};
use crate::format::text::Seen;
use arrow_schema::{Field, Schema};
use std::io::Read;

/// A schema, and what is to be said of it.
pub(super) struct Inferred {
    pub(super) schema: Schema,
    pub(super) notices: Vec<String>,
    /// The first line that was blank.
    pub(super) blank: Option<u64>,
}

/// The schema of a whole input: every column nullable, names from the header or `column_1` on.
pub(super) fn infer(input: impl Read, options: &CsvOptions) -> Result<Inferred, Broken> {
    let mut records = Records::new(input, options.delimiter)?;
    let mut names = Vec::new();
    if !records.advance()? {
        return Err(Broken::Damaged(
            "it is empty: there is no line to tell its columns".into(),
        ));
    }
    let columns = records.len();
    for index in 0..columns {
        let (text, _) = records.field(index).unwrap_or_default();
        names.push(if options.header {
            utf8(text, records.line())?.to_owned()
        } else {
            format!("column_{}", index + 1)
        });
    }
    let mut seen = vec![Seen::NOTHING; columns];
    let mut more = !options.header || records.advance()?;
    while more {
        check_width(&records, columns)?;
        for (index, seen) in seen.iter_mut().enumerate() {
            match records.field(index).unwrap_or_default() {
                (_, true) => seen.see_text(),
                (text, false) if text == options.null.as_bytes() => {}
                (text, false) => seen.see(utf8(text, records.line())?, records.line()),
            }
        }
        more = records.advance()?;
    }
    let mut notices: Vec<String> = one_column(&names, options).into_iter().collect();
    let fields = names.into_iter().zip(seen).map(|(name, seen)| {
        let data_type = seen.data_type();
        notices.extend(seen.notice(&name, &data_type));
        Field::new(name, data_type, true)
    });
    Ok(Inferred {
        schema: Schema::new(fields.collect::<Vec<_>>()),
        notices,
        blank: records.blank(),
    })
}

/// A word on a file whose one column looks like several.
fn one_column(names: &[String], options: &CsvOptions) -> Option<String> {
    let [only] = names else { return None };
    let found = [';', '\t', '|', ',']
        .into_iter()
        .find(|other| u32::from(*other) != u32::from(options.delimiter) && only.contains(*other))?;
    Some(format!(
        "the file has one column, \"{}\": if {} stands between its fields, write it again with \"{}\"",
        only.escape_debug(),
        if found == '\t' {
            "a tab".to_owned()
        } else {
            format!("\"{found}\"")
        },
        char::from(options.delimiter).escape_debug()
    ))
}

pub(super) fn utf8(text: &[u8], line: u64) -> Result<&str, Broken> {
    std::str::from_utf8(text).map_err(|_| Broken::Encoding(line))
}

/// Refuses a record that has not as many fields as there are columns.
pub(super) fn check_width<R: Read>(records: &Records<R>, columns: usize) -> Result<(), Broken> {
    if records.len() == columns {
        return Ok(());
    }
    let (line, fields) = (records.line(), records.len());
    Err(Broken::Damaged(format!(
        "line {line} has {fields} fields, there are {columns} columns"
    )))
}
