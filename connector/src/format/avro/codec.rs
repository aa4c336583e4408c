//! The codecs of blocks.
//!
//! Invariant: a block is unpacked to at most [`BYTES_MAX`] bytes, and nothing is reserved by what it says of itself
//! that its codec could not unpack from the bytes that are there.

use super::cursor::BYTES_MAX;
use flinkspark_model::{Error, Kind};
use liblzma::stream::Stream;
use std::io::{self, Read, Write};
use std::str::FromStr;

/// What decoding xz may take beside its output: the window of its highest level and its tables.
const XZ_MEMORY_MAX: u64 = 80 << 20;

/// A byte of Snappy unpacks to fewer bytes than this.
const SNAPPY_RATIO_MAX: usize = 64;

/// Level 1, as for Parquet.
const ZSTANDARD_LEVEL: i32 = 1;

/// What unpacking takes grows with it.
const XZ_LEVEL: u32 = 3;

/// How the blocks of an Avro file are packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Codec {
    /// They are not.
    Null,
    /// DEFLATE, which every reader knows.
    Deflate,
    /// Snappy, with a checksum.
    Snappy,
    /// Zstandard, with a checksum.
    #[default]
    Zstandard,
    /// Bzip2.
    Bzip2,
    /// XZ.
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

    /// Its name in a file's header.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.into_iter().find(|(_, known)| *known == self);
        known.map_or("", |(name, _)| name)
    }

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

impl Codec {
    /// Packs a block, with a checksum where the codec has one: the container has none.
    pub(super) fn pack(self, block: Vec<u8>) -> io::Result<Vec<u8>> {
        let bytes = block.as_slice();
        match self {
            Self::Null => Ok(block),
            Self::Deflate => {
                let level = flate2::Compression::default();
                let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), level);
                packer.write_all(bytes)?;
                packer.finish()
            }
            Self::Snappy => {
                let mut packed = snap::raw::Encoder::new().compress_vec(bytes)?;
                packed.extend(crc32fast::hash(bytes).to_be_bytes());
                Ok(packed)
            }
            Self::Zstandard => {
                let mut packer = zstd::bulk::Compressor::new(ZSTANDARD_LEVEL)?;
                packer.include_checksum(true)?;
                packer.compress(bytes)
            }
            Self::Bzip2 => {
                let level = bzip2::Compression::default();
                let mut packer = bzip2::write::BzEncoder::new(Vec::new(), level);
                packer.write_all(bytes)?;
                packer.finish()
            }
            Self::Xz => {
                let mut packer = liblzma::write::XzEncoder::new(Vec::new(), XZ_LEVEL);
                packer.write_all(bytes)?;
                packer.finish()
            }
        }
    }
}

impl FromStr for Codec {
    type Err = Error;

    /// By the name that a file's header has; `FS0312` where there is none of that name.
    fn from_str(name: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(|(name, _)| name).join(", ");
        Self::named(name.as_bytes()).ok_or_else(|| {
            let message = format!("there is no Avro codec \"{}\"", name.escape_debug());
            Error::new(Kind::Invalid, "FS0312", message).with_hint(format!("name one of {names}"))
        })
    }
}
