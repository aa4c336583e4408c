//! `DoPut`: rows into a segment, in a transaction or plainly.
//!
//! In a transaction, and under a named writer, a put ends with its closing message, which states the rows, and is answered by
//! a receipt; without that message nothing is given out, however the stream ended. A plain put
//! commits at half-close and is the weaker mode: a producer that failed half-way half-closes like
//! one that has finished, unless the rows were stated. Invariant: a schema that is not the
//! dataset's is refused before anything is staged.

mod plain;

pub(super) use plain::Stated;

use super::incoming::{Arrived, CANCELLED, Incoming, admit, admit_more, misplaced};
use super::{Answers, Components, to_its_end, writers};
use crate::blocking::blocking;
use crate::flight::body::{self, Ack, Closing, Columns, Given, PutCommand, WriterPutCommand};
use crate::flight::decode::{Decoded, Decoder};
use crate::flight::limits;
use crate::flight::taking::Taking;
use arrow_array::RecordBatch;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::{FlightData, FlightDescriptor, PutResult};
use arrow_schema::Schema;
use flinkspark_model::access::Verb;
use flinkspark_model::budget::Reservation;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::digest::{Digest, Digester};
use flinkspark_model::log::Receipt;
use flinkspark_model::port::{
    DatasetWriter, Reference, SegmentWriter, State, Transaction, TxnCommit, TxnId,
};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use prost::Message;
use std::sync::Arc;
use tokio::sync::watch;

/// What is held for a message whose rows are looked at where they are: going to another thread takes longer.
const INLINE_BYTES_MAX: u64 = 64 << 10;

/// What becomes of the rows at the end.
enum End {
    /// A receipt at the closing message: a transaction's, or a named writer's short one.
    Receipt { short: bool },
    /// A commit at half-close, if these rows came, where they were stated.
    Commit {
        txn: TxnId,
        stated: Option<u64>,
        repeatable: bool,
    },
    /// They are there already: this repeats a plain put that was committed, and must bring its rows.
    Replay {
        transaction: Transaction,
        stated: Option<u64>,
        digester: Box<Digester>,
    },
}

struct Put {
    components: Arc<Components>,
    dataset: Arc<Dataset>,
    end: End,
    /// None where the rows are there already.
    writer: Option<Box<dyn SegmentWriter>>,
    taking: Arc<Taking>,
    decoder: Decoder,
    rows: u64,
    closing: Option<Closing>,
    acks: watch::Sender<Option<Ack>>,
    /// For the writer itself. A put waits for it before its first row only: what it has begun never waits
    /// for what another one keeps.
    _begun: Reservation,
}

/// `DoPut`.
pub(super) async fn put(
    components: Arc<Components>,
    stated: Stated,
    mut incoming: Incoming,
) -> Result<Answers<PutResult>> {
    let (first, _held) = next(&mut incoming)
        .await?
        .ok_or_else(|| misplaced("the stream is empty"))?;
    let descriptor = first
        .flight_descriptor
        .clone()
        .ok_or_else(|| misplaced("the first message has no descriptor"))?;
    let mut decoder = Decoder::default();
    let Decoded::Schema(given) = decoder.decode(first)? else {
        return Err(misplaced("the first message is not a schema"));
    };
    let (acks, results) = watch::channel(None);
    // A client that leaves now leaves no transaction half-way between its slot and its record.
    let put =
        to_its_end(
            async move { open(components, &descriptor, &stated, &given, decoder, acks).await },
        )
        .await?;
    let task = tokio::spawn(put.run(incoming));
    Ok(answers(results, task))
}

async fn open(
    components: Arc<Components>,
    descriptor: &FlightDescriptor,
    stated: &Stated,
    given: &Schema,
    decoder: Decoder,
    acks: watch::Sender<Option<Ack>>,
) -> Result<Put> {
    let (dataset, taking, place, end) = match (descriptor.r#type(), descriptor.path.as_slice()) {
        (DescriptorType::Cmd, _) if body::names_writer(&descriptor.cmd) => {
            let (command, columns) = body::parse_put::<WriterPutCommand>(&descriptor.cmd)?;
            let dataset = components.lookup(&command.dataset, Verb::Write).await?;
            let writer = writers::of(&components, &dataset, command.writer).await?;
            let taking = taking(&dataset, given, columns)?;
            let place = Place {
                whose: Whose::Writer(writer),
                partition: command.partition,
                attempt: command.attempt,
            };
            (dataset, taking, place, End::Receipt { short: true })
        }
        (DescriptorType::Cmd, _) => {
            let (command, columns) = body::parse_put::<PutCommand>(&descriptor.cmd)?;
            let txn: TxnId = command.txn.parse()?;
            components.owned(txn).await?;
            components.transactions.status(txn).await?;
            let reference = Reference::Id(txn.dataset);
            let dataset = components.catalog.lookup(&reference).await?;
            let dataset = components.agreed(dataset).await?;
            let taking = taking(&dataset, given, columns)?;
            let place = Place {
                whose: Whose::Transaction(txn),
                partition: command.partition,
                attempt: command.attempt,
            };
            (dataset, taking, place, End::Receipt { short: false })
        }
        (DescriptorType::Path, [reference]) => {
            let dataset = components.lookup(reference, Verb::Write).await?;
            let taking = taking(&dataset, given, Columns::default())?;
            let (transaction, end) = plain::begin(&components, &dataset, stated).await?;
            let place = Place {
                whose: Whose::Transaction(transaction.txn),
                partition: 0,
                attempt: 0,
            };
            (dataset, taking, place, end)
        }
        _ => {
            return Err(Error::new(Kind::Invalid, "FS0403", "the descriptor names no dataset and no transaction")
                .with_detail("its path does not have exactly one part")
                .with_hint("put to FlightDescriptor.for_path(\"web.clicks\"), or in a transaction: docs/flight.md"));
        }
    };
    let writers = &components.memory.writers;
    let begun = admit(writers, limits::WRITER_BYTES.min(writers.limit())).await?;
    let mut put = Put {
        _begun: begun,
        taking,
        components,
        dataset,
        end,
        writer: None,
        decoder,
        rows: 0,
        closing: None,
        acks,
    };
    if !matches!(put.end, End::Replay { .. }) {
        match place.stage(&put.components).await {
            Ok(writer) => put.writer = Some(writer),
            Err(error) => {
                put.let_go().await;
                return Err(error);
            }
        }
    }
    Ok(put)
}

fn taking(dataset: &Dataset, given: &Schema, columns: Columns) -> Result<Arc<Taking>> {
    Taking::new(dataset.name.as_str(), &dataset.schema, given, columns).map(Arc::new)
}

/// Where the rows are staged.
struct Place {
    whose: Whose,
    partition: u32,
    attempt: u32,
}

/// Who may commit them.
enum Whose {
    Transaction(TxnId),
    Writer(DatasetWriter),
}

impl Place {
    async fn stage(self, components: &Components) -> Result<Box<dyn SegmentWriter>> {
        let (partition, attempt) = (self.partition, self.attempt);
        match self.whose {
            Whose::Transaction(txn) => {
                let transactions = &components.transactions;
                transactions.stage(txn, partition, attempt).await
            }
            Whose::Writer(writer) => components.writers.stage(writer, partition, attempt).await,
        }
    }
}

impl Put {
    async fn run(mut self, mut incoming: Incoming) -> Result<Ack> {
        let result = self.receive(&mut incoming).await;
        if result.is_err() {
            self.let_go().await;
        }
        result
    }

    /// Ends a transaction that nobody can come back to; one of the caller's own, or under a key, stays
    /// open for another attempt.
    async fn let_go(&mut self) {
        self.writer = None;
        if let End::Commit {
            txn,
            repeatable: false,
            ..
        } = self.end
            && let Err(error) = self.components.transactions.abort(txn).await
        {
            tracing::debug!(%txn, %error, "the transaction of a failed put ends by its lease");
        }
    }

    async fn receive(&mut self, incoming: &mut Incoming) -> Result<Ack> {
        let memory = self.components.memory.puts.clone();
        while let Some((data, held)) = next(incoming).await? {
            if self.closing.is_some() {
                return Err(misplaced("a message came after the closing message"));
            }
            let packed = self.decoder.unpacks_to(&data);
            let _unpacked = admit_more(&memory, packed).await?;
            match self.decoder.decode_apart(data).await? {
                Decoded::Schema(_) => return Err(misplaced("a second schema came")),
                Decoded::Metadata(json) => {
                    self.closing = Some(body::parse("closing message", &json)?)
                }
                Decoded::Batch(_, metadata) if !metadata.is_empty() => {
                    return Err(misplaced(
                        "metadata came beside rows; the closing message has none",
                    ));
                }
                Decoded::Batch(batch, _) => self.write(batch, held).await?,
            }
            if let (Some(closing), End::Receipt { short }) = (self.closing, &self.end) {
                let short = *short;
                return self.receipt(closing, short).await;
            }
        }
        match &self.end {
            End::Receipt { .. } => Err(Error::new(
                Kind::Invalid,
                "FS0414",
                "the put ended without its closing message",
            )
            .with_detail(format!(
                "{} rows came; none of them is part of anything",
                self.rows
            ))
            .with_hint(
                "after the last batch send {\"rows\": N} as metadata without data: docs/flight.md",
            )),
            End::Commit { txn, stated, .. } => self.commit(*txn, *stated).await,
            End::Replay {
                transaction,
                stated,
                digester,
            } => self.replayed(*transaction, *stated, digester.finish()),
        }
    }

    /// Stores rows for which memory is held; pieces of them that take more once they are plain wait for it.
    async fn write(&mut self, batch: RecordBatch, held: Reservation) -> Result<()> {
        let rows = batch.num_rows() as u64;
        let few = held.bytes() <= INLINE_BYTES_MAX;
        let taking = Arc::clone(&self.taking);
        for piece in apart(few, move || taking.pieces(&batch)).await? {
            let more = (3 * self.taking.bytes(&piece)).saturating_sub(held.bytes());
            let _plain = admit_more(&self.components.memory.puts, more).await?;
            let taking = Arc::clone(&self.taking);
            let piece = apart(few, move || taking.apply(&piece)).await?;
            match (&mut self.writer, &mut self.end) {
                (Some(writer), _) => writer.write(&piece).await?,
                (None, End::Replay { digester, .. }) => digester.update(&piece)?,
                (None, _) => {}
            }
        }
        self.rows += rows;
        self.acks.send_replace(Some(Ack {
            rows: self.rows,
            receipt: None,
            committed: None,
        }));
        Ok(())
    }

    /// Seals the segment if it is what was stated.
    async fn seal(&mut self, stated: Option<u64>) -> Result<Receipt> {
        for stated in stated
            .into_iter()
            .chain(self.closing.map(|closing| closing.rows))
        {
            if stated != self.rows {
                return Err(self.disagrees(format!("stated {stated} rows, received {}", self.rows)));
            }
        }
        let Some(writer) = self.writer.take() else {
            return Err(misplaced("it was sealed before"));
        };
        let receipt = writer.seal().await?;
        match self.closing.and_then(|closing| closing.digest) {
            Some(digest) if digest != receipt.segment.digest => Err(self.disagrees(format!(
                "stated the digest {digest}, received {}",
                receipt.segment.digest
            ))),
            _ => Ok(receipt),
        }
    }

    async fn receipt(&mut self, closing: Closing, short: bool) -> Result<Ack> {
        let receipt = self.seal(Some(closing.rows)).await?;
        Ok(Ack {
            rows: self.rows,
            receipt: Some(match short {
                true => Given::Writer(receipt.signature),
                false => Given::Transaction(receipt),
            }),
            committed: None,
        })
    }

    async fn commit(&mut self, txn: TxnId, stated: Option<u64>) -> Result<Ack> {
        // Who has left since it closed its side does not know of the commit, and did not ask to wait for it.
        if self.acks.is_closed() {
            return Err(misplaced(CANCELLED));
        }
        let receipt = self.seal(stated).await?;
        let commit = TxnCommit {
            receipts: vec![receipt],
            ..TxnCommit::default()
        };
        let transaction = self.components.commit(txn, commit).await?;
        Ok(Ack {
            rows: self.rows,
            receipt: None,
            committed: Some(transaction),
        })
    }

    /// The answer to a repetition: what is there, if these are its rows.
    fn replayed(&self, transaction: Transaction, stated: Option<u64>, sent: Digest) -> Result<Ack> {
        if let Some(stated) = stated.filter(|stated| *stated != self.rows) {
            return Err(self.disagrees(format!("stated {stated} rows, received {}", self.rows)));
        }
        match transaction.state {
            State::Committed { digest, slot, .. } if digest != sent => Err(Error::new(
                Kind::Conflict,
                "FS0420",
                "the idempotency key stands for other rows",
            )
            .with_detail(format!(
                "slot {slot} has {digest} under it, this put sent {sent}"
            ))
            .with_hint("use a new key for new rows; nothing was written by this put")),
            _ => Ok(Ack {
                rows: self.rows,
                receipt: None,
                committed: Some(Transaction {
                    same_rows: Some(true),
                    ..transaction
                }),
            }),
        }
    }

    fn disagrees(&self, why: String) -> Error {
        Error::new(
            Kind::Invalid,
            "FS0410",
            "the put is not what it was stated to be",
        )
        .with_detail(format!("{why} (dataset {})", self.dataset.name))
        .with_hint("nothing was published; put the partition again with the next attempt")
    }
}

/// Does it here where it is little, and on a thread that may block where it is much.
async fn apart<T: Send + 'static>(
    few: bool,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match few {
        true => work(),
        false => blocking(work).await,
    }
}

/// The next message, and the memory that is held for it.
async fn next(incoming: &mut Incoming) -> Result<Option<(FlightData, Reservation)>> {
    let Some(Arrived { bytes, held }) = incoming.next().await? else {
        return Ok(None);
    };
    let data = FlightData::decode(bytes).map_err(|cause| {
        Error::new(
            Kind::Invalid,
            "FS0406",
            "a message is not a valid Arrow stream",
        )
        .with_source(cause)
        .with_hint("send FlightData, as a Flight client's writer does")
    })?;
    Ok(Some((data, held)))
}

/// The acknowledgements as they change, then how the put ended. A reader that is slow, or does not
/// read at all, sees fewer of them and never holds the rows up.
fn answers(
    acks: watch::Receiver<Option<Ack>>,
    task: tokio::task::JoinHandle<Result<Ack>>,
) -> Answers<PutResult> {
    let cumulative = stream::unfold(acks, |mut acks| async move {
        acks.changed().await.ok()?;
        let ack = acks.borrow_and_update().clone();
        Some((ack, acks))
    });
    let cumulative = cumulative.filter_map(|ack| async move { ack.map(Ok) });
    let last = stream::once(async move {
        task.await.unwrap_or_else(|cause| {
            Err(Error::new(Kind::Internal, "FS0499", "a put ended unexpectedly").with_source(cause))
        })
    });
    let result = |ack: Result<Ack>| async move {
        let app_metadata = ack
            .and_then(|ack| body::write(&ack))
            .map_err(|error| to_status(&error))?;
        Ok(PutResult { app_metadata })
    };
    cumulative.chain(last).then(result).boxed()
}
