//! `flinkspark query`: prints the rows of a statement as they come.
//!
//! Invariant: rows that are left out are said.

use super::args::{Format, QueryArgs};
use super::{render, rows};
use crate::client::Client;
use crate::exit;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_connector::flight::client::{Asked, Item};
use flinkspark_connector::format::{self, BatchWriter};
use flinkspark_model::port::Query;
use flinkspark_model::{Error, Kind, Result};
use futures::TryStreamExt;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

/// Rows that are printed on a terminal unless told otherwise.
const TERMINAL_ROWS: u64 = 100;

/// Asks, and prints what comes.
pub(super) async fn run(url: &str, output: Format, args: QueryArgs) -> Result<u8> {
    let statement = statement(&args)?;
    let shown = args.to.is_none() && std::io::stdout().is_terminal();
    let limit = args.limit.or(shown.then_some(TERMINAL_ROWS));
    // One row more says whether any are left out.
    let query = Query {
        query: statement,
        limit: limit.map(|limit| limit.saturating_add(1)),
    };
    let client = Client::connect(url).await?;
    let asked = client.flight.query(&query).await?;
    let schema = SchemaRef::clone(&asked.schema);
    let sink: Box<dyn Sink> = match args.to {
        Some(path) => {
            let writer = format::create(&path, schema, &args.files.write()?)?;
            Box::new(File { path, writer })
        }
        None => Box::new(Printed(rows::Printer::new(output, schema))),
    };
    let left_out = carry(asked, sink, limit.unwrap_or(u64::MAX)).await?;
    if let (true, Some(limit)) = (left_out, limit) {
        eprintln!(
            "note: these are the first {limit} rows, there are more; --limit takes another number"
        );
    }
    Ok(exit::OK)
}

/// The text of the statement, wherever it is.
fn statement(args: &QueryArgs) -> Result<String> {
    match (&args.file, args.statement.as_deref()) {
        (Some(file), _) => super::job::read(file),
        (None, Some("-")) => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map(|_| text).map_err(|cause| {
                let what = "the statement on standard input cannot be read";
                Error::new(Kind::Invalid, "FS0020", what).with_source(cause)
            })
        }
        (None, statement) => Ok(statement.unwrap_or_default().into()),
    }
}

/// Where rows go.
trait Sink: Send {
    /// Takes rows.
    fn take(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Nothing more comes; so many rows were taken.
    fn end(self: Box<Self>, rows: u64) -> Result<()>;
}

/// Hands rows on up to the limit; whether there were more.
async fn carry(mut asked: Asked, mut sink: Box<dyn Sink>, limit: u64) -> Result<bool> {
    let mut taken = 0;
    let mut left_out = false;
    while let Some(item) = asked.items.try_next().await? {
        match item {
            Item::Rows(batch) => {
                let room = usize::try_from(limit - taken).unwrap_or(usize::MAX);
                left_out |= batch.num_rows() > room;
                let batch = batch.slice(0, batch.num_rows().min(room));
                if batch.num_rows() > 0 {
                    sink.take(&batch)?;
                }
                taken += batch.num_rows() as u64;
            }
            Item::Late(late) => {
                eprintln!("note: {late} rows came too late for their window and were left out");
            }
        }
    }
    sink.end(taken)?;
    Ok(left_out)
}

/// A file: it has its name once every row is in it.
struct File {
    path: PathBuf,
    writer: Box<dyn BatchWriter>,
}

impl Sink for File {
    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch)
    }

    fn end(self: Box<Self>, rows: u64) -> Result<()> {
        self.writer.finish()?;
        eprintln!("note: {rows} rows are in {}", self.path.display());
        Ok(())
    }
}

/// Standard output.
struct Printed(rows::Printer);

impl Sink for Printed {
    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        render::text(&self.0.rows(std::slice::from_ref(batch))?)
    }

    fn end(mut self: Box<Self>, _: u64) -> Result<()> {
        render::text(&self.0.end()?)
    }
}
