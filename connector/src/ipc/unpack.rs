//! Unpacks the buffers of a compressed message.
//!
//! arrow-ipc reserves what a buffer states and then takes whatever comes out of it. Invariant: a buffer
//! unpacks to exactly what it states, what it states was checked before, and nothing is reserved by it that
//! neither arrived nor came out.

use super::layout::{Codec, Layout};
use super::{Refusal, Result, UNPACKED_BYTES_MAX, damaged};
use arrow_buffer::Buffer;
use arrow_ipc::{RecordBatch, RecordBatchArgs};
use flatbuffers::FlatBufferBuilder;
use lz4_flex::frame::FrameDecoder;
use std::io::{self, Read};

/// The alignment of a buffer.
const ALIGNMENT: usize = 64;

/// How many times what arrived is reserved before anything has come out of it.
const ROOM_TIMES: usize = 16;

/// The most that is reserved at once by what a message states, in bytes.
const ROOM_BYTES_MAX: usize = UNPACKED_BYTES_MAX as usize;

/// A message as it would have come without compression.
pub(super) struct Unpacked {
    header: Vec<u8>,
    pub(super) body: Buffer,
}

impl Unpacked {
    /// Its header.
    pub(super) fn header(&self) -> Result<RecordBatch<'_>> {
        flatbuffers::root::<RecordBatch<'_>>(&self.header)
            .map_err(|cause| Refusal::Bug(format!("the header of what was unpacked: {cause}")))
    }
}

/// The message without compression, where it had any; of columns that are not wanted nothing is unpacked.
pub(super) fn unpack(
    header: RecordBatch<'_>,
    layout: &Layout,
    packed: &[u8],
    wanted: impl Fn(usize) -> bool,
) -> Result<Option<Unpacked>> {
    if header.compression().is_none() {
        return Ok(None);
    }
    let columns = layout.columns.iter().enumerate();
    let needed: Vec<bool> = columns
        .flat_map(|(index, buffers)| buffers.clone().map(move |_| index))
        .map(&wanted)
        .collect();
    let room = layout
        .buffers
        .iter()
        .zip(&needed)
        .filter(|(_, needed)| **needed);
    let room = room.fold(0usize, |sum, (span, _)| {
        sum.next_multiple_of(ALIGNMENT) + span.bytes as usize
    });
    let mut body = Vec::with_capacity(room.min(ROOM_TIMES * packed.len()));
    let mut places = Vec::with_capacity(layout.buffers.len());
    for (span, needed) in layout.buffers.iter().zip(&needed) {
        body.resize(body.len().next_multiple_of(ALIGNMENT), 0);
        let start = body.len();
        if *needed {
            let stored = &packed[span.stored.clone()];
            let read = match span.packed {
                None => read(stored, span.bytes, room, &mut body),
                Some(Codec::Lz4) => read(FrameDecoder::new(stored), span.bytes, room, &mut body),
                Some(Codec::Zstd) => zstd::stream::read::Decoder::with_buffer(stored)
                    .and_then(|decoder| read(decoder, span.bytes, room, &mut body)),
            };
            let whole =
                read.map_err(|cause| Refusal::Damaged(format!("a compressed buffer: {cause}")))?;
            if !whole {
                return damaged(format!(
                    "a buffer unpacks to another size than the {} bytes that it states",
                    span.bytes
                ));
            }
        }
        places.push(arrow_ipc::Buffer::new(
            start as i64,
            (body.len() - start) as i64,
        ));
    }
    let body = Buffer::from_vec(body);
    Ok(Some(Unpacked {
        header: rebuilt(header, &places),
        body,
    }))
}

/// Reads what a buffer states; whether that was all there is. The room for all buffers is believed once what was
/// reserved by what arrived is full.
fn read(mut packed: impl Read, bytes: u64, room: usize, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut left = bytes;
    while left > 0 {
        if body.len() == body.capacity() {
            match room.min(ROOM_BYTES_MAX).saturating_sub(body.len()) {
                0 => body.reserve(1),
                more => body.reserve_exact(more),
            }
        }
        let free = (body.capacity() - body.len()) as u64;
        let wanted = left.min(free);
        let taken = packed.by_ref().take(wanted).read_to_end(body)? as u64;
        if taken < wanted {
            return Ok(false);
        }
        left -= taken;
    }
    Ok(packed.read(&mut [0])? == 0)
}

/// The header with other places and without compression.
fn rebuilt(header: RecordBatch<'_>, places: &[arrow_ipc::Buffer]) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let nodes: Vec<arrow_ipc::FieldNode> = header.nodes().into_iter().flatten().copied().collect();
    let nodes = builder.create_vector(&nodes);
    let buffers = builder.create_vector(places);
    let counts: Option<Vec<i64>> = header
        .variadicBufferCounts()
        .map(|counts| counts.iter().collect());
    let counts = counts.map(|counts| builder.create_vector(&counts));
    let arguments = RecordBatchArgs {
        length: header.length(),
        nodes: Some(nodes),
        buffers: Some(buffers),
        compression: None,
        variadicBufferCounts: counts,
    };
    let root = RecordBatch::create(&mut builder, &arguments);
    builder.finish(root, None);
    builder.finished_data().to_vec()
}
