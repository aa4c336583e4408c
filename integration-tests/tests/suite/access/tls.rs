//! TLS: what is served where, whom a server lets in by certificate, and whom a client believes.

use super::{certificate, over_tls};
use crate::errors::is_error;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, Said, flinkspark};
use flinkspark_integration_tests::server::{Server, Started};
use std::path::Path;
use std::time::{Duration, Instant};

fn client(url: &str, ca: &Path, more: &[&str]) -> Step<Said> {
    let mut command = flinkspark(Build::Plain)?;
    command.args(["--url", url, "--tls-ca"]).arg(ca).args(more);
    Ok(command.output()?.into())
}

/// The bridge said nothing: the connection came to nothing, at once or with the first call.
fn unanswered(said: &Said) {
    let codes = ["error[FS0400]", "error[FS0401]"];
    assert!(
        codes.iter().any(|code| said.err.starts_with(code)),
        "{said:?}"
    );
}

fn https(server: &Server) -> String {
    format!("https://{}", server.grpc())
}

#[test]
fn an_address_that_others_reach_is_served_exactly_with_tls_and_a_token() -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    certificate(dir.path())?;
    let start = |secured: bool| -> Step<Started> {
        let mut command = flinkspark(Build::Plain)?;
        command.args([
            "serve",
            "--grpc",
            "0.0.0.0:0",
            "--http",
            "127.0.0.1:0",
            "--log",
            "error",
        ]);
        command.arg("--data-dir").arg(&data);
        if secured {
            command.arg("--tls-cert").arg(dir.path().join("cert.pem"));
            command.arg("--tls-key").arg(dir.path().join("key.pem"));
        }
        Server::launch(&mut command)
    };
    for secured in [false, true] {
        let Started::Died(_, said) = start(secured)? else {
            return Err("it was served without a token".into());
        };
        assert!(said.contains("error[FS0006]"), "{said}");
    }
    let server = Server::start(&data)?;
    let token = dir.path().join("ann");
    let secret = server
        .must(&["token", "create", "ann", "--grant", "*:read"])?
        .out;
    std::fs::write(&token, secret)?;
    drop(server);
    let Started::Died(_, said) = start(false)? else {
        return Err("it was served without TLS".into());
    };
    assert!(said.contains("error[FS0006]"), "{said}");
    let server = start(true)?.ready()?;
    let port = server.grpc().rsplit(':').next().ok_or("a port")?.to_owned();
    let token = token.to_str().ok_or("the path is text")?;
    let ca = dir.path().join("cert.pem");
    let list = ["--token-file", token, "dataset", "list"];
    let said = client(&format!("https://localhost:{port}"), &ca, &list)?;
    assert_eq!(said.code, Some(0), "{said:?}");
    // In clear, nobody answers; and without a token, nobody is let in.
    unanswered(&client(
        &format!("http://127.0.0.1:{port}"),
        &ca,
        &["dataset", "list"],
    )?);
    is_error(
        &client(
            &format!("https://127.0.0.1:{port}"),
            &ca,
            &["dataset", "list"],
        )?,
        "FS1102",
        4,
    )
}

#[test]
fn a_client_believes_only_who_it_was_told_to_and_a_server_too() -> Step {
    let dir = tempfile::tempdir()?;
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    certificate(&ours)?;
    certificate(&theirs)?;
    let identity = |folder: &Path| -> Step<String> {
        let both = ["cert.pem", "key.pem"].map(|name| std::fs::read_to_string(folder.join(name)));
        let [cert, key] = both;
        let path = folder.join("identity.pem");
        std::fs::write(&path, cert? + &key?)?;
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let data = dir.path().join("data");
    let server = Server::launch(&mut over_tls(&data, &ours, &[])?)?.ready()?;
    let cert = |folder: &Path| folder.join("cert.pem");
    assert_eq!(
        client(&https(&server), &cert(&ours), &["dataset", "list"])?.code,
        Some(0)
    );
    is_error(
        &client(&https(&server), &cert(&theirs), &["dataset", "list"])?,
        "FS0401",
        4,
    )?;
    drop(server);
    let ca = cert(&ours);
    let ca = ca.to_str().ok_or("the path is text")?;
    let server = Server::launch(&mut over_tls(&data, &ours, &["--tls-client-ca", ca])?)?.ready()?;
    let with = |identity: &str| {
        client(
            &https(&server),
            &cert(&ours),
            &["--tls-identity", identity, "dataset", "list"],
        )
    };
    assert_eq!(with(&identity(&ours)?)?.code, Some(0));
    unanswered(&with(&identity(&theirs)?)?);
    unanswered(&client(
        &https(&server),
        &cert(&ours),
        &["dataset", "list"],
    )?);
    Ok(())
}

#[test]
fn files_that_are_no_certificate_and_its_key_keep_a_server_from_starting() -> Step {
    let dir = tempfile::tempdir()?;
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    certificate(&one)?;
    certificate(&other)?;
    let data = dir.path().join("data");
    std::fs::copy(other.join("key.pem"), one.join("key.pem"))?;
    for spoil in ["another key", "no key", "no file"] {
        match spoil {
            "another key" => {}
            "no key" => std::fs::write(one.join("key.pem"), "none")?,
            _ => std::fs::remove_file(one.join("cert.pem"))?,
        }
        let Started::Died(_, said) = Server::launch(&mut over_tls(&data, &one, &[])?)? else {
            return Err(format!("it was served with {spoil}").into());
        };
        assert!(said.contains("error[FS1111]"), "{spoil}: {said}");
    }
    Ok(())
}

#[test]
fn a_peer_that_never_shakes_hands_keeps_nobody_waiting() -> Step {
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let server =
        Server::launch(&mut over_tls(&dir.path().join("data"), dir.path(), &[])?)?.ready()?;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(std::net::TcpStream::connect(server.grpc())?);
    }
    let began = Instant::now();
    let said = client(
        &https(&server),
        &dir.path().join("cert.pem"),
        &["dataset", "list"],
    )?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[test]
fn pyarrow_shakes_hands_reads_over_tls_where_the_bridge_says_it_is_and_is_refused_the_rest() -> Step
{
    let dir = tempfile::tempdir()?;
    certificate(dir.path())?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let flights = crate::file("data/flights.parquet")?;
    server.must(&["transfer", &flights, "dataset://web.clicks"])?;
    let token = server
        .must(&["token", "create", "ann", "--grant", "web:read"])?
        .out;
    let port = server.grpc().rsplit(':').next().ok_or("a port")?.to_owned();
    drop(server);
    let advertised = format!("https://localhost:{port}");
    let mut command = flinkspark(Build::Plain)?;
    command.args([
        "serve",
        "--grpc",
        &format!("127.0.0.1:{port}"),
        "--http",
        "127.0.0.1:0",
        "--log",
        "error",
    ]);
    command
        .arg("--data-dir")
        .arg(&data)
        .args(["--advertise", &advertised]);
    command.arg("--tls-cert").arg(dir.path().join("cert.pem"));
    command.arg("--tls-key").arg(dir.path().join("key.pem"));
    let _server = Server::launch(&mut command)?.ready()?;
    let ca = dir.path().join("cert.pem");
    let ca = ca.to_str().ok_or("the path is text")?;
    let url = format!("grpc+tls://localhost:{port}");
    let arguments = [&url, ca, "ann", token.trim(), "web.clicks", "lab.notes"];
    crate::interpreter::python("python/access_client.py", &arguments)
}
