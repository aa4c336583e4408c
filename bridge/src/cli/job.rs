//! `flinkspark job`: runs, follows, explains and verifies jobs.

mod ended;
mod follow;
mod functions;
mod logs;

use super::args::{Format, JobOptions, OtherJobCommand, State, Target};
use super::render::{self, Listing};
use super::rows::instant;
use super::statements;
use crate::client::{Address, Client, answer};
use crate::exit;
use flinkspark_model::port::Entropy;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
pub(super) use follow::follow;
use serde_json::{Value, json};

/// Runs one of the commands.
pub(super) async fn run(url: &Address, output: Format, command: OtherJobCommand) -> Result<u8> {
    match command {
        OtherJobCommand::Explain {
            file,
            functions: _,
            var,
            on,
            options,
        } => {
            let Some(file) = file else {
                return functions::print(output);
            };
            let request = v1::ExplainRequest {
                text: statements::substituted(&statements::read(&file)?, &var)?,
                targets: on.into_iter().map(|target| wire(target).into()).collect(),
                options: Some(wire_options(&options)),
            };
            let explained = answer(Client::connect(url).await?.jobs.explain(request).await)?;
            explain(output, explained)
        }
        OtherJobCommand::Verify {
            file,
            var,
            on,
            options,
        } => {
            let request = v1::VerifyRequest {
                text: statements::substituted(&statements::read(&file)?, &var)?,
                targets: on.into_iter().map(|target| wire(target).into()).collect(),
                options: Some(wire_options(&options)),
            };
            let verified = answer(Client::connect(url).await?.jobs.verify(request).await)?;
            verify(output, verified)
        }
        OtherJobCommand::List { state } => {
            let state = state.map_or(v1::JobState::Unspecified, wire_state);
            list(&mut Client::connect(url).await?, output, state).await
        }
        OtherJobCommand::Show { id } => {
            let job = answer(
                Client::connect(url)
                    .await?
                    .jobs
                    .get(v1::GetJobRequest { id })
                    .await,
            )?;
            render::object(output, &describe(&job)).map(|()| exit::OK)
        }
        OtherJobCommand::Stop { id, drain } => {
            let job = answer(
                Client::connect(url)
                    .await?
                    .jobs
                    .stop(v1::StopJobRequest { id, drain })
                    .await,
            )?;
            render::object(output, &describe(&job)).map(|()| exit::OK)
        }
        OtherJobCommand::Resume { id } => {
            let request = v1::ResumeJobRequest { id };
            let job = answer(Client::connect(url).await?.jobs.resume(request).await)?;
            render::object(output, &describe(&job)).map(|()| exit::OK)
        }
        OtherJobCommand::Delete {
            ids,
            all_ended: _,
            older_than,
        } => {
            let mut client = Client::connect(url).await?;
            let ids = match ids.is_empty() {
                true => ended::ended(&mut client, older_than.unwrap_or(0)).await?,
                false => ids,
            };
            ended::delete(&mut client, output, ids).await
        }
        OtherJobCommand::Logs { id, follow } => {
            let mut client = Client::connect(url).await?;
            logs::print(&mut client, output, id, follow).await
        }
    }
}

pub(super) fn fresh_id() -> String {
    let mut bytes = [0; 8];
    crate::system::SystemEntropy.fill(&mut bytes);
    format!("job-{:016x}", u64::from_be_bytes(bytes))
}

pub(super) fn finish(output: Format, job: &v1::Job) -> Result<u8> {
    if let Some(error) = &job.error {
        return Err(of_wire(error));
    }
    render::object(output, &describe(job))?;
    Ok(if job.state() == v1::JobState::Finished {
        exit::OK
    } else {
        exit::FAILED
    })
}

fn of_wire(wire: &v1::ErrorDetail) -> Error {
    let kind = Kind::from_name(&wire.kind).unwrap_or(Kind::Internal);
    let mut error = Error::from_wire(kind, wire.code.clone(), wire.message.clone());
    if let Some(detail) = &wire.detail {
        error = error.with_detail(detail);
    }
    if let Some(hint) = &wire.hint {
        error = error.with_hint(hint);
    }
    error
}

fn wire_state(state: State) -> v1::JobState {
    match state {
        State::Submitted => v1::JobState::Submitted,
        State::Running => v1::JobState::Running,
        State::Suspended => v1::JobState::Suspended,
        State::Finished => v1::JobState::Finished,
        State::Failed => v1::JobState::Failed,
        State::Stopped => v1::JobState::Stopped,
        State::Parked => v1::JobState::Parked,
    }
}

/// Every job in this state, the latest submission first.
async fn all(client: &mut Client, state: v1::JobState) -> Result<Vec<v1::Job>> {
    let (mut jobs, mut after) = (Vec::new(), String::new());
    loop {
        let request = v1::ListJobsRequest {
            state: state.into(),
            after,
            limit: 0,
        };
        let page = answer(client.jobs.list(request).await)?;
        jobs.extend(page.jobs);
        match page.next {
            Some(next) => after = next,
            None => return Ok(jobs),
        }
    }
}

async fn list(client: &mut Client, output: Format, state: v1::JobState) -> Result<u8> {
    let mut listing = Listing::new(&[
        "id",
        "state",
        "target",
        "output",
        "rows_in",
        "rows_out",
        "rows_late",
        "submitted_at",
    ]);
    let jobs = all(client, state).await?;
    jobs.iter().for_each(|job| listing.push(describe(job)));
    render::listing(output, &listing).map(|()| exit::OK)
}

fn describe(job: &v1::Job) -> Value {
    let progress = job.progress.unwrap_or_default();
    let time = |ms: u64| instant(i64::try_from(ms).unwrap_or(i64::MAX));
    json!({
        "id": job.id,
        "state": job.state().as_str_name().trim_start_matches("JOB_STATE_").to_lowercase(),
        "target": render::target(job.target()),
        "output": job.output,
        "rows_in": progress.rows_in,
        "rows_out": progress.rows_out,
        "rows_late": progress.late_rows,
        "checkpoint": progress.checkpoint,
        "generation": job.generation,
        "watermark": progress.watermark_ms.map(instant),
        "submitted_at": time(job.submitted_at_ms),
        "ended_at": job.ended_at_ms.map(time),
        "notes": job.notes,
        "tries": job.retry.as_ref().map_or(0, |retry| retry.tries),
        "last_error": job.retry.as_ref().and_then(|retry| retry.error.as_ref()).map(|error| of_wire(error).to_string()),
        "next_try_at": job.retry.as_ref().and_then(|retry| retry.next_at_ms).map(time),
        "error": job.error.as_ref().map(|error| of_wire(error).to_string()),
    })
}

pub(super) fn explain(output: Format, explained: v1::ExplainResponse) -> Result<u8> {
    for plan in &explained.plans {
        let target = render::target(plan.target());
        if output != Format::Table {
            let value = json!({
                "target": target, "plan": plan.plan,
                "ledger": plan.ledger.iter().map(|entry| json!({"id": entry.id, "text": entry.text})).collect::<Vec<_>>(),
                "refusal": plan.refusal.as_ref().map(|error| of_wire(error).to_string()),
            });
            render::text(&format!("{value}\n"))?;
        } else if let Some(error) = &plan.refusal {
            render::text(&format!("on {target}: refused\n{}\n\n", of_wire(error)))?;
        } else {
            let mut text = format!("on {target}:\n{}\n", plan.plan.trim_end());
            plan.ledger.iter().for_each(|entry| {
                text.push_str(&format!("  relies on {}: {}\n", entry.id, entry.text))
            });
            render::text(&format!("{text}\n"))?;
        }
    }
    // It was explained where it runs and where it does not; only what runs nowhere is a failure.
    Ok(
        match explained.plans.iter().any(|plan| plan.refusal.is_none()) {
            true => exit::OK,
            false => exit::FAILED,
        },
    )
}

fn verify(output: Format, verified: v1::VerifyResponse) -> Result<u8> {
    let mut listing = Listing::new(&["target", "rows", "late_rows", "digest"]);
    for result in &verified.results {
        let target = render::target(result.target());
        listing.push(json!({"target": target, "rows": result.rows, "late_rows": result.late_rows, "digest": result.digest}));
    }
    render::listing(output, &listing)?;
    for tolerance in &verified.tolerances {
        eprintln!(
            "column \"{}\" is compared within a relative tolerance of {:e}: the order in which its floats are added is not defined",
            tolerance.column, tolerance.relative
        );
    }
    if verified.equal {
        eprintln!("equal: every target gave the same rows");
        return Ok(exit::OK);
    }
    for difference in &verified.differences {
        let counts: Vec<String> = difference.counts.iter().map(ToString::to_string).collect();
        eprintln!(
            "differs ({} times): {}",
            counts.join(" and "),
            difference.row
        );
    }
    Err(
        Error::new(Kind::Data, "FS0004", "the targets gave different rows")
            .with_detail(format!("{} rows differ", verified.differing_rows))
            .with_hint("`flinkspark job explain` shows what each target did"),
    )
}

pub(super) fn wire(target: Target) -> v1::Target {
    match target {
        Target::Stream => v1::Target::Stream,
        Target::Batch => v1::Target::Batch,
    }
}

pub(super) fn wire_options(options: &JobOptions) -> v1::JobOptions {
    let home = match options.home.as_deref() {
        Some("flink/batch") => v1::Home::FlinkBatch,
        Some("flink/streaming") => v1::Home::FlinkStreaming,
        _ => v1::Home::Unspecified,
    };
    v1::JobOptions {
        home: home.into(),
        parallelism: options.parallelism,
        rate_rows_per_second: options.rate,
        checkpoint_interval_ms: options.checkpoint_interval,
        watermark_delay_ms: options.watermark.iter().cloned().collect(),
        late_to: options.late_to.clone(),
        retries_max: options.retries,
    }
}
