//! Statements: parsed, bound to a fixed catalogue, lowered to both engines' plans.
//!
//! Nothing is run, and DataFusion's own optimiser is not asked. Invariant: a statement has a part of the stack that a
//! thread of the server has.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use flinkspark_adapter::front::flink::{self, TableInfo, Tables};
use flinkspark_adapter::plan::{Home, Job, identity};
use flinkspark_adapter::target;
use flinkspark_model::dataset::{Dataset, DatasetId, TimeAttribute, TimePrecision, Traits};
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Error, Kind, Result};
use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::thread;

/// A quarter of what the threads of a server have, in bytes (`bridge::workers`): the rest is for DataFusion's optimiser.
const STACK_BYTES: usize = 8 << 20;

pub(crate) fn run(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else {
        return;
    };
    thread::scope(|scope| {
        let statement = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || black_box(plan(sql).is_ok()));
        if let Ok(statement) = statement
            && let Err(payload) = statement.join()
        {
            std::panic::resume_unwind(payload);
        }
    });
}

/// As far as the statement goes; what refuses it first.
fn plan(sql: &str) -> Result<()> {
    let statement = flink::parse(sql)?;
    let mut job = flink::bind(&statement, &Catalogue)?;
    black_box((job.to_string(), identity::encode(&job)));
    let batch = batch(&job);
    let stream = stream(&job);
    job.home = Home::FlinkStreaming;
    batch
        .and(stream)
        .and(self::batch(&job))
        .and(self::stream(&job))
}

fn batch(job: &Job) -> Result<()> {
    let mut tables = target::batch::Providers::default();
    for (name, schema, _) in catalogue() {
        let empty: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(Arc::clone(schema)));
        tables.insert(DatasetName::new(name)?, empty);
    }
    let plan = target::batch::lower(job, &tables)?;
    black_box(plan.logical.display_indent().to_string());
    Ok(())
}

fn stream(job: &Job) -> Result<()> {
    let field = |column: &flinkspark_adapter::plan::Column| {
        Field::new(&column.name, column.ty.root.arrow(), true)
    };
    let schema = Schema::new(job.columns.iter().map(field).collect::<Vec<_>>());
    let sink = dataset("sink", &Arc::new(schema), None)?;
    let find = |name: &DatasetName| {
        let found = catalogue()
            .iter()
            .find(|(known, ..)| *known == name.as_str());
        match found {
            Some((name, schema, time)) => dataset(name, schema, *time),
            None => Err(Error::new(Kind::Internal, "FS0915", "it was not bound")),
        }
    };
    let binding = target::stream::Binding {
        dataset: &find,
        sink: &sink,
        late: None,
        through: Some(1),
    };
    black_box(target::stream::lower(job, &binding)?.to_string());
    Ok(())
}

fn dataset(name: &str, schema: &SchemaRef, time: Option<&str>) -> Result<Dataset> {
    let time = time.map(|column| TimeAttribute {
        column: column.into(),
        watermark_delay_ms: 5_000,
        precision: TimePrecision::Floor,
    });
    Ok(Dataset {
        id: DatasetId::from_parts(0, [0; 10]),
        name: DatasetName::new(name)?,
        version: 1,
        schema_version: 1,
        schema: Arc::clone(schema),
        traits: Traits {
            time,
            ..Traits::default()
        },
        handles: Vec::new(),
        created_at_ms: 0,
    })
}

struct Catalogue;

impl Tables for Catalogue {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        let found = catalogue()
            .iter()
            .find(|(known, ..)| *known == name.as_str());
        Ok(found.map(|(_, schema, time)| TableInfo {
            schema: Arc::clone(schema),
            time_attribute: time.map(Into::into),
            time_precision: TimePrecision::Floor,
            watermark_delay_ms: time.map(|_| 5_000),
            bounded: true,
        }))
    }
}

/// A dataset, its columns and its event time.
type Known = (&'static str, SchemaRef, Option<&'static str>);

/// A dataset with a column of each type, one with event time, and the one that the shipped jobs read.
fn catalogue() -> &'static [Known] {
    static CATALOGUE: OnceLock<Vec<Known>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        use DataType as D;
        let millis = || D::Timestamp(TimeUnit::Millisecond, None);
        let schema = |columns: Vec<(&str, DataType)>| -> SchemaRef {
            let fields = columns.into_iter().enumerate();
            let fields = fields.map(|(at, (name, kind))| Field::new(name, kind, at % 2 == 0));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        let item = |kind| Arc::new(Field::new("item", kind, true));
        let types = vec![
            ("b", D::Boolean),
            ("i1", D::Int8),
            ("i2", D::Int16),
            ("i4", D::Int32),
            ("i8", D::Int64),
            ("f4", D::Float32),
            ("f8", D::Float64),
            ("d", D::Decimal128(10, 2)),
            ("dd", D::Decimal128(38, 18)),
            ("s", D::Utf8),
            ("x", D::Binary),
            ("day", D::Date32),
            ("tm", D::Time32(TimeUnit::Millisecond)),
            ("ts", millis()),
            (
                "tz",
                D::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            ),
            ("arr", D::List(item(D::Int32))),
            (
                "row",
                D::Struct(vec![Field::new("p", D::Int32, true)].into()),
            ),
        ];
        let clicks = vec![
            ("user", D::Utf8),
            ("at", millis()),
            ("amount", D::Int64),
            ("price", D::Float64),
        ];
        let flights = vec![
            ("origin", D::Utf8),
            ("dest", D::Utf8),
            ("dep_delay", D::Float64),
            ("distance", D::Int64),
            ("event_time", millis()),
        ];
        let hourly = vec![
            ("window_start", millis()),
            ("origin", D::Utf8),
            ("departures", D::Int64),
            ("total_distance", D::Int64),
            ("max_delay", D::Float64),
        ];
        vec![
            ("t", schema(types.clone()), None),
            ("u", schema(types), None),
            ("web.clicks", schema(clicks), Some("at")),
            ("flights", schema(flights), Some("event_time")),
            ("hourly_departures", schema(hourly.clone()), None),
            ("departures_by_origin", schema(hourly), None),
        ]
    })
}
