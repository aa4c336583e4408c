//! Asking: the rows of one statement, as they come.

use super::Client;
use crate::flight::body::{self, BatchMetadata, QueryMetadata};
use crate::flight::decode::{self, Decoded, Decoder};
use arrow_array::RecordBatch;
use arrow_flight::{FlightData, FlightDescriptor};
use arrow_schema::SchemaRef;
use flinkspark_model::port::{Pinned, Query};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use futures::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use tonic::Streaming;

/// A question that was planned, and is being answered.
pub struct Asked {
    /// The schema of its rows.
    pub schema: SchemaRef,
    /// What it reads.
    pub reads: Vec<Pinned>,
    /// What comes; dropped, the question is given up.
    pub items: BoxStream<'static, Result<Item>>,
}

/// What comes of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Rows.
    Rows(RecordBatch),
    /// At the end: so many rows of the input came too late for their window.
    Late(u64),
}

impl Client {
    /// Plans a question and begins to read its rows.
    ///
    /// Errors: whatever refuses the statement.
    pub async fn query(&self, query: &Query) -> Result<Asked> {
        let descriptor = FlightDescriptor::new_cmd(body::write(query)?);
        let info = self.inner.clone().get_flight_info(descriptor).await;
        let info = info.map_err(|status| from_status(&status))?.into_inner();
        let metadata: QueryMetadata = body::parse("app metadata of a flight", &info.app_metadata)?;
        let [endpoint] = info.endpoint.as_slice() else {
            let what = "the answer has another number of endpoints than one";
            return Err(Error::new(Kind::Data, "FS0424", what));
        };
        let ticket = endpoint.ticket.clone().unwrap_or_default();
        let state = Reader {
            messages: self.redeem(ticket.ticket).await?,
            decoder: Decoder::default(),
        };
        Ok(Asked {
            schema: Arc::new(decode::schema_of_info(&info.schema)?),
            reads: metadata.reads,
            items: stream::try_unfold(state, Reader::next).boxed(),
        })
    }
}

struct Reader {
    messages: Streaming<FlightData>,
    decoder: Decoder,
}

impl Reader {
    async fn next(mut self) -> Result<Option<(Item, Self)>> {
        loop {
            let message = self.messages.message().await;
            let Some(data) = message.map_err(|status| from_status(&status))? else {
                return Ok(None);
            };
            match self.decoder.decode(data)? {
                Decoded::Schema(_) => {}
                Decoded::Batch(batch, _) => return Ok(Some((Item::Rows(batch), self))),
                Decoded::Metadata(metadata) => {
                    let metadata: BatchMetadata =
                        body::parse("app metadata of a batch", &metadata)?;
                    if let Some(late) = metadata.rows_late {
                        return Ok(Some((Item::Late(late), self)));
                    }
                }
            }
        }
    }
}
