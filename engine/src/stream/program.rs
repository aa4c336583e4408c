//! The program that a stream job runs: the StreamGraph, from one source to one sink.
//!
//! Owns the shape and its checks; compiles nothing and reads nothing. Invariant: a program that
//! was built has a name of its own for each operator, every column that it names exists, and the
//! sink takes the types that arrive.

mod identity;
mod text;

pub(crate) use identity::Identity;

use super::keygroup;
use crate::expr::aggregate::Function;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::dataset::{DatasetId, TimePrecision};
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The most operators in a program: chains call each other directly, so this bounds the stack.
pub const OPERATORS_MAX: usize = 64;

/// The name of the column that starts a window, `TIMESTAMP(3)`.
pub const WINDOW_START: &str = "window_start";

/// The name of the column that ends a window, exclusively, `TIMESTAMP(3)`.
pub const WINDOW_END: &str = "window_end";

/// Event time: which column carries it, and how late it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    /// The column's index among those that the source reads.
    pub column: usize,
    /// The watermark is the greatest time seen less this many milliseconds, exactly.
    pub watermark_delay_ms: u64,
    /// What happens to values finer than milliseconds.
    pub precision: TimePrecision,
}

/// Reads a dataset from its beginning to a pinned slot.
#[derive(Debug, Clone)]
pub struct Source {
    /// The operator's name, stable between starts.
    pub uid: String,
    /// The dataset.
    pub dataset: DatasetId,
    /// Its name, for people.
    pub name: String,
    /// Its registered schema.
    pub schema: SchemaRef,
    /// The columns to read, by index into the schema; `None` for all.
    pub columns: Option<Vec<usize>>,
    /// Event time; without it rows have no watermark before the end.
    pub time: Option<EventTime>,
    /// The last slot to read; `None` for the head when the job first starts.
    pub through: Option<SlotNo>,
}

/// Where rows are committed, by two-phase commit.
#[derive(Debug, Clone)]
pub struct Sink {
    /// The operator's name, stable between starts: it is a part of the writer's name.
    pub uid: String,
    /// The dataset.
    pub dataset: DatasetId,
    /// Its name, for people.
    pub name: String,
    /// Its registered schema: columns are taken by position.
    pub schema: SchemaRef,
}

/// A value with a name.
#[derive(Debug, Clone)]
pub struct NamedExpr {
    /// Over the input's columns.
    pub expr: Arc<dyn PhysicalExpr>,
    /// The output column's name.
    pub name: String,
}

/// An aggregate call.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// The function.
    pub function: Function,
    /// Over the input's columns; `None` for `COUNT(*)`.
    pub argument: Option<Arc<dyn PhysicalExpr>>,
    /// The output column's name.
    pub name: String,
}

/// Tumbling windows on event time, per key.
///
/// The output is `window_start, window_end, keys.., aggregates..`.
#[derive(Debug, Clone)]
pub struct Tumble {
    /// The time column of the input, by index.
    pub time: usize,
    /// What happens to times finer than milliseconds.
    pub precision: TimePrecision,
    /// The windows' length in milliseconds, above 0.
    pub size_ms: i64,
    /// Where windows begin, relative to the epoch, in milliseconds.
    pub offset_ms: i64,
    /// The grouping keys besides the window.
    pub keys: Vec<NamedExpr>,
    /// The aggregate calls.
    pub aggregates: Vec<Aggregate>,
    /// Where late rows are kept, with the input's columns; they are counted in any case.
    pub late_to: Option<Sink>,
}

/// Aggregation per key over everything: its rows come at the end of bounded input.
///
/// The output is `keys.., aggregates..`. Without keys and without input there is no row.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// The grouping keys.
    pub keys: Vec<NamedExpr>,
    /// The aggregate calls.
    pub aggregates: Vec<Aggregate>,
}

/// An operator between the source and the sink.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    Filter(Arc<dyn PhysicalExpr>),
    Project(Vec<NamedExpr>),
    Tumble(Tumble),
    Keyed(Keyed),
}

/// An operator with its name and what arrives and leaves.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) uid: String,
    pub(crate) operator: Operator,
    pub(crate) input: SchemaRef,
    pub(crate) output: SchemaRef,
}

impl Node {
    /// The keys by which rows must be brought together before this operator.
    pub(crate) fn exchange(&self) -> Option<&[NamedExpr]> {
        match &self.operator {
            Operator::Tumble(tumble) => Some(&tumble.keys),
            Operator::Keyed(keyed) => Some(&keyed.keys),
            Operator::Filter(_) | Operator::Project(_) => None,
        }
    }
}

/// A checked program.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) source: Source,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sink: Sink,
    /// The canonical encoding of the plan that it was made from.
    pub(crate) plan: Option<Vec<u8>>,
}

impl Program {
    /// Starts a program at its source.
    pub fn from(source: Source) -> Result<Builder> {
        let schema = match &source.columns {
            None => Arc::clone(&source.schema),
            Some(columns) => Arc::new(source.schema.project(columns).map_err(|cause| {
                invalid("a source reads a column that does not exist")
                    .with_detail(cause.to_string())
            })?),
        };
        if let Some(time) = &source.time {
            check_time(&schema, time.column)?;
        }
        Ok(Builder {
            source,
            nodes: Vec::new(),
            schema,
        })
    }

    /// The same program, made from a plan with this canonical encoding: it decides what the expressions
    /// compute, whatever they are called and however they are printed. Without one the expressions'
    /// text stands in.
    #[must_use]
    pub fn of_plan(self, encoding: Vec<u8>) -> Self {
        Self {
            plan: Some(encoding),
            ..self
        }
    }

    /// What makes it the program that a checkpoint belongs to.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self)
    }

    /// The sinks, the main one first.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = &Sink> {
        let late = self.nodes.iter().filter_map(|node| match &node.operator {
            Operator::Tumble(tumble) => tumble.late_to.as_ref(),
            _ => None,
        });
        std::iter::once(&self.sink).chain(late)
    }
}

/// A program that has no sink yet.
#[derive(Debug, Clone)]
pub struct Builder {
    source: Source,
    nodes: Vec<Node>,
    schema: SchemaRef,
}

impl Builder {
    /// The columns that the next operator is given.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Keeps the rows for which the predicate is true.
    pub fn filter(self, uid: &str, predicate: Arc<dyn PhysicalExpr>) -> Result<Self> {
        let ty = typed(&predicate, &self.schema)?;
        if ty != DataType::Boolean {
            return Err(invalid("a filter is not a truth value")
                .with_detail(format!("{predicate} is {ty}")));
        }
        let schema = Arc::clone(&self.schema);
        self.push(uid, Operator::Filter(predicate), schema)
    }

    /// Computes new columns.
    pub fn project(self, uid: &str, columns: Vec<NamedExpr>) -> Result<Self> {
        let schema = Arc::new(Schema::new(fields(&columns, &self.schema)?));
        self.push(uid, Operator::Project(columns), schema)
    }

    /// Aggregates in tumbling windows.
    pub fn tumble(self, uid: &str, tumble: Tumble) -> Result<Self> {
        check_time(&self.schema, tumble.time)?;
        if tumble.size_ms <= 0 {
            return Err(invalid("a window has no length")
                .with_detail(format!("its size is {} ms", tumble.size_ms)));
        }
        let bound = |name| {
            Field::new(
                name,
                DataType::Timestamp(TimeUnit::Millisecond, None),
                false,
            )
        };
        let mut all = vec![bound(WINDOW_START), bound(WINDOW_END)];
        all.extend(grouped(&tumble.keys, &tumble.aggregates, &self.schema)?);
        if let Some(late) = &tumble.late_to {
            check_sink(late, &self.schema)?;
        }
        self.push(uid, Operator::Tumble(tumble), Arc::new(Schema::new(all)))
    }

    /// Aggregates over everything.
    pub fn keyed(self, uid: &str, keyed: Keyed) -> Result<Self> {
        let all = grouped(&keyed.keys, &keyed.aggregates, &self.schema)?;
        self.push(uid, Operator::Keyed(keyed), Arc::new(Schema::new(all)))
    }

    /// Ends the program at its sink.
    pub fn sink(self, sink: Sink) -> Result<Program> {
        check_sink(&sink, &self.schema)?;
        let program = Program {
            source: self.source,
            nodes: self.nodes,
            sink,
            plan: None,
        };
        let mut uids: Vec<&str> = program.sinks().map(|sink| sink.uid.as_str()).collect();
        uids.push(&program.source.uid);
        uids.extend(program.nodes.iter().map(|node| node.uid.as_str()));
        uids.sort_unstable();
        if let Some(pair) = uids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("two operators are called \"{}\"", pair[0])));
        }
        Ok(program)
    }

    fn push(mut self, uid: &str, operator: Operator, output: SchemaRef) -> Result<Self> {
        if self.nodes.len() >= OPERATORS_MAX {
            return Err(invalid(format!(
                "a program has more than {OPERATORS_MAX} operators"
            )));
        }
        let input = std::mem::replace(&mut self.schema, Arc::clone(&output));
        self.nodes.push(Node {
            uid: uid.to_owned(),
            operator,
            input,
            output,
        });
        Ok(self)
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, "FS0601", message)
        .with_hint("`flinkspark job explain` shows the program")
}

fn typed(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<DataType> {
    expr.data_type(schema).map_err(|cause| {
        invalid(format!("the type of {expr} is not known")).with_detail(cause.to_string())
    })
}

fn fields(columns: &[NamedExpr], schema: &Schema) -> Result<Vec<Field>> {
    let field = |column: &NamedExpr| {
        let ty = typed(&column.expr, schema)?;
        let nullable = column.expr.nullable(schema).unwrap_or(true);
        Ok(Field::new(&column.name, ty, nullable))
    };
    columns.iter().map(field).collect()
}

fn grouped(keys: &[NamedExpr], aggregates: &[Aggregate], schema: &Schema) -> Result<Vec<Field>> {
    let mut all = fields(keys, schema)?;
    if let Some(key) = all.iter().find(|key| !keygroup::is_key(key.data_type())) {
        return Err(invalid(format!(
            "column \"{}\" cannot be a grouping key",
            key.name()
        ))
        .with_detail(format!("its type is {}", key.data_type())));
    }
    for aggregate in aggregates {
        let argument = aggregate.argument.as_ref();
        let argument = argument.map(|expr| typed(expr, schema)).transpose()?;
        let (ty, nullable) = aggregate.function.result(argument.as_ref())?;
        all.push(Field::new(&aggregate.name, ty, nullable));
    }
    Ok(all)
}

fn check_time(schema: &Schema, column: usize) -> Result<()> {
    match schema.fields().get(column).map(|field| field.data_type()) {
        Some(DataType::Timestamp(_, _)) => Ok(()),
        Some(other) => {
            Err(invalid("event time is not a timestamp").with_detail(format!("it is {other}")))
        }
        None => Err(invalid("the event time column does not exist")),
    }
}

/// Nullability is checked with each batch: types promise too little about it.
fn check_sink(sink: &Sink, schema: &Schema) -> Result<()> {
    let types = |schema: &Schema| -> Vec<String> {
        let name = |field: &Arc<Field>| field.data_type().to_string();
        schema.fields().iter().map(name).collect()
    };
    let (given, wanted) = (types(schema), types(&sink.schema));
    if given == wanted {
        return Ok(());
    }
    Err(Error::new(
        Kind::Invalid,
        "FS0608",
        format!("the rows do not fit dataset \"{}\"", sink.name),
    )
    .with_detail(format!(
        "it has ({}), the job gives ({})",
        wanted.join(", "),
        given.join(", ")
    ))
    .with_hint("select and cast the columns in the dataset's order"))
}
