//! Arrays and maps.
//!
//! Owns the constructors, element access and the set functions on arrays. Nested elements and float
//! elements are refused where equality takes part. Invariant: positions are 1-based.

use super::signature::{always_nullable, as_nullable_as, mismatch};
use super::text::integer;
use super::{Call, Function, any_nullable};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, cast, compare, failed, invalid, refuse};
use flinkspark_model::Result;
use std::sync::Arc;

/// The named array functions.
pub static FUNCTIONS: &[Function] = &[
    Function::strict(
        "CARDINALITY",
        |args| as_nullable_as(arrays(args, 1)?, Root::Int),
        |call| Ok(Value::Integer(items(call, 0)?.len() as i64)),
    ),
    Function::lenient(
        "ARRAY_CONTAINS",
        |args| with_element(args, Root::Boolean),
        |call| found(call, |position| Value::Boolean(position > 0)),
    ),
    Function::strict(
        "ARRAY_POSITION",
        |args| with_element(args, Root::Int),
        |call| found(call, Value::Integer),
    ),
    Function::strict(
        "ARRAY_REVERSE",
        |args| same_array(args, 1),
        |call| {
            Ok(Value::Array(
                items(call, 0)?.iter().rev().cloned().collect(),
            ))
        },
    ),
    Function::strict(
        "ARRAY_DISTINCT",
        |args| same_array(args, 1),
        |call| distinct(items(call, 0)?.iter()),
    ),
    Function::strict(
        "ARRAY_UNION",
        |args| same_array(args, 2),
        |call| distinct(items(call, 0)?.iter().chain(items(call, 1)?)),
    ),
    Function::strict(
        "ARRAY_CONCAT",
        |args| same_array(args, 2),
        |call| {
            Ok(Value::Array(
                items(call, 0)?
                    .iter()
                    .chain(items(call, 1)?)
                    .cloned()
                    .collect(),
            ))
        },
    ),
    Function::strict("ARRAY_SORT", |args| same_array(args, 1), sort),
    Function::strict("ARRAY_SLICE", slice_bind, slice),
    Function::strict("ELEMENT", element_bind, element),
];

/// `ARRAY[..]`.
pub static MAKE: Function = Function::lenient("ARRAY", make_bind, |call| {
    Ok(Value::Array(call.args.into()))
});
/// `array[index]`.
pub static ITEM: Function = Function::strict("ITEM", item_bind, item);
/// `ROW(..) = ROW(..)` is expanded; a row as such only stands in IN lists.
static NO_ELEMENT: FlinkType = FlinkType {
    root: Root::Null,
    nullable: true,
};

fn element_type(arg: &Expr) -> Option<&FlinkType> {
    match &arg.ty.root {
        Root::Array(element) => Some(element),
        _ => None,
    }
}

/// Exactly `count` arrays.
fn arrays(args: Vec<Expr>, count: usize) -> Result<Vec<Expr>> {
    if args.len() != count {
        return Err(invalid(format!("{count} arrays are declared")));
    }
    match args.iter().find(|arg| element_type(arg).is_none()) {
        Some(arg) => Err(mismatch(arg)),
        None => Ok(args),
    }
}

fn comparable(element: &FlinkType) -> Result<()> {
    if element.root.is_approximate()
        || element.root.is_nested()
        || matches!(element.root, Root::Null)
    {
        return Err(refuse(
            format!("a search in an array of {element}"),
            "array-functions",
        ));
    }
    Ok(())
}

/// Arrays of one element type, whose type is the result's.
fn same_array(args: Vec<Expr>, count: usize) -> Result<(Vec<Expr>, FlinkType)> {
    let args = arrays(args, count)?;
    let elements: Vec<&FlinkType> = args.iter().filter_map(element_type).collect();
    comparable(elements[0])?;
    if elements.iter().any(|element| *element != elements[0]) {
        return Err(refuse(
            "arrays of different element types",
            "array-functions",
        ));
    }
    let root = args[0].ty.root.clone();
    as_nullable_as(args, root)
}

fn items<'a>(call: &'a Call<'_>, index: usize) -> Result<&'a [Value]> {
    match call.args.get(index) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(broken("no array")),
    }
}

fn with_element(args: Vec<Expr>, root: Root) -> Result<(Vec<Expr>, FlinkType)> {
    let [array, needle] = args.as_slice() else {
        return Err(invalid("an array and an element are declared"));
    };
    let element = element_type(array).unwrap_or(&NO_ELEMENT);
    comparable(element)?;
    if element.root != needle.ty.root && !is_shorter_text(&needle.ty.root, &element.root) {
        return Err(mismatch(needle));
    }
    let nullable = array.ty.nullable || root == Root::Int && needle.ty.nullable;
    Ok((args, FlinkType { root, nullable }))
}

/// Whether a text becomes one of the wanted type by an implicit cast, as it is: nothing is cut off or filled up.
fn is_shorter_text(text: &Root, wanted: &Root) -> bool {
    match (text, wanted) {
        (Root::Char(length) | Root::Varchar(length), Root::Varchar(most)) => length <= most,
        _ => false,
    }
}

/// The 1-based position of the element, NULL being equal to NULL.
fn found(call: &Call<'_>, answer: fn(i64) -> Value) -> Result<Value> {
    if call.args[0].is_null() {
        return Ok(Value::Null);
    }
    let position = items(call, 0)?
        .iter()
        .position(|item| compare::same_group(item, &call.args[1]));
    Ok(answer(position.map_or(0, |at| at as i64 + 1)))
}

fn distinct<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        if !kept.iter().any(|other| compare::same_group(other, value)) {
            kept.push(value.clone());
        }
    }
    Ok(Value::Array(kept.into()))
}

/// Ascending, NULLs first.
fn sort(call: &Call<'_>) -> Result<Value> {
    let mut sorted = items(call, 0)?.to_vec();
    sorted.sort_by(|a, b| match (a.is_null(), b.is_null()) {
        (false, false) => compare::sql(a, b).unwrap_or(std::cmp::Ordering::Equal),
        (a, b) => b.cmp(&a),
    });
    Ok(Value::Array(sorted.into()))
}

fn slice_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let positive = |arg: &Expr| matches!(arg.as_literal(), Some(Value::Integer(at)) if *at > 0);
    let [array, bounds @ ..] = args.as_slice() else {
        return Err(invalid("ARRAY_SLICE takes an array"));
    };
    if element_type(array).is_none() || bounds.len() != 2 || !bounds.iter().all(positive) {
        return Err(refuse(
            "ARRAY_SLICE without two positive literal positions",
            "array-functions",
        ));
    }
    let root = array.ty.root.clone();
    as_nullable_as(args, root)
}

fn slice(call: &Call<'_>) -> Result<Value> {
    let (items, from, to) = (items(call, 0)?, integer(call, 1)?, integer(call, 2)?);
    let kept = items
        .iter()
        .take(to as usize)
        .skip(from as usize - 1)
        .cloned();
    Ok(Value::Array(kept.collect()))
}

fn element_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = arrays(args, 1)?;
    let root = element_type(&args[0]).map_or(Root::Null, |element| element.root.clone());
    always_nullable(args, root)
}

fn element(call: &Call<'_>) -> Result<Value> {
    match items(call, 0)? {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        _ => Err(failed("array has more than one element")),
    }
}

/// The elements' common type, text lengths united.
fn make_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let Some(first) = args.first() else {
        return Err(refuse("an empty ARRAY", "array-functions"));
    };
    let nullable = any_nullable(&args);
    let root = args
        .iter()
        .skip(1)
        .try_fold(first.ty.root.clone(), |root, arg| {
            super::super::cast::common_root(&root, &arg.ty.root).ok_or_else(|| {
                refuse(
                    format!("an ARRAY of {} and others", arg.ty),
                    "array-functions",
                )
            })
        })?;
    if matches!(
        root,
        Root::Null | Root::IntervalMonths | Root::IntervalMillis
    ) {
        return Err(refuse("an ARRAY of this type", "array-functions"));
    }
    let args = args
        .into_iter()
        .map(|arg| cast::to_root(arg, &root))
        .collect();
    let element = FlinkType { root, nullable };
    Ok((args, FlinkType::not_null(Root::Array(Box::new(element)))))
}

/// Beyond the end Flink gives NULL, but for NOT NULL elements a default that is sometimes NULL too: there
/// the position must be seen to exist.
fn item_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let [array, index] = args.as_slice() else {
        return Err(broken("element access takes two operands"));
    };
    let Some(element) = element_type(array) else {
        return Err(mismatch(array));
    };
    if index.ty.root != Root::Int {
        return Err(mismatch(index));
    }
    if !element.nullable && !is_inside(array, index) {
        return Err(refuse(
            format!("an element of an array of {element}"),
            "array-index",
        ));
    }
    if matches!(index.as_literal(), Some(Value::Integer(at)) if *at < 1) {
        return Err(invalid("array element access needs an index starting at 1"));
    }
    let root = element.root.clone();
    always_nullable(args, root)
}

/// Whether a literal position lies inside a literal array.
fn is_inside(array: &Expr, index: &Expr) -> bool {
    let length = match (&array.kind, array.as_literal()) {
        (_, Some(Value::Array(items))) => items.len(),
        (crate::semantics::expr::ExprKind::Call(function, args), _) if **function == MAKE => {
            args.len()
        }
        _ => 0,
    };
    matches!(index.as_literal(), Some(Value::Integer(at)) if (1..=length as i64).contains(at))
}

fn item(call: &Call<'_>) -> Result<Value> {
    let (items, index) = (items(call, 0)?, integer(call, 1)?);
    if index == 0 {
        return Err(failed(
            "array element access needs an index starting at 1 but was 0",
        ));
    }
    if let Some(value) = usize::try_from(index - 1).ok().and_then(|at| items.get(at)) {
        return Ok(value.clone());
    }
    Ok(Value::Null)
}

/// The elements of an array value; none for NULL.
pub fn unnested(value: &Value) -> Arc<[Value]> {
    match value {
        Value::Array(items) => items.clone(),
        _ => [].into(),
    }
}
