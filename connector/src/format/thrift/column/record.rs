//! The fields of a struct, in whatever order they come.
//!
//! Invariant: each column of a record has one value more when the record was read: the one that stands there, the default
//! of the IDL, or a null; a field that is there twice, or whose absence means nothing, is a fault.

use super::{Boxed, Column, Say, column, mismatched};
use crate::format::thrift::cursor::{Cursor, Fault, Header, Kind, Result, damaged};
use crate::format::thrift::layout::Member;
use crate::format::thrift::options::ThriftProtocol;
use crate::format::thrift::out::constant;
use arrow_array::{ArrayRef, StructArray};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::{ArrowError, DataType, Field, Fields};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many of the fields that a struct's schema lacks are counted by themselves.
const UNKNOWN_MAX: usize = 64;

/// A struct's columns.
pub(in crate::format::thrift) struct Record {
    slots: Vec<Slot>,
    /// Where in `slots` each field stands, by its number.
    by_id: BTreeMap<i16, usize>,
    fields: Fields,
    /// How many structs were read.
    round: u64,
    nulls: NullBufferBuilder,
    unknown: BTreeMap<i16, u64>,
    others: u64,
    /// The most that one field may take, in bytes of columns.
    cell_bytes_max: usize,
}

/// A field and its column.
struct Slot {
    id: i16,
    kind: Kind,
    column: Boxed,
    /// The last struct that had it.
    round: u64,
    absent: Absent,
}

/// What stands for a field that is absent.
enum Absent {
    Null,
    /// These bytes, as an item of a list.
    Default(Vec<u8>),
    /// Nothing, and why.
    Wrong(&'static str),
}

impl Slot {
    fn new(field: &Field, member: &Member, protocol: ThriftProtocol) -> Result<Self> {
        let absent = match &member.default {
            _ if member.required => Absent::Wrong("it is absent, and every record has it"),
            Some(value) => match constant(value, &member.wire, protocol) {
                Ok(bytes) => Absent::Default(bytes),
                Err(refused) => return damaged(refused.why),
            },
            None if field.is_nullable() => Absent::Null,
            None => Absent::Wrong("it is absent, and its column has no nulls"),
        };
        Ok(Self {
            id: member.id,
            kind: Kind::of(&member.wire),
            column: column(field.data_type(), &member.wire, protocol)?,
            round: 0,
            absent,
        })
    }

    /// Appends what stands for the field where it is absent.
    fn fill(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        match &self.absent {
            Absent::Null => self.column.skip(cursor),
            Absent::Default(bytes) => {
                cursor.charge(bytes.len())?;
                let mut bytes = Cursor::new(bytes, cursor.protocol());
                self.column.read(&mut bytes)
            }
            Absent::Wrong(why) => damaged(*why),
        }
    }
}

impl Record {
    pub(in crate::format::thrift) fn new(
        fields: &Fields,
        members: &[Member],
        protocol: ThriftProtocol,
        cell_bytes_max: usize,
    ) -> Result<Self> {
        if fields.len() != members.len() {
            return mismatched(&DataType::Struct(fields.clone()));
        }
        let slots = fields.iter().zip(members);
        let slots = slots.map(|(field, member)| Slot::new(field, member, protocol));
        let ids = members.iter().enumerate();
        Ok(Self {
            slots: slots.collect::<Result<_>>()?,
            by_id: ids.map(|(at, member)| (member.id, at)).collect(),
            fields: fields.clone(),
            round: 0,
            nulls: NullBufferBuilder::new(0),
            unknown: BTreeMap::new(),
            others: 0,
            cell_bytes_max,
        })
    }

    /// Appends the fields of a struct, each with a value or what stands for it.
    pub(in crate::format::thrift) fn read_fields(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.round += 1;
        // Writers keep to one order: the field that comes is most often the one behind the last.
        let mut next = 0;
        let begun = cursor.at();
        cursor.fields(|cursor, header| {
            let at = match self.slots.get(next) {
                Some(slot) if slot.id == header.id => Some(next),
                _ => self.by_id.get(&header.id).copied(),
            };
            match at {
                Some(at) => {
                    next = at + 1;
                    self.field(at, header, cursor)
                }
                None => {
                    self.count(header.id);
                    cursor.skip(header.kind)
                }
            }
        })?;
        let round = self.round;
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.round != round) else {
                continue;
            };
            if let Err(fault) = slot.fill(cursor) {
                cursor.blame(begun);
                return Err(self.below(at, fault));
            }
        }
        Ok(())
    }

    fn field(&mut self, at: usize, header: Header, cursor: &mut Cursor<'_>) -> Result<()> {
        let (round, most) = (self.round, self.cell_bytes_max);
        let Some(slot) = self.slots.get_mut(at) else {
            return damaged("its schema has fewer fields than it says");
        };
        let read = if slot.round == round {
            damaged(format!("field {} is there twice", header.id))
        } else if slot.kind != header.kind {
            let (found, wanted) = (header.kind.name(), slot.kind.name());
            damaged(format!(
                "field {} is {found}, and its column {wanted}",
                header.id
            ))
        } else {
            slot.round = round;
            let before = cursor.taken();
            slot.column.read(cursor).and_then(|()| {
                let taken = cursor.taken() - before;
                match taken > most {
                    true => Err(super::too_large(taken, most)),
                    false => Ok(()),
                }
            })
        };
        read.map_err(|fault| self.below(at, fault))
    }

    fn below(&self, at: usize, fault: Fault) -> Fault {
        match self.fields.get(at) {
            Some(field) => fault.below(field.name()),
            None => fault,
        }
    }

    fn count(&mut self, id: i16) {
        if self.unknown.len() < UNKNOWN_MAX || self.unknown.contains_key(&id) {
            *self.unknown.entry(id).or_default() += 1;
        } else {
            self.others += 1;
        }
    }

    /// The columns so far; they begin anew.
    pub(in crate::format::thrift) fn finish_columns(
        &mut self,
    ) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
        self.slots
            .iter_mut()
            .map(|slot| slot.column.finish())
            .collect()
    }
}

impl Column for Record {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        self.read_fields(cursor)?;
        self.nulls.append_non_null();
        Ok(())
    }

    fn skip(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        cursor.charge(1)?;
        self.slots
            .iter_mut()
            .try_for_each(|slot| slot.column.skip(cursor))?;
        self.nulls.append_null();
        Ok(())
    }

    fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let mut nulls = std::mem::replace(&mut self.nulls, NullBufferBuilder::new(0));
        let columns = self.finish_columns()?;
        let (fields, rows) = (self.fields.clone(), nulls.len());
        let record = StructArray::try_new_with_length(fields, columns, nulls.finish(), rows)?;
        Ok(Arc::new(record))
    }

    fn unknown(&self, path: &str, say: &mut Say<'_>) {
        for (id, count) in &self.unknown {
            say(path, Some(*id), *count);
        }
        if self.others > 0 {
            say(path, None, self.others);
        }
        let dot = if path.is_empty() { "" } else { "." };
        for (slot, field) in self.slots.iter().zip(&self.fields) {
            let path = format!("{path}{dot}{}", field.name());
            slot.column.unknown(&path, say);
        }
    }
}
