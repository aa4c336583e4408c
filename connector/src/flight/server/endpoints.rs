//! The endpoints of a flight: splits with their tickets.
//!
//! Invariant: the endpoints of one `FlightInfo` hold each row of its range exactly once, those of a partition in its
//! order, and take no more bytes than a client takes.

use super::Components;
use super::selection::Selection;
use crate::flight::body::{self, EndpointMetadata, Place, SplitBy, Splits};
use crate::flight::limits;
use crate::flight::ticket::{FollowTicket, Shape, Signed, Ticket};
use arrow_flight::FlightEndpoint;
use flinkspark_model::log::LiveEpoch;
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::split::{self, By, Split, Start};
use flinkspark_model::{Error, Kind, Result};
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The splits of a read, as it asked for them.
pub(super) fn splits(
    selection: &Selection,
    epochs: &[Arc<LiveEpoch>],
    start: &Start,
    endpoint_bytes: usize,
) -> Result<Vec<Split>> {
    let asked = selection.command.splits.unwrap_or_default();
    let by = match asked.by {
        SplitBy::Bytes => By::Bytes(asked.target_bytes.unwrap_or(limits::SPLIT_BYTES_DEFAULT)),
        SplitBy::Partition => By::Partition,
        SplitBy::Segment => By::Segment,
    };
    let max = most(asked, epochs, endpoint_bytes)?;
    let splits = split::plan(epochs, start, by, max)?;
    // Of rows that a filter chooses nobody knows yet which endpoint has them.
    Ok(match selection.command.limit {
        Some(rows_max) if selection.filter.is_none() => split::limit(splits, rows_max),
        _ => splits,
    })
}

/// How many endpoints there may be: as many as were asked for, within the limits of a flight.
fn most(asked: Splits, epochs: &[Arc<LiveEpoch>], endpoint_bytes: usize) -> Result<usize> {
    let fit = limits::ENDPOINTS_BYTES_MAX / endpoint_bytes.max(1);
    let most = fit.clamp(1, limits::ENDPOINTS_MAX);
    match asked.max {
        Some(0) => Err(Error::new(
            Kind::Invalid,
            "FS0447",
            "the range that was asked for cannot be read",
        )
        .with_detail("its splits.max is 0")
        .with_hint("leave splits.max out, or give at least as many as there are partitions")),
        Some(max) => Ok(max.min(most)),
        None if asked.by == SplitBy::Segment => Ok(most),
        None => Ok(limits::ENDPOINTS_DEFAULT
            .max(partitions(epochs).len())
            .min(most)),
    }
}

/// The partitions that the epochs have.
pub(super) fn partitions(epochs: &[Arc<LiveEpoch>]) -> BTreeSet<u32> {
    let segments = epochs.iter().flat_map(|epoch| &epoch.segments);
    segments.map(|segment| segment.partition).collect()
}

/// What is the same in each ticket of a flight.
pub(super) struct Mint<'a> {
    pub(super) components: &'a Components,
    pub(super) selection: &'a Selection,
    pub(super) expires_at_ms: u64,
}

impl<'a> Mint<'a> {
    /// Tickets that live from now on.
    pub(super) fn new(components: &'a Components, selection: &'a Selection) -> Self {
        let now_ms = components.clock.now_ms();
        Self {
            components,
            selection,
            expires_at_ms: now_ms.saturating_add(limits::TICKET_LIFE_MS),
        }
    }

    fn shape(&self) -> Shape {
        let Selection {
            dataset,
            command,
            columns,
            filter,
            ..
        } = self.selection;
        Shape {
            schema_version: dataset.schema_version,
            columns: columns.clone(),
            profile: command.profile,
            lossy: command.lossy,
            filter: filter.as_ref().and_then(|split| split.answered.clone()),
            principal: self.components.acting(),
        }
    }

    /// The most rows of each endpoint, where a filter chooses all of them.
    fn limit(&self) -> Option<u64> {
        let filter = self.selection.filter.as_ref()?;
        let limit = self.selection.command.limit;
        limit.filter(|_| filter.residual.is_none())
    }

    /// A split's endpoint.
    pub(super) fn split(&self, split: &Split, through: SlotNo) -> Result<FlightEndpoint> {
        let ticket = Ticket {
            dataset: self.selection.dataset.id,
            partition: split.partition,
            from: split.from,
            through,
            rows: split.rows,
            limit: self.limit(),
            shape: self.shape(),
            expires_at_ms: self.expires_at_ms,
        };
        let metadata = EndpointMetadata {
            partition: split.partition,
            from: Place(split.from),
            until: Some(Place(split.until)),
            through: Some(through),
            rows: split.rows,
            limit: self.limit(),
            bytes: split.bytes,
            segments: split.segments,
            name: (split.segments > 0).then(|| split.name.clone()),
            digest: split.digest,
        };
        self.endpoint(ticket.sign(&self.components.key)?, &metadata)
    }

    /// The endpoint of a range without rows.
    pub(super) fn nothing(
        &self,
        partition: u32,
        from: Position,
        through: SlotNo,
    ) -> Result<FlightEndpoint> {
        let nothing = Split {
            partition,
            from,
            until: from,
            rows: 0,
            bytes: 0,
            segments: 0,
            name: "".into(),
            digest: None,
        };
        self.split(&nothing, through)
    }

    /// The endpoint of a partition that is followed.
    pub(super) fn follow(&self, partition: u32, from: Position) -> Result<FlightEndpoint> {
        let ticket = FollowTicket {
            dataset: self.selection.dataset.id,
            partition,
            from,
            past_overwrites: self.selection.command.changes.is_some(),
            shape: self.shape(),
            expires_at_ms: self.expires_at_ms,
        };
        let metadata = EndpointMetadata {
            partition,
            from: Place(from),
            until: None,
            through: None,
            rows: 0,
            limit: None,
            bytes: 0,
            segments: 0,
            name: None,
            digest: None,
        };
        self.endpoint(ticket.sign(&self.components.key)?, &metadata)
    }

    fn endpoint(&self, ticket: Vec<u8>, metadata: &EndpointMetadata) -> Result<FlightEndpoint> {
        let endpoint = at(self.components, ticket, self.expires_at_ms);
        Ok(endpoint.with_app_metadata(body::write(metadata)?))
    }

    /// The most bytes that an endpoint of this flight takes.
    pub(super) fn endpoint_bytes(&self) -> Result<usize> {
        let last = Position {
            slot: SlotNo::MAX,
            segment: u32::MAX,
            row: u64::MAX,
        };
        let name = [b'x'; SEGMENT_NAME_BYTES];
        let largest = Split {
            partition: u32::MAX,
            from: last,
            until: last,
            rows: u64::MAX,
            bytes: u64::MAX,
            segments: u64::MAX,
            name: String::from_utf8_lossy(&name).as_ref().into(),
            digest: Some(flinkspark_model::digest::Digest {
                rows: u64::MAX,
                sum: u128::MAX,
            }),
        };
        Ok(self.split(&largest, SlotNo::MAX)?.encoded_len())
    }
}

/// As long as a segment's name is at most, in bytes.
const SEGMENT_NAME_BYTES: usize = 128;

/// An endpoint where this bridge says that it is.
pub(super) fn at(components: &Components, ticket: Vec<u8>, expires_at_ms: u64) -> FlightEndpoint {
    let endpoint = FlightEndpoint::new()
        .with_ticket(arrow_flight::Ticket::new(ticket))
        .with_expiration_time(expiry(expires_at_ms));
    match &components.location {
        Some(location) => endpoint.with_location(location),
        None => endpoint,
    }
}

/// Until when a ticket can be redeemed.
fn expiry(at_ms: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(at_ms / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(at_ms % 1000 * 1_000_000).unwrap_or(0),
    }
}
