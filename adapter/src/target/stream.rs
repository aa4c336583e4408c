//! The stream target: plans as programs of the bundled streaming engine.
//!
//! Owns the lowering of one path, from a dataset through filters, projections, tumbling windows and
//! groupings to a dataset; every other node is refused by name before anything starts. Expressions are
//! composed over the columns that the operator before them really has, so a projection costs nothing of
//! its own before the last one. Invariant: the program's columns are the job's, in order and Arrow type.

mod needed;
mod scalar;
#[cfg(test)]
mod tests;

use crate::plan::rel::{AggregateCall, Column, Grouping, Node, Rel, Scan, Tumble};
use crate::plan::types::FlinkType;
use crate::plan::{Home, Job};
use crate::semantics::aggregate::Aggregate;
use crate::semantics::broken;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::expressions::{
    CastExpr, Column as Physical, IsNotNullExpr, Literal,
};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_engine::expr::aggregate::Function;
use flinkspark_engine::stream::program::{self, Builder, NamedExpr, Program, Sink, Source};
use flinkspark_model::dataset::{Dataset, TimePrecision};
use flinkspark_model::name::DatasetName;
use flinkspark_model::position::SlotNo;
use flinkspark_model::{Error, Kind, Result};
use scalar::Bound;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The name of the operator that reads: with it begin the positions in a checkpoint.
pub const SOURCE: &str = "source";

/// The name of the operator that writes the result: it is a part of the writer's name.
pub const SINK: &str = "sink";

/// The name of the operator that keeps late rows.
pub const LATE: &str = "late";

/// What a program is bound to, besides its plan.
pub struct Binding<'a> {
    /// The dataset with this name, as the catalogue knows it.
    pub dataset: &'a dyn Fn(&DatasetName) -> Result<Dataset>,
    /// Where the rows go; its columns have the job's types, by position.
    pub sink: &'a Dataset,
    /// Where late rows are kept; its columns are those of the dataset that is read.
    pub late: Option<&'a Dataset>,
    /// The last slot to read; none for the head when the run first starts.
    pub through: Option<SlotNo>,
}

/// The job as a program.
///
/// `FS0617` where the plan has a node, a function or a form that the stream target does not run,
/// `FS0601` and `FS0602` where a key or an argument has a type that the engine does not take, `FS0810`
/// where a dataset changed its columns.
pub fn lower(job: &Job, binding: &Binding<'_>) -> Result<Program> {
    let lowering = Lowering {
        home: job.home,
        binding,
        needed: needed::columns(&job.root),
    };
    let Lowered { builder, columns } = lowering.rel(&job.root)?;
    let named = columns.iter().zip(&job.columns);
    let named = named.map(|(column, plan)| NamedExpr {
        expr: Arc::clone(&column.expr),
        name: plan.name.clone(),
    });
    let named: Vec<NamedExpr> = named.collect();
    let builder = if is_identity(&named, &builder) {
        builder
    } else {
        builder.project("result", named)?
    };
    let program = builder.sink(output(SINK, binding.sink))?;
    if binding.late.is_some() && !job_has_window(&job.root) {
        return Err(unsupported(
            "late rows of a job without a window",
            "only a row that has a window can be late for it",
        ));
    }
    Ok(program)
}

fn job_has_window(rel: &Rel) -> bool {
    matches!(rel.node, Node::Tumble(..))
        || crate::plan::display::inputs(rel)
            .into_iter()
            .any(job_has_window)
}

fn output(uid: &str, dataset: &Dataset) -> Sink {
    Sink {
        uid: uid.into(),
        dataset: dataset.id,
        name: dataset.name.to_string(),
        schema: Arc::clone(&dataset.schema),
    }
}

/// What the stream target does not run.
fn unsupported(what: &str, why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0617",
        format!("the stream target does not run {what}"),
    )
    .with_detail(why)
    .with_hint("run the job with --on batch")
}

struct Lowering<'a> {
    home: Home,
    binding: &'a Binding<'a>,
    /// Positions of the scan's columns that the plan reads.
    needed: BTreeSet<usize>,
}

/// A column of the plan, over what the builder's last operator produces.
#[derive(Debug, Clone)]
struct Value {
    expr: Arc<dyn PhysicalExpr>,
    ty: FlinkType,
    /// Set where it is a bound of the window that the plan has opened.
    bound: Option<Bound>,
}

struct Lowered {
    builder: Builder,
    columns: Vec<Value>,
}

impl Lowering<'_> {
    fn rel(&self, rel: &Rel) -> Result<Lowered> {
        match &rel.node {
            Node::Scan(scan) => self.scan(scan, &rel.columns),
            Node::Filter(input, predicate) => {
                let Lowered { builder, columns } = self.rel(input)?;
                let expr = scalar::expression(predicate, &values(&columns));
                let uid = format!("filter-{}", operators(input));
                Ok(Lowered {
                    builder: builder.filter(&uid, expr)?,
                    columns,
                })
            }
            Node::Project(input, exprs) => {
                let Lowered { builder, columns } = self.rel(input)?;
                let inputs = values(&columns);
                let column = |expr| project(expr, &columns, &inputs);
                Ok(Lowered {
                    builder,
                    columns: exprs.iter().map(column).collect(),
                })
            }
            Node::Tumble(input, tumble) => self.window(input, tumble),
            Node::Aggregate(input, grouping) => self.aggregate(input, grouping, &rel.columns),
            Node::Distinct(input) => {
                let keys = (0..rel.columns.len()).collect();
                self.aggregate(
                    input,
                    &Grouping {
                        keys,
                        calls: vec![],
                    },
                    &rel.columns,
                )
            }
            other => Err(unsupported(
                name(other),
                "its rows would have to be taken back, or kept for ever, as more come",
            )),
        }
    }

    fn scan(&self, scan: &Scan, columns: &[Column]) -> Result<Lowered> {
        let dataset = (self.binding.dataset)(&scan.dataset)?;
        let named = dataset
            .traits
            .time
            .as_ref()
            .filter(|_| scan.time_attribute.is_some());
        let precision = named.map_or(TimePrecision::Exact, |time| time.precision);
        let read = self.read(scan, columns, &dataset)?;
        let mut lowered = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let at = place(scan, &dataset, &column.name)?;
            let wanted = column.ty.root.arrow();
            let expr: Arc<dyn PhysicalExpr> = match read.iter().position(|other| *other == at) {
                // Nothing reads it.
                None => Arc::new(Literal::new(ScalarValue::Null)),
                Some(at_read) => {
                    let stored: Arc<dyn PhysicalExpr> =
                        Arc::new(Physical::new(&column.name, at_read));
                    if scan.time_attribute == Some(index) {
                        scalar::event_time(
                            stored,
                            &format!("{}.{}", scan.dataset, column.name),
                            precision,
                        )
                    } else if *dataset.schema.field(at).data_type() == wanted {
                        stored
                    } else {
                        Arc::new(CastExpr::new(stored, wanted, None))
                    }
                }
            };
            lowered.push(Value {
                expr,
                ty: column.ty.clone(),
                bound: None,
            });
        }
        let time = self.event_time(scan, columns, &dataset, &read)?;
        let all = read.len() == dataset.schema.fields().len();
        let source = Source {
            uid: SOURCE.into(),
            dataset: dataset.id,
            name: scan.dataset.to_string(),
            schema: Arc::clone(&dataset.schema),
            columns: (!all || self.binding.late.is_none()).then_some(read),
            time,
            through: self.binding.through,
        };
        if !scan.bounded {
            return Err(unsupported(
                "an unbounded dataset",
                "a source reads to the slot at which the run started",
            ));
        }
        Ok(Lowered {
            builder: Program::from(source)?,
            columns: lowered,
        })
    }

    /// The dataset's columns that are read, ascending: late rows have all of them.
    fn read(&self, scan: &Scan, columns: &[Column], dataset: &Dataset) -> Result<Vec<usize>> {
        if self.binding.late.is_some() {
            return Ok((0..dataset.schema.fields().len()).collect());
        }
        let mut needed = self.needed.clone();
        needed.extend(
            scan.time_attribute
                .filter(|_| self.home == Home::FlinkStreaming),
        );
        let names = needed.iter().filter_map(|index| columns.get(*index));
        let mut read: Vec<usize> = names
            .map(|column| place(scan, dataset, &column.name))
            .collect::<Result<_>>()?;
        if read.is_empty() {
            // Rows are counted by their columns.
            read.push(0);
        }
        read.sort_unstable();
        Ok(read)
    }

    /// In batch mode Flink drops nothing as late: there is one watermark, at the end.
    fn event_time(
        &self,
        scan: &Scan,
        columns: &[Column],
        dataset: &Dataset,
        read: &[usize],
    ) -> Result<Option<program::EventTime>> {
        let (Home::FlinkStreaming, Some(index)) = (self.home, scan.time_attribute) else {
            return Ok(None);
        };
        let column = columns
            .get(index)
            .ok_or_else(|| broken("a time attribute without a column"))?;
        let at = among(read, place(scan, dataset, &column.name)?)?;
        let delay = scan.watermark_delay_ms.unwrap_or(0);
        Ok(Some(program::EventTime {
            column: at,
            watermark_delay_ms: u64::try_from(delay)
                .map_err(|_| broken("a negative watermark delay"))?,
            precision: dataset
                .traits
                .time
                .as_ref()
                .map_or(TimePrecision::Exact, |time| time.precision),
        }))
    }

    fn window(&self, input: &Rel, tumble: &Tumble) -> Result<Lowered> {
        let Lowered {
            mut builder,
            mut columns,
        } = self.rel(input)?;
        let time = columns
            .get(tumble.time)
            .ok_or_else(|| broken("a window without a time column"))?
            .expr
            .clone();
        if self.home == Home::FlinkBatch {
            // Flink's batch mode drops rows without a time, its stream fails on them.
            builder = builder.filter("with-time", Arc::new(IsNotNullExpr::new(time.clone())))?;
        }
        for bound in [Bound::Start, Bound::End, Bound::Time] {
            columns.push(Value {
                expr: scalar::window_bound(time.clone(), tumble.size_ms, tumble.offset_ms, bound),
                ty: scalar::bound_type(),
                bound: Some(bound),
            });
        }
        Ok(Lowered { builder, columns })
    }

    fn aggregate(&self, input: &Rel, grouping: &Grouping, columns: &[Column]) -> Result<Lowered> {
        let uid = format!("aggregate-{}", operators(input));
        let Lowered {
            builder,
            columns: inputs,
        } = self.rel(input)?;
        let keys = grouping
            .keys
            .iter()
            .map(|key| at(&inputs, *key))
            .collect::<Result<Vec<_>>>()?;
        let aggregates = grouping
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| aggregate(index, call, &inputs));
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let has = |bound| keys.iter().any(|key| key.bound == Some(bound));
        let window = if has(Bound::Start) && has(Bound::End) {
            find_window(input)
        } else {
            None
        };
        // The window's own bounds come with it; every other key is a key.
        let is_own =
            |key: &Value| window.is_some() && matches!(key.bound, Some(Bound::Start | Bound::End));
        let others: Vec<&Value> = keys.iter().copied().filter(|key| !is_own(key)).collect();
        let named = others.iter().enumerate().map(|(index, key)| NamedExpr {
            expr: Arc::clone(&key.expr),
            name: format!("key{index}"),
        });
        let named: Vec<NamedExpr> = named.collect();
        let builder = match window {
            Some(window) => builder.tumble(&uid, self.tumble(window, named, aggregates)?)?,
            None if self.home == Home::FlinkBatch && keys.is_empty() => {
                return Err(unsupported(
                    "an aggregate without keys of a flink/batch job",
                    "over no rows Flink's batch mode gives one row, a stream none",
                ));
            }
            None => builder.keyed(
                &uid,
                program::Keyed {
                    keys: named,
                    aggregates,
                },
            )?,
        };
        let first_key = if window.is_some() { 2 } else { 0 };
        let mut next_key = first_key;
        let mut places = Vec::with_capacity(columns.len());
        for key in &keys {
            places.push(match key.bound {
                Some(Bound::Start) if window.is_some() => 0,
                Some(Bound::End) if window.is_some() => 1,
                _ => {
                    next_key += 1;
                    next_key - 1
                }
            });
        }
        places.extend(next_key..next_key + grouping.calls.len());
        let schema = Arc::clone(builder.schema());
        let value = |(place, column): (usize, &Column)| -> Result<Value> {
            let field = schema.field(place);
            if *field.data_type() != column.ty.root.arrow() {
                return Err(broken(format!(
                    "column \"{}\" is {} on the stream, {} in the plan",
                    column.name,
                    field.data_type(),
                    column.ty
                )));
            }
            Ok(Value {
                expr: Arc::new(Physical::new(field.name(), place)),
                ty: column.ty.clone(),
                bound: None,
            })
        };
        let columns = places
            .into_iter()
            .zip(columns)
            .map(value)
            .collect::<Result<_>>()?;
        Ok(Lowered { builder, columns })
    }

    fn tumble(
        &self,
        window: Window<'_>,
        keys: Vec<NamedExpr>,
        aggregates: Vec<program::Aggregate>,
    ) -> Result<program::Tumble> {
        let dataset = (self.binding.dataset)(&window.scan.dataset)?;
        let column = window
            .columns
            .get(window.tumble.time)
            .ok_or_else(|| broken("a window without a time column"))?;
        let read = self.read(window.scan, window.columns, &dataset)?;
        Ok(program::Tumble {
            time: among(&read, place(window.scan, &dataset, &column.name)?)?,
            precision: dataset
                .traits
                .time
                .as_ref()
                .map_or(TimePrecision::Exact, |time| time.precision),
            size_ms: window.tumble.size_ms,
            offset_ms: window.tumble.offset_ms,
            keys,
            aggregates,
            late_to: self.binding.late.map(|late| output(LATE, late)),
        })
    }
}

/// The position in the dataset's schema of a column that the plan was bound to.
fn place(scan: &Scan, dataset: &Dataset, column: &str) -> Result<usize> {
    dataset.schema.index_of(column).map_err(|error| {
        Error::new(
            Kind::Conflict,
            "FS0810",
            format!("dataset {} changed its schema", scan.dataset),
        )
        .with_detail(error.to_string())
    })
}

/// The position of a dataset's column among those that are read.
fn among(read: &[usize], column: usize) -> Result<usize> {
    read.iter()
        .position(|other| *other == column)
        .ok_or_else(|| broken("the time attribute is not read"))
}

/// The window that an aggregate's input has opened, over the dataset that it reads.
#[derive(Clone, Copy)]
struct Window<'a> {
    tumble: &'a Tumble,
    scan: &'a Scan,
    columns: &'a [Column],
}

fn find_window(rel: &Rel) -> Option<Window<'_>> {
    match &rel.node {
        Node::Filter(input, _) | Node::Project(input, _) => find_window(input),
        Node::Tumble(input, tumble) => match &input.node {
            Node::Scan(scan) => Some(Window {
                tumble,
                scan,
                columns: &input.columns,
            }),
            _ => None,
        },
        _ => None,
    }
}

fn project(
    expr: &crate::plan::expr::Expr,
    columns: &[Value],
    inputs: &[scalar::Argument],
) -> Value {
    let bound = match expr.kind {
        crate::plan::expr::ExprKind::Column(index) => {
            columns.get(index).and_then(|column| column.bound)
        }
        _ => None,
    };
    Value {
        expr: scalar::expression(expr, inputs),
        ty: expr.ty.clone(),
        bound,
    }
}

fn values(columns: &[Value]) -> Vec<scalar::Argument> {
    columns
        .iter()
        .map(|column| scalar::Argument {
            expr: Arc::clone(&column.expr),
            ty: column.ty.clone(),
        })
        .collect()
}

fn at(columns: &[Value], index: usize) -> Result<&Value> {
    columns
        .get(index)
        .ok_or_else(|| broken(format!("a plan reads column {index} of {}", columns.len())))
}

fn aggregate(index: usize, call: &AggregateCall, inputs: &[Value]) -> Result<program::Aggregate> {
    let signature = &call.signature;
    let function = match signature.function {
        Aggregate::CountRows => Function::CountStar,
        Aggregate::Count => Function::Count,
        Aggregate::Sum => Function::Sum,
        Aggregate::Avg => Function::Avg,
        Aggregate::Min => Function::Min,
        Aggregate::Max => Function::Max,
        other => {
            return Err(unsupported(
                other.name(),
                "the engine has no mergeable state for it yet",
            ));
        }
    };
    if signature.distinct {
        return Err(unsupported(
            "DISTINCT inside an aggregate",
            "the engine keeps no set of values per group yet",
        ));
    }
    let argument = call
        .argument
        .map(|argument| at(inputs, argument))
        .transpose()?;
    let filter = call.filter.map(|filter| at(inputs, filter)).transpose()?;
    let argument = argument.map(|argument| Arc::clone(&argument.expr));
    let (function, argument) = match (filter, argument) {
        (None, argument) => (function, argument),
        // A row that the filter leaves out counts as a null, which every function ignores.
        (Some(filter), None) => (
            Function::Count,
            Some(scalar::null_unless(
                Arc::clone(&filter.expr),
                Arc::clone(&filter.expr),
            )),
        ),
        (Some(filter), Some(argument)) => (
            function,
            Some(scalar::null_unless(Arc::clone(&filter.expr), argument)),
        ),
    };
    Ok(program::Aggregate {
        function,
        argument,
        name: format!("call{index}"),
    })
}

/// Nodes below and including this one: gives each operator a name that only a change of the plan changes.
fn operators(rel: &Rel) -> usize {
    1 + crate::plan::display::inputs(rel)
        .into_iter()
        .map(operators)
        .sum::<usize>()
}

fn is_identity(columns: &[NamedExpr], builder: &Builder) -> bool {
    columns.len() == builder.schema().fields().len()
        && columns.iter().enumerate().all(|(index, column)| {
            let plain = column.expr.downcast_ref::<Physical>();
            plain.is_some_and(|plain| plain.index() == index)
        })
}

fn name(node: &Node) -> &'static str {
    match node {
        Node::Values(_) => "VALUES",
        Node::Expand(..) => "grouping sets",
        Node::Join(_) => "a join",
        Node::Union(_) => "UNION",
        Node::SetOperation(_) => "INTERSECT or EXCEPT",
        Node::Over(..) => "an OVER window",
        Node::Unnest(..) => "UNNEST",
        Node::Sort(..) => "ORDER BY",
        Node::Limit { .. } => "LIMIT",
        _ => "this node",
    }
}
