//! A segment's footer: what it says, and the seal before it.
//!
//! An Arrow file ends with its footer, the footer's length and a magic. Since version 2 there are 8 bytes before the
//! footer, where readers of Arrow files do not look: a mark and the CRC32C of all that follows. Pure.
//! Invariant: a footer that was sealed is believed only with its checksum, and one that says version 1 only
//! where there is no seal.

use super::known::{Gathered, Known};
use super::{STORED_BATCH_ROWS_MAX, damaged, foreign};
use crate::ipc;
use arrow_ipc::{Block, Footer, root_as_footer};
use arrow_schema::Schema;
use flinkspark_model::Error;
use flinkspark_model::checksum;
use flinkspark_model::log::{LogId, SegmentName, SegmentRef};
use std::collections::BTreeMap;

type Result<T, E = Error> = std::result::Result<T, E>;

/// The trailer: the footer's length and the magic.
pub(super) const TRAILER_BYTES: usize = 10;
/// The seal: its mark and the checksum.
pub(super) const SEAL_BYTES: usize = 8;
/// What a file ends its messages with.
pub(super) const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

const SEAL_MARK: [u8; 4] = *b"FSK2";

const VERSION: &str = "flinkspark.segment";
const LOG: &str = "flinkspark.log";
const NAME: &str = "flinkspark.name";
/// The rows of each stored batch, joined by commas: the format keeps them in the batches' heads alone.
const ROWS: &str = "flinkspark.rows";
/// The CRC32C of the file up to its first block, then of each block, in hexadecimal and joined by commas.
const CHECKSUMS: &str = "flinkspark.crc32c";

const UNSEALED: &str = "1";
/// Sealed, without statistics.
const BARE: &str = "2";
const SEALED: &str = "3";

/// The metadata of a segment that is written.
pub(super) fn metadata(
    log: LogId,
    name: &SegmentName,
    rows: &[usize],
    checksums: &[u32],
    gathered: &Gathered,
) -> Vec<(String, String)> {
    let rows: Vec<String> = rows.iter().map(usize::to_string).collect();
    let checksums: Vec<String> = checksums.iter().map(|sum| format!("{sum:08x}")).collect();
    let mut all = gathered.metadata();
    all.extend([
        (VERSION.into(), SEALED.into()),
        (LOG.into(), log.to_string()),
        (NAME.into(), name.to_string()),
        (ROWS.into(), rows.join(",")),
        (CHECKSUMS.into(), checksums.join(",")),
    ]);
    all
}

/// Puts the seal before the footer, with which `file` ends.
pub(super) fn seal(file: &mut Vec<u8>) {
    let trailer = file.len().saturating_sub(TRAILER_BYTES);
    let length = file
        .get(trailer..)
        .and_then(|trailer| trailer.first_chunk());
    let length = length.map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let start = trailer.saturating_sub(length);
    let checksum = checksum::crc32c(&file[start..]).to_le_bytes();
    file.splice(start..start, SEAL_MARK.into_iter().chain(checksum));
}

/// What a segment's footer says.
pub(super) struct Parsed {
    pub(super) schema: Schema,
    pub(super) blocks: Vec<StoredBlock>,
    pub(super) dictionaries: Vec<Block>,
    /// Of the file up to its first block; only version 2 has it.
    pub(super) head: Option<u32>,
    /// Of the columns that were asked for; only version 3 has it.
    pub(super) known: Option<Known>,
}

/// One stored batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredBlock {
    pub(super) block: Block,
    pub(super) rows: u64,
    /// Of its bytes; only version 2 has it.
    pub(super) checksum: Option<u32>,
}

/// Reads the end of a file: the 8 bytes before its footer, where it has them, and the footer with the
/// trailer. What it knows is read of `wanted` columns only.
pub(super) fn parse(
    log: LogId,
    segment: &SegmentRef,
    seal: &[u8],
    end: &[u8],
    wanted: &[String],
) -> Result<Parsed> {
    let torn = |why: String| damaged(log, segment, &why);
    let checksum = seal.strip_prefix(&SEAL_MARK);
    if checksum.is_some_and(|checksum| checksum != checksum::crc32c(end).to_le_bytes()) {
        let why = "its footer does not have the checksum that was sealed";
        return Err(torn(why.into()));
    }
    let footer = &end[..end.len().saturating_sub(TRAILER_BYTES)];
    let footer = root_as_footer(footer).map_err(|cause| torn(format!("its footer: {cause}")))?;
    let entries = Entries::of(&footer);
    let sealed = checksum.is_some();
    entries.check(log, segment, sealed)?;
    let checksums = match sealed {
        true => entries.numbers(CHECKSUMS, 16).map_err(torn)?,
        false => Vec::new(),
    };
    let rows = entries.numbers(ROWS, 10).map_err(torn)?;
    let blocks = blocks(segment, &footer, &rows, &checksums, sealed).map_err(torn)?;
    let schema = footer.schema();
    let schema = schema.ok_or_else(|| torn("it has no schema".into()))?;
    let schema = ipc::schema_of(schema).map_err(|refusal| super::refused(log, segment, refusal))?;
    let known = match wanted.is_empty() || entries.0.get(VERSION) != Some(&SEALED) {
        true => None,
        false => {
            let entry = |name: &str| entries.0.get(name).map(|text| String::from(*text));
            Some(Known::read(entry, &schema, &rows, wanted).map_err(torn)?)
        }
    };
    let dictionaries = footer.dictionaries().into_iter().flatten();
    Ok(Parsed {
        schema,
        blocks,
        dictionaries: dictionaries.copied().collect(),
        head: checksums.first().map(|sum| *sum as u32),
        known,
    })
}

/// The batches, each with its rows and, where the file is sealed, its checksum.
fn blocks(
    segment: &SegmentRef,
    footer: &Footer<'_>,
    rows: &[u64],
    checksums: &[u64],
    sealed: bool,
) -> Result<Vec<StoredBlock>, String> {
    let blocks = footer.recordBatches();
    let blocks = blocks.ok_or_else(|| String::from("its footer has no batches"))?;
    let rows_max = match sealed {
        true => STORED_BATCH_ROWS_MAX as u64,
        false => ipc::ROWS_MAX,
    };
    let mut counts = rows.iter();
    let sum = counts.try_fold(0_u64, |sum, rows| sum.checked_add(*rows));
    let many = rows.iter().any(|rows| *rows > rows_max);
    if rows.len() != blocks.len() || sum != Some(segment.rows) || many {
        return Err("its row counts are not the ones that were sealed".into());
    }
    let known = checksums.iter().all(|sum| u32::try_from(*sum).is_ok());
    if sealed && (checksums.len() != blocks.len() + 1 || !known) {
        return Err("its checksums are torn".into());
    }
    let checksum = |index: usize| checksums.get(index + 1).map(|sum| *sum as u32);
    let stored = blocks.iter().zip(rows).enumerate();
    let stored = stored.map(|(index, (block, rows))| StoredBlock {
        block: *block,
        rows: *rows,
        checksum: checksum(index),
    });
    Ok(stored.collect())
}

/// The footer's metadata.
struct Entries<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Entries<'a> {
    fn of(footer: &Footer<'a>) -> Self {
        let entries = footer.custom_metadata().into_iter().flatten();
        let entries = entries.filter_map(|entry| Some((entry.key()?, entry.value()?)));
        Self(entries.collect())
    }

    fn get(&self, name: &str) -> Result<&'a str, String> {
        let entry = self.0.get(name).copied();
        entry.ok_or_else(|| format!("its footer lacks {name}"))
    }

    /// Numbers joined by commas.
    fn numbers(&self, name: &str, radix: u32) -> Result<Vec<u64>, String> {
        let numbers = self.get(name)?.split(',').filter(|text| !text.is_empty());
        let numbers = numbers.map(|text| u64::from_str_radix(text, radix));
        let numbers = numbers.collect::<Result<_, _>>();
        numbers.map_err(|_| format!("its {name} is torn"))
    }

    /// Refuses another version, a version without its seal or with one, and another segment's file.
    fn check(&self, log: LogId, segment: &SegmentRef, sealed: bool) -> Result<()> {
        let torn = |why: String| damaged(log, segment, &why);
        match (self.get(VERSION).map_err(torn)?, sealed) {
            (SEALED | BARE, true) | (UNSEALED, false) => {}
            (SEALED | BARE | UNSEALED, _) => return Err(torn("its seal is torn".into())),
            _ => {
                return Err(torn("it has a newer format".into())
                    .with_hint("start a build at least as new as the one that wrote it"));
            }
        }
        let (its_log, its_name) = (self.get(LOG).map_err(torn)?, self.get(NAME).map_err(torn)?);
        if its_log == log.to_string() && its_name == segment.name.as_str() {
            return Ok(());
        }
        let why = format!("the file is segment {its_name} of dataset {its_log}");
        Err(foreign(log, segment, &why))
    }
}
