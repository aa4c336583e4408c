//! Files and datasets, both ways, with the same digest.

use crate::interpreter::python;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use std::path::Path;

/// Moves a dataset to a file and the file to a dataset of its own; the digests must be equal.
fn there_and_back(server: &Server, dataset: &str, like: &str, path: &Path) -> Step {
    let show = |dataset: &str| {
        server
            .must(&["dataset", "show", dataset, "-o", "json"])?
            .json()
    };
    let digest = show(dataset)?["digest"].clone();
    assert_ne!(digest, "v1:0:00000000000000000000000000000000", "{dataset}");
    let extension = path.extension().and_then(|text| text.to_str());
    let back = format!("{dataset}_{}", extension.ok_or("a format")?);
    let path = path.to_str().ok_or("the path is text")?;
    let source = format!("dataset://{dataset}");
    let out = server
        .must(&["transfer", &source, path, "-o", "json"])?
        .json()?;
    assert_eq!(out["digest"], digest, "{path}");
    server.must(&["dataset", "register", &back, "--like", like])?;
    server.must(&["transfer", path, &format!("dataset://{back}")])?;
    assert_eq!(show(&back)?["digest"], digest, "{path}");
    Ok(())
}

#[test]
fn every_format_brings_the_flights_back() -> Step {
    let flights = Flights::start("24h")?;
    let like = crate::file("data/flights.parquet")?;
    for extension in ["arrow", "parquet", "csv"] {
        let path = flights.path(&format!("out.{extension}"));
        there_and_back(&flights.server, "flights", &like, &path)?;
    }
    Ok(())
}

#[test]
fn every_format_brings_hurtful_data_back_or_refuses_it_by_name() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let file = |name: &str| dir.path().join(name);
    let text = |name: &str| -> Step<String> {
        let path = file(name);
        let path = path.to_str().ok_or("the path is text")?;
        Ok(path.into())
    };
    let (flat, nested) = (text("flat.parquet")?, text("nested.parquet")?);
    python("python/hurtful_data.py", &[&flat, &nested])?;
    for (dataset, like) in [("flat", &flat), ("nested", &nested)] {
        server.must(&["dataset", "register", dataset, "--like", like])?;
        server.must(&["transfer", like, &format!("dataset://{dataset}")])?;
        for extension in ["arrow", "parquet"] {
            let path = file(&format!("{dataset}_out.{extension}"));
            there_and_back(&server, dataset, like, &path)?;
        }
    }
    there_and_back(&server, "flat", &flat, &file("flat_out.csv"))?;
    let refused = server.run(&["transfer", "dataset://nested", &text("nested_out.csv")?])?;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("FS0306"), "{refused:?}");
    assert!(!file("nested_out.csv").exists(), "a refusal writes nothing");
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
