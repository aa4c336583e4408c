//! SELECT: clause by clause, in the order of evaluation.
//!
//! Invariant: a clause that is not handled here is refused; expressions are bound over the FROM scope
//! and rewritten once aggregates and OVER calls have their columns.

use super::clauses::{refuse_odd_clauses, split_and};
use super::items::{Sort, select_items, sort_exprs, unique_names};
use super::relations::{filtered, hide, is_real, one_row, sorted, types};
use super::scope::Scope;
use super::state::{Binder, Calls, Exprs, Scalars};
use super::subquery::{Existence, beside};
use super::trees::connective;
use super::{conditions, fold, grouping, over};
use crate::plan::rel::{Column, Node, Rel};
use crate::semantics::expr::Expr;
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::Result;

/// A SELECT's clauses, bound over its FROM scope.
struct Bound {
    filters: Vec<Expr>,
    existences: Vec<Existence>,
    groups: Option<grouping::Groups>,
    items: Vec<(String, Expr)>,
    having: Option<Expr>,
    sorts: Vec<Sort>,
    calls: Calls,
}

impl Binder<'_> {
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
    ) -> Result<Rel> {
        refuse_odd_clauses(select)?;
        let (from, scope) = if select.from.is_empty() {
            if select.selection.is_some() {
                return Err(invalid("WHERE needs a FROM"));
            }
            (one_row(), Scope::default())
        } else {
            self.read_from(&select.from)?
        };
        let width = from.columns.len();
        let outer = std::mem::replace(
            &mut self.scalars,
            Scalars {
                base: width,
                joined: vec![],
                real: is_real(&from),
                allowed: true,
            },
        );
        let bound = self.clauses(select, order, &scope, width);
        let scalars = std::mem::replace(&mut self.scalars, outer);
        let bound = bound?;
        let mut rel = scalars.joined.into_iter().fold(from, beside);
        if !bound.filters.is_empty() {
            // One condition, so that its conjuncts are evaluated from left to right.
            rel = filtered(rel, conditions::planned(connective(bound.filters, true))?);
        }
        // Flink filters before it looks anything up: what guards an IN stands before it.
        for existence in bound.existences {
            rel = existence.apply(rel, width);
        }
        let distinct = select.distinct.is_some();
        let projection = Projection {
            items: bound.items,
            having: bound.having,
            sorts: bound.sorts,
            distinct,
        };
        self.project(rel, bound.groups, bound.calls, projection, order)
    }

    fn clauses(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
        scope: &Scope,
        width: usize,
    ) -> Result<Bound> {
        let mut calls = Calls {
            windows: over::named_windows(&select.named_window)?,
            ..Calls::default()
        };
        let mut conjuncts = Vec::new();
        if let Some(condition) = &select.selection {
            split_and(condition, &mut conjuncts);
        }
        let (mut filters, mut existences) = (Vec::new(), Vec::new());
        for conjunct in conjuncts {
            match self.existence(conjunct, scope, width)? {
                Some(existence) => existences.push(existence),
                None => filters.push(
                    Exprs {
                        binder: self,
                        scope,
                        calls: &mut calls,
                    }
                    .condition(conjunct)?,
                ),
            }
        }
        let groups = grouping::bind(
            &mut Exprs {
                binder: self,
                scope,
                calls: &mut calls,
            },
            &select.group_by,
        )?;
        calls.grouped = groups
            .as_ref()
            .is_some_and(|groups| !groups.keys.is_empty());
        (calls.allow_aggregates, calls.allow_overs) = (true, true);
        if let Some(groups) = &groups {
            calls.group_keys.clone_from(&groups.keys);
            calls.group_lists.clone_from(&groups.lists);
        }
        let mut exprs = Exprs {
            binder: self,
            scope,
            calls: &mut calls,
        };
        let items = select_items(&mut exprs, &select.projection)?;
        exprs.calls.allow_overs = false;
        let having = select
            .having
            .as_ref()
            .map(|having| exprs.condition(having))
            .transpose()?;
        let sorts = sort_exprs(&mut exprs, order, &items)?;
        Ok(Bound {
            filters,
            existences,
            groups,
            items,
            having,
            sorts,
            calls,
        })
    }

    /// Groups, filters groups, adds OVER columns, projects, removes duplicates and sorts.
    fn project(
        &mut self,
        rel: Rel,
        groups: Option<grouping::Groups>,
        calls: Calls,
        mut projection: Projection,
        order: &[ast::OrderByExpr],
    ) -> Result<Rel> {
        let grouped =
            groups.is_some() || !calls.aggregates.is_empty() || projection.having.is_some();
        let mut overs = calls.overs;
        let mut rel = rel;
        if grouped {
            let groups = groups.unwrap_or_default();
            let applied = grouping::apply(rel, groups, calls.aggregates, &self.unions)?;
            projection.rewrite(&mut |expr| applied.rewrite(expr))?;
            for over in &mut overs {
                over.rewrite(&mut |expr| applied.rewrite(expr))?;
            }
            rel = applied.rel;
        }
        if let Some(having) = projection.having.take() {
            rel = filtered(rel, having);
        }
        if !overs.is_empty() {
            let base = rel.columns.len();
            rel = over::apply(rel, overs);
            let types = types(&rel);
            projection.rewrite(&mut |expr| Ok(over::rewrite(expr, base, &types)))?;
        }
        self.finish(rel, projection, order)
    }

    fn finish(
        &mut self,
        rel: Rel,
        projection: Projection,
        order: &[ast::OrderByExpr],
    ) -> Result<Rel> {
        let Projection {
            items,
            sorts,
            distinct,
            ..
        } = projection;
        let shown = items.len();
        let mut exprs: Vec<Expr> = Vec::with_capacity(shown);
        let mut columns: Vec<Column> = Vec::with_capacity(shown);
        for (name, expr) in items {
            columns.push(Column {
                name,
                ty: expr.ty.clone(),
            });
            exprs.push(expr);
        }
        let mut places = Vec::with_capacity(sorts.len());
        for sort in sorts {
            places.push(match sort {
                Sort::Item(index) => index,
                Sort::Hidden(expr) => {
                    exprs
                        .iter()
                        .position(|item| *item == expr)
                        .unwrap_or_else(|| {
                            columns.push(Column {
                                name: format!("$order{}", columns.len()),
                                ty: expr.ty.clone(),
                            });
                            exprs.push(expr);
                            columns.len() - 1
                        })
                }
            });
        }
        if distinct && columns.len() > shown {
            return Err(invalid(
                "ORDER BY of SELECT DISTINCT names what is not selected",
            ));
        }
        unique_names(&mut columns);
        let mut rel = fold::project(rel, exprs, columns, &self.unions)?;
        if distinct {
            for column in &rel.columns {
                let what = format!("DISTINCT over column \"{}\"", column.name);
                foreign::check_key(&column.ty.root, what)?;
            }
            if rel.columns.iter().any(|column| column.ty.root.is_nested()) {
                return Err(refuse("DISTINCT over nested values", "type"));
            }
            let columns = rel.columns.clone();
            rel = Rel {
                node: Node::Distinct(Box::new(rel)),
                columns,
            };
        }
        let mut keys = Vec::with_capacity(places.len());
        for (column, key) in places.into_iter().zip(order) {
            keys.push(self.sort_key(column, &rel.columns, key)?);
        }
        Ok(hide(sorted(rel, keys), shown))
    }
}

/// The items that are still expressions over the current relation.
struct Projection {
    items: Vec<(String, Expr)>,
    having: Option<Expr>,
    sorts: Vec<Sort>,
    distinct: bool,
}

impl Projection {
    fn rewrite(&mut self, rewrite: &mut impl FnMut(Expr) -> Result<Expr>) -> Result<()> {
        for (_, expr) in &mut self.items {
            *expr = rewrite(expr.clone())?;
        }
        if let Some(having) = self.having.take() {
            self.having = Some(rewrite(having)?);
        }
        for sort in &mut self.sorts {
            if let Sort::Hidden(expr) = sort {
                *expr = rewrite(expr.clone())?;
            }
        }
        Ok(())
    }
}
