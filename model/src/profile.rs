//! Type profiles: what a peer can hold.
//!
//! Decides, column by column, whether a schema's types are kept, cast or refused for an engine.
//! It never touches data: the caller casts once, to [`CastPlan::schema`]. Loss is refused unless
//! the caller chose it. Invariant: a plan that exists can be carried out for every value that the engine holds
//! ([`Profile::finest`] says which it does not); whatever a value could lose by it is named in [`Cast::loss`].
//!
//! ```
//! use arrow_schema::{DataType, Field, Schema, TimeUnit};
//! use flinkspark_model::profile::{Lossy, Profile, check};
//!
//! let ts = Field::new("ts", DataType::Timestamp(TimeUnit::Nanosecond, None), true);
//! let schema = Schema::new(vec![ts]);
//! let error = check(&schema, Profile::Spark4, Lossy::Refuse).unwrap_err();
//! assert_eq!(error.message(), "column \"ts\" has precision 9, Spark holds 6");
//! assert!(check(&schema, Profile::Spark4, Lossy::Truncate).is_ok());
//! ```

mod held;
mod rules;
mod storage;
#[cfg(test)]
mod tests;

pub(crate) use rules::distinct_names;
pub use storage::retyped;

use crate::error::{Error, Kind, Result};
use arrow_schema::{DataType, IntervalUnit, Schema, SchemaRef, TimeUnit};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a peer can hold.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Apache Flink 2.x tables.
    Flink2,
    /// Apache Spark 4.x data frames.
    Spark4,
    /// Any Arrow client: everything that a dataset holds, unchanged.
    #[default]
    Generic,
}

impl Profile {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Flink2, "flink2"),
        (Self::Spark4, "spark4"),
        (Self::Generic, "generic"),
    ];

    /// The unit in which the engine's values of a type count, where the type itself counts finer: a value with a finer part
    /// is one that the engine does not hold.
    pub fn finest(self, data_type: &DataType) -> Option<TimeUnit> {
        use {DataType as D, TimeUnit as U};
        match (self, data_type) {
            (Self::Flink2, D::Time64(_)) => Some(U::Millisecond),
            (Self::Spark4, D::Time64(U::Nanosecond) | D::Interval(IntervalUnit::MonthDayNano)) => {
                Some(U::Microsecond)
            }
            _ => None,
        }
    }

    /// The engine's name in messages.
    pub const fn engine(self) -> &'static str {
        match self {
            Self::Flink2 => "Flink",
            Self::Spark4 => "Spark",
            Self::Generic => "Arrow",
        }
    }
}

/// What happens to a value that the peer cannot hold whole.
///
/// Types that only carry such digits are refused when the read is planned; where the engine's own Arrow type is finer than
/// its values ([`Profile::finest`]), and for dates in milliseconds, each value is looked at.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Lossy {
    /// The column is refused, or the value that is finer.
    #[default]
    Refuse,
    /// Digits that do not fit are cut off.
    Truncate,
    /// The column becomes text.
    String,
}

impl Lossy {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Refuse, "refuse"),
        (Self::Truncate, "truncate"),
        (Self::String, "string"),
    ];
}

macro_rules! named {
    ($type:ty, $what:literal, $hint:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    Self::NAMES
                        .iter()
                        .find(|(value, _)| value == self)
                        .map_or("", |(_, name)| name),
                )
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::NAMES
                    .iter()
                    .find(|(_, name)| *name == text)
                    .map(|(value, _)| *value)
                    .ok_or_else(|| {
                        Error::new(
                            Kind::Invalid,
                            "FS0123",
                            format!("\"{}\" is not {}", text.escape_debug(), $what),
                        )
                        .with_hint($hint)
                    })
            }
        }
    };
}

named!(Profile, "a type profile", "use flink2, spark4 or generic");
named!(
    Lossy,
    "a way to lose precision",
    "use refuse, truncate or string"
);

/// What happens to one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The column's name.
    pub column: String,
    /// The type that the dataset declares.
    pub from: DataType,
    /// The type that the peer gets; equal to `from` where the column is kept.
    pub to: DataType,
    /// What a value may lose, where the caller allowed it.
    pub loss: Option<String>,
}

impl Cast {
    /// Whether the column stays as it is.
    pub fn is_identity(&self) -> bool {
        self.from == self.to
    }
}

/// The casts that turn a dataset's schema into one that the peer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastPlan {
    /// One cast for each column, in order.
    pub columns: Vec<Cast>,
    /// The schema after the casts; names of columns and fields, nullability and metadata are the dataset's. An extension
    /// whose storage changes is dropped, and Spark's lists and maps have Spark's names inside.
    pub schema: SchemaRef,
}

impl CastPlan {
    /// Whether every column stays as it is.
    pub fn is_identity(&self) -> bool {
        self.columns.iter().all(Cast::is_identity)
    }
}

/// The casts by column, or the first refusal with the names of the others.
///
/// `FS0120`: the peer has no such type. `FS0121`: it has one that would lose. `FS0122`: two names
/// are one to it.
pub fn check(schema: &Schema, profile: Profile, lossy: Lossy) -> Result<CastPlan> {
    rules::distinct_names(schema.fields(), "", profile)?;
    let (mut columns, mut fields, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (field, cast) in schema
        .fields()
        .iter()
        .zip(check_columns(schema, profile, lossy))
    {
        match cast {
            Ok(cast) => {
                fields.push(retyped(field, cast.to.clone()));
                columns.push(cast);
            }
            Err(error) => refused.push((field.name(), error)),
        }
    }
    let others: Vec<String> = refused
        .iter()
        .skip(1)
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    if let Some((_, first)) = refused.into_iter().next() {
        return Err(if others.is_empty() {
            first
        } else {
            with_others(first, &others)
        });
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    Ok(CastPlan { columns, schema })
}

/// The cast or the refusal of each column.
pub fn check_columns(schema: &Schema, profile: Profile, lossy: Lossy) -> Vec<Result<Cast>> {
    schema
        .fields()
        .iter()
        .map(|field| {
            let mut losses = Vec::new();
            let to = rules::target(field.data_type(), field.name(), profile, lossy, &mut losses)?;
            Ok(Cast {
                column: field.name().clone(),
                from: field.data_type().clone(),
                to,
                loss: (!losses.is_empty()).then(|| losses.join("; ")),
            })
        })
        .collect()
}

fn with_others(error: Error, others: &[String]) -> Error {
    let detail = error.detail().unwrap_or_default();
    let detail = format!("{detail}; refused as well: {}", others.join(", "));
    error.with_detail(detail)
}
