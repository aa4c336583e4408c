//! Opaque scalar functions: a typed tree, a check, a window's start.
//!
//! Owns what DataFusion sees of an expression: columns in, one column out, volatile so that nothing is
//! moved, merged or folded. Invariant: a row's value does not depend on the batch that it comes in.

use crate::plan::column::build;
use crate::plan::window::Bound;
use crate::semantics::broken;
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::target::{column, stored};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr as Plan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::scalar::ScalarValue;
use flinkspark_engine::batch::RowsLate;
use flinkspark_model::dataset::TimePrecision;
use std::sync::Arc;

/// What an opaque function computes.
#[derive(Debug, Clone)]
enum Work {
    /// The tree over the arguments, which have these types.
    Evaluate(Expr, Vec<FlinkType>),
    /// The argument, which must have no NULLs; the text names the column.
    NotNull(String),
    /// The window's start for an event time: size and offset in milliseconds, and the time's name.
    WindowStart(i64, i64, String),
    /// Whether a row whose window ends at the first argument is in time under the watermark of the second.
    Timely(RowsLate),
    /// So many milliseconds after a time.
    Later(i64),
    /// A float as bits that are equal exactly where Flink groups it.
    GroupBits,
    /// The float of those bits.
    FromGroupBits,
    /// A timestamp of any unit in milliseconds; the column is named for the error, and whether every
    /// row must have one.
    EventTime(String, TimePrecision, bool),
    /// The column in the type in which a dataset holds it.
    Stored(DataType),
}

/// One opaque function.
#[derive(Debug)]
struct Opaque {
    work: Work,
    output: DataType,
    signature: Signature,
    /// Identity for DataFusion's equality and hash.
    text: String,
}

impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Opaque {}

impl std::hash::Hash for Opaque {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl ScalarUDFImpl for Opaque {
    fn name(&self) -> &str {
        match &self.work {
            Work::Evaluate(..) => "flink",
            Work::NotNull(_) => "not_null",
            Work::WindowStart(..) => "window_start",
            Work::Timely(_) => "timely",
            Work::Later(_) => "later",
            Work::GroupBits => "group_bits",
            Work::FromGroupBits => "from_group_bits",
            Work::EventTime(..) => "event_time",
            Work::Stored(_) => "stored",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args
            .args
            .into_iter()
            .map(|arg| arg.into_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let column = match &self.work {
            Work::Evaluate(expr, types) => column::by_row(expr, types, &arrays, rows),
            work => builtin(work, &arrays),
        };
        column
            .map(ColumnarValue::Array)
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

fn opaque(work: Work, output: DataType, args: Vec<Plan>) -> Plan {
    let signature = match args.len() {
        0 => Signature::nullary(Volatility::Volatile),
        count => Signature::any(count, Volatility::Volatile),
    };
    let text = format!("{work:?}");
    ScalarUDF::new_from_impl(Opaque {
        work,
        output,
        signature,
        text,
    })
    .call(args)
}

/// The expression over columns, given by their plan expressions at their positions.
pub(super) fn expression(expr: &Expr, columns: &[Plan], types: &[FlinkType]) -> Plan {
    if let Some((input, data_type)) = stored::of(expr) {
        let plain = match input.kind {
            ExprKind::Column(index) => columns.get(index).cloned(),
            _ => None,
        };
        let input = plain.unwrap_or_else(|| expression(input, columns, types));
        return opaque(
            Work::Stored(data_type.clone()),
            data_type.clone(),
            vec![input],
        );
    }
    let used = expr.columns();
    let place = |column: usize| used.iter().position(|other| *other == column).unwrap_or(0);
    let narrowed = expr.clone().with_columns(&place);
    let args = used
        .iter()
        .filter_map(|column| columns.get(*column).cloned())
        .collect();
    let arg_types = used
        .iter()
        .filter_map(|column| types.get(*column).cloned())
        .collect();
    opaque(
        Work::Evaluate(narrowed, arg_types),
        expr.ty.root.arrow(),
        args,
    )
}

/// A condition: as DataFusion's own where its meaning is Flink's on every value, opaque otherwise.
pub(super) fn condition(expr: &Expr, columns: &[Plan], types: &[FlinkType]) -> Plan {
    if !is_plain(expr, types) {
        return expression(expr, columns, types);
    }
    native(expr, columns).unwrap_or_else(|| expression(expr, columns, types))
}

/// Whether DataFusion computes the condition as Flink does: comparisons of one exact type, tests for NULL,
/// and what joins them. None of these fails.
pub(super) fn is_plain(expr: &Expr, types: &[FlinkType]) -> bool {
    let value = |expr: &Expr| {
        !expr.ty.root.is_approximate() && !expr.ty.root.is_nested() && expr.ty.root != Root::Null
    };
    let operand = |expr: &Expr| match expr.kind {
        // A column has the type that its expression says.
        ExprKind::Column(index) => {
            let ty = types.get(index).map(|ty| ty.root.arrow());
            value(expr) && ty == Some(expr.ty.root.arrow())
        }
        ExprKind::Literal(_) => value(expr),
        _ => false,
    };
    match &expr.kind {
        ExprKind::And(args) | ExprKind::Or(args) => args.iter().all(|arg| is_plain(arg, types)),
        ExprKind::Call(function, args) => match (function.name, args.as_slice()) {
            ("=" | "<>" | "<" | "<=" | ">" | ">=", [left, right]) => {
                operand(left) && operand(right) && left.ty.root.arrow() == right.ty.root.arrow()
            }
            ("IS NULL", [arg]) => operand(arg),
            ("NOT", [arg]) => is_plain(arg, types),
            _ => false,
        },
        _ => false,
    }
}

fn native(expr: &Expr, columns: &[Plan]) -> Option<Plan> {
    match &expr.kind {
        ExprKind::Column(index) => columns.get(*index).cloned(),
        ExprKind::Literal(value) => {
            let column = build(&expr.ty.with_nullable(true), std::slice::from_ref(value)).ok()?;
            ScalarValue::try_from_array(&column, 0).ok().map(lit)
        }
        ExprKind::And(args) => args
            .iter()
            .map(|arg| native(arg, columns))
            .reduce(|left, right| Some(left?.and(right?)))?,
        ExprKind::Or(args) => args
            .iter()
            .map(|arg| native(arg, columns))
            .reduce(|left, right| Some(left?.or(right?)))?,
        ExprKind::Call(function, args) => {
            let mut args = args.iter().map(|arg| native(arg, columns));
            let first = args.next()??;
            Some(match (function.name, args.next()) {
                ("IS NULL", None) => first.is_null(),
                ("NOT", None) => datafusion::logical_expr::not(first),
                ("=", Some(second)) => first.eq(second?),
                ("<>", Some(second)) => first.not_eq(second?),
                ("<", Some(second)) => first.lt(second?),
                ("<=", Some(second)) => first.lt_eq(second?),
                (">", Some(second)) => first.gt(second?),
                (">=", Some(second)) => first.gt_eq(second?),
                _ => return None,
            })
        }
        _ => None,
    }
}

/// The column, failing where it holds a NULL.
pub(super) fn not_null(column: Plan, name: &str, ty: &FlinkType) -> Plan {
    opaque(Work::NotNull(name.into()), ty.root.arrow(), vec![column])
}

/// The start of the tumbling window that holds an event time in milliseconds.
pub(super) fn window_start(time: Plan, size_ms: i64, offset_ms: i64, name: &str) -> Plan {
    opaque(
        Work::WindowStart(size_ms, offset_ms, name.into()),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        vec![time],
    )
}

/// Whether a row comes in time for the window that ends here; the others are counted as late.
pub(super) fn timely(window_end: Plan, watermark: Plan, late: &RowsLate) -> Plan {
    let args = vec![window_end, watermark];
    opaque(Work::Timely(late.clone()), DataType::Boolean, args)
}

/// The time `by_ms` milliseconds after one.
pub(super) fn later(time: Plan, by_ms: i64) -> Plan {
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    opaque(Work::Later(by_ms), millis, vec![time])
}

/// The grouping identity of a column: its bits for floats, itself otherwise.
pub(super) fn group_identity(column: Plan, root: &Root) -> Plan {
    match root {
        Root::Float => opaque(Work::GroupBits, DataType::Int32, vec![column]),
        Root::Double => opaque(Work::GroupBits, DataType::Int64, vec![column]),
        _ => column,
    }
}

/// The column of a grouping identity.
pub(super) fn from_group_identity(column: Plan, root: &Root) -> Plan {
    match root {
        Root::Float | Root::Double => opaque(Work::FromGroupBits, root.arrow(), vec![column]),
        _ => column,
    }
}

/// A timestamp column read as event time.
pub(super) fn event_time(
    column: Plan,
    name: &str,
    precision: TimePrecision,
    required: bool,
) -> Plan {
    opaque(
        Work::EventTime(name.into(), precision, required),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        vec![column],
    )
}

fn builtin(work: &Work, arrays: &[ArrayRef]) -> flinkspark_model::Result<ArrayRef> {
    if let (Work::Timely(late), [ends, watermarks]) = (work, arrays) {
        return Ok(late.timely(ends, watermarks));
    }
    let [array] = arrays else {
        return Err(broken("an opaque function of one column"));
    };
    Ok(match work {
        Work::NotNull(name) => column::not_null(array, name)?,
        Work::WindowStart(size, offset, name) => {
            column::window(array, Bound::Start, (*size, *offset), name)?
        }
        Work::Later(by_ms) => {
            let times = array.as_primitive::<TimestampMillisecondType>();
            let later = |time: i64| time.saturating_add(*by_ms);
            Arc::new(times.unary::<_, TimestampMillisecondType>(later)) as ArrayRef
        }
        Work::GroupBits if array.data_type() == &DataType::Float32 => {
            let canonical = |x: f32| if x.is_nan() { f32::NAN } else { x }.to_bits() as i32;
            Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .iter()
                    .map(|x| x.map(canonical))
                    .collect::<Int32Array>(),
            )
        }
        Work::GroupBits => {
            let canonical = |x: f64| if x.is_nan() { f64::NAN } else { x }.to_bits() as i64;
            Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .iter()
                    .map(|x| x.map(canonical))
                    .collect::<Int64Array>(),
            )
        }
        Work::FromGroupBits if array.data_type() == &DataType::Int32 => {
            let bits = array.as_primitive::<arrow_array::types::Int32Type>();
            Arc::new(
                bits.iter()
                    .map(|x| x.map(|x| f32::from_bits(x as u32)))
                    .collect::<Float32Array>(),
            )
        }
        Work::FromGroupBits => {
            let bits = array.as_primitive::<arrow_array::types::Int64Type>();
            Arc::new(
                bits.iter()
                    .map(|x| x.map(|x| f64::from_bits(x as u64)))
                    .collect::<Float64Array>(),
            )
        }
        Work::EventTime(name, precision, required) => {
            if *required {
                column::with_time(array, name)?;
            }
            column::event_time(array, name, *precision)?
        }
        Work::Stored(data_type) => stored::stored(array, data_type)?,
        Work::Evaluate(..) | Work::Timely(_) => {
            return Err(broken("an opaque function of other columns"));
        }
    })
}
