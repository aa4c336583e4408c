//! The walk over relational nodes.
//!
//! Invariant: every lowered column has a name that is unique in the whole plan, so that no join is
//! ambiguous and no name of the statement reaches DataFusion before the last projection.

use super::{BatchTables, joins, scalar};
use crate::plan::column::build;
use crate::plan::rel::{Column, Node, Rel};
use crate::plan::{Home, Job};
use crate::semantics::broken;
use crate::semantics::evaluate::{NoRow, evaluate};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::FlinkType;
use crate::semantics::value::Value;
use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use datafusion::common::{Column as Named, DataFusionError};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr as Plan, LogicalPlan, LogicalPlanBuilder, lit};
use flinkspark_engine::batch::RowsLate;
use flinkspark_model::{Error, Result};
use std::sync::Arc;

/// One lowering in progress.
pub(super) struct Lowering<'t> {
    pub(super) tables: &'t dyn BatchTables,
    /// Whose answers are kept: Flink's stream and batch modes differ over what is not there.
    pub(super) home: Home,
    pub(super) rows_late: RowsLate,
    names: usize,
}

/// Columns that no node of the job has: where each row comes from. They go along for as long as a row is a
/// row of one dataset, and cost nothing where nothing reads them.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The name of the column with the row's partition, UINT32.
    pub(super) partition: String,
    /// The name of the column with the watermark in force at the row, null where there is none; absent
    /// where the rows have no event time.
    pub(super) watermark: Option<String>,
}

impl Origin {
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.partition).chain(&self.watermark)
    }
}

/// A lowered relation: its plan, and its columns' unique names and types.
#[derive(Clone)]
pub(super) struct Lowered {
    pub(super) plan: LogicalPlan,
    pub(super) names: Vec<String>,
    pub(super) types: Vec<FlinkType>,
    /// Where the rows come from; absent where their order is not defined.
    pub(super) origin: Option<Origin>,
}

impl Lowered {
    /// A column by position.
    pub(super) fn column(&self, index: usize) -> Result<Plan> {
        let name = self
            .names
            .get(index)
            .ok_or_else(|| broken(format!("a lowered plan has no column {index}")))?;
        Ok(named(name))
    }

    /// All columns.
    pub(super) fn columns(&self) -> Vec<Plan> {
        self.names.iter().map(|name| named(name)).collect()
    }

    /// A typed expression over the columns; a plain column stays one.
    pub(super) fn expression(&self, expr: &Expr) -> Result<Plan> {
        match expr.kind {
            ExprKind::Column(index) => self.column(index),
            _ => Ok(scalar::expression(expr, &self.columns(), &self.types)),
        }
    }

    /// The rows without what says where they come from.
    pub(super) fn unordered(self) -> Result<Self> {
        if self.origin.is_none() {
            return Ok(self);
        }
        let plan = LogicalPlanBuilder::from(self.plan.clone())
            .project(self.columns())
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Self {
            plan,
            origin: None,
            ..self
        })
    }

    /// The rows on which a condition is TRUE.
    fn filtered(self, condition: &Expr) -> Result<Self> {
        let predicate = scalar::condition(condition, &self.columns(), &self.types);
        self.kept(predicate)
    }

    /// The rows that a plan's expression keeps.
    pub(super) fn kept(self, predicate: Plan) -> Result<Self> {
        let plan = LogicalPlanBuilder::from(self.plan)
            .filter(predicate)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Self { plan, ..self })
    }

    pub(super) fn builder(self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::from(self.plan)
    }
}

/// A column by its exact name.
pub(super) fn named(name: &str) -> Plan {
    Plan::Column(Named::new_unqualified(name))
}

/// A failure of DataFusion while a plan is built: a bug here.
pub(super) fn internal(error: DataFusionError) -> Error {
    broken("a plan could not be built").with_source(error)
}

impl<'t> Lowering<'t> {
    pub(super) fn new(tables: &'t dyn BatchTables, home: Home, rows_late: RowsLate) -> Self {
        Self {
            tables,
            home,
            rows_late,
            names: 0,
        }
    }

    /// The whole job: its root, NOT NULL enforced, named as its columns.
    pub(super) fn job(mut self, job: &Job) -> Result<LogicalPlan> {
        let root = self.rel(&joins::arranged(job.root.clone()))?;
        let mut exprs = Vec::with_capacity(job.columns.len());
        for (index, column) in job.columns.iter().enumerate() {
            let plain = root.column(index)?;
            let enforced = if column.ty.nullable {
                plain
            } else {
                scalar::not_null(plain, &column.name, &column.ty)
            };
            exprs.push(enforced.alias(&column.name));
        }
        root.builder()
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)
    }

    /// A name that no other column has.
    pub(super) fn fresh(&mut self) -> String {
        self.names += 1;
        format!("c{}", self.names)
    }

    pub(super) fn rel(&mut self, rel: &Rel) -> Result<Lowered> {
        match &rel.node {
            Node::Values(rows) => self.values(rows, &rel.columns),
            Node::Scan(scan) => self.scan(scan, &rel.columns),
            Node::Project(input, exprs) => {
                let input = self.rel(input)?;
                let exprs: Vec<Plan> = exprs
                    .iter()
                    .map(|expr| input.expression(expr))
                    .collect::<Result<_>>()?;
                self.along(input, exprs, &rel.columns)
            }
            Node::Filter(input, predicate) => {
                if let Node::Tumble(rows, tumble) = &input.node
                    && predicate
                        .columns()
                        .iter()
                        .all(|column| *column < rows.columns.len())
                {
                    // What the filter drops needs no window, as on the stream.
                    let kept = where_true(self.rel(rows)?, predicate)?;
                    return self.tumble(kept, rows, tumble, &rel.columns);
                }
                where_true(self.rel(input)?, predicate)
            }
            Node::Tumble(input, tumble) => {
                let rows = self.rel(input)?;
                self.tumble(rows, input, tumble, &rel.columns)
            }
            Node::Aggregate(input, grouping) => self.aggregate(input, grouping, &rel.columns),
            Node::Expand(input, lists) => self.expand(input, lists, &rel.columns),
            Node::Join(join) => self.join(join),
            Node::Union(inputs) => self.union(inputs, &rel.columns),
            Node::SetOperation(operation) => self.set_operation(operation),
            Node::Distinct(input) => self.distinct(input),
            Node::Over(input, calls) => self.over(input, calls, &rel.columns),
            Node::Unnest(input, column) => self.unnest(input, *column, &rel.columns),
            Node::Sort(input, keys) => self.sort(input, keys),
            Node::Limit {
                input,
                offset,
                fetch,
            } => {
                let input = self.rel(input)?;
                let (names, types) = (input.names.clone(), input.types.clone());
                let limited = input
                    .builder()
                    .limit(*offset, Some(*fetch))
                    .and_then(LogicalPlanBuilder::build);
                Ok(Lowered {
                    plan: limited.map_err(internal)?,
                    names,
                    types,
                    origin: None,
                })
            }
        }
    }

    /// A projection of rows that stay rows of their dataset: what says where they come from goes along.
    pub(super) fn along(
        &mut self,
        input: Lowered,
        mut exprs: Vec<Plan>,
        columns: &[Column],
    ) -> Result<Lowered> {
        let Some(origin) = input.origin.clone() else {
            return self.projected(input.builder(), exprs, columns);
        };
        let width = exprs.len();
        exprs.extend(origin.names().map(|name| named(name)));
        let mut projected = self.projected(input.builder(), exprs, columns)?;
        let mut hidden = projected.names.split_off(width).into_iter();
        projected.origin = hidden.next().map(|partition| Origin {
            partition,
            watermark: hidden.next(),
        });
        Ok(projected)
    }

    /// A projection whose columns get fresh names and the declared types.
    pub(super) fn projected(
        &mut self,
        input: LogicalPlanBuilder,
        exprs: Vec<Plan>,
        columns: &[Column],
    ) -> Result<Lowered> {
        let names: Vec<String> = exprs.iter().map(|_| self.fresh()).collect();
        let aliased = exprs
            .into_iter()
            .zip(&names)
            .map(|(expr, name)| expr.alias(name));
        let plan = input
            .project(aliased)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Lowered {
            plan,
            names,
            types: columns.iter().map(|column| column.ty.clone()).collect(),
            origin: None,
        })
    }

    /// Constant rows become a table in memory; without columns there is one empty row.
    fn values(&mut self, rows: &[Vec<Expr>], columns: &[Column]) -> Result<Lowered> {
        if columns.is_empty() {
            let plan = LogicalPlanBuilder::empty(true).build().map_err(internal)?;
            return self.of_one_partition(Lowered {
                plan,
                names: vec![],
                types: vec![],
                origin: None,
            });
        }
        let names: Vec<String> = columns.iter().map(|_| self.fresh()).collect();
        let mut arrays = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            let constants: Result<Vec<Value>> =
                rows.iter().map(|row| constant(row, index)).collect();
            arrays.push(build(&column.ty, &constants?)?);
        }
        let fields: Vec<Field> = names
            .iter()
            .zip(columns)
            .map(|(name, column)| column.ty.field(name))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| {
            broken("rows of VALUES do not fit their columns").with_source(error)
        })?;
        let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(internal)?;
        let name = self.fresh();
        let scan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None);
        let exprs = names.iter().map(|name| named(name)).collect();
        let values = self.projected(scan.map_err(internal)?, exprs, columns)?;
        self.of_one_partition(values)
    }

    /// Rows that come from one place, in order.
    fn of_one_partition(&mut self, rows: Lowered) -> Result<Lowered> {
        let partition = self.fresh();
        let mut exprs = rows.columns();
        exprs.push(lit(0_u32).alias(&partition));
        let (names, types) = (rows.names.clone(), rows.types.clone());
        let plan = rows
            .builder()
            .project(exprs)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Lowered {
            plan,
            names,
            types,
            origin: Some(Origin {
                partition,
                watermark: None,
            }),
        })
    }
}

/// The rows on which a predicate is TRUE. What DataFusion can compute itself goes first, where nothing that
/// can fail stands before it.
fn where_true(mut input: Lowered, predicate: &Expr) -> Result<Lowered> {
    let mut terms = joins::conjuncts(predicate.clone());
    let plain = |term: &Expr| scalar::is_plain(term, &input.types);
    let first = terms.iter().take_while(|term| plain(term)).count();
    let rest = terms.split_off(first);
    for terms in [terms, rest] {
        if let Some(condition) = joins::conjunction(terms) {
            input = input.filtered(&condition)?;
        }
    }
    Ok(input)
}

fn constant(row: &[Expr], index: usize) -> Result<Value> {
    let expr = row
        .get(index)
        .ok_or_else(|| broken("a row of VALUES is too short"))?;
    evaluate(expr, &NoRow)
}

/// The types of columns.
pub(super) fn types_of(columns: &[Column]) -> Vec<FlinkType> {
    columns.iter().map(|column| column.ty.clone()).collect()
}
