//! Declared types: SQL's and Arrow's, as Flink's.
//!
//! Invariant: a type that is not listed is refused, never approximated.

use crate::semantics::types::{DECIMAL_PRECISION_MAX, FlinkType, Root, STRING_LENGTH};
use crate::semantics::{invalid, refuse};
use arrow_schema::{DataType, Field, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};
use flinkspark_model::Result;

/// The root of a type written in SQL.
pub(super) fn sql_type(declared: &SqlType) -> Result<Root> {
    Ok(match declared {
        SqlType::Boolean => Root::Boolean,
        SqlType::TinyInt(None) => Root::TinyInt,
        SqlType::SmallInt(None) => Root::SmallInt,
        SqlType::Int(None) | SqlType::Integer(None) => Root::Int,
        SqlType::BigInt(None) => Root::BigInt,
        SqlType::Float(ExactNumberInfo::None) => Root::Float,
        SqlType::Double(ExactNumberInfo::None) | SqlType::DoublePrecision => Root::Double,
        SqlType::Decimal(info) | SqlType::Numeric(info) | SqlType::Dec(info) => decimal(info)?,
        SqlType::Char(length) | SqlType::Character(length) => Root::Char(characters(length, 1)?),
        SqlType::Varchar(length) | SqlType::CharacterVarying(length) => {
            Root::Varchar(characters(length, 1)?)
        }
        SqlType::String(None) => Root::STRING,
        SqlType::Date => Root::Date,
        SqlType::Time(None | Some(0), TimezoneInfo::None) => Root::Time(0),
        SqlType::Timestamp(precision, TimezoneInfo::None) => {
            Root::Timestamp(timestamp(*precision)?)
        }
        SqlType::Array(ArrayElemTypeDef::AngleBracket(element)) => {
            Root::Array(Box::new(FlinkType::nullable(sql_type(element)?)))
        }
        other => return Err(refuse(format!("the type {other}"), "type")),
    })
}

fn decimal(info: &ExactNumberInfo) -> Result<Root> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if precision == 0
        || precision > u64::from(DECIMAL_PRECISION_MAX)
        || scale < 0
        || scale as u64 > precision
    {
        return Err(invalid(format!(
            "DECIMAL({precision}, {scale}) is no decimal type"
        )));
    }
    Ok(Root::Decimal(precision as u8, scale as u8))
}

fn characters(length: &Option<CharacterLength>, default: u32) -> Result<u32> {
    match length {
        None => Ok(default),
        Some(CharacterLength::IntegerLength { length, unit: None })
            if (1..=u64::from(STRING_LENGTH)).contains(length) =>
        {
            Ok(*length as u32)
        }
        Some(other) => Err(invalid(format!("{other} is no length"))),
    }
}

fn timestamp(precision: Option<u64>) -> Result<u8> {
    match precision {
        None => Ok(6),
        Some(precision) if precision <= 9 => Ok(precision as u8),
        Some(precision) => Err(invalid(format!("TIMESTAMP({precision}) is no type"))),
    }
}

/// The Flink type that reads an Arrow field, none where there is none.
///
/// Integers are signed; strings of any layout are STRING; a zoned timestamp has no counterpart yet.
pub fn arrow_type(field: &Field) -> Option<FlinkType> {
    let root = match field.data_type() {
        DataType::Boolean => Root::Boolean,
        DataType::Int8 => Root::TinyInt,
        DataType::Int16 => Root::SmallInt,
        DataType::Int32 => Root::Int,
        DataType::Int64 => Root::BigInt,
        DataType::Float32 => Root::Float,
        DataType::Float64 => Root::Double,
        DataType::Decimal128(precision, scale) if *scale >= 0 && *scale as u8 <= *precision => {
            Root::Decimal(*precision, *scale as u8)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Root::STRING,
        DataType::Dictionary(_, value)
            if matches!(value.as_ref(), DataType::Utf8 | DataType::LargeUtf8) =>
        {
            Root::STRING
        }
        DataType::Date32 => Root::Date,
        DataType::Timestamp(unit, None) => Root::Timestamp(match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        }),
        DataType::List(element) => Root::Array(Box::new(arrow_type(element)?)),
        _ => return None,
    };
    Some(FlinkType {
        root,
        nullable: field.is_nullable(),
    })
}
