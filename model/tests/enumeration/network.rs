//! Creates on their way to the stores.
//!
//! A create is answered, or its sender gives up waiting; then, and when its sender crashes, it
//! stays on its way and lands or is lost at any later time. A lost response is a create that was
//! given up and landed. Invariant: never more creates than the capacity.

use super::world::{BodyNo, LogNo, World};
use flinkspark_model::position::SlotNo;

/// The most creates in flight that any model here uses.
const CAPACITY_MAX: usize = 4;

/// Nobody waits for the answer any more.
pub(crate) const ORPHAN: u8 = 0xff;

/// One conditional create in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    /// Which of the model's logs.
    pub(crate) log: u8,
    pub(crate) slot: u8,
    pub(crate) body: BodyNo,
    /// Who waits for the answer, or `ORPHAN`.
    pub(crate) sender: u8,
}

/// All creates in flight, in a canonical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    messages: [Option<Message>; CAPACITY_MAX],
    capacity: u8,
}

impl Network {
    pub(crate) fn new(capacity: u8) -> Self {
        assert!(usize::from(capacity) <= CAPACITY_MAX);
        Self {
            messages: [None; CAPACITY_MAX],
            capacity,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Message> {
        self.messages.into_iter().flatten()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.iter().count() >= usize::from(self.capacity)
    }

    pub(crate) fn send(&mut self, log: u8, slot: SlotNo, body: BodyNo, sender: u8) {
        assert!(!self.is_full(), "the sender looked first");
        let slot = u8::try_from(slot).expect("a small model");
        let free = self.messages.iter_mut().find(|place| place.is_none());
        *free.expect("not full") = Some(Message {
            log,
            slot,
            body,
            sender,
        });
        self.settle();
    }

    pub(crate) fn remove(&mut self, message: Message) {
        if let Some(place) = self
            .messages
            .iter_mut()
            .find(|place| **place == Some(message))
        {
            *place = None;
        }
        self.settle();
    }

    /// Nobody waits for this create any more.
    pub(crate) fn abandon(&mut self, sender: u8) {
        for message in self.messages.iter_mut().flatten() {
            if message.sender == sender {
                message.sender = ORPHAN;
            }
        }
        self.settle();
    }

    /// Forgets creates that can change nothing: nobody waits and the slot is taken for good.
    pub(crate) fn forget_spent(&mut self, world: &World, logs: &[LogNo]) {
        for place in &mut self.messages {
            if let Some(message) = place
                && message.sender == ORPHAN
                && let Some(log) = logs.get(usize::from(message.log))
                && world.is_taken(*log, u64::from(message.slot))
            {
                *place = None;
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.messages.sort_by_key(|place| (place.is_none(), *place));
    }

    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        for message in self.iter() {
            bytes.extend([message.log, message.slot, message.sender]);
            bytes.extend(message.body.to_le_bytes());
        }
        bytes.push(0xee);
    }
}
