//! The server's own surface.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Flights;
use std::io::{Read, Write};
use std::net::TcpStream;

fn get(address: &str, path: &str) -> Step<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn health_and_metrics_are_served() -> Step {
    let flights = Flights::start("24h")?;
    for path in ["/healthz", "/readyz"] {
        assert!(
            get(flights.server.http(), path)?.starts_with("HTTP/1.1 200"),
            "{path}"
        );
    }
    flights.server.must(&[
        "job",
        "run",
        &crate::file("jobs/hourly_departures.sql")?,
        "--on",
        "stream",
        "--id",
        "seen",
    ])?;
    let metrics = get(flights.server.http(), "/metrics")?;
    assert!(
        metrics.contains("flinkspark_job_rows_in{job=\"seen\"}"),
        "{metrics}"
    );
    Ok(())
}

#[test]
fn the_demo_tells_its_story_and_loses_nothing() -> Step {
    let said = flinkspark_integration_tests::command::run(&["demo"])?;
    assert_eq!(said.code, Some(0), "{said:?}");
    for text in ["336776 rows", "stream equals batch", "lost 0, doubled 0"] {
        assert!(said.out.contains(text), "{text} in {}", said.out);
    }
    Ok(())
}
