//! Records that cannot be read, set aside.
//!
//! Invariant: where records are set aside, each is a row of the reader's batches or is here, never both and never
//! neither.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::{Error, Kind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A record that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The file, as errors name it.
    pub file: String,
    /// The line in which the record begins, from 1.
    pub line: u64,
    /// The code of the error that it would have been.
    pub code: String,
    /// What is wrong with it.
    pub why: String,
    /// The record as it stands there; what is no UTF-8 in it is replaced.
    pub record: String,
}

/// Where readers put the records that they cannot read, for who reads the batches to take them.
///
/// Two of them are equal if they are one.
#[derive(Debug, Clone, Default)]
pub struct Aside(Arc<Mutex<Vec<BadRow>>>);

impl PartialEq for Aside {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Aside {
    /// Takes what was put so far, by file and line.
    pub fn take(&self) -> Vec<BadRow> {
        let mut rows = std::mem::take(&mut *self.lock());
        rows.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        rows
    }

    pub(super) fn put(&self, file: &str, line: u64, record: &[u8], error: &Error) {
        let row = BadRow {
            file: file.into(),
            line,
            code: error.code().into(),
            why: error.message().into(),
            record: String::from_utf8_lossy(record)
                .trim_end_matches(['\r', '\n'])
                .into(),
        };
        self.lock().push(row);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BadRow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The columns of a dataset of such records.
    pub fn schema() -> SchemaRef {
        let field = |name, data_type| Field::new(name, data_type, false);
        Arc::new(Schema::new(vec![
            field("file", DataType::Utf8),
            field("line", DataType::Int64),
            field("code", DataType::Utf8),
            field("why", DataType::Utf8),
            field("record", DataType::Utf8),
        ]))
    }

    /// The records as rows of such a dataset.
    pub fn batch(rows: &[BadRow]) -> Result<RecordBatch> {
        let texts = |of: fn(&BadRow) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
        };
        let lines = rows
            .iter()
            .map(|row| i64::try_from(row.line).unwrap_or(i64::MAX));
        let columns = vec![
            texts(|row| &row.file),
            Arc::new(Int64Array::from_iter_values(lines)),
            texts(|row| &row.code),
            texts(|row| &row.why),
            texts(|row| &row.record),
        ];
        RecordBatch::try_new(Self::schema(), columns).map_err(|cause| {
            Error::new(Kind::Internal, "FS0499", "records could not be set aside")
                .with_source(cause)
        })
    }
}
