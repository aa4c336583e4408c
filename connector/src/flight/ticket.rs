//! Tickets: what a `DoGet` reads, signed.
//!
//! A ticket is minted from a position or for a question, lives for [`limits::TICKET_LIFE_MS`] and can be redeemed any
//! number of times until then. It is opaque to clients: kind, HMAC-SHA256, JSON. Invariant: a
//! ticket that was not signed with this data directory's key is refused before its content is read,
//! and one that was given to another principal before anything else is.

use super::limits;
use flinkspark_model::access::Principal;
use flinkspark_model::dataset::DatasetId;
use flinkspark_model::filter::Filter;
use flinkspark_model::port::{Pinned, Query};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::profile::{Lossy, Profile};
use flinkspark_model::{Error, Kind, Result};
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const SIGNATURE_BYTES: usize = 32;

/// Keeps a ticket's signature from being taken for a receipt's.
const DOMAIN: &[u8] = b"flinkspark ticket v1\0";

/// The secret in the data directory; it never leaves the process.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from 32 unpredictable bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn mac(&self, kind: u8, payload: &[u8]) -> Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|cause| {
            Error::new(Kind::Internal, "FS0499", "a ticket could not be signed").with_source(cause)
        })?;
        mac.update(DOMAIN);
        mac.update(&[kind]);
        mac.update(payload);
        Ok(mac)
    }
}

/// The first byte of the tickets that named segments; none is made any more, and none lives longer than
/// [`limits::TICKET_LIFE_MS`].
const FORMER_KIND: u8 = 1;

/// How the rows of a ticket are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shape {
    /// Column indexes mean nothing at another version.
    pub(super) schema_version: u32,
    /// Column indexes of the dataset's schema; `None` for all. Written as ranges, read as a list too.
    #[serde(with = "ranges")]
    pub(super) columns: Option<Vec<usize>>,
    pub(super) profile: Profile,
    pub(super) lossy: Lossy,
    /// Which of the rows are sent, at the dataset's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<Filter>,
    /// Who may redeem it; nobody's while the bridge is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) principal: Option<Principal>,
}

/// A range of one partition's stored rows. Its size does not grow with the segments that hold them: they are looked
/// up in the log, as it was when `through` was its head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    pub(super) dataset: DatasetId,
    pub(super) partition: u32,
    pub(super) from: Position,
    pub(super) through: SlotNo,
    pub(super) rows: u64,
    /// The most rows that are sent of those that match; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u64>,
    pub(super) shape: Shape,
    pub(super) expires_at_ms: u64,
}

/// One partition from a position on, without an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowTicket {
    pub(super) dataset: DatasetId,
    pub(super) partition: u32,
    pub(super) from: Position,
    /// Whether it goes on past an overwrite.
    pub(super) past_overwrites: bool,
    pub(super) shape: Shape,
    pub(super) expires_at_ms: u64,
}

/// A question, and what it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryTicket {
    pub(super) query: Query,
    pub(super) pins: Vec<Pinned>,
    /// Who may redeem it; nobody's while the bridge is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) principal: Option<Principal>,
    pub(super) expires_at_ms: u64,
}

/// What a ticket holds.
pub(super) trait Signed: Serialize + DeserializeOwned {
    /// The first byte of such a ticket.
    const KIND: u8;

    /// Until when it can be redeemed.
    fn expires_at_ms(&mut self) -> &mut u64;

    /// Who may redeem it.
    fn principal(&self) -> Option<&Principal>;

    /// The bytes that a client carries.
    fn sign(&self, key: &Key) -> Result<Vec<u8>> {
        let payload = serde_json::to_vec(self).map_err(|cause| {
            Error::new(Kind::Internal, "FS0499", "a ticket could not be signed").with_source(cause)
        })?;
        let signature = key.mac(Self::KIND, &payload)?.finalize().into_bytes();
        let mut bytes = Vec::with_capacity(1 + SIGNATURE_BYTES + payload.len());
        bytes.push(Self::KIND);
        bytes.extend_from_slice(&signature);
        bytes.extend_from_slice(&payload);
        Ok(bytes)
    }

    /// The ticket if this key signed it, expired or not.
    fn open(bytes: &[u8], key: &Key) -> Result<Self> {
        if bytes.len() > limits::TICKET_BYTES_MAX {
            return Err(foreign(format!(
                "it has {} bytes; the limit is {}",
                bytes.len(),
                limits::TICKET_BYTES_MAX
            )));
        }
        let rest = match bytes.split_first() {
            Some((kind, rest)) if *kind == Self::KIND => rest,
            Some((&FORMER_KIND, _)) => return Err(former()),
            _ => {
                return Err(foreign(
                    "it does not begin with a kind that this bridge makes".into(),
                ));
            }
        };
        let Some((signature, payload)) = rest.split_at_checked(SIGNATURE_BYTES) else {
            return Err(foreign("it ends before its signature does".into()));
        };
        let signed = key
            .mac(Self::KIND, payload)?
            .verify_slice(signature)
            .is_ok();
        if !signed {
            return Err(foreign("its signature does not match its content".into()));
        }
        serde_json::from_slice(payload).map_err(|cause| foreign(cause.to_string()))
    }

    /// The ticket if this key signed it and it may still be redeemed.
    fn redeem(bytes: &[u8], key: &Key, now_ms: u64) -> Result<Self> {
        let mut ticket = Self::open(bytes, key)?;
        let expires_at_ms = *ticket.expires_at_ms();
        if now_ms >= expires_at_ms {
            return Err(
                Error::new(Kind::Conflict, "FS0405", "the ticket has expired")
                    .with_detail(format!(
                        "it could be redeemed until {expires_at_ms} ms; it is {now_ms} ms"
                    ))
                    .with_hint("renew it with the action \"renew\", or call get_flight_info again"),
            );
        }
        Ok(ticket)
    }

    /// The same ticket with another expiry, unless `mine` refuses whose it is.
    fn renewed(
        bytes: &[u8],
        key: &Key,
        expires_at_ms: u64,
        mine: impl Fn(Option<&Principal>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let mut ticket = Self::open(bytes, key)?;
        mine(ticket.principal())?;
        *ticket.expires_at_ms() = expires_at_ms;
        ticket.sign(key)
    }
}

impl Signed for Ticket {
    const KIND: u8 = 3;

    fn expires_at_ms(&mut self) -> &mut u64 {
        &mut self.expires_at_ms
    }

    fn principal(&self) -> Option<&Principal> {
        self.shape.principal.as_ref()
    }
}

impl Signed for QueryTicket {
    const KIND: u8 = 2;

    fn expires_at_ms(&mut self) -> &mut u64 {
        &mut self.expires_at_ms
    }

    fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }
}

impl Signed for FollowTicket {
    const KIND: u8 = 4;

    fn expires_at_ms(&mut self) -> &mut u64 {
        &mut self.expires_at_ms
    }

    fn principal(&self) -> Option<&Principal> {
        self.shape.principal.as_ref()
    }
}

/// What a ticket, if it is one, is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A range of rows; anything that is no ticket too.
    Rows,
    /// The rows that a statement gives.
    Query,
    /// A partition without an end.
    Follow,
}

/// What the ticket, if it is one, is for.
pub(super) fn purpose(bytes: &[u8]) -> Purpose {
    match bytes.first() {
        Some(&QueryTicket::KIND) => Purpose::Query,
        Some(&FollowTicket::KIND) => Purpose::Follow,
        _ => Purpose::Rows,
    }
}

/// The same ticket, whatever it is for, with another expiry.
pub(super) fn renewed(
    bytes: &[u8],
    key: &Key,
    expires_at_ms: u64,
    mine: impl Fn(Option<&Principal>) -> Result<()>,
) -> Result<Vec<u8>> {
    match purpose(bytes) {
        Purpose::Rows => Ticket::renewed(bytes, key, expires_at_ms, mine),
        Purpose::Query => QueryTicket::renewed(bytes, key, expires_at_ms, mine),
        Purpose::Follow => FollowTicket::renewed(bytes, key, expires_at_ms, mine),
    }
}

fn former() -> Error {
    Error::new(
        Kind::Conflict,
        "FS0446",
        "the ticket was made by an earlier version of the bridge",
    )
    .with_detail("it names segments; tickets name positions now")
    .with_hint("call get_flight_info again and use the tickets that it returns")
}

fn foreign(why: String) -> Error {
    Error::new(
        Kind::Unauthorized,
        "FS0404",
        "the ticket was not made by this bridge",
    )
    .with_detail(why)
    .with_hint("call get_flight_info again and use the tickets that it returns")
}

/// Opens tickets with this content, signed by some key.
pub(crate) fn decode(payload: &[u8]) -> Result<()> {
    fn open<T: Signed>(payload: &[u8]) -> Result<T> {
        let key = Key::new([0; 32]);
        let signature = key.mac(T::KIND, payload)?.finalize().into_bytes();
        let mut bytes = vec![T::KIND];
        bytes.extend_from_slice(&signature);
        bytes.extend_from_slice(payload);
        T::open(&bytes, &key)
    }
    if open::<Ticket>(payload).is_ok() || open::<FollowTicket>(payload).is_ok() {
        return Ok(());
    }
    open::<QueryTicket>(payload).map(|_| ())
}

/// Column indexes as text: ten thousand columns in their order are a few bytes.
mod ranges {
    use super::limits::COLUMNS_MAX;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Ranges(String),
        List(Vec<usize>),
    }

    pub(super) fn serialize<S: Serializer>(
        columns: &Option<Vec<usize>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        columns.as_deref().map(write).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<usize>>, D::Error> {
        match Option::<Written>::deserialize(deserializer)? {
            None => Ok(None),
            Some(Written::List(columns)) => Ok(Some(columns)),
            Some(Written::Ranges(text)) => read(&text)
                .map(Some)
                .ok_or_else(|| D::Error::custom("its columns are torn")),
        }
    }

    pub(super) fn write(columns: &[usize]) -> String {
        let runs = columns.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        let runs = runs.map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            run => run.iter().map(usize::to_string).collect(),
        });
        runs.collect::<Vec<_>>().join(",")
    }

    pub(super) fn read(text: &str) -> Option<Vec<usize>> {
        let mut columns = Vec::new();
        for run in text.split(',').filter(|run| !run.is_empty()) {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if first > last || last - first >= COLUMNS_MAX - columns.len().min(COLUMNS_MAX) {
                return None;
            }
            columns.extend(first..=last);
        }
        Some(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::ranges::{read, write};
    use super::*;
    use flinkspark_model::access::PRINCIPAL_BYTES_MAX;
    use flinkspark_model::filter::{Column, FILTER_BYTES_MAX};
    use flinkspark_model::schema::names::COLUMNS_MAX;
    use uuid::Uuid;

    #[test]
    fn a_ticket_that_names_every_column_is_still_a_ticket() {
        let filter = Filter::IsNull(Column {
            column: "x".repeat(FILTER_BYTES_MAX),
        });
        let ticket = Ticket {
            dataset: DatasetId(Uuid::max()),
            partition: u32::MAX,
            from: Position {
                slot: SlotNo::MAX,
                segment: u32::MAX,
                row: u64::MAX,
            },
            through: SlotNo::MAX,
            rows: u64::MAX,
            limit: Some(u64::MAX),
            shape: Shape {
                schema_version: u32::MAX,
                columns: Some((0..COLUMNS_MAX).collect()),
                profile: Profile::Spark4,
                lossy: Lossy::Truncate,
                filter: Some(filter),
                principal: Some(Principal::new(&"x".repeat(PRINCIPAL_BYTES_MAX)).unwrap()),
            },
            expires_at_ms: u64::MAX,
        };
        let key = Key::new([7; 32]);
        let bytes = ticket.sign(&key).unwrap();
        assert!(bytes.len() <= limits::TICKET_BYTES_MAX, "{}", bytes.len());
        assert_eq!(Ticket::open(&bytes, &key).unwrap(), ticket);
    }

    #[test]
    fn a_ticket_that_names_segments_is_refused_by_name() {
        let key = Key::new([7; 32]);
        for bytes in [&[FORMER_KIND][..], &[FORMER_KIND; 100]] {
            let error = Ticket::redeem(bytes, &key, 0).unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0446"));
            let renewed = renewed(bytes, &key, 1, |_| Ok(()));
            assert_eq!(renewed.unwrap_err().code(), "FS0446");
        }
        assert_eq!(Ticket::redeem(&[9], &key, 0).unwrap_err().code(), "FS0404");
    }

    #[test]
    fn columns_survive_as_ranges() {
        for columns in [
            vec![],
            vec![0],
            vec![3, 2, 1],
            (0..13_000).collect(),
            vec![7, 8, 9, 4, 5, 1],
        ] {
            let text = write(&columns);
            assert_eq!(read(&text), Some(columns), "{text}");
        }
        assert_eq!(write(&[0, 1, 2, 9]), "0-2,9");
        for torn in [
            "x",
            "1-",
            "-",
            "0-99999999999",
            "18446744073709551615-1,0-18446744073709551615",
        ] {
            assert_eq!(read(torn), None, "{torn}");
        }
    }
}
