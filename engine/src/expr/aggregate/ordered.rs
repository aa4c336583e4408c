//! Aggregates whose value depends on the order of rows: floats, first and last values, lists.
//!
//! Keeps one state per group *and source partition* and merges them in the order of the partitions when a
//! value is asked for. It never orders rows: within a partition they are folded as they come, so whoever
//! feeds it keeps them in their order. Invariant: for given partitions and row order a value is the same
//! bits, however the partitions were interleaved, cut into batches and put together again.

use super::{Accumulator, GroupId, wrong_column};
use crate::expr::aggregate::broken;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, FieldRef};
use arrow_select::concat::concat;
use arrow_select::take::take;
use flinkspark_model::Result;
use hashbrown::HashMap;
use std::sync::Arc;

/// Makes the states of one partition, or of the result, for no group yet.
pub type Make = Box<dyn Fn() -> Result<Box<dyn Accumulator>> + Send + Sync>;

/// A group's state over the rows of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    partition: u32,
    /// Where the accumulator of the later partitions has it.
    id: GroupId,
}

/// The states of a call whose value depends on the order of rows.
///
/// The first partition that comes has an accumulator of its own, in which a group has its own id: rows of
/// a single partition cost nothing more than they would without partitions.
pub struct Ordered {
    make: Make,
    /// Of the rows that follow.
    partition: u32,
    groups: usize,
    first: Box<dyn Accumulator>,
    first_partition: Option<u32>,
    later: Box<dyn Accumulator>,
    later_count: usize,
    free: Vec<GroupId>,
    /// The part that was last touched, by group; it is the one that the next row needs.
    current: Vec<Option<Part>>,
    /// The others.
    parts: HashMap<GroupId, Vec<Part>>,
}

/// Where a part of a group's value is: in the first accumulator or in the later one.
struct Entry {
    /// The group's place among those asked for.
    place: GroupId,
    partition: u32,
    /// Its row among the states of all parts, first ones before later ones.
    row: u32,
}

impl Ordered {
    /// No groups yet.
    pub fn new(make: Make) -> Result<Self> {
        Ok(Self {
            partition: 0,
            groups: 0,
            first: make()?,
            first_partition: None,
            later: make()?,
            later_count: 0,
            free: Vec::new(),
            current: Vec::new(),
            parts: HashMap::new(),
            make,
        })
    }

    /// The types of the state of a call whose states have these: the partitions, and a list for each.
    pub fn state_types(of: &[DataType]) -> Vec<DataType> {
        let partitions = std::iter::once(&DataType::UInt32);
        let list = |ty: &DataType| DataType::List(item(ty));
        partitions.chain(of).map(list).collect()
    }

    /// The state, one row per group, of states that are all of one partition.
    pub fn states_of_one(states: &[ArrayRef], partition: u32) -> Result<Vec<ArrayRef>> {
        let rows = states.first().map_or(0, |column| column.len());
        let partitions: ArrayRef = Arc::new(UInt32Array::from(vec![partition; rows]));
        let lengths = || std::iter::repeat_n(1, rows);
        std::iter::once(&partitions)
            .chain(states)
            .map(|items| list(Arc::clone(items), OffsetBuffer::from_lengths(lengths())))
            .collect()
    }

    /// The part of a group, made where there is none.
    fn part(&mut self, group: GroupId, partition: u32) -> GroupId {
        let slot = group as usize;
        if let Some(part) = self.current[slot]
            && part.partition == partition
        {
            return part.id;
        }
        let others = self.parts.entry(group).or_default();
        let known = others.iter().position(|part| part.partition == partition);
        let part = match known {
            Some(at) => others.swap_remove(at),
            None => {
                let id = self.free.pop().unwrap_or_else(|| {
                    self.later_count += 1;
                    (self.later_count - 1) as GroupId
                });
                Part { partition, id }
            }
        };
        others.extend(self.current[slot].replace(part));
        part.id
    }

    /// The ids of these groups' parts, with room for them.
    fn part_ids(&mut self, groups: &[GroupId], partition: impl Fn(usize) -> u32) -> Vec<GroupId> {
        self.current.resize(self.groups, None);
        let ids = groups
            .iter()
            .enumerate()
            .map(|(row, group)| self.part(*group, partition(row)))
            .collect();
        self.later.grow(self.later_count);
        ids
    }

    /// All parts of a group in the later accumulator.
    fn later_parts(&self, group: GroupId) -> impl Iterator<Item = Part> {
        let current = self.current.get(group as usize).copied().flatten();
        let others = self.parts.get(&group).into_iter().flatten().copied();
        current.into_iter().chain(others)
    }

    /// The parts of these groups, group by group and in the order of the partitions, and their states.
    fn entries(&self, groups: &[GroupId]) -> Result<(Vec<Entry>, Vec<ArrayRef>)> {
        let mut entries = Vec::with_capacity(groups.len());
        let mut later = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let place = place as GroupId;
            let begin = entries.len();
            entries.extend(self.first_partition.map(|partition| Entry {
                place,
                partition,
                row: place,
            }));
            for part in self.later_parts(*group) {
                entries.push(Entry {
                    place,
                    partition: part.partition,
                    row: (groups.len() + later.len()) as u32,
                });
                later.push(part.id);
            }
            entries[begin..].sort_unstable_by_key(|entry| entry.partition);
        }
        let first = self.first.state(groups)?;
        let later = self.later.state(&later)?;
        let rows: UInt32Array = entries
            .iter()
            .map(|entry| entry.row)
            .collect::<Vec<_>>()
            .into();
        let chosen = |(first, later): (&ArrayRef, &ArrayRef)| {
            let all = concat(&[first.as_ref(), later.as_ref()]).map_err(broken)?;
            take(&all, &rows, None).map_err(broken)
        };
        let states = first
            .iter()
            .zip(&later)
            .map(chosen)
            .collect::<Result<_>>()?;
        Ok((entries, states))
    }

    /// Merges states of parts, in their order.
    fn merge_parts(
        &mut self,
        states: &[ArrayRef],
        groups: &[GroupId],
        partitions: &[u32],
    ) -> Result<()> {
        let Some(partition) = partitions.first() else {
            return Ok(());
        };
        let first = *self.first_partition.get_or_insert(*partition);
        if partitions.iter().all(|partition| *partition == first) {
            return self.first.merge(states, groups);
        }
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (row, partition) in partitions.iter().enumerate() {
            match *partition == first {
                true => own.push(row as u32),
                false => others.push(row as u32),
            }
        }
        let group = |rows: &[u32]| -> Vec<GroupId> {
            rows.iter().map(|row| groups[*row as usize]).collect()
        };
        let (own_groups, other_groups) = (group(&own), group(&others));
        let ids = self.part_ids(&other_groups, |row| partitions[others[row] as usize]);
        self.first.merge(&rows_of(states, own)?, &own_groups)?;
        self.later.merge(&rows_of(states, others)?, &ids)
    }
}

impl Accumulator for Ordered {
    fn at_partition(&mut self, partition: u32) {
        self.partition = partition;
    }

    fn grow(&mut self, count: usize) {
        self.groups = self.groups.max(count);
        self.first.grow(count);
    }

    fn update(&mut self, values: Option<&ArrayRef>, groups: &[GroupId]) -> Result<()> {
        let partition = self.partition;
        if *self.first_partition.get_or_insert(partition) == partition {
            return self.first.update(values, groups);
        }
        let ids = self.part_ids(groups, |_| partition);
        self.later.update(values, &ids)
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[GroupId]) -> Result<()> {
        let lists: Vec<&ListArray> = state
            .iter()
            .map(|column| {
                column
                    .as_list_opt::<i32>()
                    .ok_or_else(|| wrong_column("a list of partitions", column))
            })
            .collect::<Result<_>>()?;
        let [partitions, states @ ..] = lists.as_slice() else {
            return Ok(());
        };
        let offsets = partitions.value_offsets();
        let (begin, end) = match (offsets.first(), offsets.last()) {
            (Some(begin), Some(end)) => (*begin as usize, *end as usize),
            _ => return Ok(()),
        };
        let items = |list: &&ListArray| {
            let begin = list
                .value_offsets()
                .first()
                .map_or(0, |begin| *begin as usize);
            list.values().slice(begin, end - offsets[0] as usize)
        };
        let states: Vec<ArrayRef> = states.iter().map(items).collect();
        let partitions = partitions.values().slice(begin, end - begin);
        let partitions = partitions
            .as_primitive_opt::<UInt32Type>()
            .ok_or_else(|| wrong_column("partitions", &partitions))?;
        let groups: Vec<GroupId> = groups
            .iter()
            .zip(offsets.windows(2))
            .flat_map(|(group, ends)| {
                let count = ends
                    .last()
                    .zip(ends.first())
                    .map_or(0, |(end, begin)| end - begin);
                std::iter::repeat_n(*group, count as usize)
            })
            .collect();
        self.merge_parts(&states, &groups, partitions.values())
    }

    fn evaluate(&self, groups: &[GroupId]) -> Result<ArrayRef> {
        if self.later_count == 0 {
            return self.first.evaluate(groups);
        }
        let (entries, states) = self.entries(groups)?;
        let mut merged = (self.make)()?;
        merged.grow(groups.len());
        let places: Vec<GroupId> = entries.iter().map(|entry| entry.place).collect();
        merged.merge(&states, &places)?;
        let all: Vec<GroupId> = (0..groups.len() as GroupId).collect();
        merged.evaluate(&all)
    }

    fn state(&self, groups: &[GroupId]) -> Result<Vec<ArrayRef>> {
        let (entries, states) = self.entries(groups)?;
        let mut lengths = vec![0; groups.len()];
        for entry in &entries {
            lengths[entry.place as usize] += 1;
        }
        let partitions: Vec<u32> = entries.iter().map(|entry| entry.partition).collect();
        let partitions: ArrayRef = Arc::new(UInt32Array::from(partitions));
        let offsets = || OffsetBuffer::from_lengths(lengths.iter().copied());
        std::iter::once(partitions)
            .chain(states)
            .map(|items| list(items, offsets()))
            .collect()
    }

    fn release(&mut self, groups: &[GroupId]) {
        self.first.release(groups);
        if self.later_count == 0 {
            return;
        }
        let parts: Vec<GroupId> = groups
            .iter()
            .flat_map(|group| self.later_parts(*group))
            .map(|part| part.id)
            .collect();
        for group in groups {
            if let Some(current) = self.current.get_mut(*group as usize) {
                *current = None;
            }
            self.parts.remove(group);
        }
        self.later.release(&parts);
        self.free.extend(parts);
    }

    fn size(&self) -> usize {
        let part = size_of::<Part>() + size_of::<Vec<Part>>();
        self.first.size()
            + self.later.size()
            + self.current.capacity() * size_of::<Option<Part>>()
            + self.parts.capacity() * part
            + self.free.capacity() * size_of::<GroupId>()
    }
}

fn item(ty: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(ty.clone(), true))
}

fn list(items: ArrayRef, offsets: OffsetBuffer<i32>) -> Result<ArrayRef> {
    let list = ListArray::try_new(item(items.data_type()), offsets, items, None);
    Ok(Arc::new(list.map_err(broken)?))
}

fn rows_of(columns: &[ArrayRef], rows: Vec<u32>) -> Result<Vec<ArrayRef>> {
    let rows = UInt32Array::from(rows);
    let chosen = |column: &ArrayRef| take(column, &rows, None).map_err(broken);
    columns.iter().map(chosen).collect()
}
