//! `flinkspark job delete`: forgets jobs that have ended.
//!
//! Invariant: what is not deleted is said, and each job of a list has its turn.

use super::all;
use crate::cli::args::Format;
use crate::cli::render::{self, Listing};
use crate::client::{Client, answer};
use crate::exit;
use crate::system::SystemClock;
use flinkspark_model::Result;
use flinkspark_model::port::Clock;
use flinkspark_proto::v1;
use serde_json::json;

/// The jobs that ended so long ago; one that is parked waits for somebody, and has not ended.
pub(super) async fn ended(client: &mut Client, older_than_ms: u64) -> Result<Vec<String>> {
    let before_ms = SystemClock.now_ms().saturating_sub(older_than_ms);
    let mut ids = Vec::new();
    for state in [
        v1::JobState::Finished,
        v1::JobState::Failed,
        v1::JobState::Stopped,
    ] {
        let jobs = all(client, state).await?;
        // A job whose record is damaged has no such time.
        let old = |job: &v1::Job| job.ended_at_ms.is_some_and(|at_ms| at_ms <= before_ms);
        ids.extend(jobs.into_iter().filter(old).map(|job| job.id));
    }
    Ok(ids)
}

/// Deletes them one after another, and says which were there; the first error is the command's.
pub(super) async fn delete(client: &mut Client, output: Format, ids: Vec<String>) -> Result<u8> {
    let mut listing = Listing::new(&["id", "deleted"]);
    let mut failed = None;
    for id in ids {
        let request = v1::DeleteJobRequest { id: id.clone() };
        match answer(client.jobs.delete(request).await) {
            Ok(answered) => listing.push(json!({"id": id, "deleted": answered.deleted})),
            Err(error) if failed.is_none() => failed = Some(error),
            Err(error) => eprintln!("{error}"),
        }
    }
    render::listing(output, &listing)?;
    failed.map_or(Ok(exit::OK), Err)
}
