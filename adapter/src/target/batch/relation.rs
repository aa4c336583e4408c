//! Joins, unions, set operations, windows and order.
//!
//! Invariant: rows are matched and compared only by columns of identical types, or by an opaque residual.

use super::lower::{Lowered, Lowering, Origin, internal, named, types_of};
use super::scalar;
use crate::plan::rel::{Column, Join, JoinKind, Rel, SetOperation, SortKey, Tumble};
use crate::semantics::types::{FlinkType, Root};
use datafusion::common::NullHandling;
use datafusion::common::{Column as Named, JoinType, NullEquality, UnnestOptions};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort as SortExpr, WindowFunction};
use datafusion::logical_expr::{
    Expr as Plan, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition, cast, lit,
};
use datafusion::scalar::ScalarValue;
use flinkspark_model::Result;

impl Lowering<'_> {
    /// Rows without event time are dropped; the others get their window.
    pub(super) fn tumble(
        &mut self,
        input: Lowered,
        rows: &Rel,
        tumble: &Tumble,
        columns: &[Column],
    ) -> Result<Lowered> {
        let time = input.column(tumble.time)?;
        let name = rows.columns.get(tumble.time);
        let name = name.map_or("", |column| column.name.as_str());
        let mut exprs = input.columns();
        let width = exprs.len();
        let present = input.kept(time.clone().is_not_null())?;
        let (size, offset) = (tumble.size_ms, tumble.offset_ms);
        exprs.push(scalar::window_start(time, size, offset, name));
        let widened: Vec<Column> = columns[..width + 1].to_vec();
        let started = self.along(present, exprs, &widened)?;
        let start = started.column(width)?;
        let shifted = |by: i64| scalar::later(start.clone(), by);
        let mut exprs: Vec<Plan> = started.columns()[..width].to_vec();
        let (end, time) = (shifted(tumble.size_ms), shifted(tumble.size_ms - 1));
        exprs.extend([start, end, time]);
        self.along(started, exprs, columns)
    }

    pub(super) fn join(&mut self, join: &Join) -> Result<Lowered> {
        let (left, right) = (self.rel(&join.left)?, self.rel(&join.right)?);
        let mut names = left.names.clone();
        let mut types = left.types.clone();
        let mut columns = left.columns();
        let mut residual_types = types.clone();
        columns.extend(right.columns());
        residual_types.extend(right.types.iter().cloned());
        let residual = join
            .residual
            .as_ref()
            .map(|expr| scalar::condition(expr, &columns, &residual_types));
        let filters_only = matches!(join.kind, JoinKind::Semi | JoinKind::Anti | JoinKind::NotIn);
        if !filters_only {
            names.extend(right.names.iter().cloned());
            types = residual_types;
        }
        let key =
            |lowered: &Lowered, index: usize| lowered.names.get(index).map(Named::new_unqualified);
        let keys: Option<(Vec<Named>, Vec<Named>)> = join
            .keys
            .iter()
            .map(|(l, r)| key(&left, *l).zip(key(&right, *r)))
            .collect();
        let keys = keys.ok_or_else(|| crate::semantics::broken("a join key is no column"))?;
        let kind = match join.kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
            JoinKind::Semi => JoinType::LeftSemi,
            JoinKind::Anti | JoinKind::NotIn => JoinType::LeftAnti,
        };
        let right = right.plan;
        let joined = if keys.0.is_empty() && residual.is_none() && kind == JoinType::Inner {
            left.builder().cross_join(right)
        } else {
            let filter = if keys.0.is_empty() {
                Some(residual.unwrap_or_else(|| lit(true)))
            } else {
                residual
            };
            let null_aware = join.kind == JoinKind::NotIn;
            let nulls = NullEquality::NullEqualsNothing;
            left.builder()
                .join_detailed_with_options(right, kind, keys, filter, nulls, null_aware)
        };
        let plan = joined
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Lowered {
            plan,
            names,
            types,
            origin: None,
        })
    }

    pub(super) fn union(&mut self, inputs: &[Rel], columns: &[Column]) -> Result<Lowered> {
        let mut united: Option<Lowered> = None;
        for input in inputs {
            // Two inputs have no order between them.
            let next = self.rel(input)?.unordered()?;
            united = Some(match united {
                None => next,
                Some(first) => self.both(first, next)?,
            });
        }
        let united = united.ok_or_else(|| crate::semantics::broken("a union of nothing"))?;
        let exprs = united.columns();
        self.projected(united.builder(), exprs, columns)
    }

    /// The rows of both, under the first's names.
    fn both(&mut self, first: Lowered, second: Lowered) -> Result<Lowered> {
        let (names, types) = (first.names.clone(), first.types.clone());
        let origin = first.origin.clone();
        let hidden = |lowered: &Lowered| -> Vec<String> {
            lowered
                .origin
                .iter()
                .flat_map(Origin::names)
                .cloned()
                .collect()
        };
        let mut columns = second.columns();
        columns.extend(hidden(&second).iter().map(|name| named(name)));
        let all = names.iter().cloned().chain(hidden(&first));
        let aliased: Vec<Plan> = columns
            .into_iter()
            .zip(all)
            .map(|(column, name)| column.alias(name))
            .collect();
        let second = second
            .builder()
            .project(aliased)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        let plan = first
            .builder()
            .union(second)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Lowered {
            plan,
            names,
            types,
            origin,
        })
    }

    /// Both sides are counted per distinct row; with ALL each occurrence has a number of its own.
    pub(super) fn set_operation(&mut self, operation: &SetOperation) -> Result<Lowered> {
        let left = self.tagged(&operation.left, operation.all, true)?;
        let right = self.tagged(&operation.right, operation.all, false)?;
        let width = operation.left.columns.len();
        let both = self.both(left, right)?;
        let (on_left, on_right) = (both.names.len() - 2, both.names.len() - 1);
        let keys: Vec<Plan> = both.columns()[..on_left].to_vec();
        let count = |column: Plan| {
            Plan::AggregateFunction(AggregateFunction::new_udf(
                count_udaf(),
                vec![column],
                false,
                None,
                vec![],
                None,
            ))
        };
        let (l, r) = (self.fresh(), self.fresh());
        let calls = vec![
            count(both.column(on_left)?).alias(&l),
            count(both.column(on_right)?).alias(&r),
        ];
        let wanted = if operation.intersect {
            named(&r).gt(lit(0_i64))
        } else {
            named(&r).eq(lit(0_i64))
        };
        let exprs: Vec<Plan> = both.columns()[..width].to_vec();
        let counted = both.builder().aggregate(keys, calls).map_err(internal)?;
        let kept = counted
            .filter(named(&l).gt(lit(0_i64)).and(wanted))
            .map_err(internal)?;
        self.projected(kept, exprs, &operation.left.columns)
    }

    /// The columns, with ALL the number of the occurrence, then a one on the left, a one on the right.
    fn tagged(&mut self, rel: &Rel, all: bool, left: bool) -> Result<Lowered> {
        let input = self.rel(rel)?;
        let mut columns = rel.columns.clone();
        let bigint = Column {
            name: "$tag".into(),
            ty: FlinkType::nullable(Root::BigInt),
        };
        let mut exprs = input.columns();
        let mut builder_input = input;
        if all {
            let number = self.fresh();
            let mut function = WindowFunction::new(
                WindowFunctionDefinition::WindowUDF(row_number_udwf()),
                vec![],
            );
            function.params.partition_by = builder_input.columns();
            let numbered = Plan::WindowFunction(Box::new(function)).alias(&number);
            let plan = builder_input.plan.clone();
            let plan = LogicalPlanBuilder::from(plan)
                .window(vec![numbered])
                .and_then(LogicalPlanBuilder::build);
            builder_input.plan = plan.map_err(internal)?;
            exprs.push(cast(named(&number), arrow_schema::DataType::Int64));
            columns.push(bigint.clone());
        }
        let (one, none) = (lit(1_i64), lit(ScalarValue::Int64(None)));
        exprs.extend(if left { [one, none] } else { [none, one] });
        columns.extend([bigint.clone(), bigint]);
        self.projected(builder_input.builder(), exprs, &columns)
    }

    /// The input once for each list, with the listed columns NULL, then the list's number.
    pub(super) fn expand(
        &mut self,
        input: &Rel,
        lists: &[Vec<usize>],
        columns: &[Column],
    ) -> Result<Lowered> {
        let input = self.rel(input)?;
        let mut united: Option<Lowered> = None;
        for (number, list) in lists.iter().enumerate() {
            let mut exprs = Vec::with_capacity(columns.len());
            for (index, column) in columns.iter().enumerate().take(input.names.len()) {
                let null = || {
                    ScalarValue::try_new_null(&column.ty.root.arrow())
                        .map(lit)
                        .map_err(internal)
                };
                exprs.push(if list.contains(&index) {
                    null()?
                } else {
                    input.column(index)?
                });
            }
            exprs.push(lit(number as i64));
            // The copies have one order: no row of one is grouped with a row of another.
            let next = self.along(input.clone(), exprs, columns)?;
            united = Some(match united {
                None => next,
                Some(first) => self.both(first, next)?,
            });
        }
        let united =
            united.ok_or_else(|| crate::semantics::broken("grouping sets without a set"))?;
        let exprs = united.columns();
        self.along(united, exprs, columns)
    }

    /// NULL and empty arrays give no rows.
    pub(super) fn unnest(
        &mut self,
        input: &Rel,
        column: usize,
        columns: &[Column],
    ) -> Result<Lowered> {
        let input = self.rel(input)?;
        let mut exprs = input.columns();
        exprs.push(input.column(column)?);
        let mut widened = columns[..columns.len() - 1].to_vec();
        widened.push(columns[column].clone());
        let copied = self.along(input, exprs, &widened)?;
        let (names, types) = (copied.names.clone(), types_of(columns));
        let origin = copied.origin.clone();
        let item = names
            .last()
            .map(Named::new_unqualified)
            .ok_or_else(|| crate::semantics::broken("nothing to unnest"))?;
        let options = UnnestOptions {
            null_handling: NullHandling::Drop,
            recursions: vec![],
        };
        let plan = copied
            .builder()
            .unnest_column_with_options(item, options)
            .and_then(LogicalPlanBuilder::build);
        Ok(Lowered {
            plan: plan.map_err(internal)?,
            names,
            types,
            origin,
        })
    }

    pub(super) fn sort(&mut self, input: &Rel, keys: &[SortKey]) -> Result<Lowered> {
        let input = self.rel(input)?;
        let keys = sort_exprs(&input, keys)?;
        let (names, types) = (input.names.clone(), input.types.clone());
        let plan: LogicalPlan = input
            .builder()
            .sort(keys)
            .and_then(LogicalPlanBuilder::build)
            .map_err(internal)?;
        Ok(Lowered {
            plan,
            names,
            types,
            origin: None,
        })
    }
}

/// Sort keys over a lowered relation.
pub(super) fn sort_exprs(input: &Lowered, keys: &[SortKey]) -> Result<Vec<SortExpr>> {
    keys.iter()
        .map(|key| {
            Ok(input
                .column(key.column)?
                .sort(!key.descending, key.nulls_first))
        })
        .collect()
}
