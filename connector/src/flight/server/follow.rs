//! `DoGet` of a partition without an end: rows as slots bring them, and a word at each slot's border.
//!
//! Slots are read as they stand when their turn comes, at the reader's pace: between them a follower holds no row, no
//! view and no list. Invariant: each message says a position, and a reader that goes on from the last one misses
//! nothing and sees nothing twice; rows that were overwritten behind it are an error unless it said that it knows.

use super::range::overwritten;
use super::sending::{Gone, Part, Sender, stale};
use super::{Answers, Components};
use crate::flight::body::{self, BorderMetadata, IdleMetadata, Place};
use crate::flight::limits;
use crate::flight::ticket::{FollowTicket, Signed};
use arrow_flight::FlightData;
use flinkspark_model::log::{LiveEpoch, SlotKind, View};
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// Slots that are looked up in the log at once.
const SLOTS_AT_ONCE: u64 = 64;

/// `DoGet`.
pub(super) async fn get(components: &Components, ticket: &[u8]) -> Result<Answers<FlightData>> {
    let ticket = FollowTicket::redeem(ticket, &components.key, components.clock.now_ms())?;
    let (sender, view, answers) =
        Sender::open(components, ticket.dataset, ticket.partition, &ticket.shape).await?;
    let mut follower = Follower {
        // Slots begin at 1.
        position: ticket.from.max(Position::at_slot(1)),
        components: components.clone(),
        sender,
        ticket,
    };
    follower.check(&view)?;
    drop(view);
    tokio::spawn(async move {
        if let Err(error) = follower.run().await {
            follower.sender.fail(error).await;
        }
    });
    Ok(answers)
}

struct Follower {
    components: Components,
    sender: Sender,
    ticket: FollowTicket,
    /// Where the reader stands.
    position: Position,
}

/// One slot, as the follower's partition sees it.
struct Step {
    slot: SlotNo,
    kind: SlotKind,
    watermark_ms: Option<i64>,
    /// One more than the greatest partition with rows in it.
    partitions: u32,
    parts: Vec<Part>,
}

impl Follower {
    /// Sends until the reader has gone.
    async fn run(&mut self) -> Result<()> {
        if let Err(Gone) = self.sender.begin().await {
            return Ok(());
        }
        loop {
            let log = Arc::clone(&self.sender.log);
            let view = tokio::select! {
                view = log.beyond(self.position.slot.saturating_sub(1)) => view?,
                () = tokio::time::sleep(limits::FOLLOW_IDLE) => log.refresh().await?,
                () = self.components.rests() => return Err(self.sent_away()),
                () = self.sender.closed() => return Ok(()),
            };
            self.check(&view)?;
            let (through, steps) = (view.head(), self.steps(&view));
            let idle = steps.is_empty().then(|| self.idle(&view));
            // A view that somebody holds is copied when the next slot comes.
            drop(view);
            if let Some(idle) = idle
                && let Err(Gone) = self.sender.say(body::write(&idle)?).await
            {
                return Ok(());
            }
            for step in steps {
                if let Err(Gone) = self.step(step, through).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Refuses to go on where what follows does not mean what the reader thinks.
    fn check(&self, view: &View) -> Result<()> {
        let (position, dataset) = (self.position, &self.sender.dataset);
        if position.slot <= view.horizon() {
            let why = format!("slot {} has expired", position.slot);
            return Err(stale(dataset, why));
        }
        if view.schema_version() != self.ticket.shape.schema_version {
            let why = format!("the schema changed; the reader stands at position {position}");
            return Err(stale(dataset, why));
        }
        if self.ticket.past_overwrites {
            return Ok(());
        }
        match view.overwrites_behind(position, view.head()).next() {
            None => Ok(()),
            Some((at, epoch)) => Err(overwritten(position, at, epoch.slot, dataset.name.as_str())),
        }
    }

    /// The next slots, as they stand in the view.
    fn steps(&self, view: &View) -> Vec<Step> {
        let first = self.position.slot;
        let last = view.head().min(first.saturating_add(SLOTS_AT_ONCE - 1));
        let mut epochs = view
            .epochs_as_of(first, view.head())
            .take_while(|epoch| epoch.slot <= last)
            .peekable();
        let mut steps = Vec::new();
        for slot in first..=last {
            let epoch = epochs.next_if(|epoch| epoch.slot == slot);
            steps.push(self.seen(slot, view, epoch.map(Arc::as_ref)));
        }
        steps
    }

    fn seen(&self, slot: SlotNo, view: &View, epoch: Option<&LiveEpoch>) -> Step {
        let segments = epoch.map_or(&[][..], |epoch| &epoch.segments);
        let partitions = segments.iter().filter(|segment| segment.rows > 0);
        let partitions = partitions.map(|segment| segment.partition.saturating_add(1));
        let through = view.head();
        let parts = epoch.map(|_| {
            let from = self.position.max(Position::at_slot(slot));
            view.segments_as_of(self.ticket.partition, from, through)
                .take_while(|(at, _)| at.slot == slot)
                .map(|(at, segment)| Part::of(at, segment))
                .collect()
        });
        Step {
            slot,
            kind: view.kinds().of(slot).unwrap_or(SlotKind::Empty),
            watermark_ms: epoch.and_then(|epoch| epoch.watermark_ms),
            partitions: partitions.max().unwrap_or(0),
            parts: parts.unwrap_or_default(),
        }
    }

    /// Sends a slot's rows and its border.
    async fn step(&mut self, step: Step, through: SlotNo) -> Result<std::result::Result<(), Gone>> {
        let mut border = BorderMetadata {
            slot: step.slot,
            kind: step.kind,
            watermark_ms: step.watermark_ms,
            partitions: step.partitions,
            position: Place(self.position),
            begins: true,
        };
        if step.kind == SlotKind::Overwrite && self.position == Position::at_slot(step.slot) {
            let said = self.sender.say(body::write(&border)?).await;
            if said.is_err() {
                return Ok(said);
            }
        }
        for part in step.parts {
            let behind = part.behind();
            let sent = self.sender.send(part, through).await?;
            if sent.is_err() {
                return Ok(sent);
            }
            self.position = behind;
        }
        self.position = Position::at_slot(step.slot.saturating_add(1));
        (border.position, border.begins) = (Place(self.position), false);
        Ok(self.sender.say(body::write(&border)?).await)
    }

    fn sent_away(&self) -> Error {
        let message = "the server is stopping";
        Error::new(Kind::Unavailable, "FS0451", message)
            .with_detail(format!(
                "the follower of partition {} stands at position {} (dataset {})",
                self.ticket.partition, self.position, self.sender.dataset.name
            ))
            .with_hint("follow again from that position once the server is back")
    }

    fn idle(&self, view: &View) -> IdleMetadata {
        IdleMetadata {
            idle: true,
            head: view.head(),
            data_head: view.kinds().data_head(),
            watermark_ms: view.watermark_ms(),
            position: Place(self.position),
        }
    }
}
