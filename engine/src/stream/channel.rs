//! Bounded channels between tasks: by rows and by bytes, so that neither wide rows nor many marks
//! can fill the memory.
//!
//! What waits is counted in the process's memory budget too, whether there is room or not: the rows
//! are there already, and the channel's own limits bound them.
//! Invariant: what is in a channel has paid for its rows and bytes, and pays back when received.
//! A peer that is gone never makes this side fail: the task that failed says why, and the job
//! stops all of them.

use super::message::Message;
use flinkspark_model::budget::{Reservation, Share};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// The most rows in a channel; a mark counts as one.
pub(crate) const CHANNEL_ROWS_MAX: usize = 64 << 10;

/// The most bytes in a channel, in KiB. A batch beyond it travels alone.
pub(crate) const CHANNEL_KIB_MAX: usize = 8 << 10;

struct Paid {
    message: Message,
    _rows: Option<OwnedSemaphorePermit>,
    _kib: Option<OwnedSemaphorePermit>,
    _memory: Reservation,
}

/// The sending end.
pub(crate) struct Sender {
    queue: mpsc::UnboundedSender<Paid>,
    rows: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    memory: Share,
}

/// The receiving end.
pub(crate) struct Receiver {
    queue: mpsc::UnboundedReceiver<Paid>,
}

/// A channel between two tasks, counted in this part of the process's memory.
pub(crate) fn channel(memory: &Share) -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let sender = Sender {
        queue: sender,
        rows: Arc::new(Semaphore::new(CHANNEL_ROWS_MAX)),
        kib: Arc::new(Semaphore::new(CHANNEL_KIB_MAX)),
        memory: memory.clone(),
    };
    (sender, Receiver { queue: receiver })
}

impl Sender {
    /// Sends when there is room; waits for ever when the receiver is gone.
    pub(crate) async fn send(&self, message: Message) {
        let rows = message.rows().min(CHANNEL_ROWS_MAX);
        let bytes = message.bytes();
        let kib = bytes.div_ceil(1024).min(CHANNEL_KIB_MAX);
        let paid = Paid {
            _rows: acquire(&self.rows, rows).await,
            _kib: acquire(&self.kib, kib).await,
            _memory: self.memory.holding(bytes as u64),
            message,
        };
        if self.queue.send(paid).is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>, permits: usize) -> Option<OwnedSemaphorePermit> {
    let permits = u32::try_from(permits).unwrap_or(u32::MAX);
    // The semaphore is never closed, so the permit always comes.
    Arc::clone(semaphore).acquire_many_owned(permits).await.ok()
}

impl Receiver {
    /// The next message; pending for ever when the sender is gone.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Message> {
        match self.queue.poll_recv(context) {
            Poll::Ready(Some(paid)) => Poll::Ready(paid.message),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flinkspark_model::budget::Budget;
    use futures::FutureExt;

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_counted_in_the_budget() {
        use super::super::message::{Batch, Watermarks};
        use arrow_array::{ArrayRef, RecordBatch, StringArray};
        let budget = Budget::new(1 << 40);
        let (sender, mut receiver) = channel(&budget.share("stream", 1 << 40));
        let wide = || {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
            let rows = RecordBatch::try_from_iter([("text", text)]).unwrap();
            let mut watermarks = Watermarks::default();
            watermarks.push(1, 0);
            Message::Data(Batch {
                rows,
                watermarks,
                partition: 0,
            })
        };
        let mut sent = 0;
        while sent < 64 && sender.send(wide()).now_or_never().is_some() {
            sent += 1;
        }
        let most = CHANNEL_KIB_MAX as u64 * 1024;
        assert!((1..=most >> 20).contains(&sent), "{sent} of a MiB each");
        assert!(
            (sent << 20..=most).contains(&budget.used()),
            "{}",
            budget.used()
        );
        for _ in 0..sent {
            std::future::poll_fn(|context| receiver.poll(context)).await;
        }
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_full_channel_takes_the_next_message_when_one_is_received() {
        let (sender, mut receiver) = channel(&Budget::unlimited().share("stream", 0));
        for _ in 0..CHANNEL_ROWS_MAX {
            sender.send(Message::Watermark(1)).await;
        }
        let mut blocked = Box::pin(sender.send(Message::End));
        assert!(blocked.as_mut().now_or_never().is_none());
        std::future::poll_fn(|context| receiver.poll(context)).await;
        assert!(blocked.now_or_never().is_some());
    }
}
