//! What stands behind `WITH`.
//!
//! Invariant: an option is obeyed or refused by name.

use flinkspark_model::{Error, Kind, Result};

/// The only connector: a table is a dataset.
pub(super) const CONNECTOR: &str = "flinkspark";

/// What somebody who has a table of another connector does instead.
const WAYS_OUT: [(&str, &str); 8] = [
    (
        "filesystem",
        "`flinkspark transfer PATH dataset://NAME` reads a file or a folder into a dataset once, and back",
    ),
    (
        "kafka",
        "write the topic into files, and `flinkspark transfer FOLDER dataset://NAME`",
    ),
    (
        "upsert-kafka",
        "write the topic into files, and `flinkspark transfer FOLDER dataset://NAME`",
    ),
    (
        "jdbc",
        "export the table to a file, and `flinkspark transfer FILE dataset://NAME`",
    ),
    (
        "datagen",
        "write rows with INSERT INTO ... VALUES, or `flinkspark transfer FILE dataset://NAME`",
    ),
    (
        "print",
        "a SELECT prints its rows: leave the INSERT INTO out",
    ),
    (
        "blackhole",
        "`flinkspark job verify` runs a job and keeps no rows",
    ),
    (
        "hive",
        "write the table as Parquet, and `flinkspark transfer FOLDER dataset://NAME`",
    ),
];

/// The dataset that the options name, none where they name none.
pub(super) fn dataset(options: Vec<(String, String)>) -> Result<Option<String>> {
    let mut connector = None;
    let mut dataset = None;
    let mut others = Vec::new();
    for (key, value) in options {
        let place = match key.as_str() {
            "connector" => &mut connector,
            "dataset" => &mut dataset,
            _ => {
                others.push(key);
                continue;
            }
        };
        if place.replace(value).is_some() {
            return Err(wrong(
                format!("the option '{key}' is given twice"),
                "leave one of them out",
            ));
        }
    }
    match connector.as_deref() {
        Some(CONNECTOR) => {}
        None => {
            let what = "the table has no connector".into();
            return Err(wrong(what, "write WITH ('connector' = 'flinkspark')"));
        }
        Some(other) => {
            let known = WAYS_OUT.iter().find(|(name, _)| *name == other);
            let way_out = known.map_or(
                "a job reads and writes datasets: write 'connector' = 'flinkspark'",
                |(_, way_out)| *way_out,
            );
            let what = format!("the connector '{}' is not known here", other.escape_debug());
            return Err(wrong(what, way_out));
        }
    }
    match others.as_slice() {
        [] => Ok(dataset),
        keys => {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| format!("'{}'", key.escape_debug()))
                .collect();
            let what = format!(
                "the table has options that are not known: {}",
                keys.join(", ")
            );
            Err(wrong(
                what,
                "leave them out; known are 'connector' and 'dataset'",
            ))
        }
    }
}

fn wrong(what: String, hint: &str) -> Error {
    Error::new(Kind::Invalid, "FS0814", what).with_hint(hint)
}
