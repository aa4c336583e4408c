//! Where a task's input channels meet: watermarks are combined and barriers aligned.
//!
//! A channel that has delivered its barrier is not read until all have; an ended channel counts
//! as aligned. Invariant: between two barriers a task sees exactly the messages that each channel
//! carried between them.

use super::channel::Receiver;
use super::message::{Barrier, Batch, Message, Watermark};
use super::valve::{Effect, Valve};
use std::collections::VecDeque;
use std::task::{Context, Poll};

/// What a task is given next.
#[derive(Debug)]
pub(crate) enum Input {
    /// Rows.
    Batch(Batch),
    /// The combined watermark.
    Watermark(Watermark),
    /// Every channel is aligned.
    Barrier(Barrier),
    /// The task became idle, or woke.
    Idle(bool),
    /// No row follows on any channel.
    EndOfData,
    /// Nothing follows on any channel.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Flowing,
    /// It waits for the other channels' barriers.
    Aligned,
    Ended,
}

/// The input of one task.
pub(crate) struct Gate {
    channels: Vec<Receiver>,
    phases: Vec<Phase>,
    data_ended: Vec<bool>,
    valve: Valve,
    barrier: Option<Barrier>,
    ready: VecDeque<Input>,
    turn: usize,
}

impl Gate {
    /// A gate over these channels.
    pub(crate) fn new(channels: Vec<Receiver>) -> Self {
        let count = channels.len();
        Self {
            channels,
            phases: vec![Phase::Flowing; count],
            data_ended: vec![false; count],
            valve: Valve::new(count),
            barrier: None,
            ready: VecDeque::new(),
            turn: 0,
        }
    }

    /// The next input; after `End` it is never ready again.
    pub(crate) async fn next(&mut self) -> Input {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Poll::Ready(input);
            }
            let Some((channel, message)) = self.poll_channels(context) else {
                return Poll::Pending;
            };
            self.accept(channel, message);
        }
    }

    /// The next message of a channel that is not blocked, taking turns.
    fn poll_channels(&mut self, context: &mut Context<'_>) -> Option<(usize, Message)> {
        let count = self.channels.len();
        for step in 0..count {
            let channel = (self.turn + step) % count;
            if self.phases[channel] != Phase::Flowing {
                continue;
            }
            if let Poll::Ready(message) = self.channels[channel].poll(context) {
                self.turn = (channel + 1) % count;
                return Some((channel, message));
            }
        }
        None
    }

    fn accept(&mut self, channel: usize, message: Message) {
        match message {
            Message::Data(batch) => self.ready.push_back(Input::Batch(batch)),
            Message::Watermark(watermark) => {
                let effect = self.valve.watermark(channel, watermark);
                self.emit(effect);
            }
            Message::Idle => {
                let effect = self.valve.idle(channel);
                self.emit(effect);
            }
            Message::Active => {
                let effect = self.valve.active(channel);
                self.emit(effect);
            }
            Message::Barrier(barrier) => {
                self.phases[channel] = Phase::Aligned;
                self.barrier = Some(barrier);
                self.align();
            }
            Message::EndOfData => {
                self.data_ended[channel] = true;
                if self.data_ended.iter().all(|ended| *ended) {
                    self.ready.push_back(Input::EndOfData);
                }
            }
            Message::End => {
                self.phases[channel] = Phase::Ended;
                self.align();
                if self.phases.iter().all(|phase| *phase == Phase::Ended) {
                    self.ready.push_back(Input::End);
                }
            }
        }
    }

    fn emit(&mut self, effect: Effect) {
        self.ready.extend(effect.watermark.map(Input::Watermark));
        self.ready.extend(effect.idle.map(Input::Idle));
    }

    fn align(&mut self) {
        if self.phases.contains(&Phase::Flowing) {
            return;
        }
        if let Some(barrier) = self.barrier.take() {
            self.ready.push_back(Input::Barrier(barrier));
            for phase in &mut self.phases {
                if *phase == Phase::Aligned {
                    *phase = Phase::Flowing;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::channel;
    use super::super::message::After;
    use super::*;
    use flinkspark_model::budget::{Budget, Share};
    use futures::FutureExt;

    fn barrier(checkpoint: u64) -> Message {
        Message::Barrier(Barrier {
            checkpoint,
            after: After::Continue,
        })
    }

    fn memory() -> Share {
        Budget::unlimited().share("stream", 0)
    }

    #[tokio::test]
    async fn an_aligned_channel_waits_for_the_others() {
        let (left, left_end) = channel(&memory());
        let (right, right_end) = channel(&memory());
        let mut gate = Gate::new(vec![left_end, right_end]);
        left.send(Message::Watermark(1)).await;
        left.send(barrier(1)).await;
        left.send(Message::Watermark(9)).await;
        right.send(Message::Watermark(5)).await;
        assert!(matches!(gate.next().await, Input::Watermark(1)));
        assert!(gate.next().now_or_never().is_none(), "left is blocked");
        right.send(barrier(1)).await;
        assert!(matches!(gate.next().await, Input::Barrier(_)));
        assert!(matches!(gate.next().await, Input::Watermark(5)));
    }

    #[tokio::test]
    async fn an_ended_channel_counts_as_aligned() {
        let (left, left_end) = channel(&memory());
        let (right, right_end) = channel(&memory());
        let mut gate = Gate::new(vec![left_end, right_end]);
        left.send(Message::EndOfData).await;
        left.send(Message::End).await;
        right.send(barrier(3)).await;
        assert!(matches!(
            gate.next().await,
            Input::Barrier(Barrier { checkpoint: 3, .. })
        ));
        right.send(Message::EndOfData).await;
        right.send(Message::End).await;
        assert!(matches!(gate.next().await, Input::EndOfData));
        assert!(matches!(gate.next().await, Input::End));
    }
}
