//! The state of a grouped aggregation: groups of (bucket, key), bucketed so that a whole bucket
//! expires at once.
//!
//! Each row costs one hash lookup, in its bucket's table; the aggregates are updated column by
//! column. Group ids index the accumulators and are given out again when a bucket is taken. Calls whose
//! value depends on the order of rows keep a state for each partition of the source. Invariant: a group id
//! belongs to at most one bucket.

use super::older;
use crate::expr;
use crate::expr::aggregate::{Accumulator, Function, GroupId, Ordered};
use crate::stream::keygroup;
use crate::stream::message::broken;
use crate::stream::program::{Aggregate, NamedExpr};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use datafusion::physical_plan::PhysicalExpr;
use flinkspark_model::{Error, Kind, Result};
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// The most groups of one subtask.
const GROUPS_MAX: usize = u32::MAX as usize;

/// The column of a frozen state that holds the bucket.
const BUCKET: &str = "bucket";

struct Call {
    argument: Option<Arc<dyn PhysicalExpr>>,
    /// The types of its state columns.
    states: Vec<DataType>,
    accumulator: Box<dyn Accumulator>,
    older: older::States,
}

impl Call {
    fn new(aggregate: &Aggregate, argument: Option<&DataType>) -> Result<Self> {
        let function: Function = aggregate.function;
        let plain = function.state_types(argument)?;
        let older = older::States::of(function, argument)?;
        let (states, accumulator): (_, Box<dyn Accumulator>) =
            if function.is_order_sensitive(argument) {
                let of = argument.cloned();
                let make = Box::new(move || function.accumulator(of.as_ref()));
                (Ordered::state_types(&plain), Box::new(Ordered::new(make)?))
            } else {
                (plain, function.accumulator(argument)?)
            };
        Ok(Self {
            argument: aggregate.argument.clone(),
            states,
            accumulator,
            older,
        })
    }
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    index: u32,
}

/// The groups of one bucket, in the order in which they came.
#[derive(Default)]
pub(super) struct Bucket {
    table: HashTable<Entry>,
    /// The keys in row form, end to end; key `i` ends at `ends[i]`.
    keys: Vec<u8>,
    ends: Vec<usize>,
    groups: Vec<GroupId>,
}

impl Bucket {
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    fn bytes(&self) -> usize {
        self.table.allocation_size()
            + self.keys.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.groups.capacity() * size_of::<GroupId>()
    }

    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.key(index))
    }

    fn key(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.keys[start..self.ends[index]]
    }

    /// The group of a key; `fresh` gives a new id.
    #[inline]
    fn group(&mut self, key: &[u8], fresh: impl FnOnce() -> GroupId) -> GroupId {
        let hash = xxh3_64(key);
        let found = self.table.find(hash, |entry| {
            entry.hash == hash && self.key(entry.index as usize) == key
        });
        if let Some(entry) = found {
            return self.groups[entry.index as usize];
        }
        let entry = Entry {
            hash,
            index: self.groups.len() as u32,
        };
        self.table.insert_unique(hash, entry, |entry| entry.hash);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        let group = fresh();
        self.groups.push(group);
        group
    }
}

/// A grouped aggregation.
pub(super) struct Grouped {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    converter: RowConverter,
    rows: Rows,
    calls: Vec<Call>,
    buckets: BTreeMap<i64, Bucket>,
    free: Vec<GroupId>,
    created: usize,
    scratch: Vec<GroupId>,
    state: SchemaRef,
}

impl Grouped {
    pub(super) fn new(
        keys: &[NamedExpr],
        aggregates: &[Aggregate],
        input: &Schema,
    ) -> Result<Self> {
        let typed = |expr: &Arc<dyn PhysicalExpr>| {
            expr.data_type(input)
                .map_err(|cause| broken(arrow_schema::ArrowError::SchemaError(cause.to_string())))
        };
        let mut state = vec![Field::new(BUCKET, DataType::Int64, false)];
        let mut sort = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let ty = typed(&key.expr)?;
            state.push(Field::new(format!("key{index}"), ty.clone(), true));
            sort.push(SortField::new(ty));
        }
        let mut calls = Vec::with_capacity(aggregates.len());
        for (index, aggregate) in aggregates.iter().enumerate() {
            let argument = aggregate.argument.as_ref().map(typed).transpose()?;
            let call = Call::new(aggregate, argument.as_ref())?;
            let field = |(part, ty): (usize, &DataType)| {
                Field::new(format!("call{index}.{part}"), ty.clone(), true)
            };
            state.extend(call.states.iter().enumerate().map(field));
            calls.push(call);
        }
        let converter = RowConverter::new(sort).map_err(broken)?;
        Ok(Self {
            keys: keys.iter().map(|key| Arc::clone(&key.expr)).collect(),
            rows: converter.empty_rows(0, 0),
            converter,
            calls,
            buckets: BTreeMap::new(),
            free: Vec::new(),
            created: 0,
            scratch: Vec::new(),
            state: Arc::new(Schema::new(state)),
        })
    }

    /// Adds row `i`, which came from this partition of the source, to bucket `buckets[i]`.
    pub(super) fn update(
        &mut self,
        batch: &RecordBatch,
        partition: u32,
        buckets: &[i64],
    ) -> Result<()> {
        let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr::evaluate(expr.as_ref(), batch);
        let keys: Vec<ArrayRef> = self.keys.iter().map(evaluate).collect::<Result<_>>()?;
        self.assign(&keys, buckets)?;
        for call in &mut self.calls {
            let argument = call.argument.as_ref();
            let values = argument
                .map(|expr| expr::evaluate(expr.as_ref(), batch))
                .transpose()?;
            call.accumulator.at_partition(partition);
            call.accumulator.update(values.as_ref(), &self.scratch)?;
        }
        Ok(())
    }

    /// Finds each row's group, and makes room for new ones.
    fn assign(&mut self, keys: &[ArrayRef], buckets: &[i64]) -> Result<()> {
        self.rows.clear();
        if !keys.is_empty() {
            self.converter
                .append(&mut self.rows, keys)
                .map_err(broken)?;
        }
        let (free, created) = (&mut self.free, &mut self.created);
        let mut fresh = || {
            free.pop().unwrap_or_else(|| {
                *created += 1;
                (*created - 1) as GroupId
            })
        };
        self.scratch.clear();
        let mut row = 0;
        while let Some(end) = buckets.get(row) {
            let bucket = self.buckets.entry(*end).or_default();
            while buckets.get(row) == Some(end) {
                let group = match keys {
                    [] => bucket.group(&[], &mut fresh),
                    _ => bucket.group(self.rows.row(row).data(), &mut fresh),
                };
                self.scratch.push(group);
                row += 1;
            }
        }
        if self.created > GROUPS_MAX {
            return Err(too_many());
        }
        for call in &mut self.calls {
            call.accumulator.grow(self.created);
        }
        Ok(())
    }

    /// The first bucket.
    pub(super) fn first(&self) -> Option<i64> {
        self.buckets.first_key_value().map(|(bucket, _)| *bucket)
    }

    /// Takes the first bucket out. Its groups must be released after they were evaluated.
    pub(super) fn take_first(&mut self) -> Option<(i64, Bucket)> {
        self.buckets.pop_first()
    }

    /// The keys and the values of all groups of these buckets, in order, as columns.
    pub(super) fn evaluate(&self, buckets: &[(i64, Bucket)]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.decode(buckets.iter().flat_map(|(_, bucket)| bucket.keys()))?;
        let groups: Vec<GroupId> = buckets
            .iter()
            .flat_map(|(_, bucket)| &bucket.groups)
            .copied()
            .collect();
        for call in &self.calls {
            columns.push(call.accumulator.evaluate(&groups)?);
        }
        Ok(columns)
    }

    /// Gives the group ids of a bucket back.
    pub(super) fn release(&mut self, bucket: Bucket) {
        for call in &mut self.calls {
            call.accumulator.release(&bucket.groups);
        }
        self.free.extend(bucket.groups);
    }

    fn decode<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let parser = self.converter.parser();
        let rows: Vec<_> = keys.map(|key| parser.parse(key)).collect();
        self.converter.convert_rows(rows).map_err(broken)
    }

    /// Roughly the bytes that all groups hold.
    pub(super) fn bytes(&self) -> usize {
        let buckets = self.buckets.values().map(Bucket::bytes).sum::<usize>();
        let calls = self.calls.iter().map(|call| call.accumulator.size());
        buckets + calls.sum::<usize>() + self.free.capacity() * size_of::<GroupId>()
    }

    /// Everything, as one batch: bucket, keys, states.
    pub(super) fn snapshot(&self) -> Result<RecordBatch> {
        let counts = self
            .buckets
            .iter()
            .flat_map(|(end, bucket)| std::iter::repeat_n(*end, bucket.len()));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(counts))];
        let all = self.buckets.values();
        let keys = all.clone().flat_map(Bucket::keys);
        columns.extend(self.decode(keys)?);
        let groups: Vec<GroupId> = all
            .flat_map(|bucket| bucket.groups.iter().copied())
            .collect();
        for call in &self.calls {
            columns.extend(call.accumulator.state(&groups)?);
        }
        RecordBatch::try_new(Arc::clone(&self.state), columns).map_err(broken)
    }

    /// Merges the groups of a frozen state whose key group lies in the range.
    pub(super) fn restore(
        &mut self,
        state: &RecordBatch,
        owned: &RangeInclusive<u8>,
    ) -> Result<()> {
        let state = &self.upgraded(state)?;
        if state.schema().fields() != self.state.fields() {
            return Err(Error::new(
                Kind::Data,
                "FS0611",
                "a checkpoint's state has other columns than the operator",
            )
            .with_detail("the job's program changed in a way that its text did not show")
            .with_hint("start a new run of the job"));
        }
        let keys = 1..=self.keys.len();
        let groups = keygroup::groups(&state.columns()[keys.clone()], state.num_rows());
        let keep: BooleanArray = groups
            .iter()
            .map(|group| Some(owned.contains(group)))
            .collect();
        let state = filter_record_batch(state, &keep).map_err(broken)?;
        let buckets = state.column(0).as_primitive::<Int64Type>().clone();
        self.assign(&state.columns()[keys], buckets.values())?;
        let mut first = 1 + self.keys.len();
        for call in &mut self.calls {
            let states = &state.columns()[first..first + call.states.len()];
            call.accumulator.merge(states, &self.scratch)?;
            first += call.states.len();
        }
        Ok(())
    }

    /// A state of this build, or of the one before, as one of this build; any other as it is.
    fn upgraded(&self, state: &RecordBatch) -> Result<RecordBatch> {
        let mut types: Vec<&DataType> = state.columns().iter().map(|c| c.data_type()).collect();
        let mut calls = types
            .split_off(types.len().min(1 + self.keys.len()))
            .into_iter();
        let older = self.calls.iter().flat_map(|call| call.older.types());
        if !older.eq(calls.by_ref()) {
            return Ok(state.clone());
        }
        let mut columns = state.columns()[..types.len()].to_vec();
        let mut first = columns.len();
        for call in &self.calls {
            let end = first + call.older.types().len();
            columns.extend(call.older.upgrade(&state.columns()[first..end])?);
            first = end;
        }
        RecordBatch::try_new(Arc::clone(&self.state), columns).map_err(broken)
    }
}

fn too_many() -> Error {
    Error::new(
        Kind::Unavailable,
        "FS0610",
        "an aggregation has more groups than one subtask can hold",
    )
    .with_detail(format!("the limit is {GROUPS_MAX} groups"))
    .with_hint("run the job with a greater --parallelism")
}
