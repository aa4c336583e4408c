//! The stream target: plans as programs of the bundled streaming engine.
//!
//! Owns the lowering of one path, from a dataset through filters, projections, tumbling windows and
//! groupings to a dataset; every other node is refused by name before anything starts. Expressions are
//! composed over the columns that the operator before them really has, so a projection costs nothing of
//! its own before the last one. Invariant: the program's columns are the job's, in order and Arrow type.

mod grouping;
mod needed;
mod scalar;
mod scan;
#[cfg(test)]
mod tests;

use crate::plan::identity;
use crate::plan::rel::{AggregateCall, Grouping, Node, Rel, Tumble};
use crate::plan::{Home, Job};
use crate::semantics::broken;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use datafusion::physical_expr::expressions::{Column as Physical, IsNotNullExpr};
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_engine::stream::program::{Builder, NamedExpr, Program, Sink};
use flinkspark_model::dataset::Dataset;
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
    if job.overwrites {
        return Err(unsupported(
            "INSERT OVERWRITE",
            "a stream has no end at which its rows could take the place of others, in Flink as here",
        ));
    }
    let lowering = Lowering {
        home: job.home,
        binding,
        needed: needed::columns(&job.root),
    };
    let Lowered { builder, columns } = lowering.rel(&job.root)?;
    let named = columns.iter().zip(&job.columns);
    let enforced = computes_not_null(&job.root);
    let named = named.map(|(column, plan)| NamedExpr {
        expr: if plan.ty.nullable || !enforced {
            Arc::clone(&column.expr)
        } else {
            scalar::not_null(Arc::clone(&column.expr), &plan.name, &plan.ty)
        },
        name: plan.name.clone(),
    });
    let named: Vec<NamedExpr> = named.collect();
    let builder = if is_identity(&named, &builder) {
        builder
    } else {
        builder.project("result", named)?
    };
    let program = builder.sink(output(SINK, binding.sink))?;
    let program = program.of_plan(identity::encode(job));
    if binding.late.is_some() && !job_has_window(&job.root) {
        return Err(unsupported(
            "late rows of a job without a window",
            "only a row that has a window can be late for it",
        ));
    }
    Ok(program)
}

/// Whether the plan computes what Flink types as NOT NULL: some of its functions give NULL even so, and a
/// sum of decimals does where it has more than 38 digits.
fn computes_not_null(rel: &Rel) -> bool {
    let computed = |expr: &Expr| {
        !expr.ty.nullable && !matches!(expr.kind, ExprKind::Column(_) | ExprKind::Literal(_))
    };
    let overflows = |call: &AggregateCall| {
        let ty = &call.signature.result;
        !ty.nullable && matches!(ty.root, Root::Decimal(..))
    };
    matches!(&rel.node, Node::Project(_, exprs) if exprs.iter().any(computed))
        || matches!(&rel.node, Node::Aggregate(_, grouping) if grouping.calls.iter().any(overflows))
        || crate::plan::display::inputs(rel)
            .into_iter()
            .any(computes_not_null)
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
            other => Err(unsupported(name(other), why(other))),
        }
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
        let name = input.columns.get(tumble.time);
        let name = name.map_or("", |column| column.name.as_str());
        for bound in [Bound::Start, Bound::End, Bound::Time] {
            let window = (tumble.size_ms, tumble.offset_ms);
            columns.push(Value {
                expr: scalar::window_bound(time.clone(), window, name, bound),
                ty: scalar::bound_type(),
                bound: Some(bound),
            });
        }
        Ok(Lowered { builder, columns })
    }
}

fn project(expr: &Expr, columns: &[Value], inputs: &[scalar::Argument]) -> Value {
    let bound = match expr.kind {
        ExprKind::Column(index) => columns.get(index).and_then(|column| column.bound),
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

/// Why there is none of it on the stream.
fn why(node: &Node) -> &'static str {
    match node {
        Node::Values(_) | Node::Union(_) | Node::Unnest(..) | Node::Expand(..) => {
            "it is not implemented there yet"
        }
        Node::Join(_) => {
            "both sides would have to be kept as long as rows come; those that time bounds are not implemented there yet"
        }
        Node::Over(..) => {
            "its rows would have to be taken back as more come; the forms that time bounds are not implemented there yet"
        }
        _ => "its rows would have to be taken back, or kept for ever, as more come",
    }
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
