//! Window table functions.
//!
//! Only TUMBLE so far; the others are refused by name. Invariant: windows go over a dataset's declared
//! time attribute, read in milliseconds.

use super::arguments::{named, simple_name};
use super::dialect::TABLE_ARGUMENT;
use super::literal;
use super::state::Binder;
use crate::plan::rel::{Column, Node, Rel, Tumble};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, FunctionArgExpr, FunctionArguments};
use flinkspark_model::Result;

impl Binder<'_> {
    /// `TABLE(TUMBLE(TABLE t, DESCRIPTOR(time), INTERVAL size [, INTERVAL offset]))`, or with names, such as `SIZE => INTERVAL size`.
    pub(super) fn window_function(&mut self, expr: &ast::Expr) -> Result<Rel> {
        let ast::Expr::Function(function) = expr else {
            return Err(refuse(format!("TABLE({expr})"), "window-function"));
        };
        let name = simple_name(function)?;
        if name != "TUMBLE" {
            return Err(refuse(
                format!("the window function {name}"),
                "window-function",
            ));
        }
        let args = named(function, &["DATA", "TIMECOL", "SIZE", "OFFSET"], 3)?;
        let [table, descriptor, size, rest @ ..] = args.as_slice() else {
            return Err(invalid(
                "TUMBLE takes a table, a DESCRIPTOR and an interval",
            ));
        };
        let input = self.table_argument(table)?;
        let time = time_column(&input, descriptor)?;
        let size_ms = millis(size)?;
        let offset_ms = match rest {
            [] => 0,
            [offset] => millis(offset)?,
            _ => return Err(invalid("TUMBLE takes at most four arguments")),
        };
        if size_ms <= 0 || offset_ms.abs() >= size_ms {
            return Err(invalid(format!(
                "a window of {size_ms} ms at an offset of {offset_ms} ms"
            )));
        }
        let mut columns = input.columns.clone();
        for name in ["window_start", "window_end", "window_time"] {
            columns.push(Column {
                name: name.into(),
                ty: FlinkType::not_null(Root::Timestamp(3)),
            });
        }
        Ok(Rel {
            node: Node::Tumble(
                Box::new(input),
                Tumble {
                    time,
                    size_ms,
                    offset_ms,
                },
            ),
            columns,
        })
    }

    fn table_argument(&mut self, arg: &FunctionArgExpr) -> Result<Rel> {
        let FunctionArgExpr::Expr(ast::Expr::Prefixed { prefix, value }) = arg else {
            return Err(invalid("the first argument of TUMBLE is TABLE name"));
        };
        let ast::Expr::CompoundIdentifier(parts) = value.as_ref() else {
            return Err(invalid("TABLE takes a name"));
        };
        if prefix.value != TABLE_ARGUMENT {
            return Err(invalid("the first argument of TUMBLE is TABLE name"));
        }
        self.table(&ast::ObjectName::from(parts.clone()))
    }
}

/// The position of the dataset's time attribute that DESCRIPTOR names.
fn time_column(input: &Rel, arg: &FunctionArgExpr) -> Result<usize> {
    let wrong = || invalid("the second argument of TUMBLE is DESCRIPTOR(column)");
    let FunctionArgExpr::Expr(ast::Expr::Function(descriptor)) = arg else {
        return Err(wrong());
    };
    let FunctionArguments::List(list) = &descriptor.args else {
        return Err(wrong());
    };
    let [ast::FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Identifier(name)))] =
        list.args.as_slice()
    else {
        return Err(wrong());
    };
    if !descriptor
        .name
        .to_string()
        .eq_ignore_ascii_case("DESCRIPTOR")
    {
        return Err(wrong());
    }
    let Node::Scan(scan) = &input.node else {
        return Err(refuse("TUMBLE over what is no dataset", "window-function"));
    };
    let place = input
        .columns
        .iter()
        .position(|column| column.name == name.value);
    let place =
        place.ok_or_else(|| invalid(format!("column '{name}' not found in {}", scan.dataset)))?;
    if scan.time_attribute != Some(place) {
        return Err(invalid(format!(
            "column '{name}' of {} is not its time attribute",
            scan.dataset
        ))
        .with_hint("register the dataset with --time-attribute"));
    }
    Ok(place)
}

fn millis(arg: &FunctionArgExpr) -> Result<i64> {
    let FunctionArgExpr::Expr(ast::Expr::Interval(interval)) = arg else {
        return Err(refuse(
            "a window size that is no interval literal",
            "window-function",
        ));
    };
    match literal::interval(interval)?.as_literal() {
        Some(Value::Millis(millis)) => Ok(*millis),
        _ => Err(invalid("a window size in months")),
    }
}
