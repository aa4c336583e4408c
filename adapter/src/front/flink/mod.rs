//! The Flink dialect: text to statement to typed plan.
//!
//! Owns the grammar and the binder. The binder is an allow-list: it knows the forms that are written
//! here and refuses all others by name. Never runs anything. Invariant: names have case, NULLs are low,
//! and every implicit conversion in the plan is one that Flink makes.

mod aggregates;
mod arguments;
mod call;
mod clauses;
mod conditions;
mod correlated;
mod dialect;
mod expr;
mod fold;
mod form;
mod from;
mod functions;
mod grouping;
mod items;
mod join;
mod literal;
mod order;
mod over;
mod query;
mod ranges;
mod relations;
mod reserved;
mod scope;
pub mod script;
mod select;
mod setop;
mod state;
mod subquery;
pub mod table;
mod trees;
mod types;
mod values;
mod view;
mod window;

#[cfg(test)]
mod tests;

pub use functions::{Group, functions, signatures};
pub use types::arrow_type;

use crate::plan::{Column, Home, Job};
use crate::semantics::types::Root;
use crate::semantics::{invalid, refuse};
use arrow_schema::SchemaRef;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Error, Kind, Result};

/// The longest statement, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
/// The longest statement, in tokens: it bounds the depth of chains such as `1 + 1 + 1`.
pub const STATEMENT_TOKENS_MAX: usize = 10_000;
/// The deepest nesting of the grammar, in levels.
pub const STATEMENT_DEPTH_MAX: usize = 60;

/// A parsed statement that is not bound to any dataset.
#[derive(Debug, Clone)]
pub struct Statement {
    /// What stands before it.
    views: Vec<view::View>,
    tables: Vec<table::Table>,
    sink: Option<DatasetName>,
    /// Whether it is `INSERT OVERWRITE`.
    overwrites: bool,
    /// The columns that are listed after it.
    sink_columns: Vec<String>,
    query: Box<ast::Query>,
    /// Whether a character beyond U+FFFF stands in the text: Flink orders such text in two ways.
    supplementary: bool,
    /// Whether a LIMIT may take any rows.
    any_rows: bool,
}

impl Statement {
    /// The dataset of `INSERT INTO`, none for a bare query.
    pub fn sink(&self) -> Option<&DatasetName> {
        self.sink.as_ref()
    }

    /// The same for somebody who only looks at its rows: a LIMIT takes whichever rows come first, as an
    /// answer that is kept nowhere need not be the same on every engine.
    pub fn to_look_at(self) -> Self {
        Self {
            any_rows: true,
            ..self
        }
    }
}

/// What a binder needs to know of a dataset.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// The columns.
    pub schema: SchemaRef,
    /// The name of the event-time column.
    pub time_attribute: Option<String>,
    /// What happens to an event time finer than a millisecond.
    pub time_precision: TimePrecision,
    /// The watermark's delay behind the largest event time, in milliseconds.
    pub watermark_delay_ms: Option<i64>,
    /// Whether the dataset ends.
    pub bounded: bool,
}

/// The datasets that a statement may name.
pub trait Tables {
    /// The dataset with this name, none where there is none.
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>>;
}

/// No datasets at all.
#[derive(Debug, Clone, Copy)]
pub struct NoTables;

impl Tables for NoTables {
    fn table(&self, _name: &DatasetName) -> Result<Option<TableInfo>> {
        Ok(None)
    }
}

/// Parses one `INSERT INTO dataset query`, the same with `OVERWRITE`, or one query, after any `CREATE TABLE` and `CREATE TEMPORARY VIEW name AS query`; a
/// trailing semicolon and comments are allowed.
///
/// `FS0801` where the text is not in the grammar, `FS0803` where the form is not supported.
pub fn parse(sql: &str) -> Result<Statement> {
    let supplementary = sql.chars().any(|c| c > '\u{ffff}');
    let (tables, tokens) = without_tables(tokens(sql)?)?;
    let statements = Parser::new(&dialect::FlinkDialect)
        .with_recursion_limit(STATEMENT_DEPTH_MAX)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|error| syntax(error.to_string()))?;
    let mut statements = statements;
    let last = match (statements.pop(), tables.is_empty()) {
        (Some(last), _) => last,
        (None, true) => return Err(syntax("there is no statement".into())),
        (None, false) => return Err(unsupported("CREATE TABLE alone is no job".into())),
    };
    let (sink, overwrites, sink_columns, query) = match last {
        ast::Statement::Query(query) => (None, false, Vec::new(), query),
        ast::Statement::Insert(insert) => {
            let overwrites = insert.overwrite;
            let (sink, columns, query) = insertion(insert)?;
            (sink, overwrites, columns, query)
        }
        other => {
            let message = format!("{} is not supported", first_words(&other.to_string()));
            return Err(unsupported(message));
        }
    };
    let sink = sink.map(|name| match named(&tables, &name) {
        Some(table) => table.dataset.clone(),
        None => name,
    });
    Ok(Statement {
        views: view::View::all(statements)?,
        tables,
        sink,
        overwrites,
        sink_columns,
        query,
        supplementary,
        any_rows: false,
    })
}

/// The tokens of a text within the limits.
fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    if sql.len() > STATEMENT_BYTES_MAX {
        return Err(syntax(format!(
            "the statement has {} bytes; the limit is {STATEMENT_BYTES_MAX}",
            sql.len()
        )));
    }
    let tokens = Tokenizer::new(&dialect::FlinkDialect, sql)
        .tokenize_with_location()
        .map_err(|error| syntax(error.to_string()))?;
    if tokens.len() > STATEMENT_TOKENS_MAX {
        return Err(syntax(format!(
            "the statement has {} tokens; the limit is {STATEMENT_TOKENS_MAX}",
            tokens.len()
        )));
    }
    if let Some(hint) = tokens.iter().find_map(|token| hint(&token.token)) {
        let message = format!("the hint {hint} would not be obeyed");
        return Err(unsupported(message).with_hint("take it out"));
    }
    Ok(tokens)
}

/// The tables that are declared, and the tokens of the other statements.
fn without_tables(tokens: Vec<TokenWithSpan>) -> Result<(Vec<table::Table>, Vec<TokenWithSpan>)> {
    let mut tables: Vec<table::Table> = Vec::new();
    let mut others = Vec::with_capacity(tokens.len());
    for statement in tokens.split_inclusive(|token| token.token == Token::SemiColon) {
        if !table::is_table(statement) {
            others.extend_from_slice(statement);
            continue;
        }
        let table = table::Table::read(statement.to_vec())?;
        if named(&tables, &table.name).is_some() {
            let what = format!("the table `{}` is created twice", table.name);
            return Err(invalid(what));
        }
        tables.push(table);
    }
    Ok((tables, others))
}

/// The declared table of this name.
fn named<'t>(tables: &'t [table::Table], name: &DatasetName) -> Option<&'t table::Table> {
    tables.iter().find(|table| table.name == *name)
}

/// A hint, which the parser would take for a comment.
fn hint(token: &Token) -> Option<String> {
    match token {
        Token::Whitespace(Whitespace::MultiLineComment(text)) if text.starts_with('+') => {
            Some(format!("/*{text}*/"))
        }
        _ => None,
    }
}

/// A text that the grammar does not have, which may be shorter than Flink's.
fn syntax(detail: String) -> Error {
    let message = "the statement is not in the grammar that is read here";
    Error::new(Kind::Invalid, "FS0801", message)
        .with_detail(detail)
        .with_hint("correct it there; if Flink takes it, it is a form that is not supported yet: `flinkspark explain FS0801`")
}

/// A statement of Flink's that is neither a job nor a question.
fn unsupported(message: String) -> Error {
    Error::new(Kind::Invalid, "FS0803", message)
        .with_detail(
            "a job is one INSERT INTO or OVERWRITE dataset [(columns)] query, or one query, after any CREATE TEMPORARY VIEW",
        )
        .with_hint("docs/sql.md has the statements that `flinkspark sql` takes beside them")
}

/// The words that say what a statement does.
fn first_words(text: &str) -> String {
    let says = |word: &&str| *word != "IF" && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let words = text.split_whitespace().take_while(says).take(3);
    words.collect::<Vec<_>>().join(" ")
}

/// What an INSERT writes to, the columns that it lists, and its query.
type Insertion = (Option<DatasetName>, Vec<String>, Box<ast::Query>);

/// Accepts `INSERT INTO name query`, `INSERT OVERWRITE name query` and nothing beside it.
fn insertion(insert: ast::Insert) -> Result<Insertion> {
    // Flink's grammar has either word, and never both.
    let plain = insert.into != insert.overwrite
        && insert.or.is_none()
        && !insert.ignore
        && !insert.replace_into
        && insert.priority.is_none()
        && insert.table_alias.is_none()
        && insert.insert_alias.is_none()
        && insert.after_columns.is_empty()
        && insert.output.is_none()
        && insert.settings.is_none()
        && insert.format_clause.is_none()
        && insert.partitioned.is_none()
        && insert.assignments.is_empty()
        && insert.on.is_none()
        && insert.returning.is_none();
    let (ast::TableObject::TableName(name), Some(query), true) =
        (&insert.table, insert.source, plain)
    else {
        return Err(unsupported("this form of INSERT is not supported".into()));
    };
    let mut columns: Vec<String> = Vec::with_capacity(insert.columns.len());
    for column in &insert.columns {
        let [part] = column.0.as_slice() else {
            return Err(refuse(
                format!("the column {column} of an INSERT"),
                "clause",
            ));
        };
        let name = part
            .as_ident()
            .map(|ident| ident.value.clone())
            .unwrap_or_default();
        if columns.contains(&name) {
            return Err(invalid(format!("the column `{name}` is listed twice")));
        }
        columns.push(name);
    }
    Ok((Some(dataset_name(name)?), columns, query))
}

/// The dataset that a possibly dotted and quoted name means.
fn dataset_name(name: &ast::ObjectName) -> Result<DatasetName> {
    let parts: Option<Vec<&str>> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(|ident| ident.value.as_str()))
        .collect();
    DatasetName::new(
        &parts
            .ok_or_else(|| invalid(format!("\"{name}\" is no dataset name")))?
            .join("."),
    )
}

/// Resolves every name and type of the statement; the job's home is `flink/batch`.
///
/// `FS0802` where Flink's own rules refuse it, `FS0803` where its answer is not known to be kept,
/// `FS0804` where a dataset does not exist.
pub fn bind(statement: &Statement, tables: &dyn Tables) -> Result<Job> {
    let mut binder = state::Binder::new(tables, statement);
    let root = binder.query(&statement.query)?;
    if let Some(column) = root
        .columns
        .iter()
        .find(|column| column.ty.root == Root::Null)
    {
        return Err(invalid(format!(
            "illegal use of NULL in column `{}`",
            column.name
        )));
    }
    let unheld =
        |column: &&Column| matches!(column.ty.root, Root::IntervalMonths | Root::IntervalMillis);
    if let Some(column) = root.columns.iter().find(unheld) {
        return Err(refuse(
            format!("the column `{}` of type {}", column.name, column.ty),
            "type",
        ));
    }
    let columns: Vec<Column> = root.columns.clone();
    Ok(Job {
        home: Home::FlinkBatch,
        sink: statement.sink.clone(),
        overwrites: statement.overwrites,
        sink_columns: statement.sink_columns.clone(),
        root,
        columns,
        relied_on: binder.relied_on,
    })
}
