//! One job that is killed until its aims are spent.

use super::Aim;
use crate::command::{Build, flinkspark};
use crate::server::{Server, Started};
use crate::{Failure, Step};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Rows a second: the job outlives its kills.
const RATE: &str = "40000";
/// How long a server may live without reaching the step that it was asked to die at.
const STEP_LIMIT: Duration = Duration::from_secs(4);
/// The signal that a fail point sends to its own process.
const SIGKILL: i32 = 9;
/// How long the last incarnation may take to finish.
const FINISH_LIMIT: Duration = Duration::from_secs(120);

/// One job and what it is killed by.
pub(super) struct Campaign<'a> {
    pub(super) number: u64,
    pub(super) data: &'a Path,
    pub(super) aims: Vec<Aim>,
}

impl Campaign<'_> {
    /// Kills, lets the job finish, and compares; gives the kills and the aims that were not reached.
    pub(super) fn run(
        self,
        reference: &str,
        kills: &mut BTreeMap<String, u64>,
    ) -> Step<(u64, Vec<Aim>)> {
        let name = format!("killed_{}", self.number);
        let job = self.job(&name)?;
        let mut missed = Vec::new();
        let mut done = 0;
        for aim in &self.aims {
            if self.aim(*aim, &job)? {
                done += 1;
                let what = match aim {
                    Aim::Step(step, _) => (*step).into(),
                    Aim::Moment(_) => "at a random moment".into(),
                    Aim::Client => "the client, before the reply".to_owned(),
                };
                *kills.entry(what).or_default() += 1;
            } else if let Aim::Step(step, count) = aim {
                // The step was not reached so often in this incarnation's life: sooner next time.
                missed.push(Aim::Step(step, (count / 2).max(1)));
            }
        }
        let server = Server::start(self.data)?;
        self.finish(&server, &job)?;
        let found = digest(&server, &name)?;
        if found != reference {
            return Err(Failure::from(format!(
                "{name} has {found}, the unfailed run has {reference}"
            )));
        }
        server.terminate(Duration::from_secs(30))?;
        Ok((done, missed))
    }

    /// Lets the job run to its end. One that is parked while its client comes back is resumed again.
    fn finish(&self, server: &Server, job: &Path) -> Step {
        let since = Instant::now();
        let mut client = self.submit(server, job, None)?;
        loop {
            let ended = client.try_wait()?;
            if ended.is_some_and(|status| status.success()) {
                return Ok(());
            }
            let shown = server.run(&["job", "show", &self.id(), "-o", "json"])?;
            if ended.is_some() {
                if !shown.out.contains("\"parked\"") {
                    return Err(format!("the job did not finish: {shown:?}").into());
                }
                client = self.submit(server, job, None)?;
            }
            if since.elapsed() > FINISH_LIMIT {
                client.kill()?;
                return Err(format!("the job does not finish: {shown:?}").into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn id(&self) -> String {
        format!("killed-{}", self.number)
    }

    /// The job's file, with an output of its own.
    fn job(&self, name: &str) -> Step<PathBuf> {
        let text = std::fs::read_to_string(crate::path("jobs/hourly_departures.sql"))?;
        let file = self.data.with_file_name(format!("{name}.sql"));
        std::fs::write(&file, text.replace("hourly_departures", name))?;
        Ok(file)
    }

    fn aim(&self, aim: Aim, job: &Path) -> Step<bool> {
        match aim {
            Aim::Step(step, count) => {
                let faults = format!("kill={step}:{count}");
                let mut server = match Server::start_with_faults(self.data, &faults)? {
                    Started::Ready(server) => server,
                    Started::Died(status, said) => return is_kill(status, &said),
                };
                let mut client = self.submit(&server, job, None)?;
                let ended = server.ended_within(STEP_LIMIT)?;
                client.kill()?;
                client.wait()?;
                ended.map_or(Ok(false), |status| is_kill(status, step))
            }
            Aim::Moment(ms) => {
                let server = Server::start(self.data)?;
                let mut client = self.submit(&server, job, None)?;
                std::thread::sleep(Duration::from_millis(ms));
                server.kill()?;
                client.kill()?;
                client.wait()?;
                Ok(true)
            }
            Aim::Client => {
                let server = Server::start(self.data)?;
                let mut client = self.submit(&server, job, Some(Duration::from_millis(15)))?;
                client.kill()?;
                client.wait()?;
                server.kill()?;
                Ok(true)
            }
        }
    }

    /// Runs the job's client, and waits a moment for what it is to be killed in.
    fn submit(&self, server: &Server, job: &Path, wait: Option<Duration>) -> Step<Child> {
        let id = self.id();
        // Three kills in a row before a checkpoint park a job, as they should. One that was not submitted yet
        // is refused, and one that runs is left alone.
        server.run(&["job", "resume", &id])?;
        let mut command = flinkspark(Build::Plain)?;
        command
            .env("FLINKSPARK_URL", server.url())
            .args(["job", "run"])
            .arg(job);
        command.args([
            "--on",
            "stream",
            "--id",
            &id,
            "--rate",
            RATE,
            "--checkpoint-interval",
            "100ms",
        ]);
        command.args([
            "--parallelism",
            if self.number.is_multiple_of(2) {
                "2"
            } else {
                "1"
            },
        ]);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(wait) = wait {
            std::thread::sleep(wait);
        }
        Ok(child)
    }
}

/// Whether SIGKILL ended the server; any other end of its own is a bug.
fn is_kill(status: ExitStatus, said: &str) -> Step<bool> {
    match status.signal() {
        Some(SIGKILL) => Ok(true),
        _ => Err(format!("the server was to be killed and ended with {status}: {said}").into()),
    }
}

/// Rows and digest of a dataset.
pub(super) fn digest(server: &Server, dataset: &str) -> Step<String> {
    let shown = server
        .must(&["dataset", "show", dataset, "-o", "json"])?
        .json()?;
    let digest = shown.get("digest").and_then(|digest| digest.as_str());
    digest
        .map(Into::into)
        .ok_or_else(|| format!("{dataset} has no digest: {shown}").into())
}
