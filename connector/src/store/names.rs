//! Segment names: unique, and they say who may commit the segment.
//!
//! A name is `OWNER-UNIQUE`, where the owner is `s` (anybody who holds the receipt), `t` and a
//! transaction's id with its number, `j` and a job's log with its generation, or `w` and a named
//! writer's id. Invariant: what
//! garbage needs to know of a segment can be read from its name and from logs, at any time.

use super::Key;
use flinkspark_model::Result;
use flinkspark_model::log::{
    Generation, LogId, Ordinal, SegmentFormat, SegmentName, SegmentRef, WriterName,
};
use flinkspark_model::port::{Clock, Entropy, TxnId};
use uuid::{Builder, Uuid};

/// A transaction within its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Txn {
    pub(super) id: Uuid,
    pub(super) n: Ordinal,
}

impl Txn {
    /// The writer that commits it.
    pub(super) fn writer(&self) -> WriterName {
        format!("txn-{}", self.id.simple()).into()
    }
}

impl From<TxnId> for Txn {
    fn from(TxnId { id, n, .. }: TxnId) -> Self {
        Self { id, n }
    }
}

/// Who may still commit a segment, as its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever holds its receipt.
    Anybody,
    /// A transaction of the same log.
    Transaction(Txn),
    /// A job, in the generation that staged it.
    Job(LogId, Generation),
    /// A named writer of the same log, whatever its generation: who puts does not know it.
    Writer(WriterId),
}

/// A named writer in names and keys: its name may have any characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct WriterId(pub(super) Uuid);

impl From<&WriterName> for WriterId {
    fn from(writer: &WriterName) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_128(writer.as_str().as_bytes());
        Self(Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid())
    }
}

impl std::fmt::Display for WriterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl Owner {
    /// A new name.
    pub(super) fn name(&self, unique: Uuid) -> SegmentName {
        let unique = unique.simple();
        match self {
            Self::Anybody => format!("s-{unique}"),
            Self::Transaction(txn) => format!("t{}.{}-{unique}", txn.id.simple(), txn.n),
            Self::Job(log, generation) => format!("j{}.{generation}-{unique}", log.0.simple()),
            Self::Writer(writer) => format!("w{writer}-{unique}"),
        }
        .into()
    }

    /// The owner that a name says; `None` where it is no name of this store's.
    pub(super) fn of(name: &SegmentName) -> Option<Self> {
        let (owner, _) = name.as_str().split_once('-')?;
        let (kind, rest) = owner.split_at_checked(1)?;
        let numbered = || {
            let (id, number) = rest.split_once('.')?;
            Some((Uuid::try_parse(id).ok()?, number.parse().ok()?))
        };
        match kind {
            "s" if rest.is_empty() => Some(Self::Anybody),
            "t" => numbered().map(|(id, n)| Self::Transaction(Txn { id, n })),
            "j" => numbered().map(|(id, generation)| Self::Job(LogId(id), generation)),
            "w" => Uuid::try_parse(rest).ok().map(WriterId).map(Self::Writer),
            _ => None,
        }
    }
}

/// A fresh UUIDv7: names sort by the time at which they were made.
pub(super) fn unique(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    Builder::from_unix_timestamp_millis(clock.now_ms(), &random).into_uuid()
}

/// The part of a name that is unique; `None` where it is no name of this store's.
pub(super) fn unique_of(name: &SegmentName) -> Option<Uuid> {
    let (_, unique) = name.as_str().split_once('-')?;
    Uuid::try_parse(unique).ok()
}

/// When a segment was named, in milliseconds since the epoch; `None` where its name does not say.
pub(super) fn named_at_ms(name: &SegmentName) -> Option<u64> {
    let time = unique_of(name)?.get_timestamp()?;
    let (seconds, nanos) = time.to_unix();
    seconds
        .checked_mul(1000)?
        .checked_add(u64::from(nanos / 1_000_000))
}

const fn extension(format: SegmentFormat) -> &'static str {
    match format {
        SegmentFormat::Arrow => "arrow",
        SegmentFormat::Parquet => "parquet",
        SegmentFormat::Bytes => "bytes",
    }
}

/// Where a segment of the log below `root` lies.
pub(super) fn segment_key(root: &Key, segment: &SegmentRef) -> Result<Key> {
    key(root, &segment.name, segment.format)
}

/// Where a segment with this name will lie.
pub(super) fn key(root: &Key, name: &SegmentName, format: SegmentFormat) -> Result<Key> {
    root.join(format_args!("segments/{name}.{}", extension(format)))
}

/// The segment that a file's name says.
pub(super) fn from_file(file: &str) -> Option<SegmentName> {
    file.rsplit_once('.').map(|(name, _)| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_survives_its_name() {
        let id = Uuid::from_u128(7);
        for owner in [
            Owner::Anybody,
            Owner::Transaction(Txn { id, n: 3 }),
            Owner::Job(LogId(id), 12),
            Owner::Writer(WriterId(id)),
        ] {
            let name = owner.name(Uuid::from_u128(9));
            assert_eq!(Owner::of(&name), Some(owner));
            let root = Key::new("datasets/x").unwrap();
            let key = key(&root, &name, SegmentFormat::Arrow).unwrap();
            assert_eq!(
                from_file(key.as_str().rsplit('/').next().unwrap()),
                Some(name)
            );
        }
    }

    #[test]
    fn a_foreign_name_has_no_owner() {
        for name in ["", "x", "x-1", "t-1", "t1.x-1", "j00.1-1", "w-1", "wx-1"] {
            assert_eq!(Owner::of(&name.into()), None, "{name}");
        }
    }
}
