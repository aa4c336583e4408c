//! Expressions of a plan as physical expressions over record batches.
//!
//! Owns what the engine sees of an expression: columns in, one column out. A tree is evaluated row by
//! row with Flink's meaning; a plain column stays one, a constant is evaluated once. Invariant: a row's
//! value does not depend on the batch that it comes in.

use crate::plan::column::build;
pub(super) use crate::plan::window::Bound;
use crate::semantics::broken;
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::target::{column, stored};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::Error;
use flinkspark_model::dataset::TimePrecision;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A column that a tree reads.
pub(super) struct Argument {
    pub(super) expr: Arc<dyn PhysicalExpr>,
    pub(super) ty: FlinkType,
}

/// What an expression computes from its arguments.
#[derive(Debug)]
enum Work {
    /// A tree over the arguments, which have these types.
    Tree(Expr, Vec<FlinkType>),
    /// A bound of the window that holds a time in milliseconds: size and offset, and the time's name.
    Bound(Bound, i64, i64, String),
    /// A timestamp of any unit in milliseconds; the column is named for the error.
    EventTime(String, TimePrecision),
    /// The second argument where the first is true, else null.
    NullUnless,
    /// The argument, which must have no nulls; the text names the column.
    NotNull(String),
    /// The argument in the type in which a dataset holds it: the output.
    Stored,
}

/// One expression over the arguments' columns.
#[derive(Debug)]
struct Computed {
    work: Work,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    output: DataType,
}

/// A plan's expression over columns.
pub(super) fn expression(expr: &Expr, columns: &[Argument]) -> Arc<dyn PhysicalExpr> {
    if let ExprKind::Column(index) = expr.kind
        && let Some(column) = columns.get(index)
    {
        return Arc::clone(&column.expr);
    }
    if let Some((input, data_type)) = stored::of(expr) {
        return Arc::new(Computed {
            work: Work::Stored,
            arguments: vec![expression(input, columns)],
            output: data_type.clone(),
        });
    }
    let used = expr.columns();
    let place = |column: usize| used.iter().position(|other| *other == column).unwrap_or(0);
    let narrowed = expr.clone().with_columns(&place);
    let arguments = used.iter().filter_map(|column| columns.get(*column));
    let (arguments, types) = arguments
        .map(|argument| (Arc::clone(&argument.expr), argument.ty.clone()))
        .unzip();
    Arc::new(Computed {
        work: Work::Tree(narrowed, types),
        arguments,
        output: expr.ty.root.arrow(),
    })
}

/// The type of a window's bounds.
pub(super) fn bound_type() -> FlinkType {
    FlinkType::not_null(Root::Timestamp(3))
}

/// A bound of the window that holds a time in milliseconds.
pub(super) fn window_bound(
    time: Arc<dyn PhysicalExpr>,
    (size_ms, offset_ms): (i64, i64),
    name: &str,
    bound: Bound,
) -> Arc<dyn PhysicalExpr> {
    let output = bound_type().root.arrow();
    Arc::new(Computed {
        work: Work::Bound(bound, size_ms, offset_ms, name.into()),
        arguments: vec![time],
        output,
    })
}

/// A timestamp column read as event time, in milliseconds.
pub(super) fn event_time(
    column: Arc<dyn PhysicalExpr>,
    name: &str,
    precision: TimePrecision,
) -> Arc<dyn PhysicalExpr> {
    let work = Work::EventTime(name.into(), precision);
    Arc::new(Computed {
        work,
        arguments: vec![column],
        output: bound_type().root.arrow(),
    })
}

/// The value where the condition is true, else null.
pub(super) fn null_unless(
    condition: Arc<dyn PhysicalExpr>,
    value: Arc<dyn PhysicalExpr>,
) -> Arc<dyn PhysicalExpr> {
    // The type is asked of the value: it is the same whatever it is evaluated over.
    Arc::new(Computed {
        work: Work::NullUnless,
        arguments: vec![condition, value],
        output: DataType::Null,
    })
}

/// The column, failing where it holds a null.
pub(super) fn not_null(
    column: Arc<dyn PhysicalExpr>,
    name: &str,
    ty: &FlinkType,
) -> Arc<dyn PhysicalExpr> {
    Arc::new(Computed {
        work: Work::NotNull(name.into()),
        arguments: vec![column],
        output: ty.root.arrow(),
    })
}

impl Computed {
    fn arrays(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let evaluate = |argument: &Arc<dyn PhysicalExpr>| {
            argument.evaluate(batch)?.into_array(batch.num_rows())
        };
        self.arguments.iter().map(evaluate).collect()
    }
}

impl PhysicalExpr for Computed {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        match (&self.work, self.arguments.get(1)) {
            (Work::NullUnless, Some(value)) => value.data_type(input),
            _ => Ok(self.output.clone()),
        }
    }

    fn nullable(&self, _input: &Schema) -> Result<bool> {
        // A tree's type is Flink's promise, which some of its functions break.
        Ok(!matches!(self.work, Work::Bound(..)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if let Work::Tree(expr, _) = &self.work
            && self.arguments.is_empty()
            && expr.is_constant()
        {
            let value = evaluate(expr, &NoRow)
                .and_then(|value| build(&expr.ty, &[value]))
                .map_err(external)?;
            return ScalarValue::try_from_array(&value, 0).map(ColumnarValue::Scalar);
        }
        let arrays = self.arrays(batch)?;
        let column = match (&self.work, arrays.as_slice()) {
            (Work::Tree(expr, types), arrays) => {
                column::by_row(expr, types, arrays, batch.num_rows())
            }
            (Work::Bound(bound, size, offset, name), [time]) => {
                column::window(time, *bound, (*size, *offset), name)
            }
            (Work::EventTime(name, precision), [time]) => {
                column::event_time(time, name, *precision)
            }
            (Work::NotNull(name), [value]) => column::not_null(value, name),
            (Work::Stored, [value]) => stored::stored(value, &self.output),
            (Work::NullUnless, [condition, value]) => {
                return nulled(condition, value).map(ColumnarValue::Array);
            }
            _ => Err(broken("an expression with the wrong number of arguments")),
        };
        column.map(ColumnarValue::Array).map_err(external)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.arguments.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Err(external(broken("a stream's expression is never rewritten")))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn nulled(condition: &ArrayRef, value: &ArrayRef) -> Result<ArrayRef> {
    let truth = condition.as_boolean();
    let keep = match truth.nulls() {
        Some(valid) => truth.values() & valid.inner(),
        None => truth.values().clone(),
    };
    let valid = arrow_buffer::NullBuffer::new(keep);
    let nulls = arrow_buffer::NullBuffer::union(value.nulls(), Some(&valid));
    let data = value.to_data().into_builder().nulls(nulls).build()?;
    Ok(arrow_array::make_array(data))
}

impl fmt::Display for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.work, self.arguments.as_slice()) {
            (Work::Tree(expr, _), []) => write!(f, "{expr}"),
            (Work::Tree(expr, _), arguments) => {
                let columns: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                write!(f, "{expr} over ({})", columns.join(", "))
            }
            (Work::Bound(bound, size, offset, _), [time]) => {
                let name = match bound {
                    Bound::Start => "window_start",
                    Bound::End => "window_end",
                    Bound::Time => "window_time",
                };
                write!(f, "{name}({time}, {size} ms, {offset} ms)")
            }
            (Work::EventTime(_, TimePrecision::Exact), [time]) => write!(f, "rowtime({time})"),
            (Work::EventTime(_, TimePrecision::Floor), [time]) => {
                write!(f, "rowtime_floor({time})")
            }
            (Work::NullUnless, [condition, value]) => write!(f, "{value} FILTER {condition}"),
            (Work::NotNull(name), [value]) => write!(f, "not_null({value}, {name})"),
            (Work::Stored, [value]) => write!(f, "stored({value}, {})", self.output),
            (work, _) => write!(f, "{work:?}"),
        }
    }
}

// The text says everything that decides an expression's value.
impl PartialEq for Computed {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Computed {}

impl Hash for Computed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}
