//! Prints rows as they come.
//!
//! Invariant: every row is printed as soon as it is there, columns stand in the schema's order, and a cell of a table
//! is one line.

use super::{Format, failed, formatters, value};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_model::Result;
use serde_json::Value;
use std::fmt::Write;

/// Prints the batches of one schema.
pub(crate) struct Printer {
    output: Format,
    schema: SchemaRef,
    /// Of a table's columns, in characters: what the first rows need.
    widths: Option<Vec<usize>>,
    /// Whether a row was printed.
    begun: bool,
}

impl Printer {
    pub(crate) fn new(output: Format, schema: SchemaRef) -> Self {
        Self {
            output,
            schema,
            widths: None,
            begun: false,
        }
    }

    /// The text of more rows. A table's columns are as wide as the first of these calls needs them.
    pub(crate) fn rows(&mut self, batches: &[RecordBatch]) -> Result<String> {
        match self.output {
            Format::Table => self.lines(batches),
            Format::Json | Format::Jsonl => self.objects(batches),
        }
    }

    /// The text after the last row.
    pub(crate) fn end(&mut self) -> Result<String> {
        Ok(match (self.output, self.begun) {
            (Format::Table, _) => self.rows(&[])? + &rule(self.widths.as_deref().unwrap_or(&[])),
            (Format::Json, true) => "\n]\n".into(),
            (Format::Json, false) => "[]\n".into(),
            (Format::Jsonl, _) => String::new(),
        })
    }

    fn lines(&mut self, batches: &[RecordBatch]) -> Result<String> {
        let mut lines = Vec::new();
        for batch in batches {
            let columns = formatters(batch)?;
            for row in 0..batch.num_rows() {
                let cells = columns.iter().map(|column| {
                    let text = column.value(row).try_to_string().map_err(failed)?;
                    Ok(one_line(&text))
                });
                lines.push(cells.collect::<Result<Vec<String>>>()?);
            }
        }
        let mut out = String::new();
        let widths = match &self.widths {
            Some(widths) => widths,
            None => {
                let names = self.schema.fields().iter();
                let names: Vec<String> = names.map(|field| one_line(field.name())).collect();
                let mut widths: Vec<usize> = names.iter().map(|name| chars(name)).collect();
                for line in &lines {
                    for (width, cell) in widths.iter_mut().zip(line) {
                        *width = chars(cell).max(*width);
                    }
                }
                out = rule(&widths) + &line(&names, &widths) + &rule(&widths);
                self.widths.insert(widths)
            }
        };
        for cells in &lines {
            out.push_str(&line(cells, widths));
        }
        Ok(out)
    }

    fn objects(&mut self, batches: &[RecordBatch]) -> Result<String> {
        let fields = self.schema.fields().iter();
        let names: Vec<Value> = fields.map(|field| field.name().as_str().into()).collect();
        let mut out = String::new();
        for batch in batches {
            let columns = formatters(batch)?;
            for row in 0..batch.num_rows() {
                let mut members = Vec::with_capacity(columns.len());
                for ((name, column), array) in names.iter().zip(&columns).zip(batch.columns()) {
                    members.push((name, value(column, array, row)?));
                }
                match self.output {
                    Format::Json => {
                        out.push_str(if self.begun { ",\n" } else { "[\n" });
                        out.push_str(&tall(&members));
                    }
                    _ => flat(&members, &mut out),
                }
                self.begun = true;
            }
        }
        Ok(out)
    }
}

/// An object in one line, as serde_json writes it.
fn flat(members: &[(&Value, Value)], out: &mut String) {
    for (index, (name, value)) in members.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        // Writing into a string cannot fail.
        let _ = write!(out, "{before}{name}:{value}");
    }
    out.push_str(if members.is_empty() { "{}\n" } else { "}\n" });
}

/// An object with a line for each member, as an item of an array.
fn tall(members: &[(&Value, Value)]) -> String {
    let lines = members
        .iter()
        .map(|(name, value)| format!("    {name}: {value}"));
    format!("  {{\n{}\n  }}", lines.collect::<Vec<_>>().join(",\n"))
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths);
    let padded = cells.map(|(cell, width)| format!(" {cell:width$} "));
    format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
}

fn rule(widths: &[usize]) -> String {
    let dashes = widths.iter().map(|width| "-".repeat(width + 2));
    format!("+{}+\n", dashes.collect::<Vec<_>>().join("+"))
}

/// The text without line ends and other control characters: they would break the table, or the terminal.
fn one_line(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_debug().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray};
    use std::sync::Arc;

    fn batch(numbers: &[i64], texts: &[Option<&str>]) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(numbers.to_vec())) as _),
            ("a text", Arc::new(StringArray::from(texts.to_vec())) as _),
        ])
        .unwrap()
    }

    fn printed(output: Format, batches: &[RecordBatch]) -> String {
        let mut printer = Printer::new(output, batch(&[], &[]).schema());
        let texts = batches
            .iter()
            .map(|batch| printer.rows(std::slice::from_ref(batch)).unwrap());
        let text: String = texts.collect();
        text + &printer.end().unwrap()
    }

    #[test]
    fn a_table_is_as_wide_as_its_first_rows_and_never_breaks_a_line() {
        let batches = [
            batch(&[1, 20], &[Some("a\nb"), None]),
            batch(&[3], &[Some("longer than it was")]),
        ];
        let expected = "\
+----+--------+
| n  | a text |
+----+--------+
| 1  | a\\nb   |
| 20 | NULL   |
| 3  | longer than it was |
+----+--------+
";
        assert_eq!(printed(Format::Table, &batches), expected);
        let head: String = expected.split_inclusive('\n').take(3).collect();
        assert!(
            printed(Format::Table, &[]).starts_with("+---+--------+\n| n |"),
            "{head}"
        );
    }

    #[test]
    fn json_has_columns_in_the_schemas_order() {
        let batches = [batch(&[1], &[Some("q\"q")]), batch(&[2], &[None])];
        let lines = printed(Format::Jsonl, &batches);
        assert_eq!(
            lines,
            "{\"n\":1,\"a text\":\"q\\\"q\"}\n{\"n\":2,\"a text\":null}\n"
        );
        let array = printed(Format::Json, &batches);
        let parsed: Vec<Value> = serde_json::from_str(&array).unwrap();
        assert_eq!(parsed.len(), 2);
        assert!(
            array.starts_with("[\n  {\n    \"n\": 1,\n    \"a text\""),
            "{array}"
        );
        assert_eq!(printed(Format::Json, &[]), "[]\n");
        assert_eq!(printed(Format::Jsonl, &[]), "");
    }
}
