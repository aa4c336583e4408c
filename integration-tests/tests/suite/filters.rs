//! Filters that somebody else's client pushes down, with pyarrow's evaluation as the oracle.

use crate::interpreter::python;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, binary};
use flinkspark_integration_tests::server::Server;

fn filters(action: &str, more: &[&str]) -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let binary = binary(Build::Plain)?;
    let folder = dir.path().to_str().ok_or("text")?;
    let url = format!("grpc://{}", server.grpc());
    let binary = binary.to_str().ok_or("text")?;
    let server_url = server.url();
    let arguments = [action, binary, &server_url, &url, folder];
    let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
    python("python/filters.py", &arguments)
}

#[test]
fn five_hundred_filters_over_every_type_are_answered_as_pyarrow_answers_them() -> Step {
    filters("compare", &[])
}

#[test]
fn one_row_in_a_hundred_costs_at_most_one_byte_in_ten() -> Step {
    filters("measure", &["--rows", "1000000"])
}

#[test]
#[ignore = "long: ten million rows"]
fn one_row_in_a_hundred_of_ten_million_costs_at_most_one_byte_in_ten() -> Step {
    filters("measure", &["--rows", "10000000"])
}
