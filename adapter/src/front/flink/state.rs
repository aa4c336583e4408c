//! What is known while a statement is being bound.
//!
//! Owns the binder's state, and nothing that reads SQL: the rooms beside this one bind forms, and call each other
//! through [`Binder`] and [`Exprs`] as the grammar does, queries in expressions and expressions in queries.
//! Invariant: what a query adds to the state for its own sake, it takes back.

use super::scope::Scope;
use super::table::Table;
use super::view::View;
use super::{Statement, Tables};
use crate::plan::rel::{Frame, OverFunction, Rel, SortKey};
use crate::semantics::aggregate::Signature;
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use datafusion::sql::sqlparser::ast;
use std::collections::{BTreeMap, BTreeSet};

/// The state of one statement being bound.
pub(super) struct Binder<'t> {
    pub(super) tables: &'t dyn Tables,
    /// The tables that the statement declares.
    pub(super) declared: &'t [Table],
    /// The statement's views; those before `views_in_reach` may be named.
    pub(super) views: &'t [View],
    pub(super) views_in_reach: usize,
    /// The views that were bound, by their place.
    pub(super) views_bound: BTreeMap<usize, Rel>,
    /// WITH items in reach, the innermost last.
    pub(super) named: Vec<(String, Rel)>,
    pub(super) relied_on: BTreeSet<&'static str>,
    /// The level of the expression being bound.
    pub(super) depth: usize,
    /// Whether a FLOAT constant was met: the planner keeps its decimal digits through casts.
    pub(super) float_constants: bool,
    /// Whether text beyond U+FFFF may be compared.
    pub(super) supplementary: bool,
    /// Whether a LIMIT may take any rows.
    pub(super) any_rows: bool,
    /// The scalar subqueries of the SELECT being bound, and where their columns begin.
    pub(super) scalars: Scalars,
    /// The columns of the queries around the one being bound, the innermost last.
    pub(super) around: Vec<Scope>,
    /// The rows of each VALUES that the planner holds as a union of projections.
    pub(super) unions: Vec<Vec<Vec<Expr>>>,
}

impl<'t> Binder<'t> {
    pub(super) fn new(tables: &'t dyn Tables, statement: &'t Statement) -> Self {
        Self {
            tables,
            declared: &statement.tables,
            views: &statement.views,
            views_in_reach: statement.views.len(),
            views_bound: BTreeMap::new(),
            named: Vec::new(),
            relied_on: BTreeSet::new(),
            depth: 0,
            float_constants: false,
            supplementary: statement.supplementary,
            any_rows: statement.any_rows,
            scalars: Scalars::default(),
            around: Vec::new(),
            unions: Vec::new(),
        }
    }
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

/// Binds expressions over one scope.
pub(super) struct Exprs<'e, 't> {
    pub(super) binder: &'e mut Binder<'t>,
    pub(super) scope: &'e Scope,
    pub(super) calls: &'e mut Calls,
}

/// The calls that a SELECT computes beside its rows, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) aggregates: Vec<PendingAggregate>,
    pub(super) overs: Vec<PendingOver>,
    pub(super) windows: Vec<(String, ast::WindowSpec)>,
    /// The grouping keys, and the keys that each grouping set leaves out.
    pub(super) group_keys: Vec<Expr>,
    pub(super) group_lists: Vec<Vec<usize>>,
    /// Whether the SELECT groups, so that no group is empty.
    pub(super) grouped: bool,
    /// Whether aggregates may stand here.
    pub(super) allow_aggregates: bool,
    /// Whether OVER calls may stand here.
    pub(super) allow_overs: bool,
}

/// An aggregate call that a SELECT has met.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PendingAggregate {
    pub(super) signature: Signature,
    pub(super) argument: Option<Expr>,
    pub(super) filter: Option<Expr>,
}

/// An OVER call that a SELECT has met.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PendingOver {
    pub(super) function: OverFunction,
    pub(super) args: Vec<Expr>,
    pub(super) partition: Vec<Expr>,
    pub(super) order: Vec<(Expr, SortKey)>,
    pub(super) frame: Frame,
    pub(super) ty: FlinkType,
}

/// The ledger entry of a subquery that reads the query around it.
pub(super) const CORRELATED: &str = "correlated-subquery";
