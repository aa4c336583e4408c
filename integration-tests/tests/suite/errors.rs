//! What goes wrong says what, where, why and what to do next, with the right exit code.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Said, run};
use flinkspark_integration_tests::server::{Flights, Server};

/// Three parts, a code that `explain` knows, and this exit code.
pub(crate) fn is_error(said: &Said, code: &str, exit: i32) -> Step {
    assert_eq!(said.code, Some(exit), "{said:?}");
    let line = said
        .err
        .lines()
        .find(|line| line.starts_with("error["))
        .ok_or_else(|| format!("{said:?}"))?;
    assert!(line.starts_with(&format!("error[{code}]: ")), "{line}");
    assert!(said.err.contains("\n  hint:   "), "{said:?}");
    let explained = run(&["explain", code])?;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(
        explained.out.starts_with(&format!("# {code}")),
        "{explained:?}"
    );
    Ok(())
}

#[test]
fn a_wrong_command_is_usage() -> Step {
    is_error(&run(&["dataset", "lokup", "x"])?, "FS0002", 2)?;
    is_error(&run(&["demo", "--plant", "doubled-commit"])?, "FS0002", 2)?;
    is_error(&run(&["explain", "FS9999"])?, "FS0001", 1)
}

#[test]
fn a_bridge_that_is_not_there_is_unreachable() -> Step {
    is_error(
        &run(&["--url", "http://127.0.0.1:9", "dataset", "list"])?,
        "FS0401",
        4,
    )
}

#[test]
fn a_missing_dataset_and_a_bad_name_are_said() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path())?;
    let missing = server.run(&["dataset", "show", "nobody"])?;
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.err.contains("nobody") && missing.err.contains("hint:"),
        "{missing:?}"
    );
    is_error(&server.run(&["dataset", "show", "a..b"])?, "FS0101", 1)
}

#[test]
fn a_torn_file_publishes_nothing() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let whole = crate::file("data/flights.parquet")?;
    server.must(&["dataset", "register", "flights", "--like", &whole])?;
    let torn = dir.path().join("torn.parquet");
    let bytes = std::fs::read(&whole)?;
    std::fs::write(&torn, &bytes[..bytes.len() / 2])?;
    let said = server.run(&[
        "transfer",
        torn.to_str().ok_or("text")?,
        "dataset://flights",
    ])?;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.err.contains("torn.parquet") && said.err.contains("hint:"),
        "{said:?}"
    );
    assert_eq!(
        server
            .must(&["dataset", "show", "flights", "-o", "json"])?
            .json()?["rows"],
        0
    );
    Ok(())
}

#[test]
fn a_changed_value_is_found_by_verify_and_named() -> Step {
    let flights = Flights::start("24h")?;
    let verify = ["dataset", "verify", "flights", "-o", "json"];
    let sound = flights.server.must(&verify)?.json()?;
    assert_eq!(
        (&sound["rows"], &sound["segments"]),
        (&336_776.into(), &1.into())
    );
    let datasets = flights.path("data").join("datasets");
    let id = sound["id"].as_str().ok_or("an id is text")?;
    let mut segments = std::fs::read_dir(datasets.join(id).join("segments"))?;
    let segment = segments.next().ok_or("a segment")??.path();
    let whole = std::fs::read(&segment)?;
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&segment, &changed)?;
    let said = flights.server.run(&verify)?;
    is_error(&said, "FS0436", 1)?;
    let name = segment.file_stem().and_then(|name| name.to_str());
    assert!(said.err.contains(name.ok_or("a name is text")?), "{said:?}");
    std::fs::write(&segment, &whole)?;
    assert_eq!(flights.server.must(&verify)?.json()?, sound);
    Ok(())
}

#[test]
fn an_occupied_port_is_said() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("a"))?;
    let other = dir.path().join("b");
    let said = run(&[
        "serve",
        "--data-dir",
        other.to_str().ok_or("text")?,
        "--grpc",
        server.grpc(),
        "--http",
        "127.0.0.1:0",
    ])?;
    is_error(&said, "FS0019", 1)
}

#[test]
fn a_second_server_hears_who_holds_the_data_directory() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(dir.path())?;
    let said = run(&[
        "serve",
        "--data-dir",
        dir.path().to_str().ok_or("text")?,
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
    ])?;
    is_error(&said, "FS0010", 1)?;
    assert!(said.err.contains(&server.pid().to_string()), "{said:?}");
    Ok(())
}

#[test]
fn a_newer_data_format_is_refused_and_left_alone() -> Step {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("FORMAT"), "flinkspark 99\n")?;
    let said = run(&[
        "serve",
        "--data-dir",
        dir.path().to_str().ok_or("text")?,
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
    ])?;
    is_error(&said, "FS0011", 1)?;
    assert_eq!(
        std::fs::read_to_string(dir.path().join("FORMAT"))?,
        "flinkspark 99\n"
    );
    Ok(())
}

#[test]
fn an_address_that_others_can_reach_is_refused() -> Step {
    is_error(&run(&["serve", "--grpc", "0.0.0.0:7070"])?, "FS0006", 1)
}
