//! What other libraries read of ours, and we of theirs: equal, or declared with the reason.
//!
//! Each library has a script and an environment of its own; `docs/peers.md` is what the scripts say.

use crate::interpreter::peer;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, binary};

/// Runs a peer's script over every case, and compares the peer's section of the page.
fn is_as_declared(name: &str) -> Step {
    let dir = tempfile::tempdir()?;
    let folder = |folder: &str| -> Step<String> {
        let path = dir.path().join(folder);
        std::fs::create_dir(&path)?;
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let (seeds, results) = (folder("seeds")?, folder("results")?);
    let binary = binary(Build::Plain)?;
    let binary = binary.to_str().ok_or("the path is text")?;
    peer("pyarrow", "python/peers/seeds.py", &[&seeds])?;
    let script = format!("python/peers/{name}_peer.py");
    peer(name, &script, &[binary, &seeds, &results])?;
    peer(name, "python/peers/report.py", &[&results, "--check"])
}

#[test]
fn pyarrow_and_we_read_one_another() -> Step {
    is_as_declared("pyarrow")
}

#[test]
fn fastavro_and_we_read_one_another() -> Step {
    is_as_declared("fastavro")
}

#[test]
fn polars_and_we_read_one_another() -> Step {
    is_as_declared("polars")
}

#[test]
fn duckdb_and_we_read_one_another() -> Step {
    is_as_declared("duckdb")
}

#[test]
fn thriftpy2_and_we_read_one_another() -> Step {
    is_as_declared("thriftpy2")
}

#[test]
fn pyspark_and_we_read_one_another() -> Step {
    is_as_declared("pyspark")
}
