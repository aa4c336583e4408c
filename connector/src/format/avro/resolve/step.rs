//! Rewrites values of a writer's schema as values of a reader's.
//!
//! Invariant: what a row comes to is no longer than a row may be, whatever is added to it.

use super::put_bytes;
use crate::format::avro::cursor::{BYTES_MAX, Cursor, Fault, Result, damaged, put_number};

/// How one value is rewritten.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Step {
    Null,
    /// So many bytes, as they stand.
    Fixed(usize),
    Long,
    LongToFloat,
    LongToDouble,
    FloatToDouble,
    /// Bytes with their length before them.
    Bytes,
    /// The reader's number of each of the writer's words, or the word.
    Enum(Vec<std::result::Result<i64, String>>),
    /// The items of an array, or the entries of a map.
    Items(bool, Box<Step>),
    /// What is done with each field of the writer, and what the reader's fields are made of.
    Record(Vec<Reader>, Vec<Part>),
    /// A writer's union: each branch, or why it does not resolve.
    FromUnion(Vec<std::result::Result<Step, String>>),
    /// A reader's union: the number of a branch.
    ToUnion(i64, Box<Step>),
}

/// What is done with a field of the writer.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Reader {
    /// It is the reader's field of this number.
    Take(usize, Step),
    Skip(Step),
}

/// What a field of the reader is made of.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Part {
    Read,
    /// The bytes of its default.
    Default(Vec<u8>),
}

impl Step {
    /// Appends the next row, rewritten.
    ///
    /// Errors: besides the fault, the reader's field in whose value it lies; one more than there are where nobody
    /// wants the value.
    pub(in super::super) fn rewrite_row(
        &self,
        from: &mut Cursor<'_>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), (usize, Fault)> {
        match self {
            Self::Record(readers, parts) => record(readers, parts, from, out),
            step => step.rewrite(from, out).map_err(|fault| (0, fault)),
        }
    }

    /// Appends the next value, rewritten.
    fn rewrite(&self, from: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Null => {}
            Self::Fixed(size) => out.extend(from.take(*size)?),
            Self::Long => put_number(from.long()?, out),
            Self::LongToFloat => out.extend((from.long()? as f32).to_le_bytes()),
            Self::LongToDouble => out.extend((from.long()? as f64).to_le_bytes()),
            Self::FloatToDouble => {
                let narrow = f32::from_le_bytes(from.array()?);
                out.extend(f64::from(narrow).to_le_bytes());
            }
            Self::Bytes => put_bytes(from.bytes()?, out),
            Self::Enum(words) => {
                let number = from.long()?;
                let word = usize::try_from(number).ok();
                match word.and_then(|word| words.get(word)) {
                    Some(Ok(number)) => put_number(*number, out),
                    Some(Err(word)) => {
                        let why = format!(
                            "the schema to read at has no symbol \"{word}\" and no default"
                        );
                        return Err(Fault::Unheld(why));
                    }
                    None => return damaged(format!("an enum has no symbol {number}")),
                }
            }
            Self::Items(keys, item) => {
                from.items(|from| {
                    put_number(1, out);
                    if *keys {
                        put_bytes(from.bytes()?, out);
                    }
                    item.rewrite(from, out)
                })?;
                put_number(0, out);
            }
            Self::Record(readers, parts) => {
                record(readers, parts, from, out).map_err(|(_, fault)| fault)?;
            }
            Self::FromUnion(branches) => {
                let number = from.long()?;
                let branch = usize::try_from(number).ok();
                match branch.and_then(|branch| branches.get(branch)) {
                    Some(Ok(step)) => step.rewrite(from, out)?,
                    Some(Err(why)) => return Err(Fault::Unheld(why.clone())),
                    None => return damaged(format!("a union has no branch {number}")),
                }
            }
            Self::ToUnion(branch, step) => {
                put_number(*branch, out);
                step.rewrite(from, out)?;
            }
        }
        check(out.len())
    }
}

fn check(bytes: usize) -> Result<()> {
    match bytes > BYTES_MAX {
        true => damaged(format!("a row takes more than {BYTES_MAX} bytes")),
        false => Ok(()),
    }
}

/// Appends a record; a fault with the number of the reader's field.
fn record(
    readers: &[Reader],
    parts: &[Part],
    from: &mut Cursor<'_>,
    out: &mut Vec<u8>,
) -> std::result::Result<(), (usize, Fault)> {
    let mut read = vec![Vec::new(); parts.len()];
    let mut bytes = out.len();
    for reader in readers {
        match reader {
            Reader::Take(slot, step) => {
                let of_slot = |fault| (*slot, fault);
                if let Some(taken) = read.get_mut(*slot) {
                    step.rewrite(from, taken).map_err(of_slot)?;
                    bytes += taken.len();
                    check(bytes).map_err(of_slot)?;
                }
            }
            Reader::Skip(step) => {
                let of_none = |fault| (parts.len(), fault);
                step.rewrite(from, &mut Vec::new()).map_err(of_none)?;
            }
        }
    }
    for (slot, (part, bytes)) in parts.iter().zip(&read).enumerate() {
        out.extend(match part {
            Part::Read => bytes,
            Part::Default(bytes) => bytes,
        });
        check(out.len()).map_err(|fault| (slot, fault))?;
    }
    Ok(())
}
