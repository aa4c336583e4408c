//! Tables: `CREATE TABLE` with the connector `flinkspark` declares the columns of a dataset, and gives it a name in a script.
//!
//! Owns the declaration and whether a dataset agrees with it; never makes a dataset. Invariant: a declaration that agrees
//! with a dataset says nothing of it that is not so.

mod cursor;
mod options;
mod read;
#[cfg(test)]
mod tests;
mod types;

use super::tokens;
use arrow_schema::{Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use flinkspark_model::dataset::{Dataset, TimeAttribute, Traits};
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::Registration;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// A `CREATE TABLE` that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The name that the statements after it use.
    pub name: DatasetName,
    /// Whether it is `TEMPORARY`.
    pub temporary: bool,
    /// Whether it says `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The dataset that it stands for.
    pub dataset: DatasetName,
    /// The columns; none where the dataset's own are meant.
    pub schema: SchemaRef,
    /// The columns of the primary key.
    pub primary_key: Vec<String>,
    /// The column with the event time, and the watermark's delay.
    pub time: Option<TimeAttribute>,
    /// Whether there are comments, which datasets do not keep.
    pub has_comments: bool,
}

impl Table {
    /// Reads a `CREATE [TEMPORARY] TABLE`.
    ///
    /// `FS0801` where it is not in the grammar, `FS0802` where Flink refuses it, `FS0803` where a clause is not supported,
    /// `FS0814` where an option or the connector is not known.
    pub fn parse(sql: &str) -> Result<Self> {
        read::read(tokens(sql)?)
    }

    pub(super) fn read(tokens: Vec<TokenWithSpan>) -> Result<Self> {
        read::read(tokens)
    }

    /// Whether its name is not the dataset's own.
    pub fn is_alias(&self) -> bool {
        self.name != self.dataset
    }

    /// The dataset that it declares.
    pub fn registration(&self) -> Result<Registration> {
        if self.schema.fields().is_empty() {
            let what = format!("the dataset \"{}\" does not exist", self.dataset);
            return Err(Error::new(Kind::NotFound, "FS0804", what)
                .with_detail(format!(
                    "the table `{}` declares no columns to make it with",
                    self.name
                ))
                .with_hint("list the columns: CREATE TABLE name (column TYPE, ...)"));
        }
        Ok(Registration {
            name: self.dataset.clone(),
            schema: Arc::clone(&self.schema),
            traits: Traits {
                time: self.time.clone(),
                primary_key: self.primary_key.clone(),
                ..Traits::default()
            },
            handles: Vec::new(),
        })
    }

    /// `FS0813` where the dataset is another one than is declared. A key or a watermark that is not declared is the dataset's.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let mut all = self.columns_differ(&dataset.schema);
        let traits = &dataset.traits;
        if !self.primary_key.is_empty() && self.primary_key != traits.primary_key {
            let (declared, has) = (self.primary_key.join(", "), traits.primary_key.join(", "));
            let has = if has.is_empty() {
                "none".into()
            } else {
                format!("({has})")
            };
            all.push(format!(
                "the primary key is declared as ({declared}), the dataset has {has}"
            ));
        }
        if let Some(time) = &self.time {
            let says = |column: &str, delay_ms: u64| format!("{delay_ms} ms behind \"{column}\"");
            let declared = says(&time.column, time.watermark_delay_ms);
            let has = traits.time.as_ref();
            let has = has.map_or("none".into(), |time| {
                says(&time.column, time.watermark_delay_ms)
            });
            if declared != has {
                all.push(format!(
                    "the watermark is declared as {declared}, the dataset has {has}"
                ));
            }
        }
        self.agreed(all)
    }

    /// `FS0813` where columns are declared that differ from these.
    pub(super) fn check_columns(&self, schema: &Schema) -> Result<()> {
        self.agreed(self.columns_differ(schema))
    }

    fn agreed(&self, differences: Vec<String>) -> Result<()> {
        if differences.is_empty() {
            return Ok(());
        }
        let what = format!(
            "the table `{}` is declared otherwise than the dataset \"{}\" is",
            self.name, self.dataset
        );
        Err(Error::new(Kind::Invalid, "FS0813", what)
            .with_detail(differences.join("; "))
            .with_hint(
                "SHOW CREATE TABLE gives the declaration that agrees; or name another dataset",
            ))
    }

    fn columns_differ(&self, schema: &Schema) -> Vec<String> {
        if self.schema.fields().is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for field in self.schema.fields() {
            let name = field.name();
            let Ok(has) = schema.field_with_name(name) else {
                all.push(format!("the dataset has no column \"{name}\""));
                continue;
            };
            // A key's columns are NOT NULL without being told so, which says nothing of the dataset's.
            let is_key = self.primary_key.contains(name);
            let text = |field: &Field| match is_key {
                true => types::text(&field.clone().with_nullable(true)),
                false => types::text(field),
            };
            let (declared, has) = (text(field), text(has));
            if declared != has {
                all.push(format!(
                    "column \"{name}\" is declared as {declared}, the dataset has {has}"
                ));
            }
        }
        for field in schema.fields() {
            if self.schema.index_of(field.name()).is_err() {
                let (name, ty) = (field.name(), types::text(field));
                all.push(format!(
                    "the dataset's column \"{name}\" {ty} is not declared"
                ));
            }
        }
        let names = |schema: &Schema| {
            let names: Vec<&str> = schema
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .collect();
            names.join(", ")
        };
        let (declared, has) = (names(&self.schema), names(schema));
        if all.is_empty() && declared != has {
            all.push(format!(
                "the columns are declared in the order ({declared}), the dataset has ({has})"
            ));
        }
        all
    }
}

/// The `CREATE TABLE` that declares a dataset under a name; `FS0803` where a column has a type that cannot be declared.
pub fn declaration(name: &str, dataset: &Dataset) -> Result<String> {
    let mut lines = Vec::new();
    for field in dataset.schema.fields() {
        let (column, ty) = (types::quoted(field.name()), types::text(field));
        let column = format!("{column} {ty}");
        if Table::parse(&format!(
            "CREATE TABLE t ({column}) WITH ('connector' = 'flinkspark')"
        ))
        .is_err()
        {
            let what = format!(
                "a declaration of the column \"{}\" of type {ty}",
                field.name()
            );
            return Err(refused(
                &what,
                "DESCRIBE shows the columns of every dataset",
            ));
        }
        lines.push(column);
    }
    if let Some(time) = &dataset.traits.time {
        let column = types::quoted(&time.column);
        let delay = match time.watermark_delay_ms {
            0 => String::new(),
            ms => format!(" - INTERVAL '{}", interval(ms)),
        };
        lines.push(format!("WATERMARK FOR {column} AS {column}{delay}"));
    }
    if !dataset.traits.primary_key.is_empty() {
        let columns: Vec<String> = dataset
            .traits
            .primary_key
            .iter()
            .map(|name| types::quoted(name))
            .collect();
        lines.push(format!("PRIMARY KEY ({}) NOT ENFORCED", columns.join(", ")));
    }
    let parts: Vec<String> = name.split('.').map(types::quoted).collect();
    Ok(format!(
        "CREATE TABLE {} (\n  {}\n) WITH (\n  'connector' = '{}',\n  'dataset' = '{}'\n)",
        parts.join("."),
        lines.join(",\n  "),
        options::CONNECTOR,
        dataset.name.as_str().replace('\'', "''")
    ))
}

/// The rest of an interval's text from its number on, in the largest unit that it is whole in.
fn interval(ms: u64) -> String {
    for (unit, length) in [
        ("DAY", 86_400_000),
        ("HOUR", 3_600_000),
        ("MINUTE", 60_000),
        ("SECOND", 1000),
    ] {
        if ms.is_multiple_of(length) {
            return format!("{}' {unit}", ms / length);
        }
    }
    format!("{}.{:03}' SECOND", ms / 1000, ms % 1000)
}

/// Whether these tokens are a `CREATE TABLE`, in any form.
pub(super) fn is_table(tokens: &[TokenWithSpan]) -> bool {
    let words = tokens.iter().map(|token| &token.token);
    let words = words
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .take(3);
    let words: Vec<String> = words
        .map(|token| match token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
            _ => String::new(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["CREATE", "TABLE", ..] | ["CREATE", "TEMPORARY", "TABLE"]
    )
}

/// A clause of Flink's that is not supported here.
fn refused(what: &str, way_out: &str) -> Error {
    Error::new(Kind::Invalid, "FS0803", format!("{what} is not supported")).with_hint(way_out)
}
