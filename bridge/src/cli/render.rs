//! Prints results: a table for people, JSON for programs.
//!
//! Invariant: the same values whatever the format; only this module writes results to stdout.

use super::args::Format;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// The name of a target, as on the command line.
pub(crate) fn target(target: v1::Target) -> String {
    target
        .as_str_name()
        .trim_start_matches("TARGET_")
        .to_lowercase()
}

/// Rows with named columns.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    columns: &'static [&'static str],
    rows: Vec<Value>,
}

impl Listing {
    /// An empty listing of these columns, which are keys of the rows' JSON objects.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a JSON object; keys that are not columns show in JSON only.
    pub(crate) fn push(&mut self, row: Value) {
        self.rows.push(row);
    }

    /// Adds the rows of another one, whose columns show in JSON only.
    pub(crate) fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
    }
}

/// Prints a listing: a table, one array, or a line a row.
pub(crate) fn listing(format: Format, listing: &Listing) -> Result<()> {
    match format {
        Format::Table => text(&table(listing)),
        Format::Json => text(&format!("{:#}\n", Value::Array(listing.rows.clone()))),
        Format::Jsonl => listing
            .rows
            .iter()
            .try_for_each(|row| text(&format!("{row}\n"))),
    }
}

/// Prints one object: `key  value` lines, or one JSON object.
pub(crate) fn object(format: Format, value: &Value) -> Result<()> {
    match (format, value) {
        (Format::Table, Value::Object(fields)) => {
            let width = fields.keys().map(String::len).max().unwrap_or(0);
            let mut out = String::new();
            for (key, value) in fields {
                let lines = cell(value);
                for (index, line) in lines.lines().enumerate() {
                    let key = if index == 0 { key.as_str() } else { "" };
                    out.push_str(format!("{key:width$}  {line}").trim_end());
                    out.push('\n');
                }
            }
            text(&out)
        }
        (Format::Json, value) => text(&format!("{value:#}\n")),
        (_, value) => text(&format!("{value}\n")),
    }
}

/// Writes to stdout. A reader that went away, such as `head`, ends the command quietly.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(cause) => Err(Error::new(
            Kind::Unavailable,
            "FS0008",
            "the result could not be printed",
        )
        .with_source(cause)),
        Ok(()) => Ok(()),
    }
}

fn table(listing: &Listing) -> String {
    let mut grid: Vec<Vec<String>> = vec![
        listing
            .columns
            .iter()
            .map(|name| name.replace('_', " "))
            .collect(),
    ];
    for row in &listing.rows {
        grid.push(
            listing
                .columns
                .iter()
                .map(|name| cell(row.get(*name).unwrap_or(&Value::Null)))
                .collect(),
        );
    }
    let numeric: Vec<bool> = listing
        .columns
        .iter()
        .map(|name| {
            listing
                .rows
                .iter()
                .any(|row| row.get(*name).is_some_and(Value::is_number))
        })
        .collect();
    let width = |column: usize| grid.iter().map(|row| chars(row, column)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..listing.columns.len()).map(width).collect();
    let mut out = String::new();
    for row in &grid {
        let cells = row.iter().zip(widths.iter().zip(&numeric));
        let line: Vec<String> = cells
            .map(|(text, (width, right))| {
                if *right {
                    format!("{text:>width$}")
                } else {
                    format!("{text:width$}")
                }
            })
            .collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn chars(row: &[String], column: usize) -> usize {
    row.get(column).map_or(0, |text| text.chars().count())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let separator = if items.iter().all(Value::is_object) {
                "\n"
            } else {
                ", "
            };
            items.iter().map(cell).collect::<Vec<_>>().join(separator)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| format!("{key}={}", cell(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_stand_right_and_text_left() {
        let mut rows = Listing::new(&["name", "rows"]);
        rows.push(json!({"name": "a", "rows": 5}));
        rows.push(json!({"name": "flights", "rows": 336776}));
        assert_eq!(
            table(&rows),
            "name       rows\na             5\nflights  336776\n"
        );
    }

    #[test]
    fn a_missing_value_is_a_dash() {
        let mut rows = Listing::new(&["name", "watermark"]);
        rows.push(json!({"name": "a"}));
        assert_eq!(table(&rows), "name  watermark\na     -\n");
    }
}
