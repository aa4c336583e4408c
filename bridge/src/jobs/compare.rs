//! Compares outputs as multisets of rows, and says which rows differ.
//!
//! It is asked once the digests have shown that they do. Invariant: the memory that it takes does not
//! grow with the outputs.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use flinkspark_model::port::{self, ReadOptions};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows that are held at once to compare them.
pub(super) const ROWS_HELD_MAX: u64 = 1 << 19;
/// The most differing rows that are shown.
const SHOWN_MAX: usize = 10;

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
        rows += output.refresh().await?.totals().0;
    }
    let parts = rows / rows_held_max.max(1) + 1;
    let mut differing = 0;
    let mut shown: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for part in 0..parts {
        let mut counts = BTreeMap::new();
        for (index, output) in outputs.iter().enumerate() {
            let mine = |row: &str| xxhash_rust::xxh3::xxh3_64(row.as_bytes()) % parts == part;
            let zeros = || vec![0; outputs.len()];
            count(output.as_ref(), mine, |row| {
                let counted = counts.entry(row).or_insert_with(zeros);
                if let Some(count) = counted.get_mut(index) {
                    *count += 1;
                }
            })
            .await?;
        }
        counts.retain(|_, counts: &mut Vec<u64>| {
            counts
                .windows(2)
                .any(|pair| matches!(pair, [a, b] if a != b))
        });
        differing += counts.len() as u64;
        shown.append(&mut counts);
        while shown.len() > SHOWN_MAX {
            shown.pop_last();
        }
    }
    let shown = shown
        .into_iter()
        .map(|(row, counts)| Difference { row, counts });
    Ok((differing, shown.collect()))
}

/// Every row of an output as JSON, where it is wanted.
async fn count(
    output: &dyn port::Dataset,
    wanted: impl Fn(&str) -> bool,
    mut take: impl FnMut(String),
) -> Result<()> {
    let view = output.refresh().await?;
    let partitions = view
        .live()
        .flat_map(|epoch| &epoch.segments)
        .map(|segment| segment.partition);
    for partition in 0..=partitions.max().unwrap_or(0) {
        let options = ReadOptions::default();
        let mut rows = output
            .read(partition, Position::START, view.head(), options)
            .await?;
        while let Some(read) = rows.try_next().await? {
            json_rows(&read.batch)?
                .into_iter()
                .filter(|row| wanted(row))
                .for_each(&mut take);
        }
    }
    Ok(())
}

fn json_rows(batch: &RecordBatch) -> Result<Vec<String>> {
    let failed = |cause| {
        Error::new(Kind::Internal, "FS0008", "a row could not be printed").with_source(cause)
    };
    let options = FormatOptions::new();
    let columns: Vec<ArrayFormatter<'_>> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)?;
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut object = Map::new();
        for ((field, column), array) in batch
            .schema_ref()
            .fields()
            .iter()
            .zip(&columns)
            .zip(batch.columns())
        {
            let text = column.value(row).try_to_string().map_err(failed)?;
            object.insert(
                field.name().clone(),
                if array.is_null(row) {
                    Value::Null
                } else {
                    text.into()
                },
            );
        }
        rows.push(Value::from(object).to_string());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{SystemClock, SystemEntropy};
    use arrow_array::Int64Array;
    use arrow_schema::{DataType, Field, Schema};
    use flinkspark_connector::store::{Logs, Settings, object::Objects};
    use flinkspark_model::dataset::DatasetId;
    use flinkspark_model::log::{Commit, Intent, SegmentFormat, SourceOffsets};
    use flinkspark_model::port::Datasets;

    async fn output(logs: &Logs, number: u64, rows: Vec<i64>) -> Arc<dyn port::Dataset> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        let id = DatasetId::from_parts(number, [7; 10]);
        let output = logs.dataset(id, Arc::clone(&schema)).await.unwrap();
        let fence = Intent::Fence {
            writer: "w".into(),
            generation: 1,
            restored: 0,
            rewind: false,
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
        let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(rows))]);
        writer.write(&rows.unwrap()).await.unwrap();
        let commit = Commit {
            writer: "w".into(),
            generation: 1,
            n: 1,
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

    #[tokio::test]
    async fn the_differences_are_the_same_in_however_many_parts_they_are_found() {
        let store = Arc::new(Objects::memory());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let logs = Logs::open(store, clock, entropy, Settings::default())
            .await
            .unwrap();
        let left = output(&logs, 1, (0..1000).collect()).await;
        let right = output(&logs, 2, (15..1000).chain([500, 2000]).collect()).await;
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
