//! What rows take once they are plain, and where to cut them.
//!
//! Slices only: no value is copied. For columns that are plain a range is summed from their offsets; for
//! views, dictionaries and run ends each row is weighed once. Invariant: rows keep their order, none is
//! lost, and a piece that is larger than what was asked for is a single row.

use super::encoding::is_encoded;
use super::{CELL_BYTES_MAX, ROW_BYTES_MAX};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, Int16Type, Int32Type, Int64Type, RunEndIndexType,
};
use arrow_array::{Array, ArrayRef, RecordBatch, downcast_integer};
use arrow_buffer::ArrowNativeType;
use arrow_schema::DataType;

/// The bits of an element that has none of its own: a claim of a trillion nulls is not free.
const WEIGHTLESS_BITS: u64 = 8;

/// How large pieces may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Rows of a piece.
    pub(crate) rows_max: usize,
    /// Bytes of a piece of more than one row.
    pub(crate) bytes_max: u64,
}

/// A cell or a row that is larger than a dataset holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// The column of the cell; none where the row as a whole is too large.
    pub(crate) column: Option<String>,
    /// The row within the batch.
    pub(crate) row: usize,
    /// What it takes.
    pub(crate) bytes: u64,
    /// What it may take.
    pub(crate) limit: u64,
}

/// Bytes that the batch's rows take once they are plain, without padding.
pub(crate) fn bytes_of(batch: &RecordBatch) -> u64 {
    Sizes::of(batch).range(0, batch.num_rows())
}

/// The rows in pieces of bounded rows and bytes; an empty batch has none.
pub(crate) fn cut(batch: &RecordBatch, cut: Cut) -> Vec<RecordBatch> {
    let sizes = Sizes::of(batch);
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < batch.num_rows() {
        let rest = (batch.num_rows() - first).min(cut.rows_max.max(1));
        let rows = sizes.rows_within(first, rest, cut.bytes_max);
        pieces.push(batch.slice(first, rows));
        first += rows;
    }
    pieces
}

/// The pieces of [`cut`]; a cell or a row that is larger than a dataset holds is refused.
pub(crate) fn cut_checked(batch: &RecordBatch, cut: Cut) -> Result<Vec<RecordBatch>, TooLarge> {
    let pieces = self::cut(batch, cut);
    let mut first = 0;
    for piece in &pieces {
        if piece.num_rows() == 1 {
            Sizes::of(piece).check_row(piece, first)?;
        }
        first += piece.num_rows();
    }
    Ok(pieces)
}

/// The columns of a batch, ready to be summed over ranges of rows.
struct Sizes {
    columns: Vec<Column>,
}

enum Column {
    Plain(ArrayRef),
    Weighed(Weights),
}

impl Column {
    fn range(&self, first: usize, rows: usize) -> u64 {
        match self {
            Self::Plain(array) => plain_bytes(array.as_ref(), first, rows),
            Self::Weighed(weights) => weights.range(first, rows),
        }
    }
}

impl Sizes {
    fn of(batch: &RecordBatch) -> Self {
        let column = |array: &ArrayRef| {
            if is_encoded(array.data_type()) {
                Column::Weighed(weights(array.as_ref()))
            } else {
                Column::Plain(ArrayRef::clone(array))
            }
        };
        Self {
            columns: batch.columns().iter().map(column).collect(),
        }
    }

    fn range(&self, first: usize, rows: usize) -> u64 {
        let columns = self.columns.iter();
        columns.fold(0, |sum, column| {
            sum.saturating_add(column.range(first, rows))
        })
    }

    /// The most rows from `first` on, up to `rows`, that take at most `bytes_max`; at least one.
    fn rows_within(&self, first: usize, rows: usize, bytes_max: u64) -> usize {
        if self.range(first, rows) <= bytes_max {
            return rows;
        }
        let (mut fits, mut exceeds) = (1, rows);
        while fits + 1 < exceeds {
            let middle = fits + (exceeds - fits) / 2;
            if self.range(first, middle) <= bytes_max {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        fits
    }

    /// Checks the only row of a piece, which is the row `row` of its batch.
    fn check_row(&self, piece: &RecordBatch, row: usize) -> Result<(), TooLarge> {
        let whole = self.range(0, 1);
        if whole <= CELL_BYTES_MAX {
            return Ok(());
        }
        for (index, column) in self.columns.iter().enumerate() {
            let bytes = column.range(0, 1);
            if bytes > CELL_BYTES_MAX {
                return Err(TooLarge {
                    column: Some(piece.schema_ref().field(index).name().clone()),
                    row,
                    bytes,
                    limit: CELL_BYTES_MAX,
                });
            }
        }
        if whole <= ROW_BYTES_MAX {
            return Ok(());
        }
        Err(TooLarge {
            column: None,
            row,
            bytes: whole,
            limit: ROW_BYTES_MAX,
        })
    }
}

/// Bytes that the rows `first..first + rows` take once they are plain.
pub(crate) fn plain_bytes(array: &dyn Array, first: usize, rows: usize) -> u64 {
    use DataType as D;
    let last = first + rows;
    let validity = rows.div_ceil(8) as u64;
    match array.data_type() {
        D::Utf8 => ends(array.as_string::<i32>().offsets(), first, last) + wide(rows, 4),
        D::LargeUtf8 => ends(array.as_string::<i64>().offsets(), first, last) + wide(rows, 8),
        D::Binary => ends(array.as_binary::<i32>().offsets(), first, last) + wide(rows, 4),
        D::LargeBinary => ends(array.as_binary::<i64>().offsets(), first, last) + wide(rows, 8),
        D::List(_) => {
            let lists = array.as_list::<i32>();
            items(lists.offsets(), lists.values().as_ref(), first, last) + wide(rows, 4)
        }
        D::LargeList(_) => {
            let lists = array.as_list::<i64>();
            items(lists.offsets(), lists.values().as_ref(), first, last) + wide(rows, 8)
        }
        D::Map(..) => {
            let maps = array.as_map();
            items(maps.offsets(), maps.entries(), first, last) + wide(rows, 4)
        }
        D::FixedSizeList(_, length) if *length > 0 => {
            let (length, values) = (*length as usize, array.as_fixed_size_list().values());
            plain_bytes(values.as_ref(), first * length, rows * length) + validity
        }
        D::Struct(fields) if !fields.is_empty() => {
            let columns = array.as_struct().columns().iter();
            columns.fold(validity, |sum, column| {
                sum.saturating_add(plain_bytes(column.as_ref(), first, rows))
            })
        }
        other => match fixed_bits(other) {
            Some(bits) => (rows as u64).saturating_mul(bits).div_ceil(8),
            None => weights(array).range(first, rows),
        },
    }
}

fn wide(rows: usize, width: u64) -> u64 {
    rows as u64 * width + rows.div_ceil(8) as u64
}

fn ends<O: ArrowNativeType>(offsets: &[O], first: usize, last: usize) -> u64 {
    offsets[last]
        .as_usize()
        .saturating_sub(offsets[first].as_usize()) as u64
}

fn items<O: ArrowNativeType>(offsets: &[O], values: &dyn Array, first: usize, last: usize) -> u64 {
    let (first, last) = (offsets[first].as_usize(), offsets[last].as_usize());
    plain_bytes(values, first, last.saturating_sub(first))
}

/// The bits of a value with its validity, where all of the type have the same.
fn fixed_bits(data_type: &DataType) -> Option<u64> {
    use DataType as D;
    match data_type {
        D::Null => Some(WEIGHTLESS_BITS),
        D::Boolean => Some(2),
        D::FixedSizeBinary(width) if *width > 0 => Some(8 * *width as u64 + 1),
        D::FixedSizeBinary(_) => Some(WEIGHTLESS_BITS),
        D::FixedSizeList(_, 0) => Some(WEIGHTLESS_BITS),
        D::FixedSizeList(item, length) => {
            let length = u64::try_from(*length).unwrap_or(0);
            Some(fixed_bits(item.data_type())?.saturating_mul(length) + 1)
        }
        D::Struct(fields) if fields.is_empty() => Some(WEIGHTLESS_BITS),
        D::Struct(fields) => fields.iter().try_fold(1_u64, |sum, field| {
            Some(sum.saturating_add(fixed_bits(field.data_type())?))
        }),
        other => other.primitive_width().map(|width| 8 * width as u64 + 1),
    }
}

/// What each row of an array takes, summed from the first on.
enum Weights {
    /// Bits, the same for each row.
    Fixed(u64),
    /// Bytes of all rows before each, and of all.
    Sums(Vec<u64>),
}

impl Weights {
    fn range(&self, first: usize, rows: usize) -> u64 {
        match self {
            Self::Fixed(bits) => (rows as u64).saturating_mul(*bits).div_ceil(8),
            Self::Sums(sums) => sums[first + rows].saturating_sub(sums[first]),
        }
    }

    fn sum(rows: impl Iterator<Item = u64>) -> Self {
        let mut sums = Vec::with_capacity(rows.size_hint().0 + 1);
        let mut sum: u64 = 0;
        sums.push(sum);
        for bytes in rows {
            sum = sum.saturating_add(bytes);
            sums.push(sum);
        }
        Self::Sums(sums)
    }
}

fn weights(array: &dyn Array) -> Weights {
    use DataType as D;
    if let Some(bits) = fixed_bits(array.data_type()) {
        return Weights::Fixed(bits);
    }
    let rows = 0..array.len();
    match array.data_type() {
        D::Utf8View => Weights::sum(
            array
                .as_string_view()
                .lengths()
                .map(|bytes| u64::from(bytes) + 5),
        ),
        D::BinaryView => Weights::sum(
            array
                .as_binary_view()
                .lengths()
                .map(|bytes| u64::from(bytes) + 5),
        ),
        D::List(_) => weigh_lists(
            array.as_list::<i32>().offsets(),
            array.as_list::<i32>().values(),
        ),
        D::LargeList(_) => weigh_lists(
            array.as_list::<i64>().offsets(),
            array.as_list::<i64>().values(),
        ),
        D::Map(..) => weigh_lists(array.as_map().offsets(), array.as_map().entries()),
        D::ListView(_) => {
            let lists = array.as_list_view::<i32>();
            weigh_views(lists.offsets(), lists.sizes(), lists.values())
        }
        D::LargeListView(_) => {
            let lists = array.as_list_view::<i64>();
            weigh_views(lists.offsets(), lists.sizes(), lists.values())
        }
        D::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            let values = weights(array.as_fixed_size_list().values().as_ref());
            Weights::sum(rows.map(|row| values.range(row * length, length) + 1))
        }
        D::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            let columns: Vec<Weights> = columns.map(|column| weights(column.as_ref())).collect();
            let row = |row| {
                columns.iter().fold(1_u64, |sum, column| {
                    sum.saturating_add(column.range(row, 1))
                })
            };
            Weights::sum(rows.map(row))
        }
        D::Dictionary(keys, _) => weigh_dictionary(array, keys),
        D::RunEndEncoded(ends, _) => match ends.data_type() {
            D::Int16 => weigh_runs::<Int16Type>(array),
            D::Int32 => weigh_runs::<Int32Type>(array),
            D::Int64 => weigh_runs::<Int64Type>(array),
            _ => Weights::Fixed(WEIGHTLESS_BITS),
        },
        _ => Weights::sum(rows.map(|row| plain_bytes(array, row, 1))),
    }
}

fn weigh_lists<O: ArrowNativeType>(offsets: &[O], values: &dyn Array) -> Weights {
    let values = weights(values);
    let row = |pair: &[O]| {
        let (first, last) = (pair[0].as_usize(), pair[1].as_usize());
        values.range(first, last.saturating_sub(first)) + 9
    };
    Weights::sum(offsets.windows(2).map(row))
}

fn weigh_views<O: ArrowNativeType>(offsets: &[O], sizes: &[O], values: &dyn Array) -> Weights {
    let values = weights(values);
    let row = |(offset, size): (&O, &O)| values.range(offset.as_usize(), size.as_usize()) + 9;
    Weights::sum(offsets.iter().zip(sizes).map(row))
}

fn weigh_dictionary(array: &dyn Array, keys: &DataType) -> Weights {
    fn of<K: ArrowDictionaryKeyType>(array: &dyn Array) -> Weights {
        let dictionary = array.as_dictionary::<K>();
        match weights(dictionary.values().as_ref()) {
            Weights::Fixed(bits) => Weights::Fixed(bits),
            values => {
                let key = |key: Option<usize>| key.map_or(1, |key| values.range(key, 1));
                Weights::sum(dictionary.keys_iter().map(key))
            }
        }
    }
    macro_rules! keys {
        ($key:ty, $array:expr) => {
            of::<$key>($array)
        };
    }
    downcast_integer! {
        keys => (keys, array),
        _ => Weights::Fixed(WEIGHTLESS_BITS)
    }
}

fn weigh_runs<E: RunEndIndexType>(array: &dyn Array) -> Weights {
    let Some(runs) = array.as_run_opt::<E>() else {
        return Weights::Fixed(WEIGHTLESS_BITS);
    };
    match weights(runs.values().as_ref()) {
        Weights::Fixed(bits) => Weights::Fixed(bits),
        values => {
            let mut run = runs.get_start_physical_index();
            let ends = runs.run_ends().values();
            let row = |row: usize| {
                while ends
                    .get(run)
                    .is_some_and(|end| end.as_usize() <= runs.offset() + row)
                {
                    run += 1;
                }
                values.range(run, 1)
            };
            Weights::sum((0..runs.len()).map(row))
        }
    }
}
