//! `flinkspark.v1.Jobs`: submits, follows, explains and verifies jobs.
//!
//! Invariant: an answer to `Submit` is given only for a job that survives the server.

use crate::jobs::{
    Answer as VerifiedAnswer, Event, JobId, Options, Snapshot, State, Submission, Supervisor,
    Target,
};
use flinkspark_adapter::plan::Home;
use flinkspark_model::access::Caller;
use flinkspark_model::error::Result;
use flinkspark_model::{Error, Kind};
use flinkspark_proto::error::to_status;
use flinkspark_proto::v1;
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The most jobs in one answer.
const PAGE_MAX: usize = 1000;

/// The service.
pub(super) struct Service {
    pub(super) jobs: Arc<Supervisor>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

/// Who calls; a call of which nobody said so may do nothing.
pub(super) fn caller<T>(request: &Request<T>) -> Caller {
    let said = request.extensions().get::<Caller>();
    said.cloned().unwrap_or_else(Caller::unknown)
}

fn answer<T>(result: Result<T>) -> Answer<T> {
    result.map(Response::new).map_err(|error| to_status(&error))
}

impl Service {
    async fn list_after(
        &self,
        request: v1::ListJobsRequest,
        caller: &Caller,
    ) -> Result<v1::ListJobsResponse> {
        let wanted = request.state;
        let (jobs, mut damaged) = self.jobs.list().await?;
        let theirs = |job: &&Snapshot| job.record.lets(caller).is_ok();
        let jobs = jobs.iter().filter(theirs).map(wire);
        // A job whose record is damaged has nothing but a name, and cannot go on.
        damaged.retain(|_| caller.administers().is_ok());
        let damaged = damaged.into_iter().map(|job| v1::Job {
            id: job.id,
            state: v1::JobState::Failed.into(),
            error: Some(detail(&job.error)),
            ..v1::Job::default()
        });
        let mut jobs: Vec<v1::Job> = jobs
            .chain(damaged)
            .filter(|job| wanted == 0 || job.state == wanted)
            .collect();
        if !request.after.is_empty() {
            let after = jobs.iter().position(|job| job.id == request.after);
            jobs.drain(..after.map_or(jobs.len(), |index| index + 1));
        }
        let limit = if request.limit == 0 {
            PAGE_MAX
        } else {
            PAGE_MAX.min(request.limit as usize)
        };
        let more = jobs.len() > limit;
        jobs.truncate(limit);
        let next = jobs.last().filter(|_| more).map(|job| job.id.clone());
        Ok(v1::ListJobsResponse { jobs, next })
    }

    /// The job of this id, if it is the caller's.
    async fn theirs(&self, id: &str, caller: &Caller) -> Result<JobId> {
        let id = JobId::new(id)?;
        self.jobs.allow(&id, caller).await.map(|()| id)
    }

    async fn events_after(
        &self,
        request: v1::JobEventsRequest,
        caller: &Caller,
    ) -> Result<v1::JobEventsResponse> {
        let id = self.theirs(&request.id, caller).await?;
        let (events, ended) = self.jobs.events(&id, request.after).await?;
        Ok(v1::JobEventsResponse {
            events: events
                .iter()
                .map(|(n, event)| wire_event(*n, event))
                .collect(),
            ended,
        })
    }

    async fn explained(
        &self,
        request: v1::ExplainRequest,
        caller: &Caller,
    ) -> Result<v1::ExplainResponse> {
        let options = options(request.options.unwrap_or_default())?;
        let home = wire_home(options.home);
        let mut plans = Vec::new();
        for target in targets(&request.targets)? {
            let explained = self.jobs.explain(&request.text, target, &options, caller);
            let explained = explained.await;
            plans.push(match explained {
                Ok(explained) => v1::TargetPlan {
                    target: wire_target(target).into(),
                    plan: explained.plan,
                    ledger: explained
                        .ledger
                        .into_iter()
                        .map(|(id, text)| v1::LedgerEntry { id, text })
                        .collect(),
                    refusal: None,
                },
                Err(error) => v1::TargetPlan {
                    target: wire_target(target).into(),
                    refusal: Some(detail(&error)),
                    ..v1::TargetPlan::default()
                },
            });
        }
        Ok(v1::ExplainResponse {
            home: home.into(),
            plans,
        })
    }

    async fn verified(
        &self,
        request: v1::VerifyRequest,
        caller: &Caller,
    ) -> Result<v1::VerifyResponse> {
        let options = options(request.options.unwrap_or_default())?;
        let targets = targets(&request.targets)?;
        let verified = self
            .jobs
            .verify(&request.text, &targets, &options, caller)
            .await?;
        let result = |answer: VerifiedAnswer| v1::TargetResult {
            target: wire_target(answer.target).into(),
            rows: answer.digest.rows,
            digest: answer.digest.to_string(),
            late_rows: answer.rows_late,
        };
        Ok(v1::VerifyResponse {
            equal: verified.equal,
            results: verified.answers.into_iter().map(result).collect(),
            differing_rows: verified.differing_rows,
            tolerances: verified
                .tolerances
                .into_iter()
                .map(|(column, relative)| v1::ColumnTolerance { column, relative })
                .collect(),
            differences: verified
                .differences
                .into_iter()
                .map(|difference| v1::RowDifference {
                    row: difference.row,
                    counts: difference.counts,
                })
                .collect(),
        })
    }
}

#[tonic::async_trait]
impl v1::jobs_server::Jobs for Service {
    type WatchStream = BoxStream<'static, std::result::Result<v1::Job, Status>>;

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Answer<v1::Job> {
        let caller = caller(&request);
        let submitted = async {
            let submission = submission(request.into_inner())?;
            let snapshot = self.jobs.submit(submission, &caller).await?;
            Ok(wire(&snapshot))
        };
        answer(submitted.await)
    }

    async fn get(&self, request: Request<v1::GetJobRequest>) -> Answer<v1::Job> {
        let caller = caller(&request);
        let got = async {
            let id = self.theirs(&request.into_inner().id, &caller).await?;
            Ok(wire(&self.jobs.get(&id).await?))
        };
        answer(got.await)
    }

    async fn list(&self, request: Request<v1::ListJobsRequest>) -> Answer<v1::ListJobsResponse> {
        let caller = caller(&request);
        answer(self.list_after(request.into_inner(), &caller).await)
    }

    async fn stop(&self, request: Request<v1::StopJobRequest>) -> Answer<v1::Job> {
        let caller = caller(&request);
        let request = request.into_inner();
        let stopped = async {
            let id = self.theirs(&request.id, &caller).await?;
            Ok(wire(&self.jobs.stop(&id, request.drain).await?))
        };
        answer(stopped.await)
    }

    async fn resume(&self, request: Request<v1::ResumeJobRequest>) -> Answer<v1::Job> {
        let caller = caller(&request);
        let resumed = async {
            let id = self.theirs(&request.into_inner().id, &caller).await?;
            Ok(wire(&self.jobs.resume(&id).await?))
        };
        answer(resumed.await)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteJobRequest>,
    ) -> Answer<v1::DeleteJobResponse> {
        let caller = caller(&request);
        let deleted = async {
            let id = self.theirs(&request.into_inner().id, &caller).await?;
            let deleted = self.jobs.delete(&id).await?;
            Ok(v1::DeleteJobResponse { deleted })
        };
        answer(deleted.await)
    }

    async fn events(
        &self,
        request: Request<v1::JobEventsRequest>,
    ) -> Answer<v1::JobEventsResponse> {
        let caller = caller(&request);
        answer(self.events_after(request.into_inner(), &caller).await)
    }

    async fn watch(&self, request: Request<v1::WatchJobRequest>) -> Answer<Self::WatchStream> {
        let caller = caller(&request);
        let watched = async {
            let id = self.theirs(&request.into_inner().id, &caller).await?;
            self.jobs.watch(&id).await
        };
        let receiver = watched.await.map_err(|error| to_status(&error))?;
        let snapshots = futures::stream::unfold(Some((receiver, true)), |state| async move {
            let (mut receiver, first) = state?;
            if !first && receiver.changed().await.is_err() {
                return None;
            }
            let snapshot = receiver.borrow_and_update().clone();
            let more = snapshot.state == State::Running;
            Some((Ok(wire(&snapshot)), more.then_some((receiver, false))))
        });
        Ok(Response::new(snapshots.boxed()))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Answer<v1::ExplainResponse> {
        let caller = caller(&request);
        answer(self.explained(request.into_inner(), &caller).await)
    }

    async fn verify(&self, request: Request<v1::VerifyRequest>) -> Answer<v1::VerifyResponse> {
        let caller = caller(&request);
        answer(self.verified(request.into_inner(), &caller).await)
    }
}

fn submission(request: v1::SubmitRequest) -> Result<Submission> {
    Ok(Submission {
        id: JobId::new(&request.id)?,
        text: request.text,
        target: target(request.target)?,
        options: options(request.options.unwrap_or_default())?,
    })
}

fn options(wire: v1::JobOptions) -> Result<Options> {
    let home = match v1::Home::try_from(wire.home) {
        Ok(v1::Home::Unspecified | v1::Home::FlinkStreaming) => Home::FlinkStreaming,
        Ok(v1::Home::FlinkBatch) => Home::FlinkBatch,
        Ok(v1::Home::SparkBatch | v1::Home::SparkStreaming) | Err(_) => {
            return Err(Error::new(
                Kind::Invalid,
                "FS0910",
                "this build does not know that home",
            )
            .with_hint("choose flink/streaming or flink/batch"));
        }
    };
    Ok(Options {
        home,
        parallelism: wire.parallelism,
        rate_rows_per_second: wire.rate_rows_per_second,
        checkpoint_interval_ms: wire.checkpoint_interval_ms,
        watermark_delay_ms: wire.watermark_delay_ms.into_iter().collect(),
        late_to: wire.late_to,
        retries_max: wire.retries_max,
    })
}

fn targets(wire: &[i32]) -> Result<Vec<Target>> {
    if wire.is_empty() {
        return Ok(vec![Target::Stream, Target::Batch]);
    }
    wire.iter().map(|value| target(*value)).collect()
}

fn target(wire: i32) -> Result<Target> {
    match v1::Target::try_from(wire) {
        Ok(v1::Target::Stream) => Ok(Target::Stream),
        Ok(v1::Target::Batch) => Ok(Target::Batch),
        _ => Err(Error::new(
            Kind::Invalid,
            "FS0911",
            "this build does not have that target",
        )
        .with_hint("choose stream or batch")),
    }
}

fn wire_home(home: Home) -> v1::Home {
    match home {
        Home::FlinkStreaming => v1::Home::FlinkStreaming,
        Home::FlinkBatch => v1::Home::FlinkBatch,
    }
}

fn wire_target(target: Target) -> v1::Target {
    match target {
        Target::Stream => v1::Target::Stream,
        Target::Batch => v1::Target::Batch,
    }
}

fn wire(snapshot: &Snapshot) -> v1::Job {
    let record = &snapshot.record;
    let options = &record.options;
    let state = match snapshot.state {
        State::Running => v1::JobState::Running,
        State::Suspended => v1::JobState::Suspended,
        State::Finished => v1::JobState::Finished,
        State::Failed => v1::JobState::Failed,
        State::Stopped => v1::JobState::Stopped,
        State::Parked => v1::JobState::Parked,
    };
    let counts = snapshot.progress.counts;
    v1::Job {
        id: record.id.to_string(),
        text: record.text.clone(),
        target: wire_target(record.target).into(),
        options: Some(v1::JobOptions {
            home: wire_home(options.home).into(),
            parallelism: options.parallelism,
            rate_rows_per_second: options.rate_rows_per_second,
            checkpoint_interval_ms: options.checkpoint_interval_ms,
            watermark_delay_ms: options.watermark_delay_ms.clone().into_iter().collect(),
            late_to: options.late_to.clone(),
            retries_max: options.retries_max,
        }),
        state: state.into(),
        progress: Some(v1::JobProgress {
            rows_in: counts.rows_in,
            rows_out: counts.rows_out,
            late_rows: counts.rows_late,
            checkpoint: counts.checkpoint,
            watermark_ms: snapshot.progress.watermark_ms,
            rows_in_total: snapshot.progress.rows_in_total,
        }),
        generation: snapshot.progress.generation,
        submitted_at_ms: record.submitted_at_ms,
        ended_at_ms: snapshot.ended_at_ms,
        output: record.output_name.to_string(),
        error: snapshot.error.as_ref().map(detail),
        notes: record.notes.clone(),
        retry: snapshot.retry.as_ref().map(|retry| v1::JobRetry {
            error: Some(detail(&retry.error)),
            tries: retry.tries,
            next_at_ms: retry.next_at_ms,
        }),
    }
}

fn wire_event(number: u64, event: &Event) -> v1::JobEvent {
    v1::JobEvent {
        number,
        at_ms: event.at_ms,
        event: event.what.name().into(),
        generation: event.generation,
        progress: Some(v1::JobProgress {
            rows_in: event.counts.rows_in,
            rows_out: event.counts.rows_out,
            late_rows: event.counts.rows_late,
            checkpoint: event.counts.checkpoint,
            ..v1::JobProgress::default()
        }),
        error: event
            .failure
            .as_ref()
            .map(|failure| detail(&failure.error())),
        tries: event.tries,
        next_at_ms: event.next_at_ms,
    }
}

fn detail(error: &Error) -> v1::ErrorDetail {
    v1::ErrorDetail {
        code: error.code().into(),
        kind: error.kind().name().into(),
        message: error.message().into(),
        detail: error.detail().map(Into::into),
        hint: error.hint().map(Into::into),
    }
}
