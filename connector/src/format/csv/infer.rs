//! Which type a column of CSV has, from all of its fields.
//!
//! Looks at every field of the file. Invariant: the type reads every field of the column without
//! loss; where no narrower one does, it is text.

use super::CsvOptions;
use super::calendar::{parse_date, parse_moment};
use super::record::{Broken, Records};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
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
    let finite = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if is_fraction_and_exponent(rest) && finite() {
        Kind::Float
    } else {
        Kind::Text
    }
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

/// What was seen of a column.
#[derive(Debug, Clone, Copy)]
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
    };

    fn see(&mut self, kind: Kind) {
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

    fn data_type(self) -> DataType {
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

/// The schema of a whole input: every column nullable, names from the header or `column_1` on.
pub(super) fn infer(input: impl Read, options: &CsvOptions) -> Result<Schema, Broken> {
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
                (text, false) => seen.see(kind(utf8(text, records.line())?)),
            }
        }
        more = records.advance()?;
    }
    let fields = names
        .into_iter()
        .zip(seen)
        .map(|(name, seen)| Field::new(name, seen.data_type(), true));
    Ok(Schema::new(fields.collect::<Vec<_>>()))
}

pub(super) fn utf8(text: &[u8], line: u64) -> Result<&str, Broken> {
    std::str::from_utf8(text).map_err(|_| Broken::Damaged(format!("line {line}: it is not UTF-8")))
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
