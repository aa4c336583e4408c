//! A server that computes still answers, stops what computes, and ends.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::bench::percentile;
use flinkspark_integration_tests::command::{Build, flinkspark};
use flinkspark_integration_tests::server::{Flights, Server};
use flinkspark_integration_tests::surface::{QUERIES, at_work, get, measure, submit, timed};
use std::time::Duration;

/// Far above what `cargo xtask bench surface` measures, and far below what a query takes.
const GENEROUS: Duration = Duration::from_secs(20);

#[test]
fn two_queries_that_do_not_end_and_a_stream_job_keep_nobody_from_an_answer() -> Step {
    let figures = measure(100)?;
    assert!(percentile(&figures.healthz, 1.0) < GENEROUS, "{figures:?}");
    assert!(percentile(&figures.list, 1.0) < GENEROUS, "{figures:?}");
    assert!(
        figures.stop.iter().all(|took| *took < GENEROUS),
        "{figures:?}"
    );
    assert!(figures.terminate < Duration::from_secs(30), "{figures:?}");
    assert!(
        figures.streams > 0,
        "stream jobs finish meanwhile: {figures:?}"
    );
    Ok(())
}

#[test]
fn a_query_that_was_killed_with_its_server_can_be_stopped_in_the_next() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let (id, text) = QUERIES[1];
    let mut client = submit(&server, dir.path(), id, text)?;
    server.kill()?;
    client.kill()?;
    client.wait()?;
    let server = Server::start(&dir.path().join("data"))?;
    assert!(get(server.http(), "/readyz")?.starts_with("HTTP/1.1 200"));
    at_work(&server, id)?;
    let (said, took) = timed(|| server.must(&["job", "stop", id, "-o", "json"]))?;
    assert_eq!(said.json()?["state"], "stopped", "{said:?}");
    assert!(took < GENEROUS, "{took:?}");
    let shown = server.must(&["dataset", "show", id, "-o", "json"])?;
    assert_eq!(shown.json()?["rows"], 0);
    Ok(())
}

#[test]
fn a_job_of_a_killed_server_starts_once_the_next_takes_requests() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let (id, text) = QUERIES[0];
    let mut client = submit(&server, dir.path(), id, text)?;
    server.kill()?;
    client.kill()?;
    client.wait()?;
    let any = "127.0.0.1:0";
    let mut command = flinkspark(Build::Plain)?;
    command.args(["serve", "--grpc", any, "--http", any, "--log", "info"]);
    command.arg("--data-dir").arg(dir.path().join("data"));
    let server = Server::launch(&mut command)?.ready()?;
    let said = server.said();
    let at = |words: &str| said.iter().position(|line| line.contains(words));
    let (takes, goes_on) = (at("takes requests"), at("goes on"));
    assert!(takes.is_some() && takes < goes_on, "{said:#?}");
    Ok(())
}

/// Statements as deep and as long as the front takes them.
fn deep_statements() -> Vec<String> {
    let select = |column: String| format!("SELECT {column} AS q FROM flights");
    let times = |text: &str, count: usize| text.repeat(count);
    let mut nested = "SELECT distance FROM flights".to_owned();
    for level in 0..50 {
        nested = format!("SELECT distance FROM ({nested}) AS t{level}");
    }
    vec![
        select(format!("{}(distance > 0)", times("NOT ", 50))),
        select(format!("{}distance{}", times("(", 50), times(")", 50))),
        select(vec!["distance"; 90].join(" + ")),
        select(vec!["distance > 0"; 90].join(" AND ")),
        select(vec!["distance > 0"; 90].join(" OR ")),
        select(format!(
            "{}distance{}",
            times("CASE WHEN distance > 0 THEN 1 ELSE ", 25),
            times(" END", 25)
        )),
        select(format!("{}distance{}", times("ABS(", 50), times(")", 50))),
        nested,
    ]
}

#[test]
fn the_deepest_statements_end_no_server() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let mut finished = 0;
    for (number, query) in deep_statements().into_iter().enumerate() {
        for engine in ["batch", "stream"] {
            let file = dir.path().join(format!("deep_{number}_{engine}.sql"));
            std::fs::write(&file, format!("INSERT INTO deep_{number}_{engine} {query}"))?;
            let file = file.to_str().ok_or("the path is text")?;
            let run = ["job", "run", file, "--on", engine, "--reconnect", "0s"];
            let said = server.run(&run)?;
            let refused = said.err.contains("FS08") || said.err.contains("FS06");
            assert!(said.code == Some(0) || refused, "{query}: {said:?}");
            finished += usize::from(said.code == Some(0));
        }
    }
    assert!(finished >= 8, "{finished} of the statements were taken");
    server.must(&["dataset", "list"])?;
    Ok(())
}
