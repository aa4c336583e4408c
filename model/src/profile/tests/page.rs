//! The table of `docs/profiles.md`: what becomes of each type for each engine.
//!
//! Invariant: the page is what the profiles do; where it is not, the test says where the true one lies. What comes
//! over the wire is held against the same page by pyarrow (`integration-tests/python/profiles.py`).

use super::*;
use crate::schema::type_name;
use arrow_schema::{FieldRef, IntervalUnit};
use std::fmt::Write as _;
use std::path::PathBuf;

const BEFORE: &str = "\
# Types and engines

What a reader with the profile `flink2` or `spark4` gets for each type of a dataset, and what the engine calls it. The profile
`generic` gets every type as it is; dictionaries, run ends and views come as plain columns to all. Made by a test
(`model::profile::tests::page`), and held against what a bridge sends by another one, with pyarrow, value by value
(suite `profiles`).

* `=`: the column is sent as it is. Another type: the column is sent as that type, with the same values.
* *whole milliseconds*, *whole microseconds*, *whole days*: the engine's values count in these. One that is finer ends the read (FS0121)
  unless `\"lossy\": \"truncate\"` rounds it down.
* a code: the read is refused when it is planned. `FS0121` comes with the type that `\"lossy\": \"truncate\"` gives. With
  `\"lossy\": \"string\"` each column that is refused or may be finer is text, structs without fields excepted.
* A value outside of what the type that is sent holds (seconds that are too many for 64 bits of microseconds, a time that is
  none of a day) ends the read with FS0409. Nothing wraps, and nothing is rounded unsaid.

| type | Flink 2 | Spark 4 |
| --- | --- | --- |
";

const AFTER: &str = "
Within these types the same holds at every depth. Of metadata:

* Whatever describes values stays: lengths of `CHAR` and `VARCHAR` (`__CHAR_VARCHAR_TYPE_STRING`), collations, Spark's precision of times, and
  its marks of `VARIANT`, `GEOMETRY` and `GEOGRAPHY`, which are structs in Arrow and are sent as they are.
* An extension type (`ARROW:extension:name` and `:metadata`) is dropped where the type that stores it changes: `arrow.uuid` stays for
  Flink and is `BINARY` for Spark. Those whose specification leaves the width open (`arrow.json`, `arrow.parquet.variant`,
  `geoarrow.wkb`, `geoarrow.wkt`) stay.
* For Spark the items of lists are named `element`, the entries of maps `entries`, `key` and `value`, and a zone is `UTC`: the
  instant is the same. Flink goes by position, and gets the dataset's names and zones.

The engines' own ranges of years are not looked at: Flink and Spark hold dates before the year 1 and after 9999, and print few
of them.
";

fn field(name: &str, data_type: DataType) -> FieldRef {
    Field::new(name, data_type, true).into()
}

/// Every type, with the parameters that matter.
fn types() -> Vec<DataType> {
    use {DataType as D, IntervalUnit as I, TimeUnit as U};
    let units = [U::Second, U::Millisecond, U::Microsecond, U::Nanosecond];
    let int = || field("item", D::Int32);
    let mut all = vec![
        D::Null,
        D::Boolean,
        D::Int8,
        D::Int16,
        D::Int32,
        D::Int64,
        D::UInt8,
        D::UInt16,
        D::UInt32,
        D::UInt64,
        D::Float16,
        D::Float32,
        D::Float64,
        D::Decimal32(9, 2),
        D::Decimal64(18, 4),
        D::Decimal128(38, 10),
        D::Decimal128(5, -2),
        D::Decimal128(38, -1),
        D::Decimal256(38, 10),
        D::Decimal256(76, 0),
        D::Utf8,
        D::LargeUtf8,
        D::Utf8View,
        D::Binary,
        D::LargeBinary,
        D::BinaryView,
        D::FixedSizeBinary(16),
        D::Date32,
        D::Date64,
        D::Time32(U::Second),
        D::Time32(U::Millisecond),
        D::Time64(U::Microsecond),
        D::Time64(U::Nanosecond),
    ];
    all.extend(units.map(|unit| D::Timestamp(unit, None)));
    all.extend(units.map(|unit| D::Timestamp(unit, Some("UTC".into()))));
    all.push(D::Timestamp(U::Microsecond, Some("Europe/Berlin".into())));
    all.extend(units.map(D::Duration));
    all.extend([I::YearMonth, I::DayTime, I::MonthDayNano].map(D::Interval));
    all.extend([
        D::Dictionary(D::Int32.into(), D::Utf8.into()),
        D::RunEndEncoded(
            Field::new("run_ends", D::Int32, false).into(),
            field("values", D::Utf8),
        ),
        D::List(int()),
        D::LargeList(int()),
        D::ListView(int()),
        D::LargeListView(int()),
        D::FixedSizeList(int(), 2),
        map(D::Utf8, D::Int64),
        D::Struct(vec![field("a", D::Int32)].into()),
        D::Struct(Vec::<Field>::new().into()),
        list(D::Struct(vec![field("a", map(D::Utf8, D::UInt8))].into())),
    ]);
    all
}

/// What the engine calls a type that is sent to it.
fn engine_name(data_type: &DataType, profile: Profile) -> String {
    use {DataType as D, TimeUnit as U};
    let (spark, digits) = (profile == Profile::Spark4, |unit: &TimeUnit| match unit {
        U::Second => 0,
        U::Millisecond => 3,
        U::Microsecond => 6,
        U::Nanosecond => 9,
    });
    let of = |field: &Field| engine_name(field.data_type(), profile);
    let choose = |for_flink: &str, for_spark: &str| match spark {
        true => for_spark.to_owned(),
        false => for_flink.to_owned(),
    };
    match data_type {
        D::Null => choose("NULL", "VOID"),
        D::Boolean => "BOOLEAN".into(),
        D::Int8 => "TINYINT".into(),
        D::Int16 => "SMALLINT".into(),
        D::Int32 => "INT".into(),
        D::Int64 => "BIGINT".into(),
        D::Float32 => "FLOAT".into(),
        D::Float64 => "DOUBLE".into(),
        D::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        D::Utf8 => "STRING".into(),
        D::Binary => choose("BYTES", "BINARY"),
        D::FixedSizeBinary(bytes) => format!("BINARY({bytes})"),
        D::Date32 => "DATE".into(),
        D::Time32(_) | D::Time64(_) if spark => "TIME(6)".into(),
        D::Time32(unit) | D::Time64(unit) => format!("TIME({})", digits(unit)),
        D::Timestamp(_, zone) if spark => match zone {
            Some(_) => "TIMESTAMP".into(),
            None => "TIMESTAMP_NTZ".into(),
        },
        D::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(unit)),
        D::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        D::Duration(_) => choose("INTERVAL DAY TO SECOND(3)", "INTERVAL DAY TO SECOND"),
        D::Interval(IntervalUnit::YearMonth) => "INTERVAL YEAR TO MONTH".into(),
        D::Interval(_) => "INTERVAL".into(),
        D::List(item) => format!("ARRAY<{}>", of(item)),
        D::Map(entries, _) => match entries.data_type() {
            D::Struct(fields) => format!("MAP<{}, {}>", of(&fields[0]), of(&fields[1])),
            other => panic!("{other} holds no entries"),
        },
        D::Struct(fields) => {
            let fields = fields.iter().map(|field| match spark {
                true => format!("{}: {}", field.name(), of(field)),
                false => format!("{} {}", field.name(), of(field)),
            });
            let fields = fields.collect::<Vec<_>>().join(", ");
            format!("{}<{fields}>", choose("ROW", "STRUCT"))
        }
        other => panic!("{other} is sent to nobody"),
    }
}

/// What a checked value is whole in.
fn whole(from: &DataType, profile: Profile) -> &'static str {
    match profile.finest(from) {
        _ if from == &DataType::Date64 => ", whole days",
        Some(TimeUnit::Millisecond) => ", whole milliseconds",
        Some(_) => ", whole microseconds",
        None => "",
    }
}

fn cell(from: &DataType, profile: Profile) -> String {
    let sent = |to: &DataType| match type_name(to) == type_name(from) {
        true => "`=`".to_owned(),
        false => format!("`{}`", type_name(to)),
    };
    match target(from.clone(), profile, Lossy::Refuse) {
        Ok(to) => format!(
            "{} {}{}",
            sent(&to),
            engine_name(&to, profile),
            whole(from, profile)
        ),
        Err(code) => match target(from.clone(), profile, Lossy::Truncate) {
            Ok(to) => format!("`{code}`, cut: {} {}", sent(&to), engine_name(&to, profile)),
            Err(_) => format!("`{code}`"),
        },
    }
}

#[test]
fn the_page_of_profiles_is_true() {
    let mut page = String::from(BEFORE);
    for from in types() {
        let cells = [Profile::Flink2, Profile::Spark4].map(|profile| cell(&from, profile));
        writeln!(page, "| `{}` | {} |", type_name(&from), cells.join(" | ")).unwrap();
    }
    page.push_str(AFTER);
    let known = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/profiles.md");
    if std::fs::read_to_string(known).unwrap_or_default() != page {
        let made = std::env::temp_dir().join("flinkspark-profiles.md");
        std::fs::write(&made, &page).unwrap();
        panic!(
            "docs/profiles.md is not what the profiles do; {} is",
            made.display()
        );
    }
}
