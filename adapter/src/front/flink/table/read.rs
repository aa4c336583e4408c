//! The grammar of `CREATE TABLE`.
//!
//! Invariant: a clause that says something about the rows is kept or refused by name; comments alone are left out, and said so.

use super::super::{dataset_name, literal};
use super::cursor::Cursor;
use super::{Table, options, refused, types};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::invalid;
use crate::semantics::value::Value;
use arrow_schema::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use flinkspark_model::Result;
use flinkspark_model::dataset::{TimeAttribute, TimePrecision};
use flinkspark_model::name::DatasetName;
use std::sync::Arc;

/// What stands between the parentheses.
#[derive(Default)]
struct Body {
    fields: Vec<Field>,
    primary_key: Option<Vec<String>>,
    time: Option<TimeAttribute>,
    has_comments: bool,
}

/// Reads one statement.
pub(super) fn read(tokens: Vec<TokenWithSpan>) -> Result<Table> {
    let mut at = Cursor::new(tokens);
    at.expect(&["CREATE"])?;
    let temporary = at.take(&["TEMPORARY"]);
    at.expect(&["TABLE"])?;
    let if_not_exists = at.take(&["IF", "NOT", "EXISTS"]);
    let name = dataset_name(&at.dotted()?)?;
    let mut body = Body::default();
    let is_like = at.is(&["LIKE"]);
    if !is_like && !at.is(&["AS"]) && !at.is(&["WITH"]) {
        at.list(|at| body.item(at))?;
    }
    if at.take(&["COMMENT"]) {
        at.text()?;
        body.has_comments = true;
    }
    for words in ["DISTRIBUTED", "PARTITIONED"] {
        if at.is(&[words]) {
            let way_out = "leave it out: the rows of a dataset lie in no folders, and engines spread them by their own keys";
            return Err(refused(&format!("CREATE TABLE with {words} BY"), way_out));
        }
    }
    let option = |at: &mut Cursor| {
        let key = at.text()?;
        at.expect_sign(&Token::Eq)?;
        Ok((key, at.text()?))
    };
    let given = match at.take(&["WITH"]) {
        true => at.list(option)?,
        false => Vec::new(),
    };
    if at.is(&["LIKE"]) {
        let way_out = "list the columns: SHOW CREATE TABLE gives those of a dataset";
        return Err(refused("CREATE TABLE with LIKE", way_out));
    }
    if at.is(&["AS"]) {
        let way_out = "write INSERT INTO name query: it makes the dataset with the query's columns";
        return Err(refused("CREATE TABLE AS", way_out));
    }
    let dataset = match options::dataset(given)? {
        Some(dataset) => DatasetName::new(&dataset)?,
        None => name.clone(),
    };
    match at.is_end() {
        true => body.table(name, dataset, temporary, if_not_exists),
        false => Err(at.expected("the end of the CREATE TABLE")),
    }
}

impl Body {
    fn item(&mut self, at: &mut Cursor) -> Result<()> {
        if at.take(&["WATERMARK", "FOR"]) {
            return self.watermark(at);
        }
        if at.take(&["CONSTRAINT"]) {
            at.name()?;
        }
        if at.is(&["UNIQUE"]) {
            return Err(refused(
                "CREATE TABLE with UNIQUE",
                "leave it out, as Flink wants it",
            ));
        }
        if at.take(&["PRIMARY", "KEY"]) {
            let columns = at.list(Cursor::name)?;
            return self.key(at, columns);
        }
        self.column(at)
    }

    fn column(&mut self, at: &mut Cursor) -> Result<()> {
        let name = at.name()?;
        if at.is(&["AS"]) {
            let what = format!("the computed column `{name}`");
            let way_out = "compute it in the query, or in a CREATE TEMPORARY VIEW over the table";
            return Err(refused(&what, way_out));
        }
        let field = if at.is(&["METADATA"]) {
            None
        } else {
            Some(types::read(at, &name)?)
        };
        if at.is(&["METADATA"]) {
            let what = format!("the METADATA column `{name}`");
            let way_out =
                "leave it out: the rows of a dataset have no columns beside those of its schema";
            return Err(refused(&what, way_out));
        }
        if self.fields.iter().any(|known| *known.name() == name) {
            return Err(invalid(format!("the column `{name}` is declared twice")));
        }
        self.fields.extend(field);
        loop {
            if at.take(&["PRIMARY", "KEY"]) {
                self.key(at, vec![name.clone()])?;
            } else if at.take(&["COMMENT"]) {
                at.text()?;
                self.has_comments = true;
            } else {
                return Ok(());
            }
        }
    }

    fn key(&mut self, at: &mut Cursor, columns: Vec<String>) -> Result<()> {
        if !at.take(&["NOT", "ENFORCED"]) {
            return Err(invalid(
                "a PRIMARY KEY is NOT ENFORCED in Flink, and has to say so",
            ));
        }
        match self.primary_key.replace(columns) {
            None => Ok(()),
            Some(_) => Err(invalid("the table has two primary keys")),
        }
    }

    /// `WATERMARK FOR column AS column [- INTERVAL ...]`, of which the first two words are taken.
    fn watermark(&mut self, at: &mut Cursor) -> Result<()> {
        let column = at.name()?;
        at.expect(&["AS"])?;
        let expr = at.expr()?;
        let what = || {
            let what = format!("the watermark strategy {expr}");
            refused(&what, "write column, or column - INTERVAL '5' SECOND")
        };
        let is_column =
            |expr: &ast::Expr| matches!(expr, ast::Expr::Identifier(name) if name.value == column);
        let watermark_delay_ms = match &expr {
            expr if is_column(expr) => 0,
            ast::Expr::BinaryOp {
                left,
                op: ast::BinaryOperator::Minus,
                right,
            } if is_column(left) => delay(right).ok_or_else(what)?,
            _ => return Err(what()),
        };
        let time = TimeAttribute {
            column,
            watermark_delay_ms,
            precision: TimePrecision::default(),
        };
        match self.time.replace(time) {
            None => Ok(()),
            Some(_) => Err(invalid("the table has two watermarks")),
        }
    }

    fn table(
        mut self,
        name: DatasetName,
        dataset: DatasetName,
        temporary: bool,
        if_not_exists: bool,
    ) -> Result<Table> {
        let primary_key = self.primary_key.unwrap_or_default();
        for column in &primary_key {
            let field = self.fields.iter_mut().find(|field| field.name() == column);
            let field = field
                .ok_or_else(|| invalid(format!("the key's column `{column}` is not declared")))?;
            // As in Flink, which makes them so without being told.
            field.set_nullable(false);
        }
        if let Some(time) = &self.time {
            let mut fields = self.fields.iter();
            let field = fields.find(|field| *field.name() == time.column);
            if !field.is_some_and(|field| matches!(field.data_type(), DataType::Timestamp(..))) {
                return Err(invalid(format!(
                    "the watermark's column `{}` is not declared as a TIMESTAMP",
                    time.column
                )));
            }
        }
        Ok(Table {
            name,
            temporary,
            if_not_exists,
            dataset,
            schema: Arc::new(Schema::new(self.fields)),
            primary_key,
            time: self.time,
            has_comments: self.has_comments,
        })
    }
}

/// The milliseconds of an interval, which may have a fraction of a second.
fn delay(expr: &ast::Expr) -> Option<u64> {
    let ast::Expr::Interval(interval) = expr else {
        return None;
    };
    if let Some(millis) = fraction(interval) {
        return Some(millis);
    }
    match literal::interval(interval).ok()? {
        Expr {
            kind: ExprKind::Literal(Value::Millis(millis)),
            ..
        } => u64::try_from(millis).ok(),
        _ => None,
    }
}

/// `INTERVAL '0.25' SECOND`, in whole milliseconds.
fn fraction(interval: &ast::Interval) -> Option<u64> {
    let ast::Expr::Value(value) = interval.value.as_ref() else {
        return None;
    };
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return None;
    };
    let (whole, fraction) = text.split_once('.')?;
    let is_plain = matches!(interval.leading_field, Some(ast::DateTimeField::Second))
        && interval.last_field.is_none()
        && (1..=3).contains(&fraction.len())
        && [whole, fraction]
            .iter()
            .all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_plain {
        return None;
    }
    let millis: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(millis)
}
