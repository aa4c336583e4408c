//! Jobs whose servers stop, are killed, or die around a commit: each goes on exactly once.

use super::{FLINK, job, sums};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_stopped_server_suspends_and_the_next_one_goes_on() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "resumed")?;
    let url = flights.server.url();
    let Flights { server, dir } = flights;
    let submitting = std::thread::spawn({
        let file = file.clone();
        move || {
            flinkspark_integration_tests::command::run(&[
                "--url",
                &url,
                "job",
                "run",
                &file,
                "--on",
                "stream",
                "--id",
                "resumed",
                "--rate",
                "100000",
                "--checkpoint-interval",
                "100ms",
                "--reconnect",
                "1s",
            ])
        }
    });
    std::thread::sleep(Duration::from_millis(1500));
    let (status, took) = server.terminate(Duration::from_secs(30))?;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    let said = submitting.join().map_err(|_| "the client ended")??;
    assert_eq!(said.code, Some(4), "{said:?}");
    let server = Server::start(&dir.path().join("data"))?;
    let said = server
        .must(&[
            "job",
            "run",
            &file,
            "--on",
            "stream",
            "--id",
            "resumed",
            "--rate",
            "100000",
            "--checkpoint-interval",
            "100ms",
            "-o",
            "json",
        ])?
        .json()?;
    assert_eq!(
        (&said["state"], &said["rows_in"]),
        (&Value::from("finished"), &Value::from(336_776))
    );
    assert!(said["generation"].as_u64() >= Some(2), "{said}");
    assert_eq!(sums(&server, "resumed")?, FLINK);
    Ok(())
}

#[test]
fn a_client_follows_its_job_through_a_killed_server() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "followed")?;
    let Flights { server, dir } = flights;
    let (url, grpc) = (server.url(), server.grpc().to_owned());
    let following = std::thread::spawn(move || {
        let run = ["--url", &url, "job", "run", &file, "--on", "stream"];
        let pace = ["--rate", "100000", "--checkpoint-interval", "100ms"];
        let rest = ["--reconnect", "60s", "-o", "json"];
        flinkspark_integration_tests::command::run(&[&run[..], &pace, &rest].concat())
    });
    let data = dir.path().join("data");
    let mut server = server;
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        server.kill()?;
        server = Server::start_at(&data, &grpc)?;
    }
    let said = following.join().map_err(|_| "the client ended")??;
    assert_eq!(said.code, Some(0), "{said:?}");
    let job = said.json()?;
    assert_eq!(
        (&job["state"], &job["rows_in"]),
        (&Value::from("finished"), &Value::from(336_776))
    );
    assert!(job["generation"].as_u64() >= Some(2), "{job}");
    assert_eq!(sums(&server, "followed")?, FLINK);
    Ok(())
}

#[test]
fn an_overwrite_is_made_once_by_servers_that_die_around_its_commit() -> Step {
    for (step, committed) in [
        ("recover.output.fenced", false),
        ("checkpoint.commit.before", false),
        ("checkpoint.commit.done", true),
    ] {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("data");
        let file = dir.path().join("rows.csv");
        std::fs::write(&file, "n\n1\n2\n3\n")?;
        let file = file.to_str().ok_or("the path is text")?;
        let server = Server::start(&data)?;
        server.must(&["transfer", file, "dataset://t"])?;
        server.kill()?;
        let mut server = Server::start_with_faults(&data, &format!("kill={step}:1"))?.ready()?;
        let run = [
            "sql",
            "-e",
            "INSERT OVERWRITE t SELECT n + 1 FROM t",
            "--id",
            "over",
        ];
        let said = server.run(&[&run[..], &["--reconnect", "0s"]].concat())?;
        assert_eq!(said.code, Some(4), "{step}: {said:?}");
        server
            .ended_within(Duration::from_secs(20))?
            .ok_or("the server was killed")?;
        let server = Server::start(&data)?;
        if committed {
            // What is in the log was in it when the server died.
            let epochs = server.must(&["dataset", "epochs", "t", "-o", "jsonl"])?.out;
            assert_eq!(epochs.matches("\"writer\":\"over\"").count(), 1, "{epochs}");
        }
        for _ in 0..2 {
            server.must(&run)?;
            let rows = server.must(&["query", "SELECT n FROM t ORDER BY n", "-o", "jsonl"])?;
            assert_eq!(rows.out, "{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n", "{step}");
        }
        let epochs = server.must(&["dataset", "epochs", "t", "-o", "jsonl"])?.out;
        assert_eq!(
            epochs.matches("\"writer\":\"over\"").count(),
            1,
            "{step}: {epochs}"
        );
        server.must(&["dataset", "verify", "t"])?;
    }
    Ok(())
}

/// Submits the job to a server that dies by SIGKILL at a step while it stops the job, and starts
/// it again: the job as it ended, and the sums of its output.
fn stopped_by_a_dying_server(how: &[&str], step: &str) -> Step<(Value, (u64, [i64; 4]))> {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "asked")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    let mut server = Server::start_with_faults(&data, &format!("kill={step}:1"))?.ready()?;
    let url = server.url();
    let submitting = std::thread::spawn(move || {
        let run = ["--url", &url, "job", "run", &file, "--on", "stream"];
        // No checkpoint but the one that stopping takes.
        let pace = ["--rate", "100000", "--checkpoint-interval", "1h"];
        let rest = ["--id", "asked", "--reconnect", "0s"];
        flinkspark_integration_tests::command::run(&[&run[..], &pace, &rest].concat())
    });
    std::thread::sleep(Duration::from_millis(1500));
    let said = server.run(&[&["job", "stop", "asked"], how].concat())?;
    assert!(said.err.contains("error[FS040"), "the call broke: {said:?}");
    submitting.join().map_err(|_| "the client ended")??;
    server
        .ended_within(Duration::from_secs(20))?
        .ok_or("the server was killed")?;
    let server = Server::start(&data)?;
    let since = Instant::now();
    loop {
        let job = server
            .must(&["job", "show", "asked", "-o", "json"])?
            .json()?;
        if job["state"] != "running" {
            return Ok((job, sums(&server, "asked")?));
        }
        assert!(since.elapsed().as_secs() < 20, "{job}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stopped_job_commits_what_its_last_checkpoint_promised() -> Step {
    let (job, (rows, sums)) = stopped_by_a_dying_server(&[], "checkpoint.manifest.done")?;
    assert_eq!(job["state"], "stopped", "{job}");
    assert!(rows > 0 && sums[0] > 0, "the checkpoint had closed windows");
    assert!(rows < FLINK.0, "{rows}");
    assert_eq!(job["rows_out"], rows, "{job}");
    Ok(())
}

#[test]
fn a_drain_is_not_forgotten_when_its_server_dies() -> Step {
    let (job, (rows, sums)) = stopped_by_a_dying_server(&["--drain"], "checkpoint.manifest.done")?;
    assert_eq!(job["state"], "stopped", "{job}");
    assert_eq!(job["rows_in"], sums[0], "every row that was read has fired");
    assert!(rows > 0 && rows < FLINK.0, "{rows}");
    // Before its only checkpoint it has read nothing that counts: the next one drains at the start.
    let (job, (rows, sums)) =
        stopped_by_a_dying_server(&["--drain"], "checkpoint.manifest.before")?;
    assert_eq!(job["state"], "stopped", "{job}");
    assert_eq!(job["rows_in"], sums[0], "{job}");
    assert!(rows < FLINK.0, "{rows}");
    Ok(())
}

/// The segment files of every dataset.
fn segment_files(data: &Path) -> Step<BTreeSet<OsString>> {
    let mut files = BTreeSet::new();
    for dataset in std::fs::read_dir(data.join("datasets"))? {
        for file in std::fs::read_dir(dataset?.path().join("segments"))? {
            files.insert(file?.file_name());
        }
    }
    Ok(files)
}

/// How many segments the epochs of these datasets name.
fn segments_named(server: &Server, datasets: &[&str]) -> Step<usize> {
    let mut named = 0;
    for dataset in datasets {
        let epochs = server.must(&["dataset", "epochs", dataset, "-o", "jsonl"])?;
        for line in epochs.out.lines() {
            let epoch: Value = serde_json::from_str(line)?;
            let segments = epoch["segments"].as_u64().ok_or("an epoch has segments")?;
            named += usize::try_from(segments)?;
        }
    }
    Ok(named)
}

#[test]
fn what_a_killed_incarnation_staged_is_deleted_and_nothing_else() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "swept")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    server.kill()?;
    // Dies with a segment sealed and no manifest that lists it.
    let faults = "kill=checkpoint.manifest.before:5";
    let mut server = Server::start_with_faults(&data, faults)?.ready()?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "swept"];
    let pace = ["--rate", "100000", "--checkpoint-interval", "100ms"];
    let reconnect = ["--reconnect", "0s"];
    let said = server.run(&[&run[..], &pace, &reconnect].concat())?;
    assert_eq!(said.code, Some(4), "{said:?}");
    server
        .ended_within(Duration::from_secs(20))?
        .ok_or("the server was killed")?;
    let before = segment_files(&data)?;

    let server = Server::start(&data)?;
    server.must(&[&run[..], &pace].concat())?;
    server.kill()?;
    // Its first round of housekeeping begins when it is ready.
    let server = Server::start(&data)?;
    let named = segments_named(&server, &["flights", "swept"])?;
    let since = Instant::now();
    while segment_files(&data)?.len() != named {
        let files = segment_files(&data)?.len();
        let waited = since.elapsed();
        assert!(waited.as_secs() < 20, "{files} files, {named} named");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        !before.is_subset(&segment_files(&data)?),
        "the killed incarnation left a segment, which is gone"
    );
    assert_eq!(sums(&server, "swept")?, FLINK);
    Ok(())
}
