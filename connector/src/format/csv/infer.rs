//! Which type a column of CSV has, from all of its fields.
//!
//! Looks at every field of the file. Invariant: the type holds every field of the column without loss
//! of a digit; where no narrower one does, it is text. What a value of the type would be written as
//! otherwise than it stands there is said.

use super::calendar::{Moment, parse_date, parse_moment, put_date, put_moment};
use super::options::CsvOptions;
use super::record::{Broken, Records};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_model::schema::type_name;
use std::io::Read;

/// Integers up to here are exact as 64-bit floats.
const EXACT_FLOAT_MAX: u64 = 1 << 53;

/// What a field without quotes looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Text,
    Boolean,
    /// Whether a 64-bit float holds it exactly.
    Integer {
        exact: bool,
    },
    Float,
    Date,
    /// The units that hold it.
    Timestamp {
        zoned: bool,
        micros: bool,
        nanos: bool,
    },
}

/// What the text looks like; the writer quotes text that looks like anything else.
pub(super) fn kind(text: &str) -> Kind {
    match text.as_bytes() {
        [b't' | b'T' | b'f' | b'F', ..] if parse_bool(text).is_some() => Kind::Boolean,
        [b'N', ..] | [b'i', ..] | [b'-', b'i', ..] if matches!(text, "NaN" | "inf" | "-inf") => {
            Kind::Float
        }
        [b'0'..=b'9' | b'-' | b'+', ..] => numeric(text),
        _ => Kind::Text,
    }
}

/// `true` or `false`, also with a first or all capital letters.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn numeric(text: &str) -> Kind {
    if parse_date(text).is_some() {
        return Kind::Date;
    }
    if let Some(moment) = parse_moment(text) {
        let fits = |per_second| moment.ticks(per_second).is_some();
        let (micros, nanos) = (fits(1_000_000), fits(1_000_000_000));
        let some = micros || nanos;
        return if some {
            Kind::Timestamp {
                zoned: moment.zoned,
                micros,
                nanos,
            }
        } else {
            Kind::Text
        };
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let whole = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = unsigned.split_at(whole);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return Kind::Text;
    }
    if rest.is_empty() && text != "-0" {
        return match text.parse::<i64>() {
            Ok(value) => Kind::Integer {
                exact: value.unsigned_abs() <= EXACT_FLOAT_MAX,
            },
            Err(_) => Kind::Text,
        };
    }
    // A text that a float would be written as otherwise (1.10, 1E5, digits beyond it) is a code or
    // more than a float holds.
    let same = || {
        text.parse::<f64>()
            .is_ok_and(|value| format!("{value:?}") == text)
    };
    if is_fraction_and_exponent(rest) && same() {
        Kind::Float
    } else {
        Kind::Text
    }
}

/// The text that the field would be written as, where that is another.
fn restated(text: &str, kind: Kind, nanos: bool) -> Option<String> {
    let mut written = Vec::new();
    match kind {
        Kind::Boolean => return Some(text.to_ascii_lowercase()).filter(|lower| lower != text),
        Kind::Date => put_date(parse_date(text)?, &mut written),
        Kind::Timestamp { zoned, .. } => {
            let per_second = if nanos { 1_000_000_000 } else { 1_000_000 };
            let ticks = parse_moment(text).and_then(|moment: Moment| moment.ticks(per_second))?;
            put_moment(ticks, per_second, zoned, &mut written);
        }
        Kind::Integer { .. } => return Some(format!("{text}.0")),
        Kind::Text | Kind::Float => return None,
    }
    String::from_utf8(written)
        .ok()
        .filter(|written| written != text)
}

fn is_fraction_and_exponent(rest: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let fraction = fraction.is_empty() || fraction.strip_prefix('.').is_some_and(digits);
    fraction
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// A field that would be written as another text.
#[derive(Debug, Clone)]
struct Restated {
    line: u64,
    text: String,
    written: String,
}

/// What was seen of a column.
#[derive(Debug, Clone)]
struct Seen {
    booleans: bool,
    integers: bool,
    floats: bool,
    dates: bool,
    local: bool,
    zoned: bool,
    text: bool,
    exact: bool,
    micros: bool,
    nanos: bool,
    /// The first integer, as it would be written among floats.
    integer: Option<Restated>,
    /// The first other field that would be written otherwise, in microseconds and in nanoseconds.
    other: [Option<Restated>; 2],
}

impl Seen {
    const NOTHING: Self = Self {
        booleans: false,
        integers: false,
        floats: false,
        dates: false,
        local: false,
        zoned: false,
        text: false,
        exact: true,
        micros: true,
        nanos: true,
        integer: None,
        other: [None, None],
    };

    fn see(&mut self, text: &str, line: u64) {
        let kind = kind(text);
        let restate = |known: &mut Option<Restated>, nanos| {
            if known.is_none()
                && let Some(written) = restated(text, kind, nanos)
            {
                let text = text.into();
                *known = Some(Restated {
                    line,
                    text,
                    written,
                });
            }
        };
        if matches!(kind, Kind::Integer { .. }) {
            restate(&mut self.integer, false);
        } else {
            let [micros, nanos] = &mut self.other;
            restate(micros, false);
            restate(nanos, true);
        }
        match kind {
            Kind::Text => self.text = true,
            Kind::Boolean => self.booleans = true,
            Kind::Integer { exact } => {
                self.integers = true;
                self.exact &= exact;
            }
            Kind::Float => self.floats = true,
            Kind::Date => self.dates = true,
            Kind::Timestamp {
                zoned,
                micros,
                nanos,
            } => {
                self.zoned |= zoned;
                self.local |= !zoned;
                self.micros &= micros;
                self.nanos &= nanos;
            }
        }
    }

    /// What is to be said of the column at its type.
    fn notice(&self, name: &str, data_type: &DataType) -> Option<String> {
        let [micros, nanos] = &self.other;
        let restated = match data_type {
            DataType::Float64 => self.integer.as_ref(),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => nanos.as_ref(),
            DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => micros.as_ref(),
            _ => None,
        }?;
        Some(format!(
            "column \"{}\" is read as {}: \"{}\" in line {} will be written as {}",
            name.escape_debug(),
            type_name(data_type),
            restated.text.escape_debug(),
            restated.line,
            restated.written
        ))
    }

    fn data_type(&self) -> DataType {
        let numbers = self.integers || self.floats;
        let kinds = [self.booleans, numbers, self.dates, self.local, self.zoned];
        if self.text || kinds.into_iter().filter(|kind| *kind).count() != 1 {
            return DataType::Utf8;
        }
        if self.booleans {
            return DataType::Boolean;
        }
        if self.dates {
            return DataType::Date32;
        }
        if numbers {
            return match (self.floats, self.exact) {
                (false, _) => DataType::Int64,
                (true, true) => DataType::Float64,
                (true, false) => DataType::Utf8,
            };
        }
        let zone = self.zoned.then(|| "UTC".into());
        match (self.micros, self.nanos) {
            (true, _) => DataType::Timestamp(TimeUnit::Microsecond, zone),
            (false, true) => DataType::Timestamp(TimeUnit::Nanosecond, zone),
            (false, false) => DataType::Utf8,
        }
    }
}

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
                (_, true) => seen.text = true,
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
