//! Actions of consumers: how far a reader has come, and how far each of a dataset's is behind.
//!
//! Invariant: a consumer's own word is all that is recorded; no read moves one.

use super::{Components, to_its_end};
use crate::flight::body::{
    self, ConsumeAnswer, ConsumeRequest, ConsumerEntry, ConsumersAnswer, ConsumersRequest,
};
use bytes::Bytes;
use flinkspark_model::Result;
use flinkspark_model::access::Verb;
use flinkspark_model::port::Consume;
use std::sync::Arc;

/// Action `consume`.
pub(super) async fn consume(components: &Arc<Components>, json: &[u8]) -> Result<Bytes> {
    let request: ConsumeRequest = body::parse("body of consume", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Read).await?;
    let consume = Consume {
        dataset: dataset.id,
        consumer: request.consumer,
        slot: request.slot,
        principal: components.acting(),
        admin: components.caller.may(Verb::Admin, &dataset.name).is_ok(),
    };
    let consumers = Arc::clone(&components.consumers);
    let consumed = to_its_end(async move { consumers.consume(consume).await }).await?;
    let view = components.open(&dataset).await?.refresh().await?;
    body::write(&ConsumeAnswer {
        consumer: consumed.consumer,
        slot: consumed.slot,
        lag: view.kinds().data_head().saturating_sub(consumed.slot),
        replayed: consumed.replayed,
    })
}

/// Action `consumers`.
pub(super) async fn list(components: &Components, json: &[u8]) -> Result<Bytes> {
    let request: ConsumersRequest = body::parse("body of consumers", json)?;
    let dataset = components.lookup(&request.dataset, Verb::Read).await?;
    let consumers = components.consumers.consumers(dataset.id).await?;
    let view = components.open(&dataset).await?.refresh().await?;
    let (head, data_head) = (view.head(), view.kinds().data_head());
    let entries = consumers.into_iter().map(|consumer| ConsumerEntry {
        lag: data_head.saturating_sub(consumer.slot),
        consumer: consumer.consumer,
        slot: consumer.slot,
        heard_at_ms: consumer.at_ms,
        principal: consumer.principal,
    });
    body::write(&ConsumersAnswer {
        consumers: entries.collect(),
        head,
        data_head,
    })
}
