//! One job, both engines, Flink's answers.

mod dying;
mod ended;
mod pinned;

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;
use std::collections::BTreeMap;

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
