//! Values as JSON, one printer for each type.
//!
//! Invariant: what is printed is JSON on one line, and reads back to the same value at the same type; a value that
//! would not is refused.

use super::leaf::NAMED_FLOATS;
use super::span::{Span, put_span};
use crate::format::text::{
    Patterns, printer as text_printer, printer_of, put, put_float, within_day,
};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, FixedSizeListArray, GenericListArray, MapArray,
    OffsetSizeTrait,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{DataType, Fields, IntervalUnit, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;
use std::fmt::Debug;

/// Prints the value at a row, or says why it cannot be written.
pub(super) type Printer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) -> Result<(), Unwritable> + 'a>;

/// A value that cannot be written: the path of its column, and why.
#[derive(Debug)]
pub(super) struct Unwritable {
    pub(super) path: String,
    pub(super) why: &'static str,
}

impl Unwritable {
    fn new(why: &'static str) -> Self {
        let path = String::new();
        Self { path, why }
    }

    fn within(self, field: &str) -> Self {
        let point = if self.path.is_empty() { "" } else { "." };
        let path = format!("{field}{point}{}", self.path);
        Self { path, ..self }
    }
}

/// What prints the text at a row that is not null.
type Text<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// A printer of the array's values; `None` where JSON has no text for the type.
pub(super) fn printer<'a>(array: &'a dyn Array, patterns: &'a Patterns) -> Option<Printer<'a>> {
    use DataType as D;
    let value = match array.data_type() {
        D::Struct(fields) => members(fields, array.as_struct().columns(), patterns)?,
        D::List(_) => lists(array.as_list::<i32>(), patterns)?,
        D::LargeList(_) => lists(array.as_list::<i64>(), patterns)?,
        D::FixedSizeList(..) => fixed_lists(array.as_fixed_size_list(), patterns)?,
        D::Map(..) => maps(array.as_map(), patterns)?,
        D::Float32 => floats::<Float32Type>(array),
        D::Float64 => floats::<Float64Type>(array),
        D::Null => plain(Box::new(|_: usize, _: &mut Vec<u8>| {})),
        D::Boolean => plain(text_printer(array)?),
        number if number.is_integer() || number.is_decimal() => plain(text_printer(array)?),
        _ => strings(array, patterns)?,
    };
    let nothing = array.data_type() == &D::Null;
    Some(Box::new(move |row, out| {
        if nothing || array.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        value(row, out)
    }))
}

/// A printer of objects: each field's name and its column's value.
pub(super) fn members<'a>(
    fields: &Fields,
    columns: &'a [ArrayRef],
    patterns: &'a Patterns,
) -> Option<Printer<'a>> {
    let members = fields.iter().zip(columns).enumerate();
    let members = members.map(|(index, (field, column))| {
        let mut name = if index == 0 { vec![] } else { vec![b','] };
        put_string(field.name(), &mut name);
        name.push(b':');
        Some((
            field.name().clone(),
            name,
            printer(column.as_ref(), patterns)?,
        ))
    });
    let members = members.collect::<Option<Vec<_>>>()?;
    Some(Box::new(move |row, out| {
        out.push(b'{');
        for (field, name, value) in &members {
            out.extend_from_slice(name);
            value(row, out).map_err(|cause| cause.within(field))?;
        }
        out.push(b'}');
        Ok(())
    }))
}

fn lists<'a, O: OffsetSizeTrait>(
    array: &'a GenericListArray<O>,
    patterns: &'a Patterns,
) -> Option<Printer<'a>> {
    let value = printer(array.values().as_ref(), patterns)?;
    let offsets = array.value_offsets();
    Some(Box::new(move |row, out| {
        items(
            &value,
            offsets[row].as_usize()..offsets[row + 1].as_usize(),
            out,
        )
    }))
}

fn fixed_lists<'a>(array: &'a FixedSizeListArray, patterns: &'a Patterns) -> Option<Printer<'a>> {
    let value = printer(array.values().as_ref(), patterns)?;
    let length = usize::try_from(array.value_length()).ok()?;
    Some(Box::new(move |row, out| {
        let first = usize::try_from(array.value_offset(row)).unwrap_or_default();
        items(&value, first..first + length, out)
    }))
}

fn items(
    value: &Printer<'_>,
    rows: std::ops::Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), Unwritable> {
    out.push(b'[');
    for row in rows.clone() {
        if row > rows.start {
            out.push(b',');
        }
        value(row, out)?;
    }
    out.push(b']');
    Ok(())
}

fn maps<'a>(array: &'a MapArray, patterns: &'a Patterns) -> Option<Printer<'a>> {
    let key = keys(array.keys().as_ref(), patterns)?;
    let value = printer(array.values().as_ref(), patterns)?;
    let offsets = array.value_offsets();
    Some(Box::new(move |row, out| {
        let rows = offsets[row].as_usize()..offsets[row + 1].as_usize();
        let mut known = HashSet::new();
        out.push(b'{');
        for row in rows.clone() {
            if row > rows.start {
                out.push(b',');
            }
            let start = out.len();
            key(row, out)?;
            if !known.insert(out[start..].to_vec()) {
                return Err(Unwritable::new("its map has a key twice"));
            }
            out.push(b':');
            value(row, out)?;
        }
        out.push(b'}');
        Ok(())
    }))
}

/// A printer of keys, which are strings whatever their type.
fn keys<'a>(array: &'a dyn Array, patterns: &'a Patterns) -> Option<Printer<'a>> {
    match array.data_type() {
        DataType::Null => None,
        data_type if data_type.is_floating() => None,
        _ => strings(array, patterns),
    }
}

fn plain(text: Text<'_>) -> Printer<'_> {
    Box::new(move |row, out| {
        text(row, out);
        Ok(())
    })
}

/// Numbers, and the names of those that JSON lacks.
fn floats<T: ArrowPrimitiveType>(array: &dyn Array) -> Printer<'_>
where
    T::Native: Debug + Into<f64>,
{
    plain(printer_of::<T>(array, |value, out| {
        if value.into().is_finite() {
            return put_float(value, out);
        }
        let text = format!("{value:?}");
        let named = NAMED_FLOATS.iter().find(|(_, named)| *named == text);
        put_string(named.map_or(text.as_str(), |(name, _)| name), out);
    }))
}

/// A printer of texts in quotes.
fn strings<'a>(array: &'a dyn Array, patterns: &'a Patterns) -> Option<Printer<'a>> {
    let (text, within) = (texts(array)?, within_day(array));
    let pattern = patterns.of(array.data_type());
    Some(Box::new(move |row, out| {
        if within.as_ref().is_some_and(|within| !within(row)) {
            return Err(Unwritable::new("it is no time of a day"));
        }
        out.push(b'"');
        let start = out.len();
        text(row, out);
        let printed = out.get(start..).unwrap_or_default();
        if pattern.is_none() && !printed.iter().any(is_escaped) {
            out.push(b'"');
            return Ok(());
        }
        let mut unquoted = out.split_off(start);
        out.pop();
        if let Some(pattern) = pattern {
            let iso = str::from_utf8(&unquoted).ok();
            let text = iso.and_then(|iso| pattern.of_iso(iso));
            let why = "the declared pattern has no room for it";
            unquoted = text.ok_or(Unwritable::new(why))?.into_bytes();
        }
        put_bytes_as_string(&unquoted, out);
        Ok(())
    }))
}

/// Texts without quotes: bytes and spans are JSON's own, all others are those that CSV has.
fn texts(array: &dyn Array) -> Option<Text<'_>> {
    use {DataType as D, TimeUnit as U};
    let put_bytes = |bytes: &[u8], out: &mut Vec<u8>| put(out, STANDARD.encode(bytes));
    Some(match array.data_type() {
        D::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| put_bytes(values.value(row), out))
        }
        D::LargeBinary => {
            let values = array.as_binary::<i64>();
            Box::new(move |row, out| put_bytes(values.value(row), out))
        }
        D::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            Box::new(move |row, out| put_bytes(values.value(row), out))
        }
        D::Duration(U::Second) => durations::<DurationSecondType>(array, 1_000_000_000),
        D::Duration(U::Millisecond) => durations::<DurationMillisecondType>(array, 1_000_000),
        D::Duration(U::Microsecond) => durations::<DurationMicrosecondType>(array, 1_000),
        D::Duration(U::Nanosecond) => durations::<DurationNanosecondType>(array, 1),
        D::Interval(IntervalUnit::YearMonth) => {
            printer_of::<IntervalYearMonthType>(array, |value, out| {
                put_parts(value, 0, 0, out);
            })
        }
        D::Interval(IntervalUnit::DayTime) => {
            printer_of::<IntervalDayTimeType>(array, |value, out| {
                let nanos = i128::from(value.milliseconds) * 1_000_000;
                put_parts(0, value.days, nanos, out);
            })
        }
        D::Interval(IntervalUnit::MonthDayNano) => {
            printer_of::<IntervalMonthDayNanoType>(array, |value, out| {
                put_parts(value.months, value.days, value.nanoseconds.into(), out);
            })
        }
        _ => text_printer(array)?,
    })
}

fn durations<T: ArrowPrimitiveType<Native = i64>>(
    array: &dyn Array,
    nanos_per_tick: i128,
) -> Text<'_> {
    printer_of::<T>(array, move |ticks, out| {
        put_parts(0, 0, i128::from(ticks) * nanos_per_tick, out);
    })
}

fn put_parts(months: i32, days: i32, nanos: i128, out: &mut Vec<u8>) {
    let (months, days) = (months.into(), days.into());
    let span = Span {
        months,
        days,
        nanos,
    };
    put_span(span, out);
}

/// The text as a string.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(text, &mut out);
    out
}

fn put_string(text: &str, out: &mut Vec<u8>) {
    put_bytes_as_string(text.as_bytes(), out);
}

/// Whether a string holds the byte as an escape only.
fn is_escaped(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// Prints bytes of UTF-8 as a string: quotes, backslashes and control characters are escaped.
fn put_bytes_as_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(is_escaped) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = from.split_first() else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => put(out, format_args!("\\u{byte:04x}")),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
