//! Digest v1: what a multiset of rows adds up to.
//!
//! Owns the row count and the sum modulo 2^128 of a well-mixed hash of each row, over logical
//! values at a declared schema; the specification is `docs/digest.md`, the golden vectors are
//! `docs/digest-vectors.json`. It never looks at encodings, batch borders, row order or a file's
//! own metadata. Invariant: equal multisets of rows have equal digests however they are cut,
//! encoded or ordered, and `digest(a) + digest(b)` is the digest of both together.
//!
//! ```
//! use arrow_array::{Int64Array, RecordBatch};
//! use flinkspark_model::digest::Digester;
//! use std::sync::Arc;
//!
//! let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2])) as _)])?;
//! let mut digester = Digester::new(&batch.schema())?;
//! digester.update(&batch.slice(1, 1))?;
//! digester.update(&batch.slice(0, 1))?;
//! assert_eq!(digester.finish().rows, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cells;
mod logical;
mod mix;
#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Result};
use crate::fault;
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use logical::Logical;
use mix::State;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;
use std::sync::Arc;

/// Rows whose states are kept at once: 16 KiB, so that they stay in the first-level cache.
const CHUNK_ROWS: usize = 1024;

/// The row count and the sum modulo 2^128 of the rows' hashes.
///
/// Its text is `v1:ROWS:SUM`, the sum as 32 lower-case hexadecimal digits.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    /// Rows counted, each as often as it came.
    pub rows: u64,
    /// The sum modulo 2^128 of the rows' hashes.
    pub sum: u128,
}

impl Digest {
    /// The digest of no rows, the neutral element of `+`.
    pub const EMPTY: Self = Self { rows: 0, sum: 0 };

    fn push(&mut self, row: u128) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = combined(self.sum, row);
    }
}

/// The sum; with the planted defect the exclusive or, to which a row that came twice is nothing.
fn combined(a: u128, b: u128) -> u128 {
    if fault::planted("xor-digest") {
        a ^ b
    } else {
        a.wrapping_add(b)
    }
}

impl Add for Digest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            rows: self.rows.wrapping_add(other.rows),
            sum: combined(self.sum, other.sum),
        }
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Digest {
    fn sum<I: Iterator<Item = Self>>(digests: I) -> Self {
        digests.fold(Self::EMPTY, Add::add)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1:{}:{:032x}", self.rows, self.sum)
    }
}

impl FromStr for Digest {
    type Err = Error;

    /// Accepts exactly what `Display` writes; anything else is `FS0113`.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (rows, sum) = text.strip_prefix("v1:")?.split_once(':')?;
            let digest = Self {
                rows: rows.parse().ok()?,
                sum: u128::from_str_radix(sum, 16).ok()?,
            };
            (digest.to_string() == text).then_some(digest)
        };
        parse().ok_or_else(|| {
            Error::new(Kind::Invalid, "FS0113", format!("\"{}\" is not a digest", text.escape_debug()))
                .with_detail("a digest is v1:ROWS:SUM, the sum as 32 lower-case hexadecimal digits")
                .with_hint("copy it from `flinkspark dataset show NAME`; another version needs another FlinkSpark")
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Computes the digest of batches at a declared schema.
#[derive(Debug, Clone)]
pub struct Digester {
    names: Vec<String>,
    columns: Vec<Logical>,
    fits: Option<SchemaRef>,
    digest: Digest,
}

impl Digester {
    /// A digester of rows at `schema`, the catalogue's.
    ///
    /// Unions are refused by name (`FS0110`), and so is nesting deeper than
    /// [`crate::schema::DEPTH_MAX`] (`FS0111`).
    pub fn new(schema: &Schema) -> Result<Self> {
        Ok(Self {
            names: schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
            columns: logical::columns(schema)?,
            fits: None,
            digest: Digest::EMPTY,
        })
    }

    /// Counts the batch's rows.
    ///
    /// Columns count by position and may come in any encoding of the declared logical type; a
    /// batch of another shape is `FS0112` and changes nothing.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut digest = self.digest;
        self.hashes(batch, |hash| digest.push(hash))?;
        self.digest = digest;
        Ok(())
    }

    /// Hands out the hash of each of the batch's rows, in order, and counts none of them: rows of one
    /// hash are one row to the digest.
    ///
    /// Errors: as [`Digester::update`].
    pub fn hashes(&mut self, batch: &RecordBatch, mut each: impl FnMut(u128)) -> Result<()> {
        self.check(&batch.schema())?;
        let columns = batch
            .columns()
            .iter()
            .map(|column| cells::cells(column.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let mut states = [State::START; CHUNK_ROWS];
        let mut first = 0;
        while first < batch.num_rows() {
            let count = CHUNK_ROWS.min(batch.num_rows() - first);
            let states = &mut states[..count];
            states.fill(State::START);
            for column in &columns {
                column.absorb_range(first, states);
            }
            states.iter().for_each(|state| each(state.hash()));
            first += count;
        }
        Ok(())
    }

    /// The digest of everything counted so far.
    pub fn finish(&self) -> Digest {
        self.digest
    }

    fn check(&mut self, schema: &SchemaRef) -> Result<()> {
        if self
            .fits
            .as_ref()
            .is_some_and(|fits| Arc::ptr_eq(fits, schema))
        {
            return Ok(());
        }
        let given = logical::columns(schema)?;
        if given.len() != self.columns.len() {
            return Err(
                mismatch("the rows do not fit the declared schema").with_detail(format!(
                    "the batch has {} columns, the schema has {}",
                    given.len(),
                    self.columns.len()
                )),
            );
        }
        for ((name, declared), given) in self.names.iter().zip(&self.columns).zip(&given) {
            if !declared.holds(given) {
                return Err(mismatch(&format!(
                    "column \"{name}\" does not fit the declared schema"
                ))
                .with_detail(format!(
                    "the batch holds {given}, the schema declares {declared}"
                )));
            }
        }
        self.fits = Some(Arc::clone(schema));
        Ok(())
    }
}

fn mismatch(message: &str) -> Error {
    Error::new(Kind::Invalid, "FS0112", message)
        .with_hint("cast the column to the dataset's type before writing; `flinkspark dataset show NAME` prints it")
}

/// The digest of `batches` at `schema`.
pub fn digest<'a>(
    schema: &Schema,
    batches: impl IntoIterator<Item = &'a RecordBatch>,
) -> Result<Digest> {
    let mut digester = Digester::new(schema)?;
    for batch in batches {
        digester.update(batch)?;
    }
    Ok(digester.finish())
}
