//! Compares outputs as multisets of rows, and says which rows differ.
//!
//! It is asked once the digests have shown that they do. Invariant: rows are the same here exactly where
//! they are to the digest, and the memory that it takes does not grow with the outputs.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use flinkspark_model::digest::Digester;
use flinkspark_model::log::View;
use flinkspark_model::port::{self, ReadOptions};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows that are held at once to compare them.
pub(super) const ROWS_HELD_MAX: u64 = 1 << 19;
/// A row that is held counts as one for each of these bytes that it takes in its segment.
pub(super) const ROW_BYTES_EXPECTED: u64 = 256;
/// The most differing rows that are shown.
pub(super) const SHOWN_MAX: usize = 10;

/// A row that not all targets have equally often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The row as JSON.
    pub row: String,
    /// How often each target has it.
    pub counts: Vec<u64>,
}

/// Counts every row of every output and keeps those whose counts differ, in bounded memory: the rows
/// are dealt into parts by their hash, and each part is a pass over the outputs.
pub(super) async fn outputs(
    outputs: &[Arc<dyn port::Dataset>],
    rows_held_max: u64,
) -> Result<(u64, Vec<Difference>)> {
    let mut rows = 0;
    for output in outputs {
        let (count, bytes, _) = output.refresh().await?.totals();
        rows += count.max(bytes / ROW_BYTES_EXPECTED);
    }
    let parts = u128::from(rows / rows_held_max.max(1) + 1);
    let mut differing = 0;
    let mut shown: BTreeMap<(String, u128), Vec<u64>> = BTreeMap::new();
    for part in 0..parts {
        let mut rows: BTreeMap<u128, (String, Vec<u64>)> = BTreeMap::new();
        for (index, output) in outputs.iter().enumerate() {
            let mine = |hash: u128| hash % parts == part;
            each(output.as_ref(), mine, |hash, row| {
                let (_, counts) = rows
                    .entry(hash)
                    .or_insert_with(|| (row, vec![0; outputs.len()]));
                if let Some(count) = counts.get_mut(index) {
                    *count += 1;
                }
            })
            .await?;
        }
        let differs = |counts: &[u64]| {
            let mut pairs = counts.windows(2);
            pairs.any(|pair| matches!(pair, [a, b] if a != b))
        };
        for (hash, (row, counts)) in rows {
            if differs(&counts) {
                differing += 1;
                shown.insert((row, hash), counts);
                if shown.len() > SHOWN_MAX {
                    shown.pop_last();
                }
            }
        }
    }
    let shown = shown
        .into_iter()
        .map(|((row, _), counts)| Difference { row, counts });
    Ok((differing, shown.collect()))
}

/// Every row of an output whose hash is wanted, with its hash and as JSON.
async fn each(
    output: &dyn port::Dataset,
    wanted: impl Fn(u128) -> bool,
    mut take: impl FnMut(u128, String),
) -> Result<()> {
    let view = output.refresh().await?;
    let mut digester = Digester::new(&output.schema())?;
    for partition in partitions(&view) {
        let options = ReadOptions::default();
        let mut rows = output
            .read(partition, Position::START, view.head(), options)
            .await?;
        while let Some(read) = rows.try_next().await? {
            let mut hashes = Vec::with_capacity(read.batch.num_rows());
            digester.hashes(&read.batch, |hash| hashes.push(hash))?;
            let printer = Printer::new(&read.batch)?;
            for (row, hash) in hashes.into_iter().enumerate() {
                if wanted(hash) {
                    take(hash, printer.json(row)?);
                }
            }
        }
    }
    Ok(())
}

/// The partitions that an output may have rows in.
pub(super) fn partitions(view: &View) -> std::ops::RangeInclusive<u32> {
    let segments = view.live().flat_map(|epoch| &epoch.segments);
    0..=segments.map(|segment| segment.partition).max().unwrap_or(0)
}

/// Prints rows of a batch as JSON objects of texts.
pub(super) struct Printer<'a> {
    batch: &'a RecordBatch,
    columns: Vec<ArrayFormatter<'a>>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self> {
        let options = FormatOptions::new().with_null("null");
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<std::result::Result<_, _>>()
            .map_err(unprintable)?;
        Ok(Self { batch, columns })
    }

    pub(super) fn json(&self, row: usize) -> Result<String> {
        let mut object = Map::new();
        let fields = self.batch.schema_ref().fields();
        let cells = self.columns.iter().zip(self.batch.columns());
        for (field, (column, array)) in fields.iter().zip(cells) {
            let value = if array.is_null(row) {
                Value::Null
            } else {
                let text = column.value(row).try_to_string();
                text.map_err(unprintable)?.into()
            };
            object.insert(field.name().clone(), value);
        }
        Ok(Value::from(object).to_string())
    }
}

fn unprintable(cause: ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0008", "a row could not be printed").with_source(cause)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::system::{SystemClock, SystemEntropy};
    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::{ArrayRef, Int64Array};
    use arrow_schema::{Field, Schema};
    use flinkspark_connector::store::{Logs, Settings, object::Objects};
    use flinkspark_model::dataset::DatasetId;
    use flinkspark_model::log::{Commit, Intent, SegmentFormat, SourceOffsets};
    use flinkspark_model::port::Datasets;

    async fn output(logs: &Logs, number: u64, rows: ArrayRef) -> Arc<dyn port::Dataset> {
        output_of(logs, number, vec![rows]).await
    }

    /// An output with these columns, the first of which is called "n".
    pub(crate) async fn output_of(
        logs: &Logs,
        number: u64,
        columns: Vec<ArrayRef>,
    ) -> Arc<dyn port::Dataset> {
        let field =
            |(name, column): (&str, &ArrayRef)| Field::new(name, column.data_type().clone(), true);
        let fields: Vec<Field> = ["n", "m"].into_iter().zip(&columns).map(field).collect();
        let schema = Arc::new(Schema::new(fields));
        let id = DatasetId::from_parts(number, [7; 10]);
        let output = logs.dataset(id, Arc::clone(&schema)).await.unwrap();
        let fence = Intent::Fence {
            writer: "w".into(),
            generation: 1,
            restored: 0,
            rewind: false,
            drops: false,
            incarnation: "test".into(),
        };
        output.append(fence).await.unwrap();
        let spec = port::SegmentSpec {
            partition: 0,
            attempt: 0,
            format: SegmentFormat::Arrow,
            schema: Arc::clone(&schema),
            job: None,
        };
        let mut writer = output.stage(spec).await.unwrap();
        let rows = RecordBatch::try_new(schema, columns);
        writer.write(&rows.unwrap()).await.unwrap();
        let commit = Commit {
            writer: "w".into(),
            generation: 1,
            n: 1,
            token: None,
            run: "test".into(),
            source_offsets: SourceOffsets::default(),
            schema_version: 1,
            watermark_ms: None,
            checkpoint_ref: None,
            lineage: Vec::new(),
            segments: vec![writer.seal().await.unwrap().segment],
            manifest: None,
        };
        output.append(Intent::Commit(commit)).await.unwrap();
        output
    }

    pub(crate) async fn logs() -> Logs {
        let store = Arc::new(Objects::memory());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        Logs::open(store, clock, entropy, Settings::default())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn rows_that_print_alike_are_not_taken_for_the_same() {
        let list = |items: &[Option<&str>]| -> ArrayRef {
            let mut lists = ListBuilder::new(StringBuilder::new());
            lists.append_value(items.to_vec());
            Arc::new(lists.finish())
        };
        let logs = logs().await;
        let one = output(&logs, 1, list(&[Some("a, b")])).await;
        let two = output(&logs, 2, list(&[Some("a"), Some("b")])).await;
        let (differing, shown) = super::outputs(&[one, two], ROWS_HELD_MAX).await.unwrap();
        assert_eq!((differing, shown.len()), (2, 2));
        assert_eq!(shown[0].row, shown[1].row);
    }

    #[tokio::test]
    async fn the_differences_are_the_same_in_however_many_parts_they_are_found() {
        let logs = logs().await;
        let numbers = |rows: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(rows)) };
        let left = output(&logs, 1, numbers((0..1000).collect())).await;
        let right = numbers((15..1000).chain([500, 2000]).collect());
        let right = output(&logs, 2, right).await;
        let outputs = [left, right];
        let whole = super::outputs(&outputs, ROWS_HELD_MAX).await.unwrap();
        assert_eq!((whole.0, whole.1.len()), (17, SHOWN_MAX));
        let row = |row: &str, counts: [u64; 2]| Difference {
            row: row.into(),
            counts: counts.into(),
        };
        assert_eq!(whole.1[0], row(r#"{"n":"0"}"#, [1, 0]));
        for held in [1, 7, 500] {
            assert_eq!(
                super::outputs(&outputs, held).await.unwrap(),
                whole,
                "{held}"
            );
        }
    }
}
