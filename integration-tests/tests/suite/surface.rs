//! A server that computes still answers, stops what computes, and ends.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::bench::percentile;
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
