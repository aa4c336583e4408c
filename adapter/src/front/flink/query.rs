//! Queries: WITH, bodies, ORDER BY and LIMIT.
//!
//! Owns the state of one statement's binding. Invariant: every clause of the AST is either bound or
//! refused; the matches here name all of them.

use super::scope::Scope;
use super::{Tables, literal};
use crate::plan::expr::Expr;
use crate::plan::rel::{Column, Node, Rel, SortKey};
use crate::plan::types::{FlinkType, Root};
use crate::plan::value::Value;
use crate::semantics::cast::{self, common_root};
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, LimitClause, OrderByKind, SetExpr};
use flinkspark_model::Result;
use std::collections::BTreeSet;

/// The state of one statement being bound.
pub(super) struct Binder<'t> {
    pub(super) tables: &'t dyn Tables,
    /// WITH items in reach, the innermost last.
    pub(super) named: Vec<(String, Rel)>,
    pub(super) relied_on: BTreeSet<&'static str>,
    /// The level of the expression being bound.
    pub(super) depth: usize,
    /// Whether a FLOAT constant was met: the planner keeps its decimal digits through casts.
    pub(super) float_constants: bool,
    /// Whether text beyond U+FFFF may be compared.
    pub(super) supplementary: bool,
    /// The scalar subqueries of the SELECT being bound, and where their columns begin.
    pub(super) scalars: Scalars,
    /// The columns of the queries around the one being bound, the innermost last.
    pub(super) around: Vec<Scope>,
    /// The rows of each VALUES that the planner holds as a union of projections.
    pub(super) unions: Vec<Vec<Vec<Expr>>>,
}

/// Scalar subqueries that are joined to a FROM clause as columns.
#[derive(Debug, Default)]
pub(super) struct Scalars {
    pub(super) base: usize,
    pub(super) joined: Vec<Scalar>,
    /// Whether the FROM clause reads datasets only.
    pub(super) real: bool,
    /// Whether a scalar subquery may stand here at all.
    pub(super) allowed: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Scalar {
    /// One row, or one for each value of its last columns.
    pub(super) rel: Rel,
    /// The FROM clause's columns that those values are looked up by.
    pub(super) keys: Vec<usize>,
}

impl<'t> Binder<'t> {
    pub(super) fn new(tables: &'t dyn Tables, supplementary: bool) -> Self {
        Self {
            tables,
            named: Vec::new(),
            relied_on: BTreeSet::new(),
            depth: 0,
            float_constants: false,
            supplementary,
            scalars: Scalars::default(),
            around: Vec::new(),
            unions: Vec::new(),
        }
    }

    /// Binds a whole query.
    pub(super) fn query(&mut self, query: &ast::Query) -> Result<Rel> {
        let reach = self.named.len();
        let outer = std::mem::take(&mut self.scalars);
        let bound = self.query_in_reach(query);
        self.named.truncate(reach);
        self.scalars = outer;
        bound
    }

    fn query_in_reach(&mut self, query: &ast::Query) -> Result<Rel> {
        let plain = query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        if !plain {
            return Err(refuse("a clause after the query's body", "clause"));
        }
        if let Some(with) = &query.with {
            self.with(with)?;
        }
        let order = order_keys(query.order_by.as_ref())?;
        let sorted = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, order)?,
            body => {
                let rel = self.body(body)?;
                self.sort_output(rel, order)?
            }
        };
        self.limit(sorted, query)
    }

    fn with(&mut self, with: &ast::With) -> Result<()> {
        if with.recursive {
            return Err(refuse("WITH RECURSIVE", "clause"));
        }
        for item in &with.cte_tables {
            if item.from.is_some() || item.materialized.is_some() {
                return Err(refuse(item, "clause"));
            }
            let rel = self.query(&item.query)?;
            let rel = rename(rel, &item.alias)?;
            self.named.push((item.alias.name.value.clone(), rel));
        }
        Ok(())
    }

    /// A body that is no SELECT, or one without an ORDER BY of its own.
    pub(super) fn body(&mut self, body: &SetExpr) -> Result<Rel> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(values) => self.values(values),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => self.set_operation(*op, *set_quantifier, left, right),
            other => Err(refuse(format!("the query {other}"), "clause")),
        }
    }

    /// VALUES: columns are named EXPR$0, EXPR$1, ...
    fn values(&mut self, values: &ast::Values) -> Result<Rel> {
        let mut rows = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            rows.push(self.constants(&row.content)?);
        }
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 || rows.iter().any(|row| row.len() != width) {
            return Err(invalid("rows of VALUES have different widths"));
        }
        let mut columns = Vec::with_capacity(width);
        for index in 0..width {
            let parts: Vec<&FlinkType> = rows.iter().map(|row| &row[index].ty).collect();
            columns.push(Column {
                name: format!("EXPR${index}"),
                ty: values_type(&parts)?,
            });
        }
        let typed = |row: Vec<Expr>| {
            row.into_iter()
                .zip(&columns)
                .map(|(expr, column)| super::fold::fold(cast::to_root(expr, &column.ty.root)))
                .collect()
        };
        let plain = values
            .rows
            .iter()
            .flat_map(|row| &row.content)
            .all(is_plain_literal);
        let mut rows: Vec<Vec<Expr>> = rows.into_iter().map(typed).collect::<Result<_>>()?;
        if rows.len() == 1 && !plain {
            // Flink plans such a row as a projection, through which its constants are seen.
            return Ok(Rel {
                node: Node::Project(Box::new(one_row()), rows.remove(0)),
                columns,
            });
        }
        if !plain {
            self.unions.push(rows.clone());
        }
        Ok(Rel {
            node: Node::Values(rows),
            columns,
        })
    }

    fn constants(&mut self, row: &[ast::Expr]) -> Result<Vec<Expr>> {
        let (scope, mut calls) = (Scope::default(), Default::default());
        let mut exprs = super::expr::Exprs {
            binder: self,
            scope: &scope,
            calls: &mut calls,
        };
        row.iter().map(|expr| exprs.bind(expr)).collect()
    }

    /// Sorts a relation by its own columns.
    fn sort_output(&mut self, rel: Rel, order: &[ast::OrderByExpr]) -> Result<Rel> {
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            let column = output_column(&key.expr, &rel.columns)?.ok_or_else(|| {
                refuse(
                    format!("ORDER BY {} over a set operation", key.expr),
                    "clause",
                )
            })?;
            keys.push(self.sort_key(column, &rel.columns, key)?);
        }
        Ok(sorted(rel, keys))
    }

    /// A sort key with Flink's place for NULLs.
    pub(super) fn sort_key(
        &mut self,
        column: usize,
        columns: &[Column],
        key: &ast::OrderByExpr,
    ) -> Result<SortKey> {
        if key.with_fill.is_some() {
            return Err(refuse(key, "clause"));
        }
        if columns
            .get(column)
            .is_none_or(|column| column.ty.root.is_nested())
        {
            return Err(refuse(format!("ORDER BY {}", key.expr), "type"));
        }
        self.relied_on.insert("null-order");
        let descending = key.options.asc == Some(false);
        Ok(SortKey {
            column,
            descending,
            nulls_first: key.options.nulls_first.unwrap_or(!descending),
        })
    }

    fn limit(&mut self, rel: Rel, query: &ast::Query) -> Result<Rel> {
        let (fetch, offset) = match (&query.limit_clause, &query.fetch) {
            (None, None) => return Ok(rel),
            (
                Some(LimitClause::LimitOffset {
                    limit: Some(limit),
                    offset,
                    limit_by,
                }),
                None,
            ) if limit_by.is_empty() => {
                let offset = offset
                    .as_ref()
                    .map(|offset| whole(&offset.value))
                    .transpose()?;
                (whole(limit)?, offset.unwrap_or(0))
            }
            (
                None,
                Some(ast::Fetch {
                    with_ties: false,
                    percent: false,
                    quantity: Some(count),
                }),
            ) => (whole(count)?, 0),
            _ => return Err(refuse("this form of LIMIT, OFFSET or FETCH", "clause")),
        };
        if !is_totally_ordered(&rel) {
            return Err(refuse(
                "LIMIT without an order of all columns",
                "limit-order",
            ));
        }
        let columns = rel.columns.clone();
        Ok(Rel {
            node: Node::Limit {
                input: Box::new(rel),
                offset,
                fetch,
            },
            columns,
        })
    }
}

/// The one row without columns of a SELECT without FROM.
pub(super) fn one_row() -> Rel {
    Rel {
        node: Node::Values(vec![vec![]]),
        columns: vec![],
    }
}

/// Plain literals, signed numbers included, make a VALUES row that Flink keeps as a row.
fn is_plain_literal(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Value(_) | ast::Expr::TypedString(_) => true,
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr,
        } => matches!(expr.as_ref(), ast::Expr::Value(_)),
        _ => false,
    }
}

/// The type that a VALUES column gets; Flink cannot run doubles beside exact numbers there.
fn values_type(parts: &[&FlinkType]) -> Result<FlinkType> {
    let mut root = Root::Null;
    for part in parts {
        let mixed = root != Root::Null && part.root.is_approximate() != root.is_approximate();
        let united = common_root(&root, &part.root).filter(|_| !mixed);
        root = united.ok_or_else(|| {
            refuse(
                format!(
                    "a VALUES column of {} and {part}",
                    FlinkType::nullable(root.clone())
                ),
                "implicit-conversion",
            )
        })?;
    }
    if root == Root::Null || parts.iter().any(|part| part.root == Root::Null) {
        return Err(invalid("illegal use of NULL in VALUES"));
    }
    Ok(FlinkType {
        root,
        nullable: parts.iter().any(|part| part.nullable),
    })
}

fn order_keys(order: Option<&ast::OrderBy>) -> Result<&[ast::OrderByExpr]> {
    match order {
        None => Ok(&[]),
        Some(ast::OrderBy {
            kind: OrderByKind::Expressions(keys),
            interpolate: None,
        }) => Ok(keys),
        Some(other) => Err(refuse(other, "clause")),
    }
}

/// The output column that a name or an ordinal of ORDER BY means.
pub(super) fn output_column(expr: &ast::Expr, columns: &[Column]) -> Result<Option<usize>> {
    match expr {
        ast::Expr::Identifier(name) => {
            let mut found = columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.name == name.value);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(invalid(format!("column '{name}' is ambiguous"))),
                (found, _) => Ok(found.map(|(index, _)| index)),
            }
        }
        ast::Expr::Value(value) => match literal::plain(&value.value)?.as_literal() {
            Some(Value::Integer(at)) if *at >= 1 && *at as usize <= columns.len() => {
                Ok(Some(*at as usize - 1))
            }
            _ => Err(invalid(format!("ORDER BY {expr} is no column"))),
        },
        _ => Ok(None),
    }
}

pub(super) fn sorted(rel: Rel, keys: Vec<SortKey>) -> Rel {
    if keys.is_empty() {
        return rel;
    }
    let columns = rel.columns.clone();
    Rel {
        node: Node::Sort(Box::new(rel), keys),
        columns,
    }
}

/// A literal row count.
fn whole(expr: &ast::Expr) -> Result<usize> {
    let refused = || refuse(format!("LIMIT {expr}"), "clause");
    let ast::Expr::Value(value) = expr else {
        return Err(refused());
    };
    match literal::plain(&value.value)?.as_literal() {
        Some(Value::Integer(count)) if *count >= 0 => {
            usize::try_from(*count).map_err(|_| refused())
        }
        _ => Err(refused()),
    }
}

/// Whether equal sort keys mean equal rows: then any choice among them is the same.
fn is_totally_ordered(rel: &Rel) -> bool {
    match &rel.node {
        Node::Sort(_, keys) => {
            (0..rel.columns.len()).all(|column| keys.iter().any(|key| key.column == column))
        }
        // Hidden sort columns are dropped by a projection above the sort.
        Node::Project(input, exprs) => match &input.node {
            Node::Sort(_, keys) => exprs.iter().all(|expr| {
                expr.is_constant()
                    || expr
                        .columns()
                        .iter()
                        .all(|column| keys.iter().any(|key| key.column == *column))
            }),
            _ => false,
        },
        Node::Aggregate(_, grouping) => grouping.keys.is_empty(),
        _ => false,
    }
}

/// The relation under an alias that may rename its columns.
pub(super) fn rename(mut rel: Rel, alias: &ast::TableAlias) -> Result<Rel> {
    if alias.at.is_some()
        || alias
            .columns
            .iter()
            .any(|column| column.data_type.is_some())
    {
        return Err(refuse(alias, "syntax"));
    }
    super::reserved::check(&alias.name)?;
    if alias.columns.is_empty() {
        return Ok(rel);
    }
    if alias.columns.len() != rel.columns.len() {
        return Err(invalid(format!(
            "{alias} names {} columns of {}",
            alias.columns.len(),
            rel.columns.len()
        )));
    }
    for (column, alias) in rel.columns.iter_mut().zip(&alias.columns) {
        super::reserved::check(&alias.name)?;
        column.name.clone_from(&alias.name.value);
    }
    Ok(rel)
}
