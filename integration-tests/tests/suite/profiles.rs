//! Every type as Flink and Spark get it: what `docs/profiles.md` says is what comes, with pyarrow as the oracle.

use crate::interpreter::python;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, binary};
use flinkspark_integration_tests::server::Server;

#[test]
fn every_type_comes_with_its_values_or_is_refused_before_a_row() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let files = dir.path().join("files");
    std::fs::create_dir(&files)?;
    let binary = binary(Build::Plain)?;
    let (binary, files) = (
        binary.to_str().ok_or("text")?,
        files.to_str().ok_or("text")?,
    );
    python("python/profiles.py", &[binary, &server.url(), files])
}
