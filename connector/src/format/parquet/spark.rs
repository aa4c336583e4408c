//! What Spark says in a file's footer: its version, its types, the calendar that it wrote in.
//!
//! After `DataSourceUtils` of Spark 4: before 3.0 (INT96: before 3.1), or where a marker stands,
//! dates and instants were written in the hybrid calendar, Julian before 1582-10-15. Invariant:
//! the keys are only read here, and none of them goes on into a dataset's schema, where they would
//! say of rows from elsewhere what was true of this file.

use crate::format::leaves;
use ::parquet::file::metadata::KeyValue;
use arrow_schema::{DataType, Schema};
use serde_json::Value;
use std::collections::HashMap;

/// What all of Spark's keys begin with.
const PREFIX: &str = "org.apache.spark.";
const VERSION: &str = "org.apache.spark.version";
const ROW: &str = "org.apache.spark.sql.parquet.row.metadata";
const ZONE: &str = "org.apache.spark.timeZone";
/// The marker of dates and of timestamps that are integers.
pub(super) const LEGACY_DATETIME: &str = "org.apache.spark.legacyDateTime";
/// The marker of INT96.
pub(super) const LEGACY_INT96: &str = "org.apache.spark.legacyINT96";
/// The versions from which on there is a marker where the calendar is hybrid.
const PROLEPTIC_SINCE: (u32, u32) = (3, 0);
const PROLEPTIC_INT96_SINCE: (u32, u32) = (3, 1);

/// Names of the zone in which a moment's date is that of the instant.
const UTC: [&str; 9] = [
    "UTC",
    "Etc/UTC",
    "Z",
    "GMT",
    "Etc/GMT",
    "UCT",
    "Zulu",
    "+00:00",
    "Universal",
];

/// The calendar of a kind of value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Calendar {
    /// Gregorian at all times, as Arrow's.
    Proleptic,
    /// Julian before 1582-10-15.
    Hybrid {
        /// The zone in which dates were reckoned, where it is not UTC.
        zone: Option<String>,
        /// The key that says so.
        marker: &'static str,
    },
}

/// What a footer says.
#[derive(Debug)]
pub(super) struct Footer {
    /// Of dates, and of instants that are integers.
    pub(super) calendar: Calendar,
    /// Of INT96.
    pub(super) int96: Calendar,
    row: Value,
}

impl Footer {
    pub(super) fn new(pairs: Option<&Vec<KeyValue>>) -> Self {
        let find = |key: &str| {
            let pair = pairs?.iter().find(|pair| pair.key == key)?;
            Some(pair.value.as_deref().unwrap_or_default())
        };
        let version = find(VERSION).and_then(version);
        let calendar = |since, marker| {
            let old = version.is_some_and(|version| version < since);
            if !old && find(marker).is_none() {
                return Calendar::Proleptic;
            }
            let zone = find(ZONE).filter(|zone| !UTC.contains(zone));
            Calendar::Hybrid {
                zone: zone.map(Into::into),
                marker: if old { VERSION } else { marker },
            }
        };
        Self {
            calendar: calendar(PROLEPTIC_SINCE, LEGACY_DATETIME),
            int96: calendar(PROLEPTIC_INT96_SINCE, LEGACY_INT96),
            row: find(ROW)
                .and_then(|row| serde_json::from_str(row).ok())
                .unwrap_or_default(),
        }
    }

    /// For each leaf, whether its Spark type is TIMESTAMP, which is an instant.
    pub(super) fn instants(&self, schema: &Schema) -> Vec<bool> {
        let mut found = Vec::new();
        for field in schema.fields() {
            instants(
                field_type(&self.row, field.name()),
                field.data_type(),
                &mut found,
            );
        }
        found
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn field_type<'a>(row: &'a Value, name: &str) -> &'a Value {
    let fields = row.get("fields").and_then(Value::as_array);
    let field = fields.and_then(|fields| fields.iter().find(|field| field["name"] == name));
    field.map_or(&Value::Null, |field| &field["type"])
}

fn instants(spark: &Value, data_type: &DataType, found: &mut Vec<bool>) {
    use DataType as D;
    match data_type {
        D::Struct(fields) => fields.iter().for_each(|field| {
            instants(field_type(spark, field.name()), field.data_type(), found);
        }),
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => {
            instants(&spark["elementType"], item.data_type(), found);
        }
        D::Map(entries, _) => match entries.data_type() {
            D::Struct(pair) => {
                let names = ["keyType", "valueType"].into_iter();
                for (name, field) in names.zip(pair) {
                    instants(&spark[name], field.data_type(), found);
                }
            }
            other => instants(&Value::Null, other, found),
        },
        // Leaves are counted as everywhere else.
        other => {
            leaves::retype(other, &mut |leaf| {
                found.push(spark == "timestamp");
                leaf.clone()
            });
        }
    }
}

/// Metadata without what only Spark's files say.
pub(crate) fn without_keys(metadata: &HashMap<String, String>) -> HashMap<String, String> {
    let ours = metadata.iter().filter(|(key, _)| !key.starts_with(PREFIX));
    ours.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The marker of the hybrid calendar among metadata, where there is one.
pub(crate) fn marker(metadata: &HashMap<String, String>) -> Option<&'static str> {
    [LEGACY_DATETIME, LEGACY_INT96]
        .into_iter()
        .find(|marker| metadata.contains_key(*marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer(pairs: &[(&str, &str)]) -> Footer {
        let pair =
            |(key, value): &(&str, &str)| KeyValue::new((*key).to_owned(), (*value).to_owned());
        Footer::new(Some(&pairs.iter().map(pair).collect()))
    }

    #[test]
    fn versions_and_markers_tell_the_calendar() {
        let hybrid = |calendar: &Calendar| calendar != &Calendar::Proleptic;
        for (pairs, dates, int96) in [
            (&[][..], false, false),
            (&[(VERSION, "4.0.0")], false, false),
            (&[(VERSION, "3.0.1")], false, true),
            (&[(VERSION, "2.4.8")], true, true),
            (&[(VERSION, "3.5.1"), (LEGACY_DATETIME, "")], true, false),
            (&[(VERSION, "3.5.1"), (LEGACY_INT96, "")], false, true),
            (&[(LEGACY_INT96, "")], false, true),
        ] {
            let footer = footer(pairs);
            assert_eq!(
                (hybrid(&footer.calendar), hybrid(&footer.int96)),
                (dates, int96),
                "{pairs:?}"
            );
        }
        let zoned = footer(&[(LEGACY_DATETIME, ""), (ZONE, "America/Los_Angeles")]);
        let zone = Some("America/Los_Angeles".into());
        let marker = LEGACY_DATETIME;
        assert_eq!(zoned.calendar, Calendar::Hybrid { zone, marker });
    }
}
