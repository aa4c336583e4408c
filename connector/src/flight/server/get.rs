//! `DoGet`: the rows of one ticket.
//!
//! The log is asked for the ticket's segments a few at a time: a ticket of a hundred thousand of them takes no more
//! memory than one of three. Invariant: a stream that ends without an error carried exactly the ticket's rows, in
//! stored order, those that its filter leaves.

use super::sending::{Gone, Part, Sender, stale};
use super::{Answers, Components};
use crate::flight::ticket::{Signed, Ticket};
use arrow_flight::FlightData;
use flinkspark_model::Result;
use flinkspark_model::log::View;
use flinkspark_model::position::Position;

/// Segments that are looked up in the log at once.
const PARTS_AT_ONCE: usize = 64;

/// `DoGet`.
pub(in crate::flight) async fn get(
    components: &Components,
    ticket: &[u8],
) -> Result<Answers<FlightData>> {
    let ticket = Ticket::redeem(ticket, &components.key, components.clock.now_ms())?;
    let (mut sender, view, answers) =
        Sender::open(components, ticket.dataset, ticket.partition, &ticket.shape).await?;
    if ticket.rows > 0 && ticket.from.slot <= view.horizon() {
        let why = format!("slot {} has expired", ticket.from.slot);
        return Err(stale(&sender.dataset, why));
    }
    drop(view);
    tokio::spawn(async move {
        if let Err(error) = send(&mut sender, &ticket).await {
            sender.fail(error).await;
        }
    });
    Ok(answers)
}

/// Sends the ticket's rows, or as many as the reader stays for.
async fn send(sender: &mut Sender, ticket: &Ticket) -> Result<()> {
    if let Err(Gone) = sender.begin().await {
        return Ok(());
    }
    sender.limit(ticket.limit);
    let (mut from, mut left) = (ticket.from, ticket.rows);
    while left > 0 && !sender.is_done() {
        let view = sender.log.beyond(ticket.through.saturating_sub(1)).await?;
        let parts = parts(&view, ticket, from);
        drop(view);
        let Some(last) = parts.last() else {
            let why = format!("{left} rows behind position {from} are missing");
            return Err(stale(&sender.dataset, why));
        };
        from = last.behind();
        for mut part in parts {
            part.rows = part.rows.min(left);
            left -= part.rows;
            if let Err(Gone) = sender.send(part, ticket.through).await? {
                return Ok(());
            }
            if left == 0 {
                break;
            }
        }
    }
    sender.finish().await
}

/// The next segments of the ticket.
fn parts(view: &View, ticket: &Ticket, from: Position) -> Vec<Part> {
    view.segments_as_of(ticket.partition, from, ticket.through)
        .take(PARTS_AT_ONCE)
        .map(|(at, segment)| Part::of(at, segment))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::limits;
    use crate::flight::server::sending::STALL;
    use crate::flight::tests::fake::Damage;
    use crate::flight::tests::{bridge, rows, whole};
    use futures::{FutureExt, StreamExt, TryStreamExt};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_reader_that_takes_nothing_holds_little_and_is_read_for_again() {
        static READS: AtomicU64 = AtomicU64::new(0);
        let bridge = bridge().await;
        bridge
            .fake
            .dataset_named("slow", crate::flight::tests::schema())
            .await;
        bridge.commit("slow", &[rows(0, 200_000)]).await;
        let info = bridge.client.info(&whole("slow")).await.unwrap();
        *bridge.fake.damage.lock().unwrap() = Some(Damage::Counted(&READS));
        let ticket = &info.endpoints[0].ticket;
        let mut answers = get(&bridge.components, ticket).await.unwrap();
        tokio::time::sleep(STALL + STALL / 2).await;
        assert_eq!(READS.load(Ordering::SeqCst), 1);
        let mut messages = Vec::new();
        while let Some(Some(message)) = answers.next().now_or_never() {
            messages.push(message.unwrap());
        }
        let held = messages.len();
        assert_eq!(held, limits::GET_MESSAGES_QUEUED, "messages wait for it");
        messages.extend(answers.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(READS.load(Ordering::SeqCst), 2, "it was given up once");
        let largest = messages.iter().map(|message| message.data_body.len()).max();
        let two = largest.map(|bytes| 2 * bytes).unwrap();
        assert!(
            messages.len() > 10 && two <= 1 << 20,
            "two have {two} bytes"
        );
    }
}
