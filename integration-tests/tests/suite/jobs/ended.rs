//! What stays of a job that has ended, and what is told of it.

use super::{FLINK, digest, job};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

/// What became of a job: the event, and its number.
fn events(server: &Server, id: &str) -> Step<Vec<(String, u64)>> {
    let logs = server.must(&["job", "logs", id, "-o", "json"])?.json()?;
    let logs = logs.as_array().ok_or("events are a list")?;
    let event = |row: &Value| {
        let event = row["event"].as_str().unwrap_or_default().to_owned();
        (event, row["number"].as_u64().unwrap_or(u64::MAX))
    };
    Ok(logs.iter().map(event).collect())
}

#[test]
fn what_became_of_a_job_is_told_by_later_servers_too() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "logged")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    let url = server.url();
    let following = std::thread::spawn(move || {
        let run = ["--url", &url, "job", "run", &file, "--on", "stream"];
        let pace = ["--rate", "100000", "--checkpoint-interval", "100ms"];
        let rest = ["--id", "logged", "--reconnect", "0s"];
        flinkspark_integration_tests::command::run(&[&run[..], &pace, &rest].concat())
    });
    std::thread::sleep(Duration::from_millis(1500));
    server.terminate(Duration::from_secs(30))?;
    following.join().map_err(|_| "the client ended")??;
    let server = Server::start(&data)?;
    // Followed, it ends with the job.
    let said = server.must(&["job", "logs", "logged", "--follow"])?;
    assert!(said.out.contains("  finished (checkpoint "), "{said:?}");
    let told = events(&server, "logged")?;
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.first(), Some(&"submitted"), "{told:?}");
    assert_eq!(names.last(), Some(&"finished"), "{told:?}");
    for name in ["started", "checkpoint", "suspended"] {
        assert!(names.contains(&name), "{name}: {told:?}");
    }
    assert_eq!(names.iter().filter(|name| **name == "started").count(), 2);
    assert!(
        told.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "{told:?}"
    );
    let logs = server
        .must(&["job", "logs", "logged", "-o", "json"])?
        .json()?;
    let last = logs
        .as_array()
        .and_then(|all| all.last())
        .ok_or("it ended")?;
    assert_eq!(
        (&last["rows_in"], &last["rows_out"]),
        (&336_776.into(), &FLINK.0.into())
    );
    server.kill()?;
    let server = Server::start(&data)?;
    assert_eq!(events(&server, "logged")?, told);
    Ok(())
}

#[test]
fn a_job_that_failed_says_by_what_code() -> Step {
    let flights = Flights::start("24h")?;
    let file = flights.path("fails.sql");
    std::fs::write(
        &file,
        "INSERT INTO q SELECT 10 / (distance - distance) AS q FROM flights",
    )?;
    let file = file.to_str().ok_or("the path is text")?;
    let run = ["job", "run", file, "--on", "stream", "--id", "fails"];
    let said = flights.server.run(&run)?;
    assert!(said.err.contains("error[FS0805]"), "{said:?}");
    let logs = flights
        .server
        .must(&["job", "logs", "fails", "-o", "json"])?
        .json()?;
    let last = logs
        .as_array()
        .and_then(|all| all.last())
        .ok_or("it ended")?;
    assert_eq!(
        (&last["event"], &last["code"]),
        (&"failed".into(), &"FS0805".into())
    );
    // It failed, so it is settled first, and deleted.
    flights.server.must(&["job", "delete", "fails"])?;
    Ok(())
}

#[test]
fn an_ended_job_is_deleted_and_what_it_committed_stays() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "deleted")?;
    let Flights { server, dir } = flights;
    let data = dir.path().join("data");
    let run = ["job", "run", &file, "--on", "stream", "--id", "deleted"];
    let (url, slow) = (server.url(), file.clone());
    let running = std::thread::spawn(move || {
        let run = [
            "--url", &url, "job", "run", &slow, "--on", "stream", "--rate", "1000",
        ];
        flinkspark_integration_tests::command::run(&[&run[..], &["--id", "runs"]].concat())
    });
    let since = Instant::now();
    while server.run(&["job", "show", "runs"])?.code != Some(0) {
        assert!(since.elapsed().as_secs() < 20, "it does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = server.run(&["job", "delete", "runs"])?;
    assert!(
        said.err.contains("error[FS0925]") && said.err.contains("job stop runs"),
        "{said:?}"
    );
    server.must(&["job", "stop", "runs"])?;
    running.join().map_err(|_| "the client ended")??;

    let stopped = digest(&server, "deleted")?;
    let said = server
        .must(&["job", "delete", "runs", "-o", "json"])?
        .json()?;
    assert_eq!(said, serde_json::json!([{"id": "runs", "deleted": true}]));
    let again = server
        .must(&["job", "delete", "runs", "-o", "json"])?
        .json()?;
    assert_eq!(again, serde_json::json!([{"id": "runs", "deleted": false}]));
    assert_eq!(digest(&server, "deleted")?, stopped);
    for gone in [&["job", "show", "runs"][..], &["job", "logs", "runs"][..]] {
        let said = server.run(gone)?;
        assert!(said.err.contains("error[FS0908]"), "{said:?}");
    }
    let taken = ["job", "run", &file, "--on", "stream", "--id", "runs"];
    let said = server.run(&taken)?;
    assert!(said.err.contains("error[FS0924]"), "{said:?}");
    let nobody = server.run(&["job", "delete", "nobody"])?;
    assert!(nobody.err.contains("error[FS0908]"), "{nobody:?}");

    server.must(&run)?;
    let none = [
        "job",
        "delete",
        "--all-ended",
        "--older-than",
        "1h",
        "-o",
        "json",
    ];
    assert_eq!(server.must(&none)?.json()?, serde_json::json!([]));
    let all = server
        .must(&["job", "delete", "--all-ended", "-o", "json"])?
        .json()?;
    assert_eq!(all, serde_json::json!([{"id": "deleted", "deleted": true}]));
    let rows = digest(&server, "deleted")?;
    server.kill()?;
    // The next server removes what is left of them.
    let server = Server::start(&data)?;
    let since = Instant::now();
    let left = || -> Step<usize> {
        let mut left = 0;
        for job in std::fs::read_dir(data.join("jobs"))? {
            let mut folders = vec![job?.path()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(folder)? {
                    let path = entry?.path();
                    match path.is_dir() {
                        true => folders.push(path),
                        false => left += 1,
                    }
                }
            }
        }
        Ok(left)
    };
    while left()? > 0 {
        assert!(since.elapsed().as_secs() < 20, "{} files are left", left()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(
        server.must(&["job", "list", "-o", "json"])?.json()?,
        serde_json::json!([])
    );
    assert_eq!(digest(&server, "deleted")?, rows);
    server.must(&["dataset", "verify", "deleted"])?;
    Ok(())
}
