//! What fuzzing begins with: small valid inputs of every kind, made by the project's own writers where there is one.
//!
//! Invariant: the same seeds come out of every build; a seed that a change makes invalid fails the replay.

mod columns;
mod files;
mod texts;
mod thrift;

pub use files::{every_csv_type, every_json_type};
pub use thrift::{THRIFT_IDL, every_thrift_type};

/// Why a seed could not be made.
pub type Failure = Box<dyn std::error::Error>;

/// Inputs for the target of this name; none for a name that is no target's.
pub fn of(target: &str) -> Result<Vec<Vec<u8>>, Failure> {
    match target {
        "flight_messages" => files::messages(),
        "segment" => files::segments(),
        "arrow_file" => files::arrow_files(),
        "arrow_stream" => files::arrow_streams(),
        "parquet" => files::parquet(),
        "csv" => files::csv(),
        "json" => files::json(),
        "avro" => files::avro(),
        "thrift" => thrift::files(),
        "thrift_idl" => thrift::idls(),
        "journal" => texts::journals(),
        "sql" => texts::statements(),
        "ticket" => Ok(texts::lines(texts::TICKETS)),
        "bodies" => Ok(texts::lines(texts::BODIES)),
        "slots" => Ok(texts::slots()),
        "snapshot" => texts::snapshots(),
        "records" => Ok(texts::lines(texts::RECORDS)),
        "schema" => files::schemas(),
        "names" => Ok(texts::lines(texts::NAMES)),
        _ => Ok(Vec::new()),
    }
}
