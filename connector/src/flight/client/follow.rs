//! Living with a log: its head, its epochs, partitions without an end.

use super::{Client, Endpoint};
use crate::flight::body::{
    self, BatchMetadata, BorderMetadata, EpochsAnswer, EpochsRequest, HeadAnswer, HeadRequest,
    IdleMetadata, ReadCommand, TicketAnswer,
};
use crate::flight::decode::{Decoded, Decoder};
use arrow_array::RecordBatch;
use arrow_flight::FlightData;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::position::Position;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use futures::stream::{self, BoxStream, StreamExt};
use serde::Deserialize;
use tonic::Streaming;

/// What a follower is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Rows.
    Rows(RecordBatch, BatchMetadata),
    /// A slot is done, or the rows of an overwrite follow.
    Border(BorderMetadata),
    /// Nothing happened for a while.
    Idle(IdleMetadata),
}

impl Followed {
    /// Where a reader that stops after this goes on.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Rows(_, metadata) => metadata.position.map(|place| place.0),
            Self::Border(border) => Some(border.position.0),
            Self::Idle(idle) => Some(idle.position.0),
        }
    }
}

impl Client {
    /// Where a log stands; waits for a slot after the request's as long as that says.
    pub async fn head(&self, request: &HeadRequest) -> Result<HeadAnswer> {
        self.act("head", request).await
    }

    /// A page of a log's slots; waits for one as long as the request says.
    pub async fn epochs(&self, request: &EpochsRequest) -> Result<EpochsAnswer> {
        self.act("epochs", request).await
    }

    /// A ticket of one partition, from a position that was kept.
    pub async fn ticket(&self, command: &ReadCommand) -> Result<Endpoint> {
        let answer: TicketAnswer = self.act("ticket", command).await?;
        let ticket = STANDARD.decode(answer.ticket).map_err(|cause| {
            let what = "the answer of ticket was not understood";
            Error::new(Kind::Data, "FS0411", what).with_source(cause)
        })?;
        Ok(Endpoint {
            ticket: Bytes::from(ticket),
            metadata: answer.endpoint,
        })
    }

    /// A partition without an end, from an endpoint of a command that follows.
    pub async fn follow(
        &self,
        endpoint: &Endpoint,
    ) -> Result<BoxStream<'static, Result<Followed>>> {
        let follower = Follower {
            messages: self.redeem(endpoint.ticket.clone()).await?,
            decoder: Decoder::default(),
        };
        Ok(stream::try_unfold(follower, Follower::next).boxed())
    }
}

struct Follower {
    messages: Streaming<FlightData>,
    decoder: Decoder,
}

/// Metadata without rows.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Border(BorderMetadata),
    Idle(IdleMetadata),
}

impl Follower {
    async fn next(mut self) -> Result<Option<(Followed, Self)>> {
        let what = "app metadata of a batch";
        loop {
            let message = self.messages.message().await;
            let Some(data) = message.map_err(|status| from_status(&status))? else {
                return Ok(None);
            };
            let followed = match self.decoder.decode(data)? {
                Decoded::Schema(_) => continue,
                Decoded::Batch(batch, metadata) => {
                    Followed::Rows(batch, body::parse(what, &metadata)?)
                }
                Decoded::Metadata(metadata) => match body::parse(what, &metadata)? {
                    Said::Border(border) => Followed::Border(border),
                    Said::Idle(idle) => Followed::Idle(idle),
                },
            };
            return Ok(Some((followed, self)));
        }
    }
}
