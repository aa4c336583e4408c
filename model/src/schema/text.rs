//! Types as text: exact for flat types, readable for all.
//!
//! Invariant: `parse_flat(flat(t)) == t` for every flat type.

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};

/// The text of a type without children, such as `decimal128(10,2)` or `timestamp[us, UTC]`.
pub(super) fn flat(data_type: &DataType) -> Option<String> {
    use DataType as D;
    if let Some((name, _)) = PLAIN.iter().find(|(_, plain)| plain == data_type) {
        return Some((*name).into());
    }
    Some(match data_type {
        D::Timestamp(unit, None) => format!("timestamp[{}]", unit_name(*unit)),
        D::Timestamp(unit, Some(zone)) => format!("timestamp[{}, {zone}]", unit_name(*unit)),
        D::Time32(unit) => format!("time32[{}]", unit_name(*unit)),
        D::Time64(unit) => format!("time64[{}]", unit_name(*unit)),
        D::Duration(unit) => format!("duration[{}]", unit_name(*unit)),
        D::FixedSizeBinary(bytes) => format!("fixed_size_binary[{bytes}]"),
        D::Decimal32(precision, scale) => format!("decimal32({precision},{scale})"),
        D::Decimal64(precision, scale) => format!("decimal64({precision},{scale})"),
        D::Decimal128(precision, scale) => format!("decimal128({precision},{scale})"),
        D::Decimal256(precision, scale) => format!("decimal256({precision},{scale})"),
        _ => return None,
    })
}

/// The flat type that this text names.
pub(super) fn parse_flat(text: &str) -> Option<DataType> {
    use DataType as D;
    if let Some((_, plain)) = PLAIN.iter().find(|(name, _)| *name == text) {
        return Some(plain.clone());
    }
    if let Some((name, arguments)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let (precision, scale) = arguments.split_once(',')?;
        let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
        return Some(match name {
            "decimal32" => D::Decimal32(precision, scale),
            "decimal64" => D::Decimal64(precision, scale),
            "decimal128" => D::Decimal128(precision, scale),
            "decimal256" => D::Decimal256(precision, scale),
            _ => return None,
        });
    }
    let (name, argument) = text.strip_suffix(']')?.split_once('[')?;
    Some(match name {
        "timestamp" => match argument.split_once(", ") {
            Some((unit, zone)) => D::Timestamp(parse_unit(unit)?, Some(zone.into())),
            None => D::Timestamp(parse_unit(argument)?, None),
        },
        "time32" => D::Time32(parse_unit(argument)?),
        "time64" => D::Time64(parse_unit(argument)?),
        "duration" => D::Duration(parse_unit(argument)?),
        "fixed_size_binary" => D::FixedSizeBinary(argument.parse().ok()?),
        _ => return None,
    })
}

/// The readable name of any type, names and nullability of nested fields included:
/// `list<int32>`, `struct<a: int32 not null, b: utf8>`, `map<utf8, int64>`.
///
/// Two types with one name differ at most in metadata and in the names of list items and map
/// entries.
pub fn type_name(data_type: &DataType) -> String {
    use DataType as D;
    if let Some(text) = flat(data_type) {
        return text;
    }
    match data_type {
        D::List(item) => format!("list<{}>", item_name(item)),
        D::LargeList(item) => format!("large_list<{}>", item_name(item)),
        D::ListView(item) => format!("list_view<{}>", item_name(item)),
        D::LargeListView(item) => format!("large_list_view<{}>", item_name(item)),
        D::FixedSizeList(item, length) => format!("fixed_size_list<{}, {length}>", item_name(item)),
        D::Struct(fields) => format!("struct<{}>", named(fields.iter().map(AsRef::as_ref))),
        D::Map(entries, _) => match entries.data_type() {
            D::Struct(fields) => {
                format!(
                    "map<{}>",
                    fields
                        .iter()
                        .map(|field| item_name(field))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            other => format!("map<{}>", type_name(other)),
        },
        D::Dictionary(key, value) => {
            format!("dictionary<{}, {}>", type_name(key), type_name(value))
        }
        D::RunEndEncoded(ends, values) => {
            format!(
                "run_end_encoded<{}, {}>",
                type_name(ends.data_type()),
                item_name(values)
            )
        }
        D::Union(fields, _) => format!(
            "union<{}>",
            named(fields.iter().map(|(_, field)| field.as_ref()))
        ),
        other => other.to_string(),
    }
}

fn item_name(field: &Field) -> String {
    let nullable = if field.is_nullable() { "" } else { " not null" };
    format!("{}{nullable}", type_name(field.data_type()))
}

fn named<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    fields
        .map(|field| format!("{}: {}", quoted(field.name()), item_name(field)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The name as it is where it is plain, quoted and escaped otherwise.
fn quoted(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain {
        name.into()
    } else {
        format!("\"{}\"", name.escape_debug())
    }
}

const PLAIN: &[(&str, DataType)] = &[
    ("null", DataType::Null),
    ("bool", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float16", DataType::Float16),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("date32", DataType::Date32),
    ("date64", DataType::Date64),
    (
        "interval[month]",
        DataType::Interval(IntervalUnit::YearMonth),
    ),
    (
        "interval[day_time]",
        DataType::Interval(IntervalUnit::DayTime),
    ),
    (
        "interval[month_day_nano]",
        DataType::Interval(IntervalUnit::MonthDayNano),
    ),
    ("binary", DataType::Binary),
    ("large_binary", DataType::LargeBinary),
    ("binary_view", DataType::BinaryView),
    ("utf8", DataType::Utf8),
    ("large_utf8", DataType::LargeUtf8),
    ("utf8_view", DataType::Utf8View),
];

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

fn parse_unit(text: &str) -> Option<TimeUnit> {
    Some(match text {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    })
}
