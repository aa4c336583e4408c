//! The server's own surface.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, binary};
use flinkspark_integration_tests::server::{Flights, Server, serve};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) fn get(address: &str, path: &str) -> Step<String> {
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

/// Everything below a folder, and the folder.
fn everything(folder: &Path) -> Step<Vec<PathBuf>> {
    let mut found = vec![folder.to_path_buf()];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(everything(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

#[test]
fn what_a_server_writes_is_its_users_alone() -> Step {
    let flights = Flights::start("24h")?;
    for on in ["stream", "batch"] {
        let sql = flights.path(&format!("{on}.sql"));
        std::fs::write(
            &sql,
            format!(
                "INSERT INTO by_{on} SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin"
            ),
        )?;
        let sql = sql.to_str().ok_or("the path is text")?;
        flights.server.must(&["job", "run", sql, "--on", on])?;
    }
    let all = everything(&flights.path("data"))?;
    assert!(all.len() > 20, "{all:?}");
    for path in all {
        let metadata = std::fs::metadata(&path)?;
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
    }
    Ok(())
}

#[test]
fn the_soft_limit_on_open_files_is_raised_to_the_hard_one() -> Step {
    let dir = tempfile::tempdir()?;
    let mut command = Command::new("prlimit");
    command.arg("--nofile=200:2000").arg("--");
    command.arg(binary(Build::Plain)?);
    command.args(serve(&dir.path().join("data"), "127.0.0.1:0")?);
    let server = Server::launch(&mut command)?.ready()?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid()))?;
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = files.and_then(|line| line.split_whitespace().nth(3));
    assert_eq!(soft, Some("2000"), "{limits}");
    Ok(())
}

#[test]
fn what_a_killed_server_spilled_is_swept_at_the_start() -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    drop(Server::start(&data)?);
    let spilled = data.join("scratch").join("spill").join("datafusion-left");
    std::fs::create_dir_all(&spilled)?;
    std::fs::write(spilled.join("0"), "rows of a run that is over")?;
    let _server = Server::start(&data)?;
    assert!(!spilled.exists());
    Ok(())
}

/// More connections than 1,024 descriptors allow, and nobody behind them.
const IDLE: usize = 700;

#[test]
fn idle_connections_keep_nobody_out_and_do_not_exhaust_1024_descriptors() -> Step {
    let dir = tempfile::tempdir()?;
    let mut command = Command::new("prlimit");
    command.arg("--nofile=1024:1024").arg("--");
    command.arg(binary(Build::Plain)?);
    command.args(serve(&dir.path().join("data"), "127.0.0.1:0")?);
    let server = Server::launch(&mut command)?.ready()?;
    let flights = crate::file("data/flights.parquet")?;
    server.must(&["dataset", "register", "flights", "--like", &flights])?;
    let grpc = server.url().trim_start_matches("http://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(&grpc)?);
    }
    server.must(&["transfer", &flights, "dataset://flights", "--id", "once"])?;
    server.must(&["dataset", "verify", "flights"])?;
    let metrics = get(server.http(), "/metrics")?;
    let of = |name: &str| {
        let mut lines = metrics.lines();
        let line = lines.find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
    };
    let open = of("flinkspark_connections_open{port=\"grpc\"}").ok_or("it is counted")?;
    assert!(open <= 512, "{open} connections");
    let closed = of("flinkspark_connections_closed_total{port=\"grpc\",why=\"idle\"}");
    assert!(closed.is_some_and(|closed| closed > 0), "{metrics}");
    assert!(get(server.http(), "/readyz")?.starts_with("HTTP/1.1 200"));
    // Who never says a word is gone soon, whether or not others need the room.
    let mut last = idle.pop().ok_or("there is one")?;
    last.set_read_timeout(Some(Duration::from_secs(120)))?;
    let gone = last.read_to_end(&mut Vec::new());
    let waits = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    };
    assert!(!gone.is_err_and(|error| waits(&error)), "it is still open");
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

#[test]
fn the_settings_in_force_are_the_servers_and_say_where_they_come_from() -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let show = |arguments: &[&str]| -> Step<BTreeMap<String, (String, String)>> {
        let show = [&["config", "show", "-o", "json"], arguments].concat();
        let rows = server.must(&show)?.json()?;
        let rows = rows.as_array().ok_or("settings are a list")?.clone();
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().map(str::to_owned);
        let setting = |row: &serde_json::Value| {
            let pair = (text(row, "value")?, text(row, "source")?);
            Some((text(row, "name")?, pair))
        };
        Ok(rows.iter().filter_map(setting).collect())
    };
    let of_server = show(&[])?;
    let path = data.to_str().ok_or("the path is text")?;
    assert_eq!(of_server["data_dir"], (path.into(), "flag".into()));
    assert_eq!(of_server["grpc"], (server.grpc().into(), "flag".into()));
    assert_eq!(of_server["memory"].1, "default");
    let text = server.must(&["config", "show"])?.out;
    assert!(text.starts_with("# the server at http://"), "{text}");

    // Here nothing of it holds, and a flag asks for what would be.
    let here = show(&["--offline"])?;
    assert_eq!(here["grpc"], ("127.0.0.1:7070".into(), "default".into()));
    let would_be = show(&["--http", "127.0.0.1:1"])?;
    assert_eq!(would_be["http"], ("127.0.0.1:1".into(), "flag".into()));
    assert_eq!(would_be["grpc"].1, "default");
    let nobody = ["--url", "http://127.0.0.1:1", "config", "show"];
    let said = flinkspark_integration_tests::command::run(&nobody)?;
    assert!(
        said.code == Some(0) && said.err.contains("no server answers"),
        "{said:?}"
    );
    Ok(())
}
