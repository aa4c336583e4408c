//! Jobs that met trouble: parked, tried again, resumed, and ended with their promises kept.

use crate::jobs::{FLINK, job, sums};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a server or a job may take for what is expected of it.
const LIMIT: Duration = Duration::from_secs(60);

fn shown(server: &Server, id: &str) -> Step<Value> {
    server.must(&["job", "show", id, "-o", "json"])?.json()
}

/// Waits until a job is as it should be.
fn until(server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Step<Value> {
    let since = Instant::now();
    loop {
        let job = shown(server, id)?;
        if wanted(&job) {
            return Ok(job);
        }
        if since.elapsed() > LIMIT {
            return Err(format!("not in time: {job}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a job is known.
fn submitted(server: &Server, id: &str) -> Step {
    let since = Instant::now();
    while server.run(&["job", "show", id])?.code != Some(0) {
        assert!(since.elapsed() < LIMIT, "{id} is not submitted");
    }
    Ok(())
}

/// Starts a server that dies when the step is reached, with this job at work.
fn die_at(data: &Path, step: &str, run: &[&str]) -> Step {
    let mut server = Server::start_with_faults(data, &format!("kill={step}:1"))?.ready()?;
    server.run(&[run, &["--reconnect", "0s"]].concat())?;
    let ended = server.ended_within(LIMIT)?;
    ended
        .map(drop)
        .ok_or_else(|| "the server was killed".into())
}

#[test]
fn a_job_with_which_three_servers_died_is_parked_until_it_is_resumed() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "parked")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "parked"];
    for _ in 0..3 {
        die_at(&data, "checkpoint.manifest.before", &run)?;
    }
    let server = Server::start(&data)?;
    let parked = until(&server, "parked", |job| job["state"] != "running")?;
    assert_eq!(parked["state"], "parked", "{parked}");
    let error = parked["error"].as_str().ok_or("it says why")?;
    assert!(error.contains("FS0918"), "{error}");
    let list = server.must(&["job", "list"])?;
    assert!(list.out.contains("parked"), "{list:?}");
    let said = server.run(&run)?;
    crate::errors::is_error(&said, "FS0918", 1)?;

    // A parked job stays parked, and goes on when it is told to.
    server.terminate(LIMIT)?;
    let server = Server::start(&data)?;
    assert_eq!(shown(&server, "parked")?["state"], "parked");
    server.must(&["job", "resume", "parked"])?;
    until(&server, "parked", |job| job["state"] == "finished")?;
    assert_eq!(sums(&server, "parked")?, FLINK);
    let said = server.run(&["job", "resume", "parked"])?;
    crate::errors::is_error(&said, "FS0920", 1)
}

#[test]
fn servers_that_died_after_a_checkpoint_park_no_job() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "unlucky")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "unlucky"];
    let pace = ["--rate", "40000", "--checkpoint-interval", "100ms"];
    let run = [&run[..], &pace].concat();
    for _ in 0..4 {
        let faults = "kill=checkpoint.manifest.before:12";
        let mut server = Server::start_with_faults(&data, faults)?.ready()?;
        server.run(&[&run[..], &["--reconnect", "0s"]].concat())?;
        server.ended_within(LIMIT)?.ok_or("the server was killed")?;
    }
    let server = Server::start(&data)?;
    server.must(&run)?;
    assert_eq!(sums(&server, "unlucky")?, FLINK);
    Ok(())
}

#[test]
fn a_parked_job_can_be_stopped() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "given_up")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let run = ["job", "run", &file, "--on", "batch", "--id", "given_up"];
    for _ in 0..3 {
        die_at(&data, "checkpoint.commit.before", &run)?;
    }
    let server = Server::start(&data)?;
    until(&server, "given_up", |job| job["state"] == "parked")?;
    let said = server.must(&["job", "stop", "given_up", "-o", "json"])?;
    assert_eq!(said.json()?["state"], "stopped");
    let said = server.run(&["job", "resume", "given_up"])?;
    crate::errors::is_error(&said, "FS0920", 1)
}

#[test]
fn trouble_that_passes_is_shown_waited_for_and_over() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "troubled")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let faults = "fail=checkpoint.manifest.before:3";
    let server = Server::start_with_faults(&data, faults)?.ready()?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "troubled"];
    let url = server.url();
    let following = std::thread::spawn({
        let run: Vec<String> = run.iter().map(ToString::to_string).collect();
        move || {
            let run: Vec<&str> = run.iter().map(String::as_str).collect();
            flinkspark_integration_tests::command::run(&[&["--url", &url], &run[..]].concat())
        }
    });
    submitted(&server, "troubled")?;
    let waits = |job: &Value| job["next_try_at"].is_string() && job["tries"].as_u64() >= Some(2);
    let job = until(&server, "troubled", waits)?;
    let error = job["last_error"].as_str().ok_or("it says what it met")?;
    assert!(error.contains("FS0621"), "{error}");
    let said = following.join().map_err(|_| "the client ended")??;
    assert_eq!(said.code, Some(0), "{said:?}");
    let job = shown(&server, "troubled")?;
    assert_eq!(
        (&job["state"], &job["tries"]),
        (&"finished".into(), &0.into())
    );
    assert_eq!(sums(&server, "troubled")?, FLINK);
    Ok(())
}

#[test]
fn retries_end_where_the_job_says_so_and_a_waiting_job_stops_at_once() -> Step {
    let flights = Flights::start("24h")?;
    let (bounded, waiting) = (job(&flights, "bounded")?, job(&flights, "waiting")?);
    let Flights { server, dir } = flights;
    server.kill()?;
    let faults = "fail=checkpoint.manifest.before:1000";
    let server = Server::start_with_faults(&dir.path().join("data"), faults)?.ready()?;
    let run = ["job", "run", &bounded, "--on", "stream", "--id", "bounded"];
    let said = server.run(&[&run[..], &["--retries", "1"]].concat())?;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("FS0621"), "{said:?}");
    assert_eq!(shown(&server, "bounded")?["state"], "failed");

    let url = server.url();
    let following = std::thread::spawn(move || {
        let run = ["--url", &url, "job", "run", &waiting, "--on", "stream"];
        let id = ["--id", "waiting"];
        flinkspark_integration_tests::command::run(&[&run[..], &id].concat())
    });
    submitted(&server, "waiting")?;
    until(&server, "waiting", |job| job["tries"].as_u64() >= Some(3))?;
    let said = server.must(&["job", "stop", "waiting", "-o", "json"])?;
    assert_eq!(said.json()?["state"], "stopped", "{said:?}");
    following.join().map_err(|_| "the client ended")??;
    Ok(())
}

#[test]
fn what_was_promised_is_committed_though_the_job_can_no_longer_be_built() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "promised")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "promised"];
    let pace = ["--rate", "100000", "--checkpoint-interval", "1s"];
    die_at(
        &data,
        "checkpoint.manifest.done",
        &[&run[..], &pace].concat(),
    )?;
    // A server that dies before it goes on with the job, with the job's input gone.
    let server = Server::start_with_faults(&data, "fail=recover.job.fenced:1000")?.ready()?;
    server.must(&["dataset", "drop", "flights", "--yes"])?;
    assert_eq!(sums(&server, "promised")?.0, 0);
    server.kill()?;
    let server = Server::start(&data)?;
    let job = until(&server, "promised", |job| job["state"] != "running")?;
    assert_eq!(job["state"], "failed", "{job}");
    let (rows, _) = sums(&server, "promised")?;
    assert!(rows > 0, "the checkpoint had closed windows");
    assert_eq!(job["rows_out"], rows, "{job}");
    Ok(())
}
