//! One identity, every engine's handle.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::Value;

#[test]
fn every_handle_finds_the_same_dataset() -> Step {
    let flights = Flights::start("24h")?;
    let mut ids = Vec::new();
    for reference in [
        "flights",
        "flink:default_catalog.default_database.flights",
        "spark:spark_catalog.default.flights",
        "spark:SPARK_CATALOG.DEFAULT.FLIGHTS",
    ] {
        let found = flights
            .server
            .must(&["dataset", "lookup", reference, "-o", "json"])?
            .json()?;
        assert_eq!(found["rows"], 336_776, "{reference}");
        assert!(
            found["digest"]
                .as_str()
                .is_some_and(|digest| digest.starts_with("v1:336776:")),
            "{found}"
        );
        assert!(
            found["bytes"].as_u64().is_some_and(|bytes| bytes > 0),
            "{found}"
        );
        assert_eq!(found["handles"]["spark"], "spark_catalog.default.flights");
        ids.push(found["id"].clone());
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    let other_case = flights.server.run(&[
        "dataset",
        "lookup",
        "flink:DEFAULT_CATALOG.default_database.flights",
    ])?;
    assert_eq!(other_case.code, Some(1), "{other_case:?}");
    Ok(())
}

#[test]
fn the_first_rows_are_the_files_first_rows() -> Step {
    let flights = Flights::start("24h")?;
    let head = flights
        .server
        .must(&["dataset", "head", "flights", "-n", "2", "-o", "jsonl"])?;
    let rows: Vec<Value> = head
        .out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["event_time"], "2013-01-01T05:15:00");
    Ok(())
}

#[test]
fn the_catalogue_survives_a_kill_and_its_offline_commands_agree() -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let like = crate::file("data/flights.parquet")?;
    server.must(&["dataset", "register", "a.b", "--like", &like])?;
    server.must(&["dataset", "register", "a.c", "--like", &like])?;
    let watched = server.must(&["dataset", "watch", "--limit", "2", "-o", "jsonl"])?;
    assert_eq!(watched.out.lines().count(), 2);
    server.kill()?;
    let data_dir = data.to_str().ok_or("text")?;
    for command in ["verify", "rebuild"] {
        let said = flinkspark_integration_tests::command::run(&[
            "catalog",
            command,
            "--data-dir",
            data_dir,
        ])?;
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    let exported =
        flinkspark_integration_tests::command::run(&["catalog", "export", "--data-dir", data_dir])?;
    assert!(exported.out.lines().count() >= 2, "{exported:?}");
    let server = Server::start(&data)?;
    let listed = server.must(&["dataset", "list", "--prefix", "a.", "-o", "jsonl"])?;
    assert_eq!(listed.out.lines().count(), 2);
    server.must(&["dataset", "drop", "a.b", "--yes"])?;
    assert_eq!(server.run(&["dataset", "show", "a.b"])?.code, Some(1));
    Ok(())
}
