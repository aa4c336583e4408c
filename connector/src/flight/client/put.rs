//! Writing: one partition's rows, acknowledged, closed by their count and digest.

use super::Client;
use crate::flight::body::{self, Ack, Closing, Given, PutCommand, WriterPutCommand};
use crate::flight::encode::{self, Encoder};
use crate::flight::{limits, wire};
use arrow_array::RecordBatch;
use arrow_flight::{FlightData, FlightDescriptor};
use arrow_schema::SchemaRef;
use flinkspark_model::digest::Digester;
use flinkspark_model::log::Receipt;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use futures::stream::{self, BoxStream, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;

impl Client {
    /// Puts one partition of a transaction and returns its receipt, which a commit takes.
    ///
    /// `schema` is the dataset's; each batch has it, up to the width of text and list offsets.
    /// `acked` hears the rows that the server has received, cumulatively. Where `rows` fails, its
    /// error is returned and nothing was given out.
    pub async fn put(
        &self,
        command: &PutCommand,
        schema: &SchemaRef,
        rows: BoxStream<'_, Result<RecordBatch>>,
        acked: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Receipt> {
        match self.put_rows(command, schema, rows, acked).await? {
            Given::Transaction(receipt) => Ok(receipt),
            Given::Writer(_) => Err(other_receipt()),
        }
    }

    /// Puts one partition under a named writer and returns its receipt, which the writer's commit takes.
    ///
    /// Like [`Self::put`]: nothing is visible before it is committed, and where `rows` fails nothing was given out.
    pub async fn put_as(
        &self,
        command: &WriterPutCommand,
        schema: &SchemaRef,
        rows: BoxStream<'_, Result<RecordBatch>>,
        acked: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<String> {
        match self.put_rows(command, schema, rows, acked).await? {
            Given::Writer(receipt) => Ok(receipt),
            Given::Transaction(_) => Err(other_receipt()),
        }
    }

    async fn put_rows(
        &self,
        command: &impl Serialize,
        schema: &SchemaRef,
        rows: BoxStream<'_, Result<RecordBatch>>,
        acked: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Given> {
        let descriptor = FlightDescriptor::new_cmd(body::write(command)?);
        let (messages, mut queue) = mpsc::channel(limits::PUT_MESSAGES_QUEUED);
        let outgoing = stream::poll_fn(move |context| queue.poll_recv(context));
        let produce = produce(descriptor, schema, rows, messages);
        let (produced, receipt) = futures::join!(produce, self.await_receipt(outgoing, acked));
        // A producer's own failure explains the server's refusal, not the other way round.
        produced.and(receipt)
    }

    async fn await_receipt(
        &self,
        outgoing: impl futures::Stream<Item = FlightData> + Send + 'static,
        acked: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Given> {
        let results = self
            .inner
            .clone()
            .do_put(outgoing)
            .await
            .map_err(|status| from_status(&status))?;
        let mut results = results.into_inner();
        while let Some(result) = results
            .message()
            .await
            .map_err(|status| from_status(&status))?
        {
            let ack: Ack = body::parse("acknowledgement", &result.app_metadata)?;
            acked(ack.rows);
            if let Some(given) = ack.receipt {
                return Ok(given);
            }
        }
        Err(
            Error::new(Kind::InDoubt, "FS0425", "the put was not answered")
                .with_detail("the stream of acknowledgements ended without a receipt")
                .with_hint("put the partition again with the next attempt"),
        )
    }
}

fn other_receipt() -> Error {
    Error::new(Kind::Data, "FS0411", "an answer was not understood")
        .with_detail("the put was answered with the receipt of another kind of put")
        .with_hint("use a client of the server's version")
}

/// Sends everything, the closing message last; returns early, without one, where `rows` fails or
/// the server no longer listens.
async fn produce(
    descriptor: FlightDescriptor,
    schema: &SchemaRef,
    mut rows: BoxStream<'_, Result<RecordBatch>>,
    messages: mpsc::Sender<FlightData>,
) -> Result<()> {
    let plain = wire::plain(schema)?;
    let mut digester = Digester::new(schema)?;
    let mut encoder = Encoder::new();
    if messages
        .send(encode::schema(&plain, Some(descriptor)))
        .await
        .is_err()
    {
        return Ok(());
    }
    while let Some(batch) = rows.next().await.transpose()? {
        for piece in encode::pieces(&batch, limits::PUT_BYTES_TARGET) {
            let piece = wire::conform(&piece, &plain)?;
            digester.update(&piece)?;
            if messages.send(encoder.encode(&piece)?).await.is_err() {
                return Ok(());
            }
        }
    }
    let digest = digester.finish();
    let closing = Closing {
        rows: digest.rows,
        digest: Some(digest),
    };
    let _ = messages
        .send(FlightData::new().with_app_metadata(body::write(&closing)?))
        .await;
    Ok(())
}
