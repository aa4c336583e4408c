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
    for extension in ["arrow", "parquet", "csv", "jsonl", "avro"] {
        let path = flights.path(&format!("out.{extension}"));
        there_and_back(&flights.server, "flights", &like, &path)?;
    }
    Ok(())
}

#[test]
fn a_file_makes_the_dataset_that_it_goes_into() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let csv = dir.path().join("people.csv");
    std::fs::write(&csv, "name,age\nAda,36\nGrace,\n")?;
    let csv = csv.to_str().ok_or("the path is text")?;
    let refused = server.run(&["transfer", csv, "dataset://people", "--no-create"])?;
    assert_ne!(refused.code, Some(0));
    assert!(refused.err.contains("FS0512"), "{refused:?}");
    let moved = server.must(&["transfer", csv, "dataset://people", "-o", "json"])?;
    assert!(moved.err.contains("people did not exist"), "{moved:?}");
    assert_eq!(moved.json()?["rows"], 2);
    // Again it is appended to, as any other.
    let moved = server.must(&["transfer", csv, "dataset://people"])?;
    assert!(!moved.err.contains("did not exist"), "{moved:?}");
    let shown = server.must(&["dataset", "show", "people", "-o", "json"])?;
    assert_eq!(shown.json()?["rows"], 4);
    // Nobody can choose a handle or an id.
    let handle = server.run(&["transfer", csv, "dataset://spark:a.b.c"])?;
    assert!(handle.err.contains("FS0512"), "{handle:?}");
    let names = server.must(&["dataset", "list", "-o", "json"])?.json()?;
    assert_eq!(names.as_array().map(Vec::len), Some(1), "{names}");
    Ok(())
}

#[test]
fn a_spreadsheets_csv_comes_in_and_goes_out_with_the_same_options() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let file = |name: &str| -> Step<String> {
        let path = dir.path().join(name);
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let (csv, out) = (file("stock.csv")?, file("out.csv")?);
    let bytes = b"# of the 31st\nart;preis;am\nK\xe4se;1,5;31.01.2024\nWein;NA;\n";
    std::fs::write(&csv, bytes)?;
    let options = [
        "--encoding",
        "latin1",
        "--comment",
        "#",
        "--decimal-comma",
        "--date-pattern",
        "dd.MM.yyyy",
    ];
    let into = [
        &["transfer", csv.as_str(), "dataset://stock"][..],
        &options[..],
    ]
    .concat();
    let moved = server.must(&into)?;
    let said = "column \"preis\": 1 field such as \"NA\" is null";
    assert_eq!(moved.err.matches(said).count(), 1, "{moved:?}");
    let from = [
        &["transfer", "dataset://stock", out.as_str()][..],
        &options[..],
    ]
    .concat();
    server.must(&from)?;
    let expected = b"art;preis;am\nK\xe4se;1,5;31.01.2024\nWein;;\n";
    assert_eq!(std::fs::read(&out)?, expected);
    // Others need no options to read what is written without them.
    let plain = file("plain.csv")?;
    server.must(&["transfer", "dataset://stock", &plain])?;
    let expected = "art,preis,am\nK\u{e4}se,1.5,2024-01-31\nWein,,\n";
    assert_eq!(std::fs::read_to_string(&plain)?, expected);
    let wrong = server.run(&["transfer", &csv, "dataset://stock", "--delimiter", ";;"])?;
    assert_ne!(wrong.code, Some(0), "{wrong:?}");
    Ok(())
}

#[test]
fn a_first_transfer_that_fails_leaves_no_dataset() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let mut bytes = std::fs::read(crate::file("data/flights.parquet")?)?;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x55);
    let torn = dir.path().join("torn.parquet");
    std::fs::write(&torn, bytes)?;
    let torn = torn.to_str().ok_or("the path is text")?;
    let failed = server.run(&["transfer", torn, "dataset://torn"])?;
    assert!(failed.err.contains("FS0305"), "{failed:?}");
    assert!(failed.err.contains("torn is forgotten again"), "{failed:?}");
    let shown = server.run(&["dataset", "show", "torn"])?;
    assert!(shown.err.contains("FS0512"), "{shown:?}");
    // One that was there stays, with its rows.
    let like = crate::file("data/flights.parquet")?;
    server.must(&["transfer", &like, "dataset://whole"])?;
    let failed = server.run(&["transfer", torn, "dataset://whole"])?;
    assert!(failed.err.contains("FS0305"), "{failed:?}");
    let shown = server.must(&["dataset", "show", "whole", "-o", "json"])?;
    assert_eq!(shown.json()?["rows"], 336_776);
    Ok(())
}

/// Lines of which two cannot be read, at a schema that is inferred from the others.
const WITH_BAD: [(&str, &str); 2] = [
    (
        "events.csv",
        "n,at\n1,2024-02-29\n2\n3,2024-03-01\n4,2024-03-02,more\n",
    ),
    (
        "events.jsonl",
        "{\"n\":1,\"at\":\"2024-02-29\"}\nnothing\n{\"n\":3,\"at\":\"2024-03-01\"}\n{\"n\":4,\n",
    ),
];

#[test]
fn what_cannot_be_read_is_set_aside_once() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    for (name, text) in WITH_BAD {
        let path = dir.path().join(name);
        std::fs::write(&path, text)?;
        let path = path.to_str().ok_or("the path is text")?;
        let (_, suffix) = name.split_once('.').ok_or("a suffix")?;
        let (set, bad) = (format!("events_{suffix}"), format!("bad_{suffix}"));
        let target = format!("dataset://{set}");
        let refused = server.run(&["transfer", path, &target])?;
        crate::errors::is_error(&refused, "FS0305", 1)?;
        let aside = ["transfer", path, &target, "--bad-rows", &bad, "--id", name];
        let tried = server.must(&[&aside[..], &["--dry-run"]].concat())?;
        assert!(tried.err.contains("2 records cannot be read"), "{tried:?}");
        for replayed in [false, true] {
            let moved = server
                .must(&[&aside[..], &["-o", "json"]].concat())?
                .json()?;
            assert_eq!(moved["rows"], 2, "{moved}");
            assert_eq!(moved["bad_rows"], 2, "{moved}");
            assert_eq!(moved["replayed"], replayed, "{moved}");
        }
        let question = format!("SELECT line, code, record FROM {bad} ORDER BY line");
        let rows = server.must(&["query", &question, "-o", "jsonl"])?.out;
        let second = text
            .lines()
            .nth(1 + usize::from(suffix == "csv"))
            .unwrap_or_default();
        assert_eq!(rows.lines().count(), 2, "{rows}");
        let escaped = second.replace('"', "\\\"");
        assert!(
            rows.contains(&format!("\"record\":\"{escaped}\"")),
            "{rows} {escaped}"
        );
    }
    // Where nothing is set aside no dataset is left, and what has no lines has nothing to set aside.
    let whole = dir.path().join("whole.csv");
    std::fs::write(&whole, "n\n1\n")?;
    let whole = whole.to_str().ok_or("the path is text")?;
    let moved = server.must(&["transfer", whole, "dataset://whole", "--bad-rows", "none"])?;
    assert!(moved.err.contains("none is forgotten again"), "{moved:?}");
    let parquet = crate::file("data/flights.parquet")?;
    let refused = server.run(&["transfer", &parquet, "dataset://f", "--bad-rows", "none"])?;
    crate::errors::is_error(&refused, "FS0322", 1)?;
    let refused = server.run(&["transfer", whole, "dataset://whole", "--bad-rows", "whole"])?;
    crate::errors::is_error(&refused, "FS0323", 1)?;
    Ok(())
}

#[test]
fn a_kill_between_what_is_set_aside_and_the_rest_loses_and_doubles_nothing() -> Step {
    let dir = tempfile::tempdir()?;
    let (name, text) = WITH_BAD[0];
    let path = dir.path().join(name);
    std::fs::write(&path, text)?;
    let path = path.to_str().ok_or("the path is text")?;
    let transfer = [
        "transfer",
        path,
        "dataset://events",
        "--bad-rows",
        "bad",
        "--id",
        "once",
    ];
    let mut kills = 0;
    for step in ["log.create.linked", "log.create.done", "segment.seal.done"] {
        for count in 1.. {
            let data = dir.path().join(format!("{step}-{count}"));
            let mut dying =
                Server::start_with_faults(&data, &format!("kill={step}:{count}"))?.ready()?;
            let said = dying.run(&transfer)?;
            let server = if said.code == Some(0) {
                dying
            } else {
                let died = dying.ended_within(std::time::Duration::from_secs(10))?;
                died.ok_or("it failed, and the server lives")?;
                kills += 1;
                Server::start(&data)?
            };
            server.must(&transfer)?;
            for dataset in ["events", "bad"] {
                let rows = server.must(&["dataset", "count", dataset])?.out;
                assert_eq!(rows.trim(), "2", "{step} {count}: {dataset}: {said:?}");
            }
            if said.code == Some(0) {
                break;
            }
        }
    }
    assert!(kills >= 6, "{kills} kills");
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
        for extension in ["arrow", "parquet", "jsonl", "avro"] {
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

/// Registers a dataset like a case, moves the case into it and out again; the path of what came out.
fn through(server: &Server, dataset: &str, case: &str, out: &Path) -> Step<String> {
    let case = crate::file(&format!("data/cases/{case}"))?;
    let out = out.to_str().ok_or("the path is text")?;
    let address = format!("dataset://{dataset}");
    server.must(&["dataset", "register", dataset, "--like", &case])?;
    server.must(&["transfer", &case, &address])?;
    server.must(&["transfer", &address, out])?;
    Ok(out.into())
}

#[test]
fn what_others_wrote_comes_out_as_others_read_it() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let file = |name: &str| dir.path().join(name);
    let script = "python/file_cases.py";
    let seconds = file("seconds.parquet");
    let out = through(&server, "seconds", "made-seconds/seconds.arrow", &seconds)?;
    python(script, &["seconds", &out])?;
    let like = crate::file("data/cases/made-seconds/seconds.arrow")?;
    there_and_back(&server, "seconds", &like, &file("seconds_back.parquet"))?;
    let out = through(
        &server,
        "far",
        "parquet-int96-far-dates/pyarrow.parquet",
        &file("far.parquet"),
    )?;
    let far = ["1000", "2000", "3000"].map(|year| format!("{year}-01-01T00:00:00"));
    let far = far.each_ref().map(String::as_str);
    python(script, &[&["moments", &out, "at"], &far[..]].concat())?;
    let out = through(
        &server,
        "instant",
        "parquet-int96-instant/spark_default.parquet",
        &file("instant.parquet"),
    )?;
    let instants = [
        "2024-06-01T10:00:00.123456+00:00",
        "2024-06-01T11:00:00+00:00",
    ];
    let expected = [&["moments", &out, "event_time"], &instants[..]].concat();
    python(script, &expected)?;
    let out = through(
        &server,
        "legacy",
        "parquet-spark-legacy-calendar/legacy.parquet",
        &file("legacy.parquet"),
    )?;
    let days = ["moments", &out, "born", "1001-01-01", "2024-06-01"];
    python(script, &days)?;
    let out = through(
        &server,
        "parts",
        "csv-inference/parts.csv",
        &file("parts.csv"),
    )?;
    let unquoted = std::fs::read_to_string(out)?.replace('"', "");
    let given = std::fs::read_to_string(crate::file("data/cases/csv-inference/parts.csv")?)?;
    assert_eq!(unquoted, given);
    Ok(())
}

#[test]
fn what_is_refused_by_name_is_not_registered() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    for (case, code) in [
        ("same-column-names/join.parquet", "FS0122"),
        ("same-column-names/struct.arrow", "FS0122"),
        ("csv-line-ends/same_names.csv", "FS0122"),
        ("csv-line-ends/empty_name.csv", "FS0124"),
        ("csv-line-ends/old_mac.csv", "FS0315"),
        ("csv-line-ends/latin1.csv", "FS0316"),
        ("ipc-big-endian/big.arrow", "FS0314"),
        ("made-ipc/spark_marker.arrow", "FS0313"),
    ] {
        let case = crate::file(&format!("data/cases/{case}"))?;
        let refused = server.run(&["dataset", "register", "refused", "--like", &case])?;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.err.contains(code), "{case}: {refused:?}");
    }
    let shown = server.run(&["dataset", "show", "refused"])?;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    let case = crate::file("data/cases/parquet-page-crc/flipped.parquet")?;
    server.must(&["dataset", "register", "accounts", "--like", &case])?;
    let damaged = server.run(&["transfer", &case, "dataset://accounts"])?;
    assert!(damaged.err.contains("FS0305"), "{damaged:?}");
    let case = crate::file("data/cases/parquet-int96-far-dates/contracts.parquet")?;
    server.must(&["dataset", "register", "contracts", "--like", &case])?;
    let lossy = server.run(&["transfer", &case, "dataset://contracts"])?;
    assert!(
        lossy.err.contains("row 5 of column \"valid_to\""),
        "{lossy:?}"
    );
    Ok(())
}

#[test]
fn ten_thousand_columns_go_both_ways_and_more_are_refused() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let wide = |columns: usize| -> Step<String> {
        let path = dir.path().join(format!("wide_{columns}.csv"));
        let line = |cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..columns).map(cell).collect();
            cells.join(",") + "\n"
        };
        let rows = line(&|column| format!("c{column}")) + &line(&|column| column.to_string());
        std::fs::write(&path, rows)?;
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let file = wide(10_000)?;
    server.must(&["dataset", "register", "wide", "--like", &file])?;
    server.must(&["transfer", &file, "dataset://wide"])?;
    let back = dir.path().join("wide_back.parquet");
    there_and_back(&server, "wide", &file, &back)?;
    let file = wide(10_001)?;
    let refused = server.run(&["dataset", "register", "wider", "--like", &file])?;
    assert!(refused.err.contains("FS0127"), "{refused:?}");
    Ok(())
}

#[test]
fn a_job_does_not_make_two_columns_of_one_name() -> Step {
    let flights = Flights::start("24h")?;
    let path = flights.path("twins.sql");
    let sql = "INSERT INTO twins SELECT carrier AS x, dest AS x FROM flights;";
    std::fs::write(&path, sql)?;
    let path = path.to_str().ok_or("the path is text")?;
    // Flink's own rule: the second of one name gets a number.
    flights
        .server
        .must(&["job", "run", path, "--on", "batch"])?;
    let shown = flights
        .server
        .must(&["dataset", "show", "twins", "-o", "json"])?
        .json()?;
    assert_eq!(shown["columns"].to_string(), r#"["x utf8","x0 utf8"]"#);
    Ok(())
}
