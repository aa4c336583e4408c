//! Reading: endpoints in parallel, the rows of each partition in its order.

use super::{Client, Endpoint, Info};
use crate::flight::body::{self, BatchMetadata};
use crate::flight::decode::{Decoded, Decoder};
use crate::flight::limits;
use arrow_array::RecordBatch;
use arrow_flight::{FlightData, Ticket};
use bytes::Bytes;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tonic::{Status, Streaming};

/// The code of a ticket that must be renewed.
const EXPIRED: &str = "FS0405";

impl Client {
    /// All rows, endpoint after endpoint. The next [`limits::PARALLEL_GETS`]
    /// endpoints are already being read; flow control bounds what waits.
    pub fn get(&self, info: &Info) -> BoxStream<'static, Result<RecordBatch>> {
        let client = self.clone();
        stream::iter(info.endpoints.clone())
            .map(move |endpoint| {
                let client = client.clone();
                async move { client.read(&endpoint).await }
            })
            .buffered(limits::PARALLEL_GETS)
            .try_flatten()
            .map_ok(|(batch, _)| batch)
            .boxed()
    }

    /// The rows of one endpoint, each batch with the stored rows that it consumed. A stream that
    /// ends early is `Data`.
    pub async fn read(
        &self,
        endpoint: &Endpoint,
    ) -> Result<BoxStream<'static, Result<(RecordBatch, BatchMetadata)>>> {
        let messages = match self.redeem(endpoint.ticket.clone()).await {
            Err(error) if error.code() == EXPIRED => {
                self.redeem(self.renew(&endpoint.ticket).await?).await?
            }
            other => other?,
        };
        let state = Reader {
            messages,
            decoder: Decoder::default(),
            left: endpoint.metadata.rows,
            limit: endpoint.metadata.limit,
        };
        Ok(stream::try_unfold(state, Reader::next).boxed())
    }

    pub(super) async fn redeem(&self, ticket: Bytes) -> Result<Streaming<FlightData>> {
        let messages = self.inner.clone().do_get(Ticket { ticket }).await;
        messages
            .map(tonic::Response::into_inner)
            .map_err(|status: Status| from_status(&status))
    }
}

struct Reader {
    messages: Streaming<FlightData>,
    decoder: Decoder,
    /// Stored rows that are to come.
    left: u64,
    /// Rows that come at most; none for all.
    limit: Option<u64>,
}

impl Reader {
    async fn next(mut self) -> Result<Option<((RecordBatch, BatchMetadata), Self)>> {
        while let Some(data) = self
            .messages
            .message()
            .await
            .map_err(|status| from_status(&status))?
        {
            if let Decoded::Batch(batch, metadata) = self.decoder.decode(data)? {
                let metadata: BatchMetadata = body::parse("app metadata of a batch", &metadata)?;
                let left = self.left.checked_sub(metadata.rows);
                self.left = left.ok_or_else(|| short("more rows came than the endpoint has"))?;
                if let Some(limit) = &mut self.limit {
                    *limit = limit.saturating_sub(batch.num_rows() as u64);
                }
                return Ok(Some(((batch, metadata), self)));
            }
        }
        if self.left > 0 && self.limit != Some(0) {
            return Err(short(&format!("{} rows are missing", self.left)));
        }
        Ok(None)
    }
}

fn short(why: &str) -> Error {
    Error::new(
        Kind::Data,
        "FS0424",
        "an endpoint did not send what it promised",
    )
    .with_detail(why)
    .with_hint("read again; if it happens again, run `flinkspark dataset verify NAME`")
}
