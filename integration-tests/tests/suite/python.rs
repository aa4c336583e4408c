//! Somebody else's Flight client, with nothing of ours installed.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Server;
use std::process::Command;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says where the interpreter is"
)]
fn a_pyarrow_client_does_all_of_it() -> Step {
    let python = std::env::var_os("FLINKSPARK_PYTHON")
        .ok_or("FLINKSPARK_PYTHON is not set: run `cargo xtask test system`")?;
    let script = crate::file("python/flight_client.py")?;
    let dir = tempfile::tempdir()?;
    let rows = dir.path().join("rows.parquet");
    let rows = rows.to_str().ok_or("text")?;
    let server = Server::start(&dir.path().join("data"))?;
    let run = |arguments: &[&str]| -> Step {
        let output = Command::new(&python)
            .arg(&script)
            .args(arguments)
            .output()?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{text}");
        assert!(output.status.success(), "{text}");
        Ok(())
    };
    run(&["schema", rows])?;
    server.must(&["dataset", "register", "million", "--like", rows])?;
    run(&["run", &format!("grpc://{}", server.grpc()), "million"])?;
    assert_eq!(
        server
            .must(&["dataset", "show", "million", "-o", "json"])?
            .json()?["rows"],
        1_000_000
    );
    Ok(())
}
