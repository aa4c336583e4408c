//! Text files that are packed: unpacked while they are read, packed while they are written.
//!
//! The first bytes of a file say how it is packed when it is read, the end of its name when it is written. Formats that
//! pack by themselves are no business of this module. Invariant: a file that ends before its codec says so, or whose
//! checksum is another, is an error and never fewer rows; memory does not grow with what a file unpacks to.

use super::Input;
use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are gathered before they are unpacked.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// The largest window of zstandard that is unpacked, as a power of two: what its own tool takes unless told otherwise.
const ZSTANDARD_WINDOW_MAX: u32 = 27;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zstandard,
    Bzip2,
    Lz4,
}

impl Codec {
    /// How names of packed files end, and how such files begin.
    const ALL: [(&'static str, &'static [u8], Self); 4] = [
        ("gz", &[0x1f, 0x8b], Self::Gzip),
        ("zst", &[0x28, 0xb5, 0x2f, 0xfd], Self::Zstandard),
        ("bz2", b"BZh", Self::Bzip2),
        ("lz4", &[0x04, 0x22, 0x4d, 0x18], Self::Lz4),
    ];

    /// The codec that the end of a name says, and the name before it.
    pub(super) fn of_name(path: &Path) -> Option<(Self, &OsStr)> {
        let suffix = path.extension()?.to_str()?.to_ascii_lowercase();
        let known = |(name, _, _): &&(&str, &[u8], Self)| *name == suffix;
        let (_, _, codec) = Self::ALL.iter().find(known)?;
        Some((*codec, path.file_stem()?))
    }

    fn of_magic(bytes: &[u8]) -> Option<Self> {
        let known = |(_, magic, _): &&(&str, &[u8], Self)| bytes.starts_with(magic);
        Self::ALL.iter().find(known).map(|(_, _, codec)| *codec)
    }

    fn decoder(self, packed: Shared) -> io::Result<Box<dyn Read + Send>> {
        let packed = BufReader::with_capacity(READ_BUFFER_BYTES, packed);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstandard => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTANDARD_WINDOW_MAX)?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Lz4 => Box::new(Frames(Some(FrameDecoder::new(Frame::new(packed))))),
        })
    }
}

/// The same input, unpacked where its first bytes say that it is packed.
pub(super) fn unpacked(mut input: Box<dyn Input>) -> io::Result<Box<dyn Input>> {
    let mut first = Vec::new();
    input.by_ref().take(4).read_to_end(&mut first)?;
    input.seek(SeekFrom::Start(0))?;
    let Some(codec) = Codec::of_magic(&first) else {
        return Ok(input);
    };
    let packed = Shared(Arc::new(Mutex::new(input)));
    let decoder = codec.decoder(packed.clone())?;
    Ok(Box::new(Unpacked {
        codec,
        packed,
        decoder,
    }))
}

/// The packed bytes, which are read again where the file is.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Input>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Box<dyn Input>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer)
    }
}

/// What a packed file holds, from its beginning on.
struct Unpacked {
    codec: Codec,
    packed: Shared,
    decoder: Box<dyn Read + Send>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer);
        read.map_err(|cause| match cause.raw_os_error() {
            Some(_) => cause,
            None => {
                let why = format!("it cannot be unpacked: {cause}");
                io::Error::new(io::ErrorKind::InvalidData, why)
            }
        })
    }
}

impl Seek for Unpacked {
    /// Only to the beginning: nothing else is asked for of texts.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Start(0) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a packed file is read from its beginning on",
            ));
        }
        self.packed.lock().seek(SeekFrom::Start(0))?;
        self.decoder = self.codec.decoder(self.packed.clone())?;
        Ok(0)
    }
}

/// LZ4 frames one after another, as its own tool reads them.
struct Frames<R: Read>(Option<FrameDecoder<Frame<R>>>);

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut decoder) = self.0.take() {
            let bytes = decoder.read(buffer)?;
            if bytes > 0 || buffer.is_empty() {
                self.0 = Some(decoder);
                return Ok(bytes);
            }
            // The decoder takes the end of its input between two blocks for the end of the frame.
            let mut packed = decoder.into_inner().whole()?;
            if !packed.fill_buf()?.is_empty() {
                self.0 = Some(FrameDecoder::new(Frame::new(packed)));
            }
        }
        Ok(0)
    }
}

/// The bytes of one LZ4 frame, as far as they were read.
struct Frame<R> {
    packed: R,
    /// Magic and flags.
    first: Vec<u8>,
    /// The last ones, at most [`Frame::LAST`].
    last: Vec<u8>,
}

impl<R> Frame<R> {
    const FIRST: usize = 5;
    /// The mark of the end and a checksum.
    const LAST: usize = 8;
    /// The flag of a checksum behind the mark.
    const CHECKED: u8 = 1 << 2;

    fn new(packed: R) -> Self {
        Self {
            packed,
            first: Vec::new(),
            last: Vec::new(),
        }
    }

    /// What comes behind the frame, where its end was read: four bytes that are 0, which no block of a text ends
    /// with, and a checksum where the flags say so.
    fn whole(self) -> io::Result<R> {
        let checked = self
            .first
            .last()
            .is_some_and(|flags| flags & Self::CHECKED != 0);
        let end: &[u8] = match checked {
            true => self.last.get(..4).unwrap_or_default(),
            false => self
                .last
                .get(self.last.len().saturating_sub(4)..)
                .unwrap_or_default(),
        };
        match end == [0; 4] {
            true => Ok(self.packed),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<R: Read> Read for Frame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.packed.read(buffer)?;
        let read = buffer.get(..bytes).unwrap_or_default();
        let missing = Self::FIRST.saturating_sub(self.first.len());
        self.first.extend(read.iter().take(missing));
        self.last
            .extend(&read[read.len().saturating_sub(Self::LAST)..]);
        self.last
            .drain(..self.last.len().saturating_sub(Self::LAST));
        Ok(bytes)
    }
}

/// A file that is packed while it is written; its clones are one.
#[derive(Clone)]
pub(super) struct Packing(Arc<Mutex<Option<Encoder>>>);

type Output = Box<dyn Write + Send>;

enum Encoder {
    Gzip(flate2::write::GzEncoder<Output>),
    Zstandard(zstd::stream::write::Encoder<'static, Output>),
    Bzip2(bzip2::write::BzEncoder<Output>),
    Lz4(Box<FrameEncoder<Output>>),
}

impl Packing {
    pub(super) fn new(codec: Codec, output: Output) -> io::Result<Self> {
        let encoder = match codec {
            Codec::Gzip => {
                let level = flate2::Compression::default();
                Encoder::Gzip(flate2::write::GzEncoder::new(output, level))
            }
            Codec::Zstandard => {
                let mut encoder = zstd::stream::write::Encoder::new(output, 0)?;
                encoder.include_checksum(true)?;
                Encoder::Zstandard(encoder)
            }
            Codec::Bzip2 => {
                let level = bzip2::Compression::default();
                Encoder::Bzip2(bzip2::write::BzEncoder::new(output, level))
            }
            Codec::Lz4 => {
                let frame = FrameInfo::new()
                    .content_checksum(true)
                    .block_size(BlockSize::Max256KB);
                Encoder::Lz4(Box::new(FrameEncoder::with_frame_info(frame, output)))
            }
        };
        Ok(Self(Arc::new(Mutex::new(Some(encoder)))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Encoder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what ends the file; what is written after it is an error.
    pub(super) fn finish(&self) -> io::Result<()> {
        let Some(encoder) = self.lock().take() else {
            return Ok(());
        };
        let mut output = match encoder {
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstandard(encoder) => encoder.finish()?,
            Encoder::Bzip2(encoder) => encoder.finish()?,
            Encoder::Lz4(encoder) => encoder.finish().map_err(io::Error::from)?,
        };
        output.flush()
    }
}

impl Write for Packing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.lock() {
            Some(Encoder::Gzip(encoder)) => encoder.write(bytes),
            Some(Encoder::Zstandard(encoder)) => encoder.write(bytes),
            Some(Encoder::Bzip2(encoder)) => encoder.write(bytes),
            Some(Encoder::Lz4(encoder)) => encoder.write(bytes),
            None => Err(io::Error::other("the file was ended")),
        }
    }

    /// Nothing is ended: blocks are as large as the codec makes them.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{self, Format, ReadOptions, WriteOptions};
    use arrow_array::{Int64Array, RecordBatch, StringArray};
    use std::fs;

    fn batch(rows: i64) -> RecordBatch {
        let texts = (0..rows).map(|row| format!("text {}", row * 7919 % 1000));
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from_iter_values(0..rows)) as _),
            ("text", Arc::new(StringArray::from_iter_values(texts)) as _),
        ])
        .unwrap()
    }

    fn write(path: &Path, batch: &RecordBatch) {
        let mut writer = format::create(path, batch.schema(), &WriteOptions::default()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    }

    fn rows(path: &Path) -> flinkspark_model::Result<usize> {
        let reader = format::open(path, &ReadOptions::default())?;
        let batches = reader.collect::<flinkspark_model::Result<Vec<_>>>()?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[test]
    fn what_is_packed_by_its_name_is_unpacked_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["csv", "jsonl"] {
            let plain = folder.path().join(format!("plain.{text}"));
            write(&plain, &batch(30_000));
            for (suffix, magic, _) in Codec::ALL {
                let path = folder.path().join(format!("rows.{text}.{suffix}"));
                write(&path, &batch(30_000));
                let bytes = fs::read(&path).unwrap();
                assert!(bytes.starts_with(magic), "{suffix}");
                assert!(
                    bytes.len() < fs::read(&plain).unwrap().len() / 2,
                    "{suffix}"
                );
                assert_eq!(rows(&path).unwrap(), 30_000, "{text}.{suffix}");
                if text == "jsonl" {
                    // Several files after one another are one, whatever the name says.
                    let twice = folder.path().join("twice.json");
                    fs::write(&twice, [bytes.clone(), bytes].concat()).unwrap();
                    assert_eq!(rows(&twice).unwrap(), 60_000, "{suffix}");
                }
            }
        }
    }

    #[test]
    fn a_packed_file_that_was_cut_or_changed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for (suffix, _, _) in Codec::ALL {
            let path = folder.path().join(format!("rows.csv.{suffix}"));
            write(&path, &batch(500));
            let bytes = fs::read(&path).unwrap();
            let torn = folder.path().join("torn.csv");
            for length in
                (4..bytes.len()).filter(|length| length % 7 == 0 || length + 16 > bytes.len())
            {
                fs::write(&torn, &bytes[..length]).unwrap();
                let read = rows(&torn);
                assert!(
                    read.is_err(),
                    "{suffix} cut to {length} of {}: {read:?}",
                    bytes.len()
                );
            }
            for at in (4..bytes.len()).step_by(11) {
                let mut changed = bytes.clone();
                changed[at] ^= 0x10;
                fs::write(&torn, &changed).unwrap();
                let read = rows(&torn);
                // A byte of a header, such as a time, may mean nothing.
                assert!(
                    read.is_err() || read.as_ref().is_ok_and(|rows| *rows == 500),
                    "{suffix} at {at}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn only_texts_are_packed_from_outside() {
        assert_eq!(Format::from_path("a.csv.gz").unwrap(), Format::CSV);
        assert_eq!(Format::from_path("a.b.JSONL.ZST").unwrap(), Format::JSON);
        for name in ["a.parquet.gz", "a.gz", "a.avro.zst", "gz", ".csv.gz.gz"] {
            assert_eq!(
                Format::from_path(name).unwrap_err().code(),
                "FS0301",
                "{name}"
            );
        }
    }
}
