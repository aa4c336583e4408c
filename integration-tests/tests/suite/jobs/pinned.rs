//! What a job reads and what readers see of it while others write.

use super::{FLINK, job, sums};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn a_job_keeps_to_its_input_through_an_overwrite_and_a_kill() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "pinned")?;
    let Flights { server, dir } = flights;
    let url = server.url();
    let run = ["job", "run", &file, "--on", "stream", "--id", "pinned"];
    let pace = ["--rate", "100000", "--checkpoint-interval", "100ms"];
    let submitting = std::thread::spawn({
        let of = |text: &[&str]| text.iter().map(ToString::to_string).collect::<Vec<_>>();
        let arguments = [of(&["--url", &url]), of(&run), of(&pace)].concat();
        move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            flinkspark_integration_tests::command::run(
                &[&arguments[..], &["--reconnect", "0s"]].concat(),
            )
        }
    });
    std::thread::sleep(Duration::from_millis(1500));
    let other = dir.path().join("other.parquet");
    let other = other.to_str().ok_or("the path is text")?;
    server.must(&["transfer", "dataset://flights", other])?;
    server.must(&["transfer", other, "dataset://flights", "--replace"])?;
    let job = server.must(&["job", "show", "pinned", "-o", "json"])?;
    assert_eq!(job.json()?["state"], "running", "too late to tell");
    server.kill()?;
    submitting.join().map_err(|_| "the client ended")??;
    let server = Server::start(&dir.path().join("data"))?;
    server.must(&[&run[..], &pace].concat())?;
    assert_eq!(sums(&server, "pinned")?, FLINK);
    Ok(())
}

#[test]
fn a_job_whose_inputs_name_became_another_datasets_does_not_read_that() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "renamed")?;
    let Flights { server, dir } = flights;
    let url = server.url();
    let submitting = std::thread::spawn(move || {
        let run = ["--url", &url, "job", "run", &file, "--on", "stream"];
        let rest = ["--id", "renamed", "--rate", "100000", "--reconnect", "0s"];
        flinkspark_integration_tests::command::run(&[&run[..], &rest].concat())
    });
    std::thread::sleep(Duration::from_millis(1000));
    server.must(&["dataset", "drop", "flights", "--yes"])?;
    let like = crate::file("data/flights.parquet")?;
    let register = ["dataset", "register", "flights", "--like", &like];
    let time = ["--time-attribute", "event_time", "--watermark-delay", "24h"];
    server.must(&[&register[..], &time].concat())?;
    let show = ["job", "show", "renamed", "-o", "json"];
    assert_eq!(server.must(&show)?.json()?["state"], "running", "too late");
    server.kill()?;
    submitting.join().map_err(|_| "the client ended")??;
    let server = Server::start(&dir.path().join("data"))?;
    let since = Instant::now();
    loop {
        let job = server.must(&show)?.json()?;
        if job["state"] == "failed" {
            let error = job["error"].as_str().ok_or("it says why")?;
            assert!(error.contains("flights"), "{error}");
            return Ok(());
        }
        assert_eq!(job["state"], "running", "{job}");
        assert!(since.elapsed().as_secs() < 20, "{job}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn closed_windows_can_be_read_while_the_job_runs() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "live")?;
    let url = flights.server.url();
    let running = std::thread::spawn(move || {
        flinkspark_integration_tests::command::run(&[
            "--url",
            &url,
            "job",
            "run",
            &file,
            "--on",
            "stream",
            "--id",
            "live",
            "--rate",
            "60000",
            "--checkpoint-interval",
            "100ms",
        ])
    });
    let mut watermarks: Vec<i64> = Vec::new();
    let mut rows = 0;
    while !running.is_finished() && watermarks.len() < 10 {
        std::thread::sleep(Duration::from_millis(200));
        let epochs = flights
            .server
            .run(&["dataset", "epochs", "live", "-o", "jsonl"])?;
        let epochs: Vec<Value> = epochs
            .out
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()?;
        watermarks = epochs
            .iter()
            .filter_map(|epoch| epoch["watermark_ms"].as_i64())
            .collect();
        rows = epochs
            .iter()
            .filter_map(|epoch| epoch["rows"].as_u64())
            .sum();
    }
    assert!(
        !running.is_finished(),
        "the job was over before its windows could be read"
    );
    assert!(rows > 0 && rows < FLINK.0, "{rows}");
    assert!(
        watermarks.is_sorted() && watermarks.first() < watermarks.last(),
        "{watermarks:?}"
    );
    running.join().map_err(|_| "the client ended")??;
    assert_eq!(sums(&flights.server, "live")?, FLINK);
    Ok(())
}
