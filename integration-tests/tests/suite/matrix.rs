//! Every type, nullability, nesting and number of rows, through every way in and out, with pyarrow
//! as the oracle.

use crate::interpreter::python;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, binary};
use flinkspark_integration_tests::server::Server;

/// Runs the matrix over datasets with an epoch of each of these numbers of rows; none for all.
fn matrix(rows: &[&str]) -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let files = dir.path().join("files");
    std::fs::create_dir(&files)?;
    let binary = binary(Build::Plain)?;
    let (binary, files) = (
        binary.to_str().ok_or("text")?,
        files.to_str().ok_or("text")?,
    );
    let url = server.url();
    let mut arguments = vec![binary, &url, files];
    if !rows.is_empty() {
        arguments.push("--rows");
        arguments.extend(rows);
    }
    python("python/matrix.py", &arguments)
}

#[test]
fn every_type_survives_every_way_in_and_out() -> Step {
    matrix(&["0", "1", "7", "8", "9", "255", "256", "257"])
}

#[test]
#[ignore = "long: 100,000 rows of every type"]
fn every_type_survives_in_any_number_of_rows() -> Step {
    matrix(&[])
}
