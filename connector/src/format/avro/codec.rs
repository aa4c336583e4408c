//! The codecs of blocks.
//!
//! Invariant: a block is unpacked to at most [`BYTES_MAX`] bytes, and nothing is reserved by what it says of itself
//! that its codec could not unpack from the bytes that are there.

use super::cursor::BYTES_MAX;
use liblzma::stream::Stream;
use std::io::{self, Read};

/// What decoding xz may take beside its output: the window of its highest level and its tables.
const XZ_MEMORY_MAX: u64 = 80 << 20;

/// A byte of Snappy unpacks to fewer bytes than this.
const SNAPPY_RATIO_MAX: usize = 64;

/// Level 1, as for Parquet.
const ZSTANDARD_LEVEL: i32 = 1;

/// How the blocks of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    const ALL: [(&'static str, Self); 6] = [
        ("null", Self::Null),
        ("deflate", Self::Deflate),
        ("snappy", Self::Snappy),
        ("zstandard", Self::Zstandard),
        ("bzip2", Self::Bzip2),
        ("xz", Self::Xz),
    ];

    /// The codec that a file's header names.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let found = Self::ALL
            .into_iter()
            .find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, codec)| codec)
    }

    /// What a block holds.
    pub(super) fn unpack(self, packed: Vec<u8>) -> Result<Vec<u8>, String> {
        let unpacked = match self {
            Self::Null => Ok(packed),
            Self::Deflate => read(flate2::bufread::DeflateDecoder::new(packed.as_slice())),
            Self::Snappy => return snappy(&packed),
            Self::Zstandard => {
                zstd::stream::read::Decoder::with_buffer(packed.as_slice()).and_then(read)
            }
            Self::Bzip2 => read(bzip2::bufread::BzDecoder::new(packed.as_slice())),
            Self::Xz => Stream::new_stream_decoder(XZ_MEMORY_MAX, 0)
                .map_err(Into::into)
                .map(|stream| liblzma::bufread::XzDecoder::new_stream(packed.as_slice(), stream))
                .and_then(read),
        };
        let unpacked = unpacked.map_err(|cause| format!("it cannot be unpacked: {cause}"))?;
        if unpacked.len() > BYTES_MAX {
            return Err(too_large());
        }
        Ok(unpacked)
    }
}

fn too_large() -> String {
    format!("it unpacks to more than {BYTES_MAX} bytes")
}

/// Reads to the limit, and one byte more where there is more.
fn read(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    packed
        .take(BYTES_MAX as u64 + 1)
        .read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// Snappy without frames, with the CRC-32 of what it holds behind it, its first byte first.
fn snappy(packed: &[u8]) -> Result<Vec<u8>, String> {
    let Some((packed, checksum)) = packed.split_last_chunk() else {
        return Err("it is too short for its checksum".into());
    };
    let wrong = |cause: snap::Error| format!("it cannot be unpacked: {cause}");
    let length = snap::raw::decompress_len(packed).map_err(wrong)?;
    if length > BYTES_MAX {
        return Err(too_large());
    }
    if length > packed.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(format!(
            "it has {} bytes and says that it unpacks to {length}",
            packed.len()
        ));
    }
    let unpacked = snap::raw::Decoder::new()
        .decompress_vec(packed)
        .map_err(wrong)?;
    if crc32fast::hash(&unpacked) != u32::from_be_bytes(*checksum) {
        return Err("it does not fit its checksum".into());
    }
    Ok(unpacked)
}

/// Packs blocks with [`Codec::Zstandard`], each with a checksum, which the container does not have.
pub(super) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    /// The codec's name in the header.
    pub(super) const NAME: &'static str = "zstandard";

    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = zstd::bulk::Compressor::new(ZSTANDARD_LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Self(compressor))
    }

    pub(super) fn pack(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        self.0.compress(block)
    }
}
