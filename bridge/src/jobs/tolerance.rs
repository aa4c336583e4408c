//! Compares outputs in which some columns of floats depend on an order of rows that is not defined.
//!
//! Rows are matched as multisets: every other column exactly, by digest, and these within a relative
//! tolerance. Invariant: it finds no difference exactly where every row of one output can be given a row of
//! the other of its own, and the memory that it takes does not grow with the outputs.

mod assignment;

use super::compare::{Difference, Printer, partitions};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use assignment::assign;
use flinkspark_model::digest::Digester;
use flinkspark_model::port::{self, ReadOptions};
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Two DOUBLEs are the same up to this part of the greater one.
pub(super) const DOUBLE: f64 = 1e-9;
/// Two FLOATs: they have 24 bits.
pub(super) const FLOAT: f64 = 1e-6;

/// Keys that are sampled for each part into which the rows are dealt.
const SAMPLES_PER_PART: u64 = 64;
/// The tolerance of a column.
pub(super) fn of(ty: &DataType) -> f64 {
    match ty {
        DataType::Float32 => FLOAT,
        _ => DOUBLE,
    }
}

/// Whether two values are the same within a tolerance: NULL only NULL, NaN only NaN, an infinity only itself.
pub(super) fn close(one: Option<f64>, other: Option<f64>, tolerance: f64) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(a), Some(b)) if a.is_nan() || b.is_nan() => a.is_nan() && b.is_nan(),
        (Some(a), Some(b)) if a == b => true,
        (Some(a), Some(b)) => {
            let most = a.abs().max(b.abs());
            most.is_finite() && (a - b).abs() <= tolerance * most
        }
        _ => false,
    }
}

/// A row: the hash of its exact columns, then its others in a total order of their values.
type Key = (u128, Vec<u64>);

/// How often each output has a row, and the row as JSON.
type Rows = BTreeMap<Key, ([u64; 2], String)>;

/// What a comparison of two outputs found.
#[derive(Default)]
struct Found {
    differing: u64,
    shown: BTreeMap<(String, Key), [u64; 2]>,
}

/// Compares each output with the first; `columns` are compared within their tolerance.
pub(super) async fn outputs(
    outputs: &[Arc<dyn port::Dataset>],
    columns: &[usize],
    rows_held_max: u64,
    shown_max: usize,
) -> Result<(u64, Vec<Difference>)> {
    let mut differing = 0;
    let mut differences = Vec::new();
    let Some((first, others)) = outputs.split_first() else {
        return Ok((0, differences));
    };
    for (index, other) in others.iter().enumerate() {
        let pair = Pair {
            outputs: [first.as_ref(), other.as_ref()],
            columns,
            shown_max,
        };
        let found = pair.compare(rows_held_max).await?;
        differing += found.differing;
        for ((row, _), [of_first, of_other]) in found.shown {
            let mut counts = vec![0; outputs.len()];
            counts[0] = of_first;
            counts[index + 1] = of_other;
            differences.push(Difference { row, counts });
        }
    }
    differences.truncate(shown_max);
    Ok((differing, differences))
}

struct Pair<'a> {
    outputs: [&'a dyn port::Dataset; 2],
    columns: &'a [usize],
    shown_max: usize,
}

impl Pair<'_> {
    /// The rows are dealt into ranges of their keys, and each range is a pass over the outputs. What lies at
    /// a range's end may match what lies behind it: it is carried on.
    async fn compare(&self, rows_held_max: u64) -> Result<Found> {
        let mut found = Found::default();
        let mut carried = Rows::new();
        let cuts = self.cuts(rows_held_max.max(1)).await?;
        let mut low: Option<Key> = None;
        for high in cuts.into_iter().map(Some).chain([None]) {
            let mut rows = std::mem::take(&mut carried);
            for side in [0, 1] {
                let wanted = |key: &Key| {
                    low.as_ref().is_none_or(|low| key > low)
                        && high.as_ref().is_none_or(|high| key <= high)
                };
                self.each(side, |key, row| {
                    if wanted(&key) {
                        let counts = rows.entry(key);
                        let counts = match counts {
                            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                            std::collections::btree_map::Entry::Vacant(entry) => {
                                entry.insert(([0; 2], row()?))
                            }
                        };
                        counts.0[side] += 1;
                    }
                    Ok(())
                })
                .await?;
            }
            let mut clusters = self.clusters(rows);
            if high.is_some() {
                carried = clusters.pop().unwrap_or_default();
            }
            for cluster in clusters {
                self.settle(cluster, &mut found);
            }
            low = high;
        }
        Ok(found)
    }

    /// Where the ranges end: quantiles of a sample.
    async fn cuts(&self, rows_held_max: u64) -> Result<Vec<Key>> {
        let mut rows = 0;
        for output in self.outputs {
            let (count, bytes, _) = output.refresh().await?.totals();
            rows += count.max(bytes / super::compare::ROW_BYTES_EXPECTED);
        }
        let parts = rows / rows_held_max + 1;
        if parts == 1 {
            return Ok(Vec::new());
        }
        let every = (rows / (parts * SAMPLES_PER_PART)).max(1);
        let (mut sample, mut seen) = (Vec::new(), 0);
        for side in [0, 1] {
            self.each(side, |key, _| {
                if seen % every == 0 {
                    sample.push(key);
                }
                seen += 1;
                Ok(())
            })
            .await?;
        }
        sample.sort_unstable();
        let at = |part: u64| {
            sample
                .get((part * sample.len() as u64 / parts) as usize)
                .cloned()
        };
        let mut cuts: Vec<Key> = (1..parts).filter_map(at).collect();
        cuts.dedup();
        Ok(cuts)
    }

    /// Every row of an output, with a way to print it.
    async fn each(
        &self,
        side: usize,
        mut take: impl FnMut(Key, &dyn Fn() -> Result<String>) -> Result<()>,
    ) -> Result<()> {
        let output = self.outputs[side];
        let schema = output.schema();
        let exact: Vec<usize> = (0..schema.fields().len())
            .filter(|column| !self.columns.contains(column))
            .collect();
        let projected = Arc::new(schema.project(&exact).map_err(misfit)?);
        let mut digester = Digester::new(&projected)?;
        let view = output.refresh().await?;
        for partition in partitions(&view) {
            let options = ReadOptions::default();
            let mut rows = output
                .read(partition, Position::START, view.head(), options)
                .await?;
            while let Some(read) = rows.try_next().await? {
                let hashes = hashes(&mut digester, &read.batch, &exact, &projected)?;
                let printer = Printer::new(&read.batch)?;
                for (row, hash) in hashes.into_iter().enumerate() {
                    let values = self.columns.iter();
                    let values = values.map(|column| ordered(value(&read.batch, *column, row)));
                    take((hash, values.collect()), &|| printer.json(row))?;
                }
            }
        }
        Ok(())
    }

    fn tolerance(&self, at: usize) -> f64 {
        let schema = self.outputs[0].schema();
        let column = self
            .columns
            .get(at)
            .and_then(|column| schema.fields().get(*column));
        column.map_or(DOUBLE, |field| of(field.data_type()))
    }

    /// Rows that can match one another: neighbours in the first of the columns, and equal in the exact ones.
    fn clusters(&self, rows: Rows) -> Vec<Rows> {
        let tolerance = self.tolerance(0);
        let mut clusters: Vec<Rows> = Vec::new();
        for (key, row) in rows {
            let near = |last: &Rows| {
                last.last_key_value().is_some_and(|(before, _)| {
                    let [one, other] =
                        [before, &key].map(|key| key.1.first().copied().and_then(valued));
                    before.0 == key.0 && close(one, other, tolerance)
                })
            };
            match clusters.last_mut().filter(|last| near(last)) {
                Some(last) => {
                    last.insert(key, row);
                }
                None => clusters.push(Rows::from([(key, row)])),
            }
        }
        clusters
    }

    /// Gives rows of one side to rows of the other, and keeps what is left as differing.
    fn settle(&self, cluster: Rows, found: &mut Found) {
        let tolerances: Vec<f64> = (0..self.columns.len())
            .map(|at| self.tolerance(at))
            .collect();
        let alike = |one: &Key, other: &Key| {
            let pairs = one.1.iter().zip(&other.1).zip(&tolerances);
            let mut pairs = pairs
                .map(|((one, other), tolerance)| close(valued(*one), valued(*other), *tolerance));
            pairs.all(|close| close)
        };
        let keys: Vec<&Key> = cluster.keys().collect();
        let left: Vec<u64> = cluster.values().map(|(counts, _)| counts[0]).collect();
        let right: Vec<u64> = cluster.values().map(|(counts, _)| counts[1]).collect();
        let rest = assign(left, right, |one, other| alike(keys[one], keys[other]));
        for ((key, (_, row)), counts) in cluster.iter().zip(rest) {
            if counts != [0; 2] {
                found.differing += counts[0] + counts[1];
                found.shown.insert((row.clone(), key.clone()), counts);
                if found.shown.len() > self.shown_max {
                    found.shown.pop_last();
                }
            }
        }
    }
}

fn hashes(
    digester: &mut Digester,
    batch: &RecordBatch,
    exact: &[usize],
    projected: &Arc<Schema>,
) -> Result<Vec<u128>> {
    if exact.is_empty() {
        return Ok(vec![0; batch.num_rows()]);
    }
    let columns = exact.iter().map(|column| Arc::clone(batch.column(*column)));
    let rows = RecordBatch::try_new(Arc::clone(projected), columns.collect()).map_err(misfit)?;
    let mut hashes = Vec::with_capacity(rows.num_rows());
    digester.hashes(&rows, |hash| hashes.push(hash))?;
    Ok(hashes)
}

fn value(batch: &RecordBatch, column: usize, row: usize) -> Option<f64> {
    let column = batch.column(column);
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Float32 => Some(column.as_primitive::<Float32Type>().value(row).into()),
        _ => Some(column.as_primitive::<Float64Type>().value(row)),
    }
}

/// A value as a number that orders like it: NULL first, NaN last, and one NaN.
fn ordered(value: Option<f64>) -> u64 {
    let Some(value) = value else { return 0 };
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = value.to_bits();
    // Infinity's order is far from either end, so neither mark is a value's.
    match value.is_sign_negative() {
        true => !bits,
        false => bits | (1 << 63),
    }
}

/// The value of [`ordered`].
fn valued(order: u64) -> Option<f64> {
    match order {
        0 => None,
        u64::MAX => Some(f64::NAN),
        order if order >> 63 == 1 => Some(f64::from_bits(order & !(1 << 63))),
        order => Some(f64::from_bits(!order)),
    }
}

fn misfit(cause: arrow_schema::ArrowError) -> Error {
    Error::new(Kind::Internal, "FS0008", "a row could not be compared").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::super::compare::tests::{logs, output_of};
    use super::*;
    use arrow_array::{ArrayRef, Float64Array, Int64Array};

    #[test]
    fn values_are_close_by_their_size_and_marks_only_to_themselves() {
        let yes = [
            (Some(1.0), Some(1.0 + 9e-10)),
            (Some(-1e300), Some(-1e300 * (1.0 + 9e-10))),
            (Some(0.0), Some(-0.0)),
            (Some(f64::NAN), Some(-f64::NAN)),
            (Some(f64::INFINITY), Some(f64::INFINITY)),
            (None, None),
        ];
        let no = [
            (Some(1.0), Some(1.0 + 2e-9)),
            (Some(1e-300), Some(-1e-300)),
            (Some(f64::INFINITY), Some(f64::MAX)),
            (Some(f64::INFINITY), Some(f64::NEG_INFINITY)),
            (Some(f64::MAX), Some(f64::MIN)),
            (Some(f64::NAN), Some(0.0)),
            (None, Some(0.0)),
        ];
        assert!(
            yes.into_iter()
                .all(|(a, b)| close(a, b, DOUBLE) && close(b, a, DOUBLE))
        );
        assert!(
            !no.into_iter()
                .any(|(a, b)| close(a, b, DOUBLE) || close(b, a, DOUBLE))
        );
        for (a, b) in yes.into_iter().chain(no) {
            assert!(close(valued(ordered(a)), a, 0.0) && close(valued(ordered(b)), b, 0.0));
        }
    }

    #[tokio::test]
    async fn rows_within_the_tolerance_match_as_multisets_in_however_many_parts() {
        let logs = logs().await;
        let nudged = |value: f64| value * (1.0 + 3e-10);
        let values = |row: i64| (row % 7) as f64 * 1e3 + row as f64 * 1e-3;
        let rows = |rows: Vec<(i64, Option<f64>)>| -> Vec<ArrayRef> {
            let keys: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
            let sums: Float64Array = rows.iter().map(|row| row.1).collect();
            vec![Arc::new(keys), Arc::new(sums)]
        };
        let of = |change: &dyn Fn(i64) -> Option<f64>| {
            rows((0..900).map(|row| (row % 3, change(row))).collect())
        };
        let odd = |row: i64| match row {
            5 => Some(None),
            6 => Some(Some(f64::NAN)),
            7 => Some(Some(f64::NEG_INFINITY)),
            _ => None,
        };
        let left = of(&|row| odd(row).unwrap_or(Some(values(row))));
        let right = of(&|row| odd(row).unwrap_or(Some(nudged(values(row)))));
        let other =
            of(&|row| odd(row).unwrap_or(Some(if row == 40 { 1.0 } else { nudged(values(row)) })));
        let left = output_of(&logs, 1, left).await;
        let right = output_of(&logs, 2, right).await;
        let other = output_of(&logs, 3, other).await;
        for held in [1 << 19, 500, 60, 7] {
            let same = [Arc::clone(&left), Arc::clone(&right)];
            assert_eq!(outputs(&same, &[1], held, 10).await.unwrap().0, 0, "{held}");
            let differ = [Arc::clone(&left), Arc::clone(&other)];
            let (differing, shown) = outputs(&differ, &[1], held, 10).await.unwrap();
            assert_eq!((differing, shown.len()), (2, 2), "{held}");
        }
        let exact = [Arc::clone(&left), right];
        assert!(outputs(&exact, &[], 1 << 19, 10).await.unwrap().0 > 0);
    }
}
