//! Files and datasets, both ways, with the same digest.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Flights;

#[test]
fn every_format_brings_the_flights_back() -> Step {
    let flights = Flights::start("24h")?;
    let show = |dataset: &str| {
        flights
            .server
            .must(&["dataset", "show", dataset, "-o", "json"])?
            .json()
    };
    let digest = show("flights")?["digest"].clone();
    for extension in ["arrow", "parquet", "csv"] {
        let path = flights.path(&format!("out.{extension}"));
        let path = path.to_str().ok_or("text")?;
        let out = flights
            .server
            .must(&["transfer", "dataset://flights", path, "-o", "json"])?
            .json()?;
        assert_eq!(out["digest"], digest, "{extension}");
        let back = format!("back_{extension}");
        flights.server.must(&[
            "dataset",
            "register",
            &back,
            "--like",
            &crate::file("data/flights.parquet")?,
        ])?;
        flights
            .server
            .must(&["transfer", path, &format!("dataset://{back}")])?;
        assert_eq!(show(&back)?["digest"], digest, "{extension}");
    }
    Ok(())
}

#[test]
fn a_transfer_is_one_id_and_replace_replaces() -> Step {
    let flights = Flights::start("24h")?;
    let rows = || -> Step<u64> {
        let shown = flights
            .server
            .must(&["dataset", "show", "flights", "-o", "json"])?
            .json()?;
        shown["rows"].as_u64().ok_or_else(|| "rows".into())
    };
    let file = crate::file("data/flights.parquet")?;
    let again = flights
        .server
        .must(&["transfer", &file, "dataset://flights", "--id", "second"])?;
    assert!(
        again.err.contains("336776"),
        "it says that it appends: {again:?}"
    );
    assert_eq!(rows()?, 2 * 336_776);
    flights
        .server
        .must(&["transfer", &file, "dataset://flights", "--id", "second"])?;
    assert_eq!(rows()?, 2 * 336_776);
    flights
        .server
        .must(&["transfer", &file, "dataset://flights", "--replace"])?;
    assert_eq!(rows()?, 336_776);
    Ok(())
}
