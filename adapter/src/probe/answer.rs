//! Answers as text, in the form of the recorded ones.
//!
//! Invariant: a row prints as Flink's `Row.toString` prints it, so that equal texts are equal rows.

use crate::plan::Job;
use crate::plan::column::read;
use crate::semantics::cast::{NANOS_PER_DAY, date_text, value_text};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, decimal};
use arrow_array::RecordBatch;
use flinkspark_model::Result;

/// A job's answer: its columns and rows as text, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `[name TYPE, ...]` without NOT NULL.
    pub columns: String,
    /// `+I[value, ...]`, one for each row.
    pub rows: Vec<String>,
    /// The values of each row; empty for a recorded answer, whose text cannot be split safely.
    pub cells: Vec<Vec<String>>,
}

impl Answer {
    /// Reads a recorded answer.
    pub fn parse(recorded: &str) -> Self {
        let mut parts = recorded.split(" ; +I[");
        let columns = parts.next().unwrap_or_default().replace(" NOT NULL", "");
        Self {
            columns,
            rows: parts.map(|row| format!("+I[{row}")).collect(),
            cells: Vec::new(),
        }
    }
}

/// A job's result as an answer.
pub fn render(job: &Job, batches: &[RecordBatch]) -> Result<Answer> {
    let columns: Vec<String> = job
        .columns
        .iter()
        .map(|column| format!("`{}` {}", column.name, column.ty.text_without_nullability()))
        .collect();
    let mut rows = Vec::new();
    let mut cells = Vec::new();
    for batch in batches {
        if batch.num_columns() != job.columns.len() {
            return Err(broken("a result with other columns than its job"));
        }
        for row in 0..batch.num_rows() {
            let mut values = Vec::with_capacity(job.columns.len());
            for (array, column) in batch.columns().iter().zip(&job.columns) {
                values.push(text(
                    &read(array.as_ref(), &column.ty.root, row)?,
                    &column.ty,
                )?);
            }
            rows.push(format!("+I[{}]", values.join(", ")));
            cells.push(values);
        }
    }
    Ok(Answer {
        columns: format!("[{}]", columns.join(", ")),
        rows,
        cells,
    })
}

/// A value as Java prints the object that Flink hands out for it.
fn text(value: &Value, ty: &FlinkType) -> Result<String> {
    Ok(match (value, &ty.root) {
        (Value::Null, _) => "null".into(),
        (Value::Boolean(truth), _) => truth.to_string(),
        (Value::Time(millis), _) => clock_text(i128::from(*millis) * 1_000_000),
        (Value::Timestamp(nanos), _) => {
            let (days, of_day) = (
                nanos.div_euclid(NANOS_PER_DAY),
                nanos.rem_euclid(NANOS_PER_DAY),
            );
            format!("{}T{}", date_text(days as i32), clock_text(of_day))
        }
        (Value::Array(items), Root::Array(element)) => {
            let items: Result<Vec<String>> = items.iter().map(|item| text(item, element)).collect();
            format!("[{}]", items?.join(", "))
        }
        (Value::Decimal(unscaled), Root::Decimal(_, scale)) => big_decimal_text(*unscaled, *scale),
        (value, root) => value_text(value, root)?.as_ref().to_owned(),
    })
}

/// As Java's `BigDecimal` prints: with an exponent where more than five zeros would follow the point.
fn big_decimal_text(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let exponent = digits.len() as i32 - 1 - i32::from(scale);
    if exponent >= -6 {
        return decimal::to_text(unscaled, scale);
    }
    let sign = if unscaled < 0 { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{exponent}")
}

/// As Java's `LocalTime` prints: seconds where they are not zero, fractions in threes of digits.
fn clock_text(nanos: i128) -> String {
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let minutes = format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 == 0 && fraction == 0 {
        return minutes;
    }
    let whole = format!("{minutes}:{:02}", seconds % 60);
    match fraction {
        0 => whole,
        _ if fraction % 1_000_000 == 0 => format!("{whole}.{:03}", fraction / 1_000_000),
        _ if fraction % 1000 == 0 => format!("{whole}.{:06}", fraction / 1000),
        _ => format!("{whole}.{fraction:09}"),
    }
}
