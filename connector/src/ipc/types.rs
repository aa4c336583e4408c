//! Which schemas can be read: what arrow's own conversion takes for granted.
//!
//! Invariant: a schema that passed is converted without a panic.

use super::{Result, damaged};
use arrow_ipc::{DateUnit, Endianness, Field, Int, IntervalUnit, Precision, TimeUnit, Type};
use arrow_schema::{DataType, Schema};

/// Refuses a schema with a type that does not exist.
pub(super) fn check(schema: arrow_ipc::Schema<'_>) -> Result<()> {
    if schema.endianness() != Endianness::Little {
        return damaged("its numbers are big-endian; this build reads little-endian ones");
    }
    check_fields(schema)
}

/// Refuses a schema with a type that does not exist, in either byte order.
pub(super) fn check_fields(schema: arrow_ipc::Schema<'_>) -> Result<()> {
    let Some(fields) = schema.fields() else {
        return damaged("its schema has no list of fields");
    };
    let big = schema.endianness() != Endianness::Little;
    if big
        && fields
            .iter()
            .any(|field| field.type_type() == Type::Decimal)
    {
        return damaged("its decimals are big-endian");
    }
    fields.iter().try_for_each(field)
}

fn field(field: Field<'_>) -> Result<()> {
    if let Some(dictionary) = field.dictionary()
        && !dictionary.indexType().is_some_and(is_integer)
    {
        return refuse(field, "the keys of its dictionary are no integers");
    }
    if !exists(field) {
        return refuse(field, "its type does not exist");
    }
    let children = field.children();
    let count = children.map_or(0, |children| children.len());
    let wanted = match field.type_type() {
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView => Some(1),
        Type::FixedSizeList | Type::Map => Some(1),
        Type::RunEndEncoded => Some(2),
        _ => None,
    };
    if wanted.is_some_and(|wanted| wanted != count) {
        return refuse(field, &format!("it has {count} children"));
    }
    if field.type_type() == Type::RunEndEncoded {
        let ends = children.map(|children| children.get(0));
        let ends = ends.and_then(|ends| ends.type_as_int());
        if !ends.is_some_and(|int| int.is_signed() && matches!(int.bitWidth(), 16 | 32 | 64)) {
            return refuse(field, "its run ends are no integers");
        }
    }
    children.into_iter().flatten().try_for_each(self::field)
}

fn refuse(field: Field<'_>, why: &str) -> Result<()> {
    let name: String = field.name().unwrap_or_default().chars().take(64).collect();
    damaged(format!("column \"{}\": {why}", name.escape_debug()))
}

fn is_integer(int: Int<'_>) -> bool {
    matches!(int.bitWidth(), 8 | 16 | 32 | 64)
}

fn is_unit(unit: TimeUnit) -> bool {
    unit >= TimeUnit::SECOND && unit <= TimeUnit::NANOSECOND
}

/// Whether arrow has the field's type, its parameters included.
fn exists(field: Field<'_>) -> bool {
    match field.type_type() {
        Type::Null | Type::Bool => true,
        Type::Binary | Type::LargeBinary | Type::BinaryView => true,
        Type::Utf8 | Type::LargeUtf8 | Type::Utf8View => true,
        Type::List | Type::LargeList | Type::ListView | Type::LargeListView => true,
        Type::Struct_ | Type::RunEndEncoded => true,
        Type::Map => field.type_as_map().is_some(),
        Type::Int => field.type_as_int().is_some_and(is_integer),
        Type::FixedSizeBinary => {
            let binary = field.type_as_fixed_size_binary();
            binary.is_some_and(|binary| binary.byteWidth() >= 0)
        }
        Type::FixedSizeList => {
            let list = field.type_as_fixed_size_list();
            list.is_some_and(|list| list.listSize() >= 0)
        }
        Type::FloatingPoint => {
            let known = [Precision::HALF, Precision::SINGLE, Precision::DOUBLE];
            let float = field.type_as_floating_point();
            float.is_some_and(|float| known.contains(&float.precision()))
        }
        Type::Date => {
            let date = field.type_as_date();
            date.is_some_and(|date| [DateUnit::DAY, DateUnit::MILLISECOND].contains(&date.unit()))
        }
        Type::Time => field.type_as_time().is_some_and(|time| {
            matches!(
                (time.bitWidth(), time.unit()),
                (32, TimeUnit::SECOND | TimeUnit::MILLISECOND)
                    | (64, TimeUnit::MICROSECOND | TimeUnit::NANOSECOND)
            )
        }),
        Type::Timestamp => field
            .type_as_timestamp()
            .is_some_and(|at| is_unit(at.unit())),
        Type::Duration => field
            .type_as_duration()
            .is_some_and(|of| is_unit(of.unit())),
        Type::Interval => field.type_as_interval().is_some_and(|interval| {
            let unit = interval.unit();
            unit >= IntervalUnit::YEAR_MONTH && unit <= IntervalUnit::MONTH_DAY_NANO
        }),
        Type::Decimal => field.type_as_decimal().is_some_and(|decimal| {
            let digits = match decimal.bitWidth() {
                32 => 9,
                64 => 18,
                128 => 38,
                256 => 76,
                _ => 0,
            };
            (1..=digits).contains(&decimal.precision()) && i8::try_from(decimal.scale()).is_ok()
        }),
        Type::Union => is_union(field),
        _ => false,
    }
}

fn is_union(field: Field<'_>) -> bool {
    let Some(union) = field.type_as_union() else {
        return false;
    };
    let children = field.children().map_or(0, |children| children.len());
    let mut ids: Vec<i32> = match union.typeIds() {
        Some(ids) => ids.iter().collect(),
        None => (0..).take(children).collect(),
    };
    ids.sort_unstable();
    let distinct = ids.windows(2).all(|pair| pair[0] < pair[1]);
    let known = ids.iter().all(|id| (0..=127).contains(id));
    let mode =
        union.mode() >= arrow_ipc::UnionMode::Sparse && union.mode() <= arrow_ipc::UnionMode::Dense;
    mode && distinct && known && ids.len() == children
}

/// The type of the values of the dictionary with this id.
pub(super) fn values_of(schema: &Schema, id: i64) -> Option<DataType> {
    #[expect(deprecated, reason = "arrow-ipc finds dictionaries by it")]
    let field = schema.fields_with_dict_id(id).into_iter().next()?;
    match field.data_type() {
        DataType::Dictionary(_, values) => Some(values.as_ref().clone()),
        _ => None,
    }
}
