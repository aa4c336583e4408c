//! Questions from the command line: rows come, nothing stays.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark};
use flinkspark_integration_tests::server::Flights;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Compares a hundred thousand million pairs, and finds none.
const ENDLESS: &str =
    "SELECT a.dest FROM flights a CROSS JOIN flights b WHERE a.distance + b.distance < 0";

#[test]
fn a_query_prints_its_rows_and_leaves_nothing_behind() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let before = server.must(&["dataset", "list", "-o", "json"])?.json()?;
    let by_origin =
        "SELECT origin, COUNT(*) AS departures FROM flights GROUP BY origin ORDER BY origin";
    let said = server.must(&["query", by_origin, "-o", "json"])?;
    let wanted = json!([
        {"origin": "EWR", "departures": 120_835},
        {"origin": "JFK", "departures": 111_279},
        {"origin": "LGA", "departures": 104_662},
    ]);
    assert_eq!(said.json()?, wanted);
    assert!(
        said.out.find("origin") < said.out.find("departures"),
        "{said:?}"
    );
    let table = server.must(&["query", by_origin])?;
    assert_eq!(
        table.out,
        "+--------+------------+\n| origin | departures |\n+--------+------------+\n\
         | EWR    | 120835     |\n| JFK    | 111279     |\n| LGA    | 104662     |\n+--------+------------+\n"
    );

    // Any rows will do for somebody who looks at them.
    let said = server.must(&["query", "SELECT * FROM flights LIMIT 3", "-o", "jsonl"])?;
    assert_eq!(said.out.lines().count(), 3);
    let said = server.must(&[
        "query",
        "SELECT dest FROM flights",
        "--limit",
        "5",
        "-o",
        "jsonl",
    ])?;
    assert_eq!(said.out.lines().count(), 5);
    assert!(
        said.err.contains("the first 5 rows, there are more"),
        "{said:?}"
    );
    let said = server.must(&["query", "SELECT 1 AS n", "--limit", "1", "-o", "jsonl"])?;
    assert_eq!((said.out.as_str(), said.err.as_str()), ("{\"n\":1}\n", ""));

    // Every row, into a file and back.
    let file = dir.path().join("all.parquet");
    let file = file.to_str().ok_or("the path is text")?;
    let from = dir.path().join("all.sql");
    std::fs::write(&from, "-- all of them\nSELECT * FROM flights;\n")?;
    let from = from.to_str().ok_or("the path is text")?;
    server.must(&["query", "--file", from, "--to", file])?;
    server.must(&["dataset", "register", "copied", "--like", file])?;
    server.must(&["transfer", file, "dataset://copied"])?;
    let digest = |name: &str| -> Step<Value> {
        Ok(server
            .must(&["dataset", "show", name, "-o", "json"])?
            .json()?["digest"]
            .clone())
    };
    assert_eq!(digest("copied")?, digest("flights")?);
    server.must(&["dataset", "drop", "copied", "--yes"])?;

    assert_eq!(
        server.must(&["dataset", "list", "-o", "json"])?.json()?,
        before
    );
    assert_eq!(
        server.must(&["job", "list", "-o", "json"])?.json()?,
        json!([])
    );
    Ok(())
}

#[test]
fn what_is_wrong_with_a_query_is_said_by_name() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    for (text, code) in [
        ("INSERT INTO o SELECT dest FROM flights", "FS0922"),
        ("SELECT dest FROM nowhere", "FS0804"),
        ("SELECT destt FROM flights", "FS0802"),
        ("SELEC dest FROM flights", "FS0801"),
        (
            "SELECT 10 / (distance - distance) AS q FROM flights",
            "FS0805",
        ),
    ] {
        let said = server.run(&["query", text, "-o", "jsonl"])?;
        assert!(
            said.code != Some(0) && said.err.contains(code),
            "{text}: {said:?}"
        );
        assert_eq!(said.out, "", "{text}");
    }
    // A file takes its name only when every row is in it.
    let file = dir.path().join("torn.csv");
    let path = file.to_str().ok_or("the path is text")?;
    let failing = "SELECT 10 / (flight - 1545) AS q FROM flights";
    let said = server.run(&["query", failing, "--to", path])?;
    assert!(said.err.contains("FS0805") && !file.exists(), "{said:?}");
    Ok(())
}

#[test]
fn queries_end_with_whoever_asked_and_are_bounded_in_number() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let _kept = dir;
    let mut clients = Vec::new();
    for _ in 0..9 {
        let mut command = flinkspark(Build::Plain)?;
        command
            .env("FLINKSPARK_URL", server.url())
            .args(["query", ENDLESS]);
        clients.push(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?,
        );
    }
    let since = Instant::now();
    let wait = || -> Step {
        std::thread::sleep(Duration::from_millis(50));
        match since.elapsed() < Duration::from_secs(180) {
            true => Ok(()),
            false => Err("it takes too long".into()),
        }
    };
    // Eight hold their places; whichever came last is refused.
    let refused = loop {
        let ended =
            |client: &mut std::process::Child| client.try_wait().is_ok_and(|end| end.is_some());
        match clients.iter_mut().position(ended) {
            Some(refused) => break clients.swap_remove(refused),
            None => wait()?,
        }
    };
    let said = refused.wait_with_output()?;
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(text.contains("FS0923"), "{text}");
    for client in &mut clients {
        assert!(client.try_wait()?.is_none(), "it goes on");
        client.kill()?;
        client.wait()?;
    }
    let one = ["query", "SELECT 1 AS n", "-o", "jsonl"];
    while server.run(&one)?.err.contains("FS0923") {
        wait()?;
    }
    assert_eq!(server.must(&one)?.out, "{\"n\":1}\n");
    Ok(())
}

#[test]
fn the_streaming_engine_answers_alike_and_leaves_nothing_behind() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let files = || -> Step<usize> {
        let mut files = 0;
        let mut folders = vec![dir.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files += 1,
                }
            }
        }
        Ok(files)
    };
    let sorted = |arguments: &[&str]| -> Step<Vec<String>> {
        let said = server.must(&[arguments, &["-o", "jsonl"]].concat())?;
        let mut lines: Vec<String> = said.out.lines().map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    };
    let before = files()?;
    for (text, rows) in [
        (
            "SELECT origin, COUNT(*) AS n, SUM(distance) AS d FROM flights GROUP BY origin",
            3,
        ),
        (
            "SELECT flight, dest FROM flights WHERE distance > 4000",
            707,
        ),
        ("SELECT dest FROM flights WHERE distance < 0", 0),
    ] {
        let batch = sorted(&["query", text, "--on", "batch"])?;
        let stream = sorted(&["query", text, "--on", "stream"])?;
        assert_eq!(stream, batch, "{text}");
        assert_eq!(stream.len(), rows, "{text}");
        // In a script the mode decides, and so does the command line.
        let script = format!("SET 'execution.runtime-mode' = 'streaming'; {text}");
        assert_eq!(sorted(&["sql", "-e", &script])?, batch, "{text}");
        assert_eq!(
            sorted(&["sql", "-e", text, "--on", "stream"])?,
            batch,
            "{text}"
        );
    }
    let limited = [
        "query",
        "SELECT dest FROM flights",
        "--limit",
        "5",
        "--on",
        "stream",
    ];
    assert_eq!(sorted(&limited)?.len(), 5);
    // What that engine does not take is refused before there are rows.
    let ordered = "SELECT origin FROM flights ORDER BY origin";
    for refused in [
        &["query", ordered, "--on", "stream"][..],
        &["sql", "-e", ordered, "--on", "stream"][..],
    ] {
        let said = server.run(refused)?;
        assert!(
            said.err.contains("error[FS0617]") && said.out.is_empty(),
            "{said:?}"
        );
    }
    let failing = "SELECT 10 / (distance - distance) AS q FROM flights";
    let said = server.run(&["query", failing, "--on", "stream", "-o", "jsonl"])?;
    assert!(said.err.contains("error[FS0805]"), "{said:?}");
    assert_eq!(
        server.must(&["job", "list", "-o", "json"])?.json()?,
        json!([])
    );
    assert_eq!(files()?, before);
    Ok(())
}

#[test]
fn an_answer_of_the_streaming_engine_counts_what_came_too_late() -> Step {
    let Flights { server, dir } = Flights::start("0s")?;
    let _kept = dir;
    let hourly = std::fs::read_to_string(crate::file("jobs/hourly_departures.sql")?)?;
    let select = hourly.find("SELECT").ok_or("the job selects")?;
    let late = |on: &str| -> Step<String> {
        let said = server.must(&["query", &hourly[select..], "--on", on, "-o", "jsonl"])?;
        let late = said.err.lines().find(|line| line.contains("came too late"));
        Ok(late.ok_or_else(|| said.err.clone())?.to_owned())
    };
    assert_eq!(late("stream")?, late("batch")?);
    Ok(())
}
