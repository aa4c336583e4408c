//! One job, both engines, Flink's answers.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::time::Duration;

/// What Flink 2.3 gives for `hourly_departures.sql` with a delay of 24 hours: rows, and sums of
/// `departures`, `with_delay`, `total_distance` and `avg_distance`.
const FLINK: (u64, [i64; 4]) = (19_468, [336_776, 328_521, 350_217_607, 20_236_328]);

/// Rows of a dataset, and the sums of the job's columns.
fn sums(server: &Server, dataset: &str) -> Step<(u64, [i64; 4])> {
    let head = server.must(&["dataset", "head", dataset, "-n", "1000000", "-o", "jsonl"])?;
    let mut sums = [0; 4];
    let mut rows = 0;
    for line in head.out.lines() {
        let row: Value = serde_json::from_str(line)?;
        rows += 1;
        for (sum, column) in
            sums.iter_mut()
                .zip(["departures", "with_delay", "total_distance", "avg_distance"])
        {
            *sum += row[column]
                .as_i64()
                .ok_or_else(|| format!("{column} of {row}"))?;
        }
    }
    Ok((rows, sums))
}

/// The job with another output.
fn job(flights: &Flights, output: &str) -> Step<String> {
    let text = std::fs::read_to_string(crate::file("jobs/hourly_departures.sql")?)?;
    let path = flights.path(&format!("{output}.sql"));
    std::fs::write(&path, text.replace("hourly_departures", output))?;
    path.to_str()
        .map(Into::into)
        .ok_or_else(|| "the path is text".into())
}

#[test]
fn stream_and_batch_give_flinks_answer_at_every_parallelism() -> Step {
    let flights = Flights::start("24h")?;
    for on in ["stream", "batch"] {
        for parallelism in ["1", "2", "4"] {
            let output = format!("{on}_{parallelism}");
            let file = job(&flights, &output)?;
            let said = flights.server.must(&[
                "job",
                "run",
                &file,
                "--on",
                on,
                "--parallelism",
                parallelism,
                "-o",
                "json",
            ])?;
            assert_eq!(said.json()?["rows_late"], 0, "{output}");
            assert_eq!(sums(&flights.server, &output)?, FLINK, "{output}");
        }
    }
    let first = flights
        .server
        .must(&["dataset", "show", "stream_1", "-o", "json"])?
        .json()?;
    let last = flights
        .server
        .must(&["dataset", "show", "batch_4", "-o", "json"])?
        .json()?;
    assert_eq!(first["digest"], last["digest"]);
    let verified =
        flights
            .server
            .must(&["job", "verify", &crate::file("jobs/hourly_departures.sql")?])?;
    assert!(verified.err.contains("equal"), "{verified:?}");
    Ok(())
}

#[test]
fn late_rows_are_flinks_and_what_is_left_is_the_batch_answer() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "windows")?;
    let watermark = [
        "--watermark",
        "flights=2h",
        "--late-to",
        "late",
        "-o",
        "json",
    ];
    let mut digests = Vec::new();
    for parallelism in ["1", "2", "4"] {
        let output = format!("windows_{parallelism}");
        let file = job(&flights, &output)?;
        let run = [
            "job",
            "run",
            &file,
            "--on",
            "stream",
            "--parallelism",
            parallelism,
            "--watermark",
            "flights=2h",
            "-o",
            "json",
        ];
        let said = flights.server.must(&run)?.json()?;
        assert_eq!(
            (&said["rows_late"], &said["rows_out"]),
            (&Value::from(19_072), &Value::from(19_111)),
            "{output}"
        );
        digests.push(
            flights
                .server
                .must(&["dataset", "show", &output, "-o", "json"])?
                .json()?["digest"]
                .clone(),
        );
    }
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
    let said = flights
        .server
        .must(&[&["job", "run", &file, "--on", "stream"][..], &watermark].concat())?
        .json()?;
    // Late rows are counted and kept as well: the main output's rows are the windows.
    assert_eq!(said["rows_late"], 19_072);
    let late = flights
        .server
        .must(&["dataset", "show", "late", "-o", "json"])?
        .json()?;
    assert_eq!(late["rows"], 19_072);

    // collapse(stream) = batch(input - late): the windows of all rows are those of the stream's rows
    // and those of its late rows together.
    let (_, stream) = sums(&flights.server, "windows")?;
    assert_eq!(FLINK.1[0] - stream[0], 19_072);
    Ok(())
}

#[test]
fn a_job_id_is_one_run() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "once")?;
    let run = ["job", "run", &file, "--on", "stream", "--id", "the-run"];
    flights.server.must(&run)?;
    let slot = flights
        .server
        .must(&["dataset", "show", "once", "-o", "json"])?
        .json()?["slot"]
        .clone();
    flights.server.must(&run)?;
    assert_eq!(
        flights
            .server
            .must(&["dataset", "show", "once", "-o", "json"])?
            .json()?["slot"],
        slot
    );
    let other = job(&flights, "other")?;
    let said = flights
        .server
        .run(&["job", "run", &other, "--on", "stream", "--id", "the-run"])?;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("FS0902"), "{said:?}");
    let again = flights
        .server
        .must(&["job", "run", &file, "--on", "batch"])?;
    assert!(
        again
            .err
            .contains("appends to dataset once, which has 19468 rows"),
        "{again:?}"
    );
    Ok(())
}

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
