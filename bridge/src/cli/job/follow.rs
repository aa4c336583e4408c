//! Follows a job to its end, through servers that come and go, and shows how far it is.
//!
//! Invariant: a submission is repeated only as it was, so that it attaches to the job that it has made.

use crate::cli::rows::instant;
use crate::client::{Address, Client, answer};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use flinkspark_proto::v1;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The pause between two tries to reach the bridge.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// How often progress is printed where there is no terminal.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Submits the job and follows it to its end, through restarts of the server.
pub(in crate::cli) async fn follow(
    url: &Address,
    request: v1::SubmitRequest,
    reconnect: Duration,
) -> Result<v1::Job> {
    let progress = Progress::new();
    let mut away: Option<Instant> = None;
    let mut noted = false;
    loop {
        match watch(url, &request, &progress, &mut away, &mut noted).await {
            Ok(job) => return Ok(job),
            Err(error) if !went_away(&error) => return Err(error),
            Err(error) => {
                let since = *away.get_or_insert_with(Instant::now);
                if since.elapsed() >= reconnect {
                    return Err(Error::new(
                        Kind::Unavailable,
                        "FS0401",
                        format!("no bridge answers at {url}"),
                    )
                    .with_detail(format!(
                        "it has been away for {} s: {}",
                        reconnect.as_secs(),
                        error.message()
                    ))
                    .with_hint(format!(
                        "the job goes on when the bridge is back: attach with --id {}",
                        request.id
                    )));
                }
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }
}

/// Whether the bridge is away, or its connection broke before it could say why (`FS0400`): what was
/// submitted is durable or was never accepted, so that submitting it again is safe either way.
fn went_away(error: &Error) -> bool {
    matches!(error.code(), "FS0400" | "FS0401" | "FS0014")
}

/// One connection's worth of following; `Unavailable` when it broke.
async fn watch(
    url: &Address,
    request: &v1::SubmitRequest,
    progress: &Progress,
    away: &mut Option<Instant>,
    noted: &mut bool,
) -> Result<v1::Job> {
    let mut client = Client::connect(url).await?;
    let submitted = answer(client.jobs.submit(request.clone()).await)?;
    *away = None;
    if !std::mem::replace(noted, true) {
        submitted
            .notes
            .iter()
            .for_each(|note| eprintln!("note: {note}"));
    }
    let mut jobs = answer(
        client
            .jobs
            .watch(v1::WatchJobRequest {
                id: request.id.clone(),
            })
            .await,
    )?;
    while let Some(job) = jobs
        .message()
        .await
        .map_err(|status| from_status(&status))?
    {
        match job.state() {
            v1::JobState::Finished
            | v1::JobState::Failed
            | v1::JobState::Stopped
            | v1::JobState::Parked => {
                progress.done();
                return Ok(job);
            }
            _ => progress.show(&job),
        }
    }
    Err(Error::new(
        Kind::Unavailable,
        "FS0014",
        "the bridge closed the feed of the job",
    ))
}

/// A bar on a terminal, one JSON line a second off it.
struct Progress {
    bar: Option<ProgressBar>,
    last: std::cell::Cell<Option<Instant>>,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self {
            bar,
            last: std::cell::Cell::new(None),
        }
    }

    fn show(&self, job: &v1::Job) {
        let progress = job.progress.unwrap_or_default();
        let watermark = progress.watermark_ms.map(instant);
        if let Some(bar) = &self.bar {
            let watermark =
                watermark.map_or_else(String::new, |time| format!(", watermark {time}"));
            bar.set_message(format!(
                "{} rows in, {} out, {} late, checkpoint {}{watermark}",
                progress.rows_in, progress.rows_out, progress.late_rows, progress.checkpoint
            ));
            bar.tick();
        } else if self
            .last
            .get()
            .is_none_or(|last| last.elapsed() >= REPORT_EVERY)
        {
            self.last.set(Some(Instant::now()));
            let line = json!({
                "rows_in": progress.rows_in, "rows_out": progress.rows_out, "rows_late": progress.late_rows,
                "checkpoint": progress.checkpoint, "watermark": watermark,
            });
            eprintln!("{line}");
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
