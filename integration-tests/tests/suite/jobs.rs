//! One job, both engines, Flink's answers.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// What Flink 2.3 gives for `hourly_departures.sql` with a delay of 24 hours: rows, and sums of
/// `departures`, `with_delay`, `total_distance` and `avg_distance`.
pub(crate) const FLINK: (u64, [i64; 4]) = (19_468, [336_776, 328_521, 350_217_607, 20_236_328]);

/// Rows of a dataset, and the sums of the job's columns.
pub(crate) fn sums(server: &Server, dataset: &str) -> Step<(u64, [i64; 4])> {
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

/// The digest of a dataset.
fn digest(server: &Server, dataset: &str) -> Step<String> {
    let shown = server.must(&["dataset", "show", dataset, "-o", "json"])?;
    let shown = shown.json()?;
    let digest = shown["digest"].as_str().ok_or("a dataset has a digest")?;
    Ok(digest.into())
}

/// The job with another output.
pub(crate) fn job(flights: &Flights, output: &str) -> Step<String> {
    job_over(flights, "flights", output)
}

/// The job with another input and another output.
fn job_over(flights: &Flights, input: &str, output: &str) -> Step<String> {
    let text = std::fs::read_to_string(crate::file("jobs/hourly_departures.sql")?)?;
    let text = text.replace("TABLE flights", &format!("TABLE {input}"));
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
    assert_eq!(
        digest(&flights.server, "stream_1")?,
        digest(&flights.server, "batch_4")?
    );
    let verified =
        flights
            .server
            .must(&["job", "verify", &crate::file("jobs/hourly_departures.sql")?])?;
    assert!(verified.err.contains("equal"), "{verified:?}");
    Ok(())
}

#[test]
fn a_comparison_of_floats_without_an_order_says_its_tolerance() -> Step {
    let flights = Flights::start("24h")?;
    let file = |name: &str, text: &str| -> Step<String> {
        let path = flights.path(name);
        std::fs::write(&path, text)?;
        let path = path.to_str().ok_or("the path is text")?;
        Ok(path.into())
    };
    let float = "CAST(distance AS DOUBLE) / 7";
    let unordered = format!(
        "INSERT INTO sums SELECT origin, SUM(part) AS parts FROM \
         (SELECT origin, {float} AS part FROM flights UNION ALL SELECT origin, {float} AS part FROM flights) \
         GROUP BY origin"
    );
    let ordered = format!(
        "INSERT INTO sums SELECT origin, SUM({float}) AS parts FROM flights GROUP BY origin"
    );
    for (name, text, said) in [
        ("unordered.sql", unordered, true),
        ("ordered.sql", ordered, false),
    ] {
        let file = file(name, &text)?;
        let both = [
            "job",
            "verify",
            &file,
            "--on",
            "batch,batch",
            "--parallelism",
            "4",
        ];
        let verified = flights.server.must(&both)?;
        assert!(verified.err.contains("equal"), "{verified:?}");
        let tolerance = "column \"parts\" is compared within a relative tolerance of 1e-9";
        assert_eq!(verified.err.contains(tolerance), said, "{verified:?}");
    }
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
        digests.push(digest(&flights.server, &output)?);
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

    // The batch engine drops the same rows: the home is flink/streaming on every target.
    let batch = job(&flights, "windows_batch")?;
    let run = [
        "job",
        "run",
        &batch,
        "--on",
        "batch",
        "--watermark",
        "flights=2h",
        "-o",
        "json",
    ];
    let said = flights.server.must(&run)?.json()?;
    assert_eq!(
        (&said["rows_late"], &said["rows_out"]),
        (&Value::from(19_072), &Value::from(19_111))
    );
    assert_eq!(
        digest(&flights.server, "windows_batch")?,
        digest(&flights.server, "windows")?
    );

    // collapse(stream) = batch(input - late): the batch engine over exactly the rows that were not late.
    let on_time = rows_without(&flights, "flights", "late")?;
    let schema = crate::file("data/flights.parquet")?;
    let register = ["dataset", "register", "on_time", "--like", &schema];
    let time = ["--time-attribute", "event_time", "--watermark-delay", "24h"];
    flights.server.must(&[&register[..], &time].concat())?;
    flights
        .server
        .must(&["transfer", &on_time, "dataset://on_time"])?;
    let file = job_over(&flights, "on_time", "collapsed")?;
    flights.server.must(&[
        "job",
        "run",
        &file,
        "--on",
        "batch",
        "--home",
        "flink/batch",
    ])?;
    assert_eq!(
        digest(&flights.server, "collapsed")?,
        digest(&flights.server, "windows")?
    );
    assert_eq!(sums(&flights.server, "collapsed")?.1[0], 336_776 - 19_072);
    Ok(())
}

/// The path of a CSV file with the rows of one dataset without those of another, as multisets.
fn rows_without(flights: &Flights, all: &str, without: &str) -> Step<String> {
    let lines = |dataset: &str| -> Step<String> {
        let path = flights.path(&format!("{dataset}.csv"));
        let path = path.to_str().ok_or("the path is text")?;
        let source = format!("dataset://{dataset}");
        flights.server.must(&["transfer", &source, path])?;
        Ok(std::fs::read_to_string(path)?)
    };
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines(without)?.lines().skip(1) {
        *taken.entry(line.into()).or_default() += 1;
    }
    let mut left = String::new();
    for line in lines(all)?.lines() {
        match taken.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => left.extend([line, "\n"]),
        }
    }
    assert!(
        taken.values().all(|count| *count == 0),
        "every late row is a row of the input"
    );
    let path = flights.path("left.csv");
    std::fs::write(&path, left)?;
    let path = path.to_str().ok_or("the path is text")?;
    Ok(path.into())
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
fn a_dataset_without_rows_has_an_answer_too() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let like = crate::file("data/flights.parquet")?;
    let register = ["dataset", "register", "flights", "--like", &like];
    let time = ["--time-attribute", "event_time", "--watermark-delay", "24h"];
    server.must(&[&register[..], &time].concat())?;
    let file = dir.path().join("counted.sql");
    let file = file.to_str().ok_or("the path is text")?;
    for (on, home, rows) in [
        ("stream", "flink/streaming", 0),
        ("batch", "flink/streaming", 0),
        ("batch", "flink/batch", 1),
    ] {
        let output = format!("{on}_{rows}");
        let text = format!("INSERT INTO {output} SELECT COUNT(*) AS c FROM flights");
        std::fs::write(file, text)?;
        let run = ["job", "run", file, "--on", on, "--home", home];
        let job = server.must(&[&run[..], &["-o", "json"]].concat())?.json()?;
        assert_eq!(
            (&job["state"], &job["rows_out"]),
            (&"finished".into(), &rows.into())
        );
        let shown = server.must(&["dataset", "show", &output, "-o", "json"])?;
        assert_eq!(shown.json()?["rows"], rows, "{output}");
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

#[test]
fn options_that_no_engine_can_keep_to_are_refused_before_anything_is_kept() -> Step {
    let flights = Flights::start("24h")?;
    let file = job(&flights, "bounded")?;
    let like = flights.path("other.csv");
    std::fs::write(&like, "a\n1\n")?;
    let like = like.to_str().ok_or("the path is text")?;
    for other in ["flights_of_others", "timeless"] {
        let register = ["dataset", "register", other, "--like", like];
        flights.server.must(&register)?;
    }
    for (on, option, value) in [
        ("batch", "--parallelism", "0"),
        ("batch", "--parallelism", "100000"),
        ("stream", "--parallelism", "129"),
        ("stream", "--checkpoint-interval", "0ms"),
        ("stream", "--rate", "0"),
    ] {
        let run = ["job", "run", &file, "--on", on, "--id", "bounded"];
        let said = flights.server.run(&[&run[..], &[option, value]].concat())?;
        assert_eq!(said.code, Some(1), "{option} {value}: {said:?}");
        crate::errors::is_error(&said, "FS0609", 1)?;
    }
    let plain = flights.path("plain.sql");
    std::fs::write(&plain, "INSERT INTO bounded SELECT origin FROM flights")?;
    let plain = plain.to_str().ok_or("the path is text")?;
    for (file, on, option, value, code) in [
        (&*file, "batch", "--late-to", "late", "FS0914"),
        (plain, "stream", "--late-to", "late", "FS0617"),
        (&*file, "stream", "--late-to", "flights_of_others", "FS0913"),
        (&*file, "stream", "--watermark", "flihgts=2h", "FS0917"),
        (&*file, "batch", "--watermark", "timeless=2h", "FS0917"),
    ] {
        let run = ["job", "run", file, "--on", on, "--id", "bounded"];
        let said = flights.server.run(&[&run[..], &[option, value]].concat())?;
        crate::errors::is_error(&said, code, 1)?;
    }
    for output in ["bounded", "late"] {
        let said = flights.server.run(&["dataset", "show", output])?;
        assert_eq!(said.code, Some(1), "nothing was made: {said:?}");
    }
    let run = ["job", "run", &file, "--on", "batch", "--id", "bounded"];
    flights.server.must(&run)?;
    assert_eq!(sums(&flights.server, "bounded")?, FLINK);
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
