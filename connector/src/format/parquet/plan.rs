//! How a file's columns are decoded, and what their leaves become.
//!
//! Decides from the footer alone, but for the unit of INT96, which the values decide where nobody
//! else has. Invariant: the types that are decoded lose nothing, and where one decoding would (INT96
//! wraps, an interval has three parts), a second one stands beside it.

use super::leaf::Step;
use super::spark::{Calendar, Footer};
use crate::format::conform::stored_schema;
use crate::format::leaves::{retype, retyped};
use ::parquet::arrow::ARROW_SCHEMA_META_KEY;
use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit as ParquetUnit, Type as Physical};
use ::parquet::file::metadata::FileMetaData;
use ::parquet::schema::types::ColumnDescriptor;
use arrow_schema::{DataType, FieldRef, IntervalUnit, Schema, SchemaRef, TimeUnit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;

/// The units of INT96 that are tried, where nothing else says one.
const UNITS: [TimeUnit; 4] = [
    TimeUnit::Microsecond,
    TimeUnit::Nanosecond,
    TimeUnit::Millisecond,
    TimeUnit::Second,
];

/// One leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LeafPlan {
    /// The type that is decoded.
    decoded: DataType,
    /// The type that is decoded beside it.
    beside: Option<DataType>,
    /// The type that it gets.
    pub(super) stored: DataType,
    pub(super) step: Step,
    /// Units of INT96 that come into question, the best first; empty where the unit is known.
    pub(super) units: Vec<TimeUnit>,
}

/// A file's columns.
#[derive(Debug)]
pub(super) struct Plan {
    schema: SchemaRef,
    /// The leaves of each column.
    pub(super) columns: Vec<Vec<LeafPlan>>,
}

impl Plan {
    /// Plans for the file's schema as the library reads it, without encodings. `declared` says which
    /// unit INT96 is wanted in, `wanted` which columns are read, in ascending order: the others stay as they are.
    pub(super) fn new(
        schema: &SchemaRef,
        metadata: &FileMetaData,
        declared: Option<&Schema>,
        wanted: &[usize],
    ) -> Self {
        let spark = Footer::new(metadata.key_value_metadata());
        let before = leaves_of(schema);
        let matching = |types: Vec<DataType>| (types.len() == before.len()).then_some(types);
        let known = Known {
            instants: spark.instants(schema),
            written: written_schema(metadata)
                .and_then(|schema| matching(leaves_of(&schema)))
                .unwrap_or_default(),
            declared: declared
                .map(|declared| declared_leaves(schema, declared))
                .unwrap_or_default(),
            spark,
        };
        let mut next = 0;
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            let mut leaves = Vec::new();
            let wanted = wanted.binary_search(&index).is_ok();
            retype(field.data_type(), &mut |data_type| {
                let column = metadata.schema_descr().columns().get(next);
                leaves.push(match column.filter(|_| wanted) {
                    Some(column) => known.leaf(next, column, data_type),
                    None => kept(data_type),
                });
                next += 1;
                data_type.clone()
            });
            leaves
        });
        Self {
            columns: columns.collect(),
            schema: Arc::clone(schema),
        }
    }

    /// Whether the library's own decoding is all that there is to do.
    pub(super) fn is_plain(&self) -> bool {
        let kept = |leaf: &LeafPlan| leaf.step == Step::Keep;
        self.columns.iter().flatten().all(kept) && self.decoded().fields() == self.schema.fields()
    }

    /// The schema that is decoded.
    pub(super) fn decoded(&self) -> SchemaRef {
        self.with(|leaf| leaf.decoded.clone())
    }

    /// The schema that is decoded beside it.
    pub(super) fn beside(&self) -> SchemaRef {
        self.with(|leaf| leaf.beside.as_ref().unwrap_or(&leaf.decoded).clone())
    }

    /// The schema that the rows get.
    pub(super) fn stored(&self) -> SchemaRef {
        self.with(|leaf| leaf.stored.clone())
    }

    /// The columns that are decoded twice.
    pub(super) fn doubled(&self) -> Vec<usize> {
        self.columns_with(|leaf| leaf.beside.is_some())
    }

    /// The columns whose unit the values decide.
    pub(super) fn open(&self) -> Vec<usize> {
        self.columns_with(|leaf| !leaf.units.is_empty())
    }

    /// Gives each leaf whose unit was open the first that is left, or the first of all: then the
    /// row that it does not hold will be named.
    pub(super) fn settle(&mut self) {
        for leaf in self.columns.iter_mut().flatten() {
            if let (DataType::Timestamp(_, zone), Some(unit)) = (&leaf.stored, leaf.units.first()) {
                leaf.stored = DataType::Timestamp(*unit, zone.clone());
            }
            leaf.units.clear();
        }
    }

    fn columns_with(&self, wanted: impl Fn(&LeafPlan) -> bool) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter(|(_, leaves)| leaves.iter().any(&wanted));
        columns.map(|(index, _)| index).collect()
    }

    fn with(&self, choose: impl Fn(&LeafPlan) -> DataType) -> SchemaRef {
        let fields = self.schema.fields().iter().zip(&self.columns);
        let fields: Vec<FieldRef> = fields
            .map(|(field, leaves)| {
                let mut leaves = leaves.iter();
                retyped(field, &mut |kept| {
                    leaves.next().map_or_else(|| kept.clone(), &choose)
                })
            })
            .collect();
        let metadata = self.schema.metadata().clone();
        Arc::new(Schema::new_with_metadata(fields, metadata))
    }
}

/// What is known of the leaves besides the library's schema; by leaf, or empty.
struct Known {
    spark: Footer,
    instants: Vec<bool>,
    /// The types that the writer had.
    written: Vec<DataType>,
    /// The types that are wanted, by column name.
    declared: Vec<DataType>,
}

impl Known {
    fn leaf(&self, index: usize, column: &ColumnDescriptor, data_type: &DataType) -> LeafPlan {
        use DataType as D;
        let written = self.written.get(index);
        match (column.physical_type(), column.converted_type(), data_type) {
            (Physical::INT96, _, _) => self.moment(index, data_type),
            (_, ConvertedType::INTERVAL, _) => interval(written),
            (_, _, D::Timestamp(unit, zone)) if *unit != unit_of(column).unwrap_or(*unit) => {
                let unit = unit_of(column).unwrap_or(*unit);
                kept(&D::Timestamp(unit, zone.clone()))
            }
            (_, _, D::Timestamp(TimeUnit::Millisecond, zone))
                if matches!(written, Some(D::Timestamp(TimeUnit::Second, _))) =>
            {
                LeafPlan {
                    stored: D::Timestamp(TimeUnit::Second, zone.clone()),
                    step: Step::Coarser,
                    ..kept(data_type)
                }
            }
            (_, _, D::Time32(TimeUnit::Millisecond))
                if matches!(written, Some(D::Time32(TimeUnit::Second))) =>
            {
                LeafPlan {
                    stored: D::Time32(TimeUnit::Second),
                    step: Step::Coarser,
                    ..kept(data_type)
                }
            }
            (_, _, D::Date32 | D::Date64 | D::Timestamp(_, Some(_)))
                if self.spark.calendar != Calendar::Proleptic =>
            {
                LeafPlan {
                    step: Step::Hybrid(self.spark.calendar.clone()),
                    ..kept(data_type)
                }
            }
            _ => kept(data_type),
        }
    }

    fn moment(&self, index: usize, data_type: &DataType) -> LeafPlan {
        use DataType as D;
        let unit = |types: &[DataType]| match types.get(index) {
            Some(D::Timestamp(unit, _)) => Some(*unit),
            _ => None,
        };
        let zone = match data_type {
            D::Timestamp(_, Some(zone)) => Some(Arc::clone(zone)),
            _ if self.instants.get(index) == Some(&true) => Some("UTC".into()),
            _ => None,
        };
        let declared = unit(&self.declared);
        let units = unit(&self.written).into_iter().chain(UNITS);
        LeafPlan {
            decoded: D::Timestamp(TimeUnit::Nanosecond, None),
            beside: Some(D::Timestamp(TimeUnit::Second, None)),
            stored: D::Timestamp(declared.unwrap_or(TimeUnit::Microsecond), zone),
            step: Step::Moment(self.spark.int96.clone()),
            units: if declared.is_some() {
                Vec::new()
            } else {
                units.collect()
            },
        }
    }
}

fn kept(data_type: &DataType) -> LeafPlan {
    LeafPlan {
        decoded: data_type.clone(),
        beside: None,
        stored: data_type.clone(),
        step: Step::Keep,
        units: Vec::new(),
    }
}

fn interval(written: Option<&DataType>) -> LeafPlan {
    let unit = match written {
        Some(DataType::Interval(unit)) => *unit,
        _ => IntervalUnit::MonthDayNano,
    };
    LeafPlan {
        decoded: DataType::Interval(IntervalUnit::DayTime),
        beside: Some(DataType::Interval(IntervalUnit::YearMonth)),
        stored: DataType::Interval(unit),
        step: Step::Interval,
        units: Vec::new(),
    }
}

/// The unit that the file itself states: a schema that was left beside it may say another.
fn unit_of(column: &ColumnDescriptor) -> Option<TimeUnit> {
    match (column.logical_type_ref()?, column.physical_type()) {
        (LogicalType::Timestamp(timestamp), Physical::INT64) => Some(match timestamp.unit {
            ParquetUnit::MILLIS => TimeUnit::Millisecond,
            ParquetUnit::MICROS => TimeUnit::Microsecond,
            ParquetUnit::NANOS => TimeUnit::Nanosecond,
        }),
        _ => None,
    }
}

fn leaves_of(schema: &Schema) -> Vec<DataType> {
    let fields = schema.fields().iter();
    fields
        .flat_map(|field| leaves_of_type(field.data_type()))
        .collect()
}

fn leaves_of_type(data_type: &DataType) -> Vec<DataType> {
    let mut leaves = Vec::new();
    retype(data_type, &mut |leaf| {
        leaves.push(leaf.clone());
        leaf.clone()
    });
    leaves
}

/// The types that are wanted for the leaves of the file's columns, by the columns' names; null where nothing is said.
fn declared_leaves(schema: &Schema, declared: &Schema) -> Vec<DataType> {
    let fields = schema.fields().iter();
    let leaves = fields.flat_map(|field| {
        let count = leaves_of_type(field.data_type()).len();
        let wanted = declared.field_with_name(field.name());
        let wanted = wanted.map(|wanted| leaves_of_type(wanted.data_type()));
        let wanted = wanted.ok().filter(|wanted| wanted.len() == count);
        wanted.unwrap_or_else(|| vec![DataType::Null; count])
    });
    leaves.collect()
}

/// The Arrow schema that the file's writer left beside it.
fn written_schema(metadata: &FileMetaData) -> Option<SchemaRef> {
    let pairs = metadata.key_value_metadata()?;
    let pair = pairs
        .iter()
        .find(|pair| pair.key == ARROW_SCHEMA_META_KEY)?;
    let message = BASE64_STANDARD.decode(pair.value.as_ref()?).ok()?;
    let schema = arrow_ipc::convert::try_schema_from_ipc_buffer(&message).ok()?;
    stored_schema(&schema).ok()
}
