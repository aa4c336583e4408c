//! Committing as a named writer: the one party that knows which receipts belong together.
//!
//! Never retries and keeps nothing: whoever calls holds number and token in its checkpoint, and asks again.
//! Invariant: each of these can be repeated with the same effect.

use super::Client;
use crate::flight::body::{OpenWriterRequest, WriterCommitRequest, WriterRequest};
use flinkspark_model::Result;
use flinkspark_model::port::{OpenedWriter, WriterCommitted, WriterStatus};

impl Client {
    /// Takes a writer over; the same incarnation has one generation, however often it asks.
    pub async fn open_writer(&self, request: &OpenWriterRequest) -> Result<OpenedWriter> {
        self.act("open_writer", request).await
    }

    /// Makes a set of receipts visible in one slot, once, under its number and token.
    pub async fn commit_as(&self, request: &WriterCommitRequest) -> Result<WriterCommitted> {
        self.act("commit", request).await
    }

    /// How a writer stands: its generation, its last commit, what it has staged.
    pub async fn writer_status(&self, request: &WriterRequest) -> Result<WriterStatus> {
        self.act("status", request).await
    }
}
