//! The records of a file that cannot be read, on their way to a dataset of their own.
//!
//! Invariant: they are committed before the rows among which they stood, under an id that is made of the transfer's, so
//! that a kill between the two loses none and doubles none.

use super::{Transfer, plan};
use crate::flight::Client;
use crate::flight::body::{BeginRequest, PutCommand, ReadCommand};
use crate::flight::client::Info;
use crate::format::{Aside, BadRow};
use flinkspark_model::digest::Digester;
use flinkspark_model::port::{Mode, State};
use flinkspark_model::{Error, Kind, Result};
use futures::stream::{self, StreamExt};

/// The most bytes of records that are set aside: more of them are a sign of another fault.
const BYTES_MAX: usize = 64 << 20;

/// Records that were set aside so far.
#[derive(Default)]
pub(super) struct BadRows {
    rows: Vec<BadRow>,
    bytes: usize,
}

impl BadRows {
    /// Takes what a reader has put aside.
    ///
    /// Errors: `FS0323` where there is too much of it.
    pub(super) fn take(&mut self, aside: &Aside) -> Result<()> {
        for row in aside.take() {
            self.bytes += row.record.len() + row.file.len() + row.why.len();
            self.rows.push(row);
        }
        match self.bytes > BYTES_MAX {
            true => Err(too_many(&self.rows)),
            false => Ok(()),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Commits them to their dataset, unless an earlier run of the transfer has.
    pub(super) async fn commit(
        &self,
        client: &Client,
        transfer: &Transfer,
        to: &Info,
    ) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let batch = Aside::batch(&self.rows)?;
        let transaction = client
            .begin(&BeginRequest {
                dataset: to.metadata.id.clone(),
                id: Some(plan::transaction(&format!("{}/bad-rows", transfer.id))),
                mode: Mode::Append,
            })
            .await?;
        if let State::Committed { digest, .. } = transaction.state {
            let mut digester = Digester::new(&to.schema)?;
            digester.update(&batch)?;
            return match digester.finish() == digest {
                true => Ok(()),
                false => Err(others(transfer)),
            };
        }
        let put = PutCommand {
            txn: transaction.txn.to_string(),
            partition: 0,
            attempt: u32::from(transaction.replayed),
        };
        let rows = stream::iter([Ok(batch)]).boxed();
        let receipt = client.put(&put, &to.schema, rows, &|_| {}).await?;
        client.commit(&put.txn, vec![receipt]).await.map(drop)
    }
}

/// The dataset that such records go to.
///
/// Errors: `FS0323` where its columns are others.
pub(super) async fn target(client: &Client, dataset: &str) -> Result<Info> {
    let command = ReadCommand {
        dataset: dataset.into(),
        ..ReadCommand::default()
    };
    let info = client.info(&command).await?;
    match info.schema.fields() == Aside::schema().fields() {
        true => Ok(info),
        false => Err(Error::new(
            Kind::Invalid,
            "FS0323",
            format!("dataset {dataset} cannot take records that are set aside"),
        )
        .with_detail("such a dataset has the columns file, line, code, why and record")
        .with_hint("name a dataset that does not exist: it is registered")),
    }
}

fn too_many(rows: &[BadRow]) -> Error {
    let first = rows.first();
    let detail = first.map_or_else(String::new, |row| {
        format!(
            "the first is in line {} of \"{}\": {}",
            row.line, row.file, row.why
        )
    });
    Error::new(Kind::Data, "FS0323", "too much cannot be read to be set aside")
        .with_detail(format!("more than {} MiB of records; {detail}", BYTES_MAX >> 20))
        .with_hint("look whether the file is of this dataset, and whether its delimiter and its patterns are told")
}

/// The same id set aside other records before.
fn others(transfer: &Transfer) -> Error {
    let message = format!("the id \"{}\" stands for another transfer", transfer.id);
    Error::new(Kind::Conflict, "FS0431", message)
        .with_detail("it set aside other records than this file has")
        .with_hint("choose another --id, or leave it out")
}
