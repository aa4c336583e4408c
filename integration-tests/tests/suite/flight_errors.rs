//! Errors as somebody else's Flight client has them: pyarrow, on every call, for every kind that can be provoked.

use crate::interpreter;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Server;
use std::path::Path;

/// Makes tokens of these principals, each in a file of its name.
fn tokens(server: &Server, data: &Path, folder: &Path) -> Step {
    let admin = data.join("admin.token");
    let admin = admin.to_str().ok_or("the path is text")?;
    for (principal, grant) in [("ann", "web:read,write"), ("eve", "lab:admin")] {
        let mut arguments = vec!["token", "create", principal, "--grant", grant];
        if Path::new(admin).exists() {
            arguments.extend(["--token-file", admin]);
        }
        std::fs::write(folder.join(principal), server.must(&arguments)?.out)?;
    }
    Ok(())
}

/// Changes a byte in the middle of the only file with this ending below a folder of the dataset.
fn damage(data: &Path, dataset: &str, folder: &str, ending: &str) -> Step {
    let folder = data.join("datasets").join(dataset).join(folder);
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    found.sort();
    let path = found.first().ok_or("there is a file")?;
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(path)?;
    Ok(std::fs::write(path, bytes)?)
}

#[test]
fn pyarrow_has_the_whole_error_of_every_kind_on_every_call() -> Step {
    let dir = tempfile::tempdir()?;
    let (data, folder) = (dir.path().join("data"), dir.path().join("tokens"));
    std::fs::create_dir(&folder)?;
    let rows = dir.path().join("rows.csv");
    std::fs::write(&rows, "n\n1\n")?;
    let rows = rows.to_str().ok_or("the path is text")?;
    let server = Server::start(&data)?;
    let mut ids = Vec::new();
    for name in ["web.a", "web.torn", "web.cut"] {
        server.must(&["dataset", "register", name, "--like", rows])?;
        let shown = server.must(&["dataset", "show", name, "-o", "json"])?;
        ids.push(shown.json()?["id"].as_str().ok_or("an id")?.to_owned());
    }
    let flights = crate::file("data/flights.parquet")?;
    server.must(&["transfer", &flights, "dataset://web.flights"])?;
    tokens(&server, &data, &folder)?;
    let folder = folder.to_str().ok_or("the path is text")?;
    let run = |phase: &str, server: &Server| {
        let url = format!("grpc://{}", server.grpc());
        interpreter::python("python/error_client.py", &[phase, &url, folder, folder])
    };
    run("as-it-is", &server)?;
    drop(server);
    damage(&data, &ids[1], "log", "slot")?;
    damage(&data, &ids[2], "segments", "arrow")?;
    run("damaged", &Server::start(&data)?)?;
    for (phase, faults) in [
        (
            "doubtful",
            "fail=log.create.linked:1000 fail=segment.seal.linked:1000",
        ),
        (
            "failing",
            "fail=log.create.staged:1000 fail=segment.write:1000",
        ),
    ] {
        run(phase, &Server::start_with_faults(&data, faults)?.ready()?)?;
    }
    Ok(())
}
