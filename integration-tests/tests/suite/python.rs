//! Somebody else's Flight client, with nothing of ours installed.

use crate::interpreter::python;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Server;

#[test]
fn a_pyarrow_client_does_all_of_it() -> Step {
    let dir = tempfile::tempdir()?;
    let rows = dir.path().join("rows.parquet");
    let rows = rows.to_str().ok_or("text")?;
    let server = Server::start(&dir.path().join("data"))?;
    let client = "python/flight_client.py";
    python(client, &["schema", rows])?;
    server.must(&["dataset", "register", "million", "--like", rows])?;
    let url = format!("grpc://{}", server.grpc());
    python(client, &["run", &url, "million"])?;
    assert_eq!(
        server
            .must(&["dataset", "show", "million", "-o", "json"])?
            .json()?["rows"],
        1_000_000
    );
    Ok(())
}

#[test]
fn a_pyarrow_client_keeps_datasets_by_actions_alone() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let url = format!("grpc://{}", server.grpc());
    python("python/catalogue_client.py", &[&url])
}
