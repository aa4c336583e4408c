//! Columns of every type that a dataset can have, through jobs on both engines.
//!
//! Tables of types against tables of statements: what comes out is what went in, value by value and in its type.

mod carried;
mod ordered;
mod page;
mod refused;
mod samples;
mod sinks;

use super::fixture::{Fixture, How};
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flinkspark_model::digest::{Digest, Digester};
use futures::StreamExt;
use samples::rows_of;
use std::sync::Arc;

/// A row: its number, a group that may be NULL, and which sample each of its two columns of a type holds; the
/// samples of a type are gone through in turn.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: i64,
    k: Option<i64>,
    x: usize,
    y: usize,
}

fn rows(count: usize) -> Vec<Row> {
    let row = |id: usize| Row {
        id: id as i64,
        k: (id % 5 != 3).then_some(id as i64 % 5),
        x: id * 7 + id / 11,
        y: id * 5 + 1,
    };
    (0..count).map(row).collect()
}

/// A value of an answer.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Number(Option<i64>),
    Truth(Option<bool>),
    /// The sample of a type by number; none for NULL.
    Sample(Option<usize>),
}

use Cell::{Number, Sample, Truth};

/// What these rows add up to, where a sample is one of this type.
fn expected(samples: &ArrayRef, answer: &[Vec<Cell>]) -> Digest {
    let Some(width) = answer.first().map(Vec::len) else {
        return Digest::EMPTY;
    };
    let column = |index: usize| -> ArrayRef {
        let cells = answer.iter().map(|row| row[index]);
        match answer[0][index] {
            Number(_) => Arc::new(
                cells
                    .map(|cell| if let Number(n) = cell { n } else { None })
                    .collect::<Int64Array>(),
            ),
            Truth(_) => Arc::new(
                cells
                    .map(|cell| if let Truth(t) = cell { t } else { None })
                    .collect::<BooleanArray>(),
            ),
            Sample(_) => {
                let places: Vec<Option<usize>> = cells
                    .map(|cell| if let Sample(at) = cell { at } else { None })
                    .collect();
                rows_of(samples, &places)
            }
        }
    };
    let columns: Vec<ArrayRef> = (0..width).map(column).collect();
    let field = |(index, column): (usize, &ArrayRef)| {
        Field::new(format!("c{index}"), column.data_type().clone(), true)
    };
    let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let mut digester = Digester::new(&batch.schema()).unwrap();
    digester.update(&batch).unwrap();
    digester.finish()
}

/// `id`, `k`, and columns of these samples, each with the rows' `x` or `y`.
fn schema(columns: &[(&str, &ArrayRef)]) -> SchemaRef {
    let mut fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("k", DataType::Int64, true),
    ];
    fields.extend(
        columns
            .iter()
            .map(|(name, samples)| Field::new(*name, samples.data_type().clone(), true)),
    );
    Arc::new(Schema::new(fields))
}

fn batch(rows: &[Row], columns: &[(&str, &ArrayRef)]) -> RecordBatch {
    let ids: Int64Array = rows.iter().map(|row| Some(row.id)).collect();
    let groups: Int64Array = rows.iter().map(|row| row.k).collect();
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(groups)];
    for (name, samples) in columns {
        let at = |row: &Row| match name.starts_with('y') {
            true => row.y,
            false => row.x,
        };
        let places: Vec<_> = rows
            .iter()
            .map(|row| Some(at(row) % samples.len()))
            .collect();
        arrays.push(rows_of(samples, &places));
    }
    RecordBatch::try_new(schema(columns), arrays).unwrap()
}

/// The rows in two epochs and three partitions, cut into batches of so many.
async fn stored(rows: &[Row], per_batch: usize, columns: &[(&str, &ArrayRef)]) -> Fixture {
    let mut epochs = Vec::new();
    for half in rows.chunks(rows.len().div_ceil(2).max(1)) {
        let mut parts = Vec::new();
        for (partition, part) in (0..).zip(half.chunks(half.len().div_ceil(3).max(1))) {
            let batches = part.chunks(per_batch).map(|rows| batch(rows, columns));
            parts.push((partition, batches.collect()));
        }
        epochs.push(parts);
    }
    Fixture::new(schema(columns), None, &epochs).await
}

/// The engines that run a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    Both,
    Batch,
}

/// Whether a statement gives these rows on its engines, at any parallelism; what it gives otherwise.
async fn gives(fixture: &Fixture, on: On, sql: &str, wanted: Digest) -> Result<(), String> {
    for how in [1, 3].map(How::at) {
        let batch = fixture.batch(sql, how).await;
        let batch = batch.map_err(|error| format!("batch: {sql}: {error}"))?;
        if batch.digest != wanted {
            return Err(format!("batch: {sql}: {} for {wanted}", batch.digest));
        }
        if on == On::Batch {
            continue;
        }
        let stream = fixture.stream(sql, how).await;
        let stream = stream.map_err(|error| format!("stream: {sql}: {error}"))?;
        if stream.digest != wanted {
            return Err(format!("stream: {sql}: {} for {wanted}", stream.digest));
        }
    }
    Ok(())
}

/// Nothing is found wrong of any of these; several are checked at a time.
async fn each<T, F: Future<Output = Vec<String>>>(all: Vec<T>, check: impl Fn(T) -> F) {
    let checks = futures::stream::iter(all).map(check);
    let wrong = checks.buffer_unordered(12).concat().await;
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The answer in samples that there are: row numbers go through them in turn.
fn within(samples: &ArrayRef, answer: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let cell = |cell: Cell| match cell {
        Sample(Some(at)) => Sample(Some(at % samples.len())),
        other => other,
    };
    let row = |row: Vec<Cell>| row.into_iter().map(cell).collect();
    answer.into_iter().map(row).collect()
}
