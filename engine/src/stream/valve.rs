//! Combines the watermarks of several channels into one, by the rules of Flink's status valve.
//!
//! Invariant: the output never decreases, and while a channel takes part it is at most that
//! channel's watermark.

use super::message::{NO_WATERMARK, Watermark};

#[derive(Debug, Clone, Copy)]
struct Channel {
    watermark: Watermark,
    active: bool,
    /// Takes part in the minimum. A channel that wakes does so when it has caught up.
    aligned: bool,
}

/// The watermarks of a task's input channels.
#[derive(Debug)]
pub(crate) struct Valve {
    channels: Vec<Channel>,
    output: Watermark,
    idle: bool,
}

/// What a change at one channel means for the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Effect {
    /// The new watermark.
    pub(crate) watermark: Option<Watermark>,
    /// `Some(true)` when the task became idle, `Some(false)` when it woke.
    pub(crate) idle: Option<bool>,
}

impl Valve {
    /// A valve for this many channels, all active and without a watermark.
    pub(crate) fn new(channels: usize) -> Self {
        let channel = Channel {
            watermark: NO_WATERMARK,
            active: true,
            aligned: true,
        };
        Self {
            channels: vec![channel; channels],
            output: NO_WATERMARK,
            idle: false,
        }
    }

    /// A channel's watermark advanced.
    pub(crate) fn watermark(&mut self, channel: usize, watermark: Watermark) -> Effect {
        let output = self.output;
        if let Some(state) = self.channels.get_mut(channel)
            && state.active
            && watermark > state.watermark
        {
            state.watermark = watermark;
            state.aligned |= watermark >= output;
        }
        Effect {
            watermark: self.advance_to_minimum(),
            idle: None,
        }
    }

    /// A channel went idle.
    pub(crate) fn idle(&mut self, channel: usize) -> Effect {
        let Some(state) = self.channels.get_mut(channel).filter(|state| state.active) else {
            return Effect::default();
        };
        state.active = false;
        state.aligned = false;
        if self.channels.iter().any(|state| state.active) {
            return Effect {
                watermark: self.advance_to_minimum(),
                idle: None,
            };
        }
        self.idle = true;
        let greatest = self.channels.iter().map(|state| state.watermark).max();
        Effect {
            watermark: self.advance(greatest),
            idle: Some(true),
        }
    }

    /// A channel woke.
    pub(crate) fn active(&mut self, channel: usize) -> Effect {
        let output = self.output;
        if let Some(state) = self.channels.get_mut(channel) {
            state.active = true;
            state.aligned = state.watermark >= output;
        }
        let woke = std::mem::take(&mut self.idle);
        Effect {
            watermark: None,
            idle: woke.then_some(false),
        }
    }

    fn advance_to_minimum(&mut self) -> Option<Watermark> {
        let aligned = self.channels.iter().filter(|state| state.aligned);
        let least = aligned.map(|state| state.watermark).min();
        self.advance(least)
    }

    fn advance(&mut self, to: Option<Watermark>) -> Option<Watermark> {
        let to = to.filter(|watermark| *watermark > self.output)?;
        self.output = to;
        Some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_channel_decides() {
        let mut valve = Valve::new(2);
        assert_eq!(valve.watermark(0, 10).watermark, None);
        assert_eq!(valve.watermark(1, 4).watermark, Some(4));
        assert_eq!(valve.watermark(1, 20).watermark, Some(10));
        assert_eq!(valve.watermark(1, 15).watermark, None);
    }

    #[test]
    fn an_idle_channel_does_not_hold_the_others_back() {
        let mut valve = Valve::new(2);
        valve.watermark(0, 10);
        assert_eq!(valve.idle(1).watermark, Some(10));
        assert_eq!(valve.watermark(0, 12).watermark, Some(12));
    }

    #[test]
    fn a_channel_that_wakes_rejoins_when_it_has_caught_up() {
        let mut valve = Valve::new(2);
        valve.watermark(0, 10);
        valve.idle(1);
        valve.active(1);
        assert_eq!(valve.watermark(1, 3).watermark, None);
        assert_eq!(valve.watermark(0, 12).watermark, Some(12));
        assert_eq!(valve.watermark(1, 12).watermark, None);
        assert_eq!(valve.watermark(0, 20).watermark, None);
        assert_eq!(valve.watermark(1, 15).watermark, Some(15));
    }

    #[test]
    fn when_the_last_channel_goes_idle_the_greatest_watermark_is_flushed() {
        let mut valve = Valve::new(2);
        valve.watermark(0, 10);
        valve.watermark(1, 4);
        valve.idle(0);
        let effect = valve.idle(1);
        assert_eq!((effect.watermark, effect.idle), (Some(10), Some(true)));
        assert_eq!(valve.active(0).idle, Some(false));
    }
}
