//! `flinkspark query`: prints the rows of a statement as they come.
//!
//! Invariant: rows that are left out are said.

use super::args::{Format, QueryArgs, Target};
use super::{render, rows, statements};
use crate::client::{Address, Client};
use crate::exit;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use flinkspark_connector::flight::client::{Asked, Item};
use flinkspark_connector::format::{self, BatchWriter};
use flinkspark_connector::transfer;
use flinkspark_model::Result;
use flinkspark_model::port::{Answerer, Query};
use futures::TryStreamExt;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Rows that are printed on a terminal unless told otherwise.
const TERMINAL_ROWS: u64 = 100;

/// A question, and how many of its rows are wanted.
pub(super) struct Question {
    pub(super) statement: String,
    pub(super) limit: Option<u64>,
    pub(super) on: Target,
}

/// Asks, and prints what comes or writes it into a file.
pub(super) async fn run(url: &Address, output: Format, args: QueryArgs) -> Result<u8> {
    let question = Question {
        statement: statement(&args)?,
        limit: args.limit,
        on: args.on,
    };
    let client = Client::connect(url).await?;
    let Some(path) = args.to else {
        return print(&client, output, question).await.map(|()| exit::OK);
    };
    transfer::check_free(&path, args.force)?;
    let asked = ask(&client, &question).await?;
    let schema = SchemaRef::clone(&asked.schema);
    let options = args.files.write()?;
    let format = options
        .format
        .map_or_else(|| format::Format::from_path(&path), Ok)?;
    let writer = format.create(&path, schema, &options)?;
    let file = Box::new(File { path, writer });
    carry(asked, file, question.limit).await.map(|()| exit::OK)
}

/// Asks, and prints what comes: on a terminal a hundred rows unless told otherwise.
pub(super) async fn print(client: &Client, output: Format, question: Question) -> Result<()> {
    let shown = std::io::stdout().is_terminal();
    let limit = question.limit.or(shown.then_some(TERMINAL_ROWS));
    let question = Question { limit, ..question };
    let asked = ask(client, &question).await?;
    let schema = SchemaRef::clone(&asked.schema);
    let printed = Box::new(Printed(rows::Printer::new(output, schema)));
    carry(asked, printed, limit).await
}

async fn ask(client: &Client, question: &Question) -> Result<Asked> {
    // One row more says whether any are left out.
    let query = Query {
        query: question.statement.clone(),
        limit: question.limit.map(|limit| limit.saturating_add(1)),
        on: match question.on {
            Target::Batch => Answerer::Batch,
            Target::Stream => Answerer::Stream,
        },
    };
    client.flight.query(&query).await
}

/// The text of the statement, wherever it is.
fn statement(args: &QueryArgs) -> Result<String> {
    match (&args.file, args.statement.as_deref()) {
        (Some(file), _) => statements::read(file),
        (None, Some("-")) => statements::standard_input(),
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

/// Hands rows on up to the limit, and says where there are more.
async fn carry(mut asked: Asked, mut sink: Box<dyn Sink>, limit: Option<u64>) -> Result<()> {
    let most = limit.unwrap_or(u64::MAX);
    let mut taken = 0;
    let mut left_out = false;
    while let Some(item) = asked.items.try_next().await? {
        match item {
            Item::Rows(batch) => {
                let room = usize::try_from(most - taken).unwrap_or(usize::MAX);
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
    if left_out {
        eprintln!(
            "note: these are the first {most} rows, there are more; --limit takes another number"
        );
    }
    Ok(())
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
