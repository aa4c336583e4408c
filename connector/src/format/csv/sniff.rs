//! Which delimiter a file has, where nobody says it.
//!
//! Looks at the file's beginning alone, as records of each delimiter that it could be. Invariant: another one than the
//! usual is taken only where every record shows it and no other one could be meant; then it is said.

use super::options::{CsvOptions, Dialect};
use super::record::{Chunk, Records};
use super::source::{Broken, Source};
use std::io::Read;

/// What may stand between fields without being told.
const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Bytes that are looked at.
const PREFIX_BYTES: usize = 64 << 10;
/// One line is not enough to tell.
const RECORDS_MIN: u64 = 2;

/// A delimiter, and what is to be said of it.
pub(super) struct Sniffed {
    pub(super) delimiter: u8,
    pub(super) notice: Option<String>,
}

/// What every record has.
#[derive(Clone, Copy)]
struct Shape {
    fields: usize,
    records: u64,
}

/// What the beginning is with one delimiter.
struct Split {
    /// What its whole records have, where all have the same.
    shape: Option<Shape>,
    /// Whether it ends within quotes: what is there may be one field.
    torn: bool,
}

/// The delimiter of the text that comes next; `columns` where they are known.
pub(super) fn sniff<R: Read>(
    source: &mut Source<R>,
    options: &CsvOptions,
    columns: Option<usize>,
) -> Result<Sniffed, Broken> {
    let usual = Sniffed {
        delimiter: options.usual_delimiter(),
        notice: None,
    };
    if options.delimiter.is_some() {
        return Ok(usual);
    }
    source.fill(PREFIX_BYTES)?;
    let (prefix, whole) = (source.buffer(), source.is_whole());
    let split = |delimiter: u8| split(prefix, whole, options.dialect(delimiter));
    if split(usual.delimiter).torn {
        return Ok(usual);
    }
    let fits = |delimiter: u8, columns: Option<usize>| {
        let shape = split(delimiter).shape?;
        let fits = columns.is_none_or(|columns| columns == shape.fields);
        fits.then_some((delimiter, shape))
    };
    let of = |columns| -> Vec<(u8, Shape)> {
        let fits = |delimiter| fits(delimiter, columns);
        candidates(options).filter_map(fits).collect()
    };
    let mut found = of(columns);
    if found.is_empty() && options.header && columns.is_some_and(|columns| columns > 1) {
        // The header says which columns there are: they need not be as many.
        found = of(None);
    }
    Ok(match found.as_slice() {
        [(delimiter, shape)] if *delimiter != usual.delimiter => Sniffed {
            delimiter: *delimiter,
            notice: Some(format!(
                "no delimiter was told: it is taken to be {}, which makes {} fields of each of the first {} lines; \
                 pass --delimiter if it is another",
                shown(*delimiter),
                shape.fields,
                shape.records
            )),
        },
        _ => usual,
    })
}

/// What may stand between the fields of a file with these options.
pub(super) fn candidates(options: &CsvOptions) -> impl Iterator<Item = u8> {
    CANDIDATES.into_iter().filter(|one| options.allows(*one))
}

/// Splits the beginning, which is all there is or goes on.
fn split(prefix: &[u8], whole: bool, dialect: Dialect) -> Split {
    let mut torn = false;
    let shape = shape(prefix, whole, dialect, &mut torn);
    Split { shape, torn }
}

fn shape(prefix: &[u8], whole: bool, dialect: Dialect, torn: &mut bool) -> Option<Shape> {
    let chunk = Chunk {
        text: prefix.to_vec(),
        line: 1,
        is_last: true,
    };
    let mut records = Records::new(&chunk, &dialect);
    let mut shape: Option<Shape> = None;
    let mut last = None;
    loop {
        let more = match records.advance() {
            Ok(more) => more,
            Err(Broken::Torn(_)) => {
                *torn = true;
                !whole
            }
            Err(_) => return None,
        };
        // A record ends before the next one, and where the file does.
        let ended = if more || whole { last } else { None };
        if let Some(fields) = ended {
            let known = shape.get_or_insert(Shape { fields, records: 0 });
            if known.fields != fields {
                return None;
            }
            known.records += 1;
        }
        if !more || *torn {
            break;
        }
        last = Some(records.len());
    }
    let tells = |shape: &Shape| shape.fields > 1 && shape.records >= RECORDS_MIN;
    shape.filter(|shape| tells(shape) && !(*torn && whole))
}

/// The delimiter as people call it.
pub(super) fn shown(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "a tab".into(),
        other => format!("\"{}\"", char::from(other).escape_default()),
    }
}
