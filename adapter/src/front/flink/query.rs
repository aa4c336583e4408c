//! Queries: WITH, and bodies of every kind.
//!
//! Invariant: every clause of the AST is either bound or refused; the matches here name all of them.

use super::clauses::order_keys;
use super::relations::rename;
use super::state::Binder;
use crate::plan::rel::Rel;
use crate::semantics::refuse;
use datafusion::sql::sqlparser::ast::{self, SetExpr};
use flinkspark_model::Result;

impl Binder<'_> {
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
}
