//! Holds what a message of rows claims against what arrived.
//!
//! Reads the header, and of a compressed body the sizes that its buffers begin with. Invariant: after it
//! passed, every buffer lies within the body, no byte of the body is counted twice, each element of each
//! node has its bits in a buffer or is one of a bounded number that need none.

use super::{Limits, Refusal, Result, UNPACKED_BYTES_MAX, damaged};
use arrow_ipc::{CompressionType, FieldNode, MetadataVersion, RecordBatch};
use arrow_schema::{DataType, FieldRef, Fields, UnionFields, UnionMode};
use std::collections::VecDeque;
use std::ops::Range;

/// The most that one byte of an LZ4 frame unpacks to.
const LZ4_RATIO_MAX: u64 = 255;
/// One view: a length, and the text or where it is.
const VIEW_BYTES: usize = 16;
/// The size that a compressed buffer begins with.
pub(super) const PREFIX_BYTES: usize = 8;

/// Where the buffers of a message lie.
pub(super) struct Layout {
    pub(super) buffers: Vec<Span>,
    /// The buffers of each column.
    pub(super) columns: Vec<Range<usize>>,
    /// The buffers that hold views.
    pub(super) views: Vec<usize>,
}

/// How the buffers of a message are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Lz4,
    Zstd,
}

/// One buffer.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Its place in the body, without the size that it may begin with.
    pub(super) stored: Range<usize>,
    /// Its bytes once it is unpacked.
    pub(super) bytes: u64,
    /// What unpacks it.
    pub(super) packed: Option<Codec>,
}

/// Refuses a message that claims more than arrived, or than a limit allows.
pub(super) fn check(
    fields: &Fields,
    header: RecordBatch<'_>,
    body: &[u8],
    version: MetadataVersion,
    limits: &Limits,
) -> Result<Layout> {
    let rows = header.length();
    let Ok(count) = u64::try_from(rows) else {
        return damaged(format!("it states {rows} rows"));
    };
    if count > limits.rows_max {
        return Err(Refusal::TooLarge(format!(
            "it has {rows} rows; the limit is {}",
            limits.rows_max
        )));
    }
    let Some(nodes) = header.nodes() else {
        return damaged("it has no list of nodes");
    };
    let buffers = spans(header, body, limits.unpacked_bytes_max)?;
    let variadic = header.variadicBufferCounts().into_iter().flatten();
    let mut walk = Walk {
        nodes: nodes.iter(),
        buffers: &buffers,
        next: 0,
        variadic: variadic.collect(),
        version,
        limits,
        weightless: 0,
        runs: 0,
        views: Vec::new(),
    };
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        let first = walk.next;
        walk.field(field)?;
        columns.push(first..walk.next);
    }
    if !walk.variadic.is_empty() {
        return damaged("it counts buffers of views that no column has");
    }
    let views = walk.views;
    Ok(Layout {
        buffers,
        columns,
        views,
    })
}

/// What the buffers unpack to; 0 where they are refused.
pub(super) fn unpacked_bytes(header: RecordBatch<'_>, body: &[u8]) -> u64 {
    spans(header, body, UNPACKED_BYTES_MAX)
        .map_or(0, |spans| spans.iter().map(|span| span.bytes).sum())
}

fn spans(header: RecordBatch<'_>, body: &[u8], unpacked_max: u64) -> Result<Vec<Span>> {
    let Some(buffers) = header.buffers() else {
        return damaged("it has no list of buffers");
    };
    let packed = match header.compression().map(|compression| compression.codec()) {
        None => None,
        Some(CompressionType::LZ4_FRAME) => Some(Codec::Lz4),
        Some(CompressionType::ZSTD) => Some(Codec::Zstd),
        Some(other) => {
            let name = other.variant_name().unwrap_or("an unknown codec");
            return damaged(format!(
                "its buffers are compressed by {name}; LZ4_FRAME and ZSTD are read"
            ));
        }
    };
    let (mut stored, mut unpacked) = (0_u64, 0_u64);
    let mut spans = Vec::with_capacity(buffers.len());
    for buffer in buffers {
        let span = span(buffer.offset(), buffer.length(), body, packed, unpacked_max)?;
        stored = stored.saturating_add(u64::try_from(buffer.length()).unwrap_or(u64::MAX));
        unpacked = unpacked.saturating_add(span.bytes);
        spans.push(span);
    }
    if stored > body.len() as u64 {
        return damaged(format!(
            "its buffers have {stored} bytes, its body {}",
            body.len()
        ));
    }
    if packed.is_some() && unpacked > unpacked_max {
        return Err(Refusal::TooLarge(format!(
            "its buffers unpack to {unpacked} bytes; the limit is {unpacked_max}"
        )));
    }
    Ok(spans)
}

fn span(
    offset: i64,
    length: i64,
    body: &[u8],
    packed: Option<Codec>,
    unpacked_max: u64,
) -> Result<Span> {
    let range = || {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= body.len()).then_some(start..end)
    };
    let Some(stored) = range() else {
        return damaged(format!(
            "a buffer of {length} bytes at {offset} lies outside of its body of {} bytes",
            body.len()
        ));
    };
    let bytes = stored.len() as u64;
    if packed.is_none() || bytes == 0 {
        return Ok(Span {
            stored,
            bytes,
            packed: None,
        });
    }
    let Some(prefix) = body[stored.clone()].first_chunk::<PREFIX_BYTES>() else {
        return damaged("a compressed buffer ends before its size does");
    };
    let stored = stored.start + PREFIX_BYTES..stored.end;
    match i64::from_le_bytes(*prefix) {
        // Stored as it is.
        -1 => Ok(Span {
            bytes: stored.len() as u64,
            stored,
            packed: None,
        }),
        stated => match u64::try_from(stated) {
            Ok(bytes) if bytes > unpacked_max => Err(Refusal::TooLarge(format!(
                "a buffer unpacks to {bytes} bytes; the limit is {unpacked_max}"
            ))),
            Ok(bytes)
                if packed != Some(Codec::Lz4) || bytes <= LZ4_RATIO_MAX * stored.len() as u64 =>
            {
                Ok(Span {
                    stored,
                    bytes,
                    packed,
                })
            }
            Ok(bytes) => damaged(format!(
                "a buffer of {} bytes states that it unpacks to {bytes}, which LZ4 cannot",
                stored.len()
            )),
            Err(_) => damaged(format!("a buffer states that it unpacks to {stated} bytes")),
        },
    }
}

struct Walk<'a, I> {
    nodes: I,
    buffers: &'a [Span],
    next: usize,
    variadic: VecDeque<i64>,
    version: MetadataVersion,
    limits: &'a Limits,
    weightless: u64,
    runs: u64,
    views: Vec<usize>,
}

impl<'a, I: Iterator<Item = &'a FieldNode> + Clone> Walk<'a, I> {
    fn node(&mut self, field: &FieldRef) -> Result<(u64, u64)> {
        let Some(node) = self.nodes.next() else {
            return damaged(format!("column \"{}\" has no node", field.name()));
        };
        match (
            u64::try_from(node.length()),
            u64::try_from(node.null_count()),
        ) {
            (Ok(length), Ok(nulls)) if nulls <= length => Ok((length, nulls)),
            _ => damaged(format!(
                "column \"{}\" states {} elements and {} nulls",
                field.name(),
                node.length(),
                node.null_count()
            )),
        }
    }

    /// Takes the next buffer, which has at least so many bytes.
    fn buffer(&mut self, field: &FieldRef, bytes_min: u64) -> Result<()> {
        let Some(span) = self.buffers.get(self.next) else {
            return damaged(format!("column \"{}\" has too few buffers", field.name()));
        };
        self.next += 1;
        if span.bytes < bytes_min {
            return damaged(format!(
                "column \"{}\" has a buffer of {} bytes, its elements take {bytes_min}",
                field.name(),
                span.bytes
            ));
        }
        Ok(())
    }

    /// Counts elements that need no bits.
    fn weightless(&mut self, length: u64) -> Result<()> {
        self.weightless = self.weightless.saturating_add(length);
        if self.weightless > self.limits.rows_max {
            return Err(Refusal::TooLarge(format!(
                "more than {} of its elements have no values",
                self.limits.rows_max
            )));
        }
        Ok(())
    }

    /// Takes the next buffer, of so many elements of a width in bytes. arrow reads some of them whole.
    fn elements(&mut self, field: &FieldRef, count: u64, width: usize) -> Result<()> {
        let bytes = self.buffers.get(self.next).map_or(0, |span| span.bytes);
        if width.is_power_of_two() && !bytes.is_multiple_of(width as u64) {
            return damaged(format!(
                "column \"{}\" has a buffer of {bytes} bytes, of elements of {width} bytes",
                field.name()
            ));
        }
        self.buffer(field, count.saturating_mul(width as u64))
    }

    /// Takes a buffer of offsets; an array without elements may leave them out.
    fn offsets(&mut self, field: &FieldRef, length: u64, width: usize) -> Result<()> {
        let count = if length == 0 { 0 } else { length + 1 };
        self.elements(field, count, width)
    }

    fn field(&mut self, field: &FieldRef) -> Result<()> {
        use DataType as D;
        let node = self.node(field)?;
        let length = node.0;
        match field.data_type() {
            D::Null => return self.weightless(length),
            D::RunEndEncoded(ends, values) => return self.runs(length, ends, values),
            D::Union(fields, mode) => return self.union(field, length, fields, *mode),
            D::FixedSizeBinary(0) | D::FixedSizeList(_, 0) => self.weightless(length)?,
            D::Struct(fields) if fields.is_empty() => self.weightless(length)?,
            _ => {}
        }
        self.buffer(field, if node.1 > 0 { length.div_ceil(8) } else { 0 })?;
        match field.data_type() {
            D::Boolean => self.buffer(field, length.div_ceil(8)),
            D::FixedSizeBinary(width) => self.buffer(
                field,
                length.saturating_mul(u64::try_from(*width).unwrap_or(0)),
            ),
            D::Utf8 | D::Binary => self.variable(field, length, 4),
            D::LargeUtf8 | D::LargeBinary => self.variable(field, length, 8),
            D::Utf8View | D::BinaryView => self.views(field, length),
            D::List(item) | D::Map(item, _) => {
                self.offsets(field, length, 4)?;
                self.field(item)
            }
            D::LargeList(item) => {
                self.offsets(field, length, 8)?;
                self.field(item)
            }
            D::ListView(item) => self.list_views(field, length, 4, item),
            D::LargeListView(item) => self.list_views(field, length, 8, item),
            D::FixedSizeList(item, width) => self.items(field, length, *width, item),
            D::Struct(fields) => fields.iter().try_for_each(|child| self.field(child)),
            D::Dictionary(keys, _) => {
                self.elements(field, length, keys.primitive_width().unwrap_or(1))
            }
            flat => self.elements(field, length, flat.primitive_width().unwrap_or(1)),
        }
    }

    fn runs(&mut self, length: u64, ends: &FieldRef, values: &FieldRef) -> Result<()> {
        self.runs = self.runs.saturating_add(length);
        if self.runs > self.limits.run_rows_max {
            return Err(Refusal::TooLarge(format!(
                "its run ends stand for more than {} elements",
                self.limits.run_rows_max
            )));
        }
        self.field(ends)?;
        self.field(values)
    }

    fn union(
        &mut self,
        field: &FieldRef,
        length: u64,
        fields: &UnionFields,
        mode: UnionMode,
    ) -> Result<()> {
        if self.version < MetadataVersion::V5 {
            self.buffer(field, 0)?;
        }
        self.buffer(field, length)?;
        if mode == UnionMode::Dense {
            self.elements(field, length, 4)?;
        }
        fields.iter().try_for_each(|(_, child)| self.field(child))
    }

    fn variable(&mut self, field: &FieldRef, length: u64, width: usize) -> Result<()> {
        self.offsets(field, length, width)?;
        self.buffer(field, 0)
    }

    fn views(&mut self, field: &FieldRef, length: u64) -> Result<()> {
        self.views.push(self.next);
        self.elements(field, length, VIEW_BYTES)?;
        let count = self.variadic.pop_front().unwrap_or(-1);
        match usize::try_from(count) {
            Ok(count) if count <= self.buffers.len() => {
                (0..count).try_for_each(|_| self.buffer(field, 0))
            }
            _ => damaged(format!(
                "column \"{}\" counts {count} buffers",
                field.name()
            )),
        }
    }

    /// Lists of one width have no offsets: their items are as many as they say, or the list is too long.
    fn items(&mut self, field: &FieldRef, length: u64, width: i32, item: &FieldRef) -> Result<()> {
        let next = self.nodes.clone().next().map_or(0, FieldNode::length);
        let wanted = u64::try_from(width).unwrap_or(u64::MAX);
        let wanted = length.saturating_mul(wanted);
        if u64::try_from(next).is_ok_and(|next| next < wanted) {
            return damaged(format!(
                "column \"{}\" has {length} lists of {width} items, and {next} items",
                field.name()
            ));
        }
        self.field(item)
    }

    fn list_views(
        &mut self,
        field: &FieldRef,
        length: u64,
        width: usize,
        item: &FieldRef,
    ) -> Result<()> {
        self.elements(field, length, width)?;
        self.elements(field, length, width)?;
        self.field(item)
    }
}

/// Refuses views that stand for more than a message may unpack to: arrow looks at every byte of each.
pub(super) fn check_views<'a>(
    views: impl Iterator<Item = &'a [u8]>,
    limits: &Limits,
) -> Result<()> {
    let mut bytes: u64 = 0;
    for views in views {
        let lengths = views
            .chunks_exact(VIEW_BYTES)
            .filter_map(<[u8]>::first_chunk);
        bytes = lengths.fold(bytes, |sum, length| {
            sum.saturating_add(u64::from(u32::from_le_bytes(*length)))
        });
    }
    if bytes > limits.unpacked_bytes_max {
        return Err(Refusal::TooLarge(format!(
            "its views stand for {bytes} bytes; the limit is {}",
            limits.unpacked_bytes_max
        )));
    }
    Ok(())
}
