//! The rules of each profile.
//!
//! Sources: Flink 2.3 `DataTypes` and Spark 4.3 `org.apache.spark.sql.types`. A type that is not
//! named here is refused, until it has been checked against the real engines.

use super::{Lossy, Profile, retyped};
use crate::error::{Error, Kind, Result};
use crate::schema::{self, DEPTH_MAX, type_name};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use std::collections::HashMap;

/// Digits of the largest decimal that Flink and Spark hold.
const DECIMAL_PRECISION_MAX: u8 = 38;

/// The type that the peer gets for this one; what may be lost goes into `losses`.
pub(super) fn target(
    data_type: &DataType,
    path: &str,
    profile: Profile,
    lossy: Lossy,
    losses: &mut Vec<String>,
) -> Result<DataType> {
    let mut rule = Rule {
        profile,
        lossy,
        losses,
    };
    match profile {
        Profile::Generic => {
            rule.known(data_type, path, 0)?;
            Ok(data_type.clone())
        }
        Profile::Flink2 | Profile::Spark4 => rule.target(data_type, path, 0),
    }
}

/// Refuses names that are one to the peer: equal names, and to Spark names that differ in case.
pub(super) fn distinct_names(fields: &Fields, path: &str, profile: Profile) -> Result<()> {
    if profile == Profile::Generic {
        return Ok(());
    }
    let mut seen = HashMap::new();
    for field in fields {
        let key = if profile == Profile::Spark4 {
            field.name().to_lowercase()
        } else {
            field.name().clone()
        };
        if let Some(first) = seen.insert(key, field.name()) {
            let (engine, second) = (profile.engine(), field.name());
            let message =
                format!("columns \"{path}{first}\" and \"{path}{second}\" are one to {engine}");
            return Err(Error::new(Kind::Invalid, "FS0122", message)
                .with_detail(format!(
                    "{engine} compares names {}",
                    match profile {
                        Profile::Spark4 => "without case",
                        _ => "exactly, and these are equal",
                    }
                ))
                .with_hint("rename one of them"));
        }
    }
    Ok(())
}

struct Rule<'a> {
    profile: Profile,
    lossy: Lossy,
    losses: &'a mut Vec<String>,
}

impl Rule<'_> {
    /// Generic: whatever a dataset holds.
    fn known(&self, data_type: &DataType, path: &str, depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(schema::too_deep(path));
        }
        match data_type {
            DataType::Union(..) => Err(schema::unsupported(path, data_type)),
            DataType::Dictionary(_, value) => self.known(value, path, depth + 1),
            other => children(other)
                .into_iter()
                .try_for_each(|child| self.known(child.data_type(), &join(path, child), depth + 1)),
        }
    }

    fn target(&mut self, data_type: &DataType, path: &str, depth: usize) -> Result<DataType> {
        use DataType as D;
        if depth >= DEPTH_MAX {
            return Err(schema::too_deep(path));
        }
        Ok(match data_type {
            D::Boolean
            | D::Int8
            | D::Int16
            | D::Int32
            | D::Int64
            | D::Float32
            | D::Float64
            | D::Date32 => data_type.clone(),
            D::Utf8 | D::LargeUtf8 | D::Utf8View => D::Utf8,
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => D::Binary,
            D::Decimal32(precision, scale)
            | D::Decimal64(precision, scale)
            | D::Decimal128(precision, scale)
            | D::Decimal256(precision, scale) => {
                self.decimal(data_type, *precision, *scale, path)?
            }
            D::Timestamp(unit, zone) => self.timestamp(*unit, zone.as_deref(), path)?,
            D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
                D::List(self.child(item, path, depth)?)
            }
            D::FixedSizeList(item, _) => D::List(self.child(item, path, depth)?),
            D::Struct(fields) if !fields.is_empty() => {
                distinct_names(fields, &format!("{path}."), self.profile)?;
                D::Struct(
                    fields
                        .iter()
                        .map(|field| self.child(field, path, depth))
                        .collect::<Result<_>>()?,
                )
            }
            D::Map(entries, _) => D::Map(self.child(entries, path, depth)?, false),
            D::Dictionary(_, values) => self.target(values, path, depth + 1)?,
            D::RunEndEncoded(_, values) => self.target(values.data_type(), path, depth + 1)?,
            other => self.unheld(other, path, "")?,
        })
    }

    fn child(&mut self, child: &FieldRef, path: &str, depth: usize) -> Result<FieldRef> {
        let to = self.target(child.data_type(), &join(path, child), depth + 1)?;
        Ok(retyped(child, to).into())
    }

    fn decimal(
        &mut self,
        from: &DataType,
        precision: u8,
        scale: i8,
        path: &str,
    ) -> Result<DataType> {
        if precision > DECIMAL_PRECISION_MAX {
            return self.unheld(from, path, "; its decimals have at most 38 digits");
        }
        if scale < 0 || scale.unsigned_abs() > precision {
            return self.unheld(
                from,
                path,
                "; its decimals have a scale from 0 to their precision",
            );
        }
        Ok(DataType::Decimal128(precision, scale))
    }

    fn timestamp(&mut self, unit: TimeUnit, zone: Option<&str>, path: &str) -> Result<DataType> {
        let to = |unit| DataType::Timestamp(unit, zone.map(Into::into));
        if self.profile == Profile::Flink2 {
            return Ok(to(unit));
        }
        if unit != TimeUnit::Nanosecond {
            return Ok(to(TimeUnit::Microsecond));
        }
        match self.lossy {
            Lossy::Refuse => Err(Error::new(
                Kind::Invalid,
                "FS0121",
                format!("column \"{path}\" has precision 9, Spark holds 6"),
            )
            .with_detail(format!(
                "its type is {}; Spark's timestamps count microseconds",
                type_name(&to(unit))
            ))
            .with_hint(
                "cast it to microseconds before, or pass --lossy truncate or --lossy string",
            )),
            Lossy::Truncate => {
                self.losses
                    .push(format!("\"{path}\" is cut to microseconds"));
                Ok(to(TimeUnit::Microsecond))
            }
            Lossy::String => {
                self.losses.push(format!("\"{path}\" becomes text"));
                Ok(DataType::Utf8)
            }
        }
    }

    /// A type that the peer does not hold: text where that was allowed and is known to work.
    fn unheld(&mut self, from: &DataType, path: &str, why: &str) -> Result<DataType> {
        let (engine, printable) = (self.profile.engine(), is_printable(from));
        if self.lossy == Lossy::String && printable {
            self.losses.push(format!("\"{path}\" becomes text"));
            return Ok(DataType::Utf8);
        }
        Err(Error::new(
            Kind::Invalid,
            "FS0120",
            format!("column \"{path}\" has no {engine} equivalent"),
        )
        .with_detail(format!("its type is {}{why}", type_name(from)))
        .with_hint(match from {
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                "cast it to the next larger signed integer before, or pass --lossy string"
            }
            _ if printable => "cast it to a type that both hold before, or pass --lossy string",
            _ => "cast it to a type that both hold, or leave the column out",
        }))
    }
}

/// Whether each value of the type has a text of its own.
fn is_printable(data_type: &DataType) -> bool {
    use DataType as D;
    data_type.is_unsigned_integer()
        || data_type.is_decimal()
        || matches!(
            data_type,
            D::Float16 | D::Date64 | D::Time32(_) | D::Time64(_)
        )
}

fn children(data_type: &DataType) -> Vec<&Field> {
    use DataType as D;
    match data_type {
        D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
            vec![item]
        }
        D::FixedSizeList(item, _) => vec![item],
        D::Struct(fields) => fields.iter().map(AsRef::as_ref).collect(),
        D::Map(entries, _) => vec![entries],
        D::RunEndEncoded(_, values) => vec![values],
        _ => Vec::new(),
    }
}

fn join(path: &str, child: &Field) -> String {
    format!("{path}.{}", child.name())
}
