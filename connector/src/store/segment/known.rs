//! What a segment's footer knows of its columns: bounds and nulls of the whole and of its blocks.
//!
//! One text for each column: entries joined by `;`, the first of all rows, then one for each so many blocks
//! that follow one another. Pure. Invariant: they are believed only behind the footer's checksum, and say
//! nothing of a column that they do not name.

use crate::filter;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use flinkspark_model::filter::{Bound, ColumnStatistics};
use std::collections::BTreeMap;

/// The most columns of which anything is known: the first of the schema.
pub(super) const KNOWN_COLUMNS_MAX: usize = 512;
/// The most bytes that entries of blocks take in a footer; beyond it each is of twice as many blocks.
const KNOWN_BYTES_MAX: usize = 256 << 10;
/// What an entry takes in memory, in bytes, besides its bounds.
const ENTRY_BYTES: usize = 256;

/// Into how many blocks an entry looks.
const SPAN: &str = "flinkspark.statistics";

/// Gathers what is known while blocks are stored.
#[derive(Default)]
pub(super) struct Gathered {
    columns: Vec<Column>,
    /// Blocks of an entry.
    span: usize,
    blocks: usize,
    /// What the entries of blocks take as text, in bytes.
    bytes: usize,
}

#[derive(Default)]
struct Column {
    whole: ColumnStatistics,
    spans: Vec<ColumnStatistics>,
}

impl Gathered {
    pub(super) fn new(schema: &Schema) -> Self {
        let columns = schema.fields().len().min(KNOWN_COLUMNS_MAX);
        Self {
            columns: (0..columns).map(|_| Column::default()).collect(),
            span: 1,
            ..Self::default()
        }
    }

    /// Takes the next block.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let begins = self.blocks.is_multiple_of(self.span);
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            let block = filter::statistics(array);
            column.whole.merge(&block);
            match column.spans.last_mut() {
                Some(span) if !begins => span.merge(&block),
                _ => {
                    self.bytes += block.to_text().len() + 1;
                    column.spans.push(block);
                }
            }
        }
        self.blocks += 1;
        while self.bytes > KNOWN_BYTES_MAX && self.span < self.blocks {
            self.widen();
        }
    }

    /// Makes one entry of two.
    fn widen(&mut self) {
        self.span *= 2;
        self.bytes = 0;
        for column in &mut self.columns {
            let pairs = column.spans.chunks(2).filter_map(|pair| {
                let (first, rest) = pair.split_first()?;
                let mut merged = first.clone();
                rest.iter().for_each(|span| merged.merge(span));
                Some(merged)
            });
            column.spans = pairs.collect();
            let bytes = column.spans.iter().map(|span| span.to_text().len() + 1);
            self.bytes += bytes.sum::<usize>();
        }
    }

    /// What it takes in memory, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        let entries: usize = self
            .columns
            .iter()
            .map(|column| 1 + column.spans.len())
            .sum();
        (self.bytes + entries * ENTRY_BYTES) as u64
    }

    /// The footer's metadata.
    pub(super) fn metadata(&self) -> Vec<(String, String)> {
        let mut all = vec![(SPAN.into(), self.span.to_string())];
        for (index, column) in self.columns.iter().enumerate() {
            let entries = [&column.whole].into_iter().chain(&column.spans);
            let entries: Vec<String> = entries.map(ColumnStatistics::to_text).collect();
            all.push((format!("{SPAN}.{index}"), entries.join(";")));
        }
        all
    }
}

/// What is known of the columns that were asked for.
#[derive(Default)]
pub(super) struct Known {
    rows: u64,
    span: usize,
    columns: BTreeMap<String, KnownColumn>,
}

struct KnownColumn {
    whole: ColumnStatistics,
    spans: Vec<ColumnStatistics>,
}

impl Known {
    /// Reads what the footer's metadata says of `wanted` columns of the stored schema, whose blocks have these rows.
    ///
    /// Errors: what is torn.
    pub(super) fn read(
        entry: impl Fn(&str) -> Option<String>,
        schema: &Schema,
        rows: &[u64],
        wanted: &[String],
    ) -> Result<Self, String> {
        let torn = || String::from("its statistics are torn");
        let span = entry(SPAN).and_then(|span| span.parse::<usize>().ok());
        let span = span.filter(|span| *span > 0).ok_or_else(torn)?;
        let mut known = Self {
            rows: rows.iter().sum(),
            span,
            ..Self::default()
        };
        for (index, field) in schema.fields().iter().enumerate() {
            if !wanted.contains(field.name()) {
                continue;
            }
            if let Some(text) = entry(&format!("{SPAN}.{index}")) {
                let column = column(&text, field.data_type(), rows, span).ok_or_else(torn)?;
                known.columns.insert(field.name().clone(), column);
            }
        }
        Ok(known)
    }

    /// Whether a row of the block with this index, or any without one, may match a filter that is bound to `schema`.
    pub(super) fn may_match(
        &self,
        filter: &Bound,
        schema: &Schema,
        stored: &Schema,
        block: Option<usize>,
    ) -> bool {
        let of = |index: usize| {
            let name = schema.fields().get(index)?.name();
            if stored.index_of(name).is_err() {
                // The segment is too old to have it: it reads as null.
                return Some(ColumnStatistics::all_null(self.rows.max(1)));
            }
            let column = self.columns.get(name)?;
            match block {
                None => Some(column.whole.clone()),
                Some(block) => column.spans.get(block / self.span.max(1)).cloned(),
            }
        };
        let columns = filter.columns().into_iter();
        let statistics = columns.filter_map(|index| Some((index, of(index)?)));
        filter.may_match(&statistics.collect())
    }
}

fn column(text: &str, data_type: &DataType, rows: &[u64], span: usize) -> Option<KnownColumn> {
    let mut entries = text.split(';');
    let whole = ColumnStatistics::from_text(entries.next()?, rows.iter().sum(), data_type)?;
    let spans = rows.chunks(span).map(|rows| {
        let rows = rows.iter().sum();
        ColumnStatistics::from_text(entries.next()?, rows, data_type)
    });
    let spans = spans.collect::<Option<Vec<_>>>()?;
    entries
        .next()
        .is_none()
        .then_some(KnownColumn { whole, spans })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use flinkspark_model::filter::Filter;
    use std::sync::Arc;

    fn block(first: i64, rows: usize) -> RecordBatch {
        let numbers: Int64Array = (first..).take(rows).collect();
        let texts: StringArray = (first..)
            .take(rows)
            .map(|n| Some("x".repeat(200) + &n.to_string()))
            .collect();
        RecordBatch::try_from_iter([
            ("n", Arc::new(numbers) as ArrayRef),
            ("text", Arc::new(texts)),
        ])
        .unwrap()
    }

    fn read(gathered: &Gathered, rows: &[u64]) -> Result<Known, String> {
        let entries: BTreeMap<String, String> = gathered.metadata().into_iter().collect();
        let schema = block(0, 0).schema();
        let wanted = ["n".into(), "text".into()];
        Known::read(|name| entries.get(name).cloned(), &schema, rows, &wanted)
    }

    #[test]
    fn a_block_is_known_by_its_own_bounds() {
        let schema = block(0, 0).schema();
        let mut gathered = Gathered::new(&schema);
        for at in 0..10 {
            gathered.add(&block(at * 100, 100));
        }
        let known = read(&gathered, &[100; 10]).unwrap();
        let filter: Filter =
            serde_json::from_str(r#"{"eq": {"column": "n", "value": 350}}"#).unwrap();
        let bound = filter.bind(&schema).unwrap();
        let may: Vec<bool> = (0..10)
            .map(|block| known.may_match(&bound, &schema, &schema, Some(block)))
            .collect();
        assert_eq!(may.iter().filter(|may| **may).count(), 1);
        assert!(may[3] && known.may_match(&bound, &schema, &schema, None));
        let older = Schema::empty();
        assert!(
            !known.may_match(&bound, &schema, &older, None),
            "a column that it lacks is null"
        );
    }

    #[test]
    fn what_is_known_stays_small_however_many_the_blocks() {
        let schema = block(0, 0).schema();
        let mut gathered = Gathered::new(&schema);
        for at in 0..5_000 {
            gathered.add(&block(at * 3, 3));
        }
        let bytes: usize = gathered.metadata().iter().map(|(_, text)| text.len()).sum();
        assert!(bytes < KNOWN_BYTES_MAX + 4096, "{bytes}");
        assert!(gathered.memory_bytes() < 2 << 20);
        let known = read(&gathered, &[3; 5_000]).unwrap();
        let filter: Filter =
            serde_json::from_str(r#"{"eq": {"column": "n", "value": 7000}}"#).unwrap();
        let bound = filter.bind(&schema).unwrap();
        let may =
            (0..5_000).filter(|block| known.may_match(&bound, &schema, &schema, Some(*block)));
        assert!((1..=16).contains(&may.count()));
    }

    #[test]
    fn only_the_first_columns_of_a_wide_schema_are_known() {
        let columns = (0..10_000).map(|at| {
            (
                format!("c{at}"),
                Arc::new(Int64Array::from(vec![at])) as ArrayRef,
            )
        });
        let wide = RecordBatch::try_from_iter(columns).unwrap();
        let mut gathered = Gathered::new(wide.schema_ref());
        gathered.add(&wide);
        assert_eq!(gathered.metadata().len(), 1 + KNOWN_COLUMNS_MAX);
    }

    #[test]
    fn torn_statistics_are_noticed() {
        let mut gathered = Gathered::new(&block(0, 0).schema());
        gathered.add(&block(0, 5));
        gathered.add(&block(5, 5));
        assert!(read(&gathered, &[5, 5]).is_ok());
        for rows in [&[5][..], &[5, 5, 5], &[]] {
            assert!(read(&gathered, rows).is_err(), "{rows:?}");
        }
        gathered.columns[0].spans[0].nulls = 6;
        assert!(read(&gathered, &[5, 5]).is_err());
    }
}
