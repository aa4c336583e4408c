//! Who may, from where: tokens, grants and TLS, from outside.

mod matrix;
mod rotation;
mod secrets;
mod stolen;
mod tls;

use crate::server::get;
use flinkspark_bridge::client::{Address, Client};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark};
use flinkspark_integration_tests::server::{Server, serve};
use std::path::{Path, PathBuf};

/// A closed bridge on loopback, with a folder for its tokens.
struct Closed {
    server: Server,
    dir: tempfile::TempDir,
}

impl Closed {
    /// With these principals and their grants, and datasets `web.clicks`, `webs` and `lab.notes`.
    fn start(tokens: &[(&str, &[&str])]) -> Step<Self> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(&dir.path().join("data"))?;
        let flights = crate::file("data/flights.parquet")?;
        for name in ["web.clicks", "webs", "lab.notes"] {
            server.must(&["dataset", "register", name, "--like", &flights])?;
        }
        let closed = Self { server, dir };
        for (principal, grants) in tokens {
            closed.token(principal, grants, &[])?;
        }
        Ok(closed)
    }

    /// Makes a token, and keeps it in a file of its principal's name.
    fn token(&self, principal: &str, grants: &[&str], more: &[&str]) -> Step<String> {
        let admin = self.file("data/admin.token");
        let mut arguments = vec!["token", "create", principal];
        arguments.extend(grants.iter().flat_map(|grant| ["--grant", grant]));
        arguments.extend(more);
        let admin = admin.to_str().ok_or("the path is text")?;
        if Path::new(admin).exists() {
            arguments.extend(["--token-file", admin]);
        }
        let secret = self.server.must(&arguments)?.out;
        std::fs::write(self.file(principal), &secret)?;
        Ok(secret.trim().into())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where a principal finds the bridge; `admin` is the server's own, and nobody presents nothing.
    fn at(&self, principal: Option<&str>) -> Address {
        let file = principal.map(|principal| match principal {
            "admin" => self.file("data/admin.token"),
            principal => self.file(principal),
        });
        Address {
            token_file: file,
            ..Address::from(self.server.url().as_str())
        }
    }

    async fn client(&self, principal: Option<&str>) -> Step<Client> {
        Ok(Client::connect(self.at(principal)).await?)
    }
}

/// A certificate of its own for `localhost` and 127.0.0.1, made by the command of the documentation.
pub(crate) fn certificate(folder: &Path) -> Step {
    let page = std::fs::read_to_string(flinkspark_integration_tests::path("../docs/access.md"))?;
    let command = page.lines().find(|line| line.starts_with("openssl "));
    let command = command.ok_or("the page has no command of openssl")?;
    std::fs::create_dir_all(folder)?;
    let made = std::process::Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .output()?;
    assert!(made.status.success(), "{made:?}");
    Ok(())
}

/// A server's command over TLS with the certificate of a folder.
pub(crate) fn over_tls(
    data: &Path,
    certificate: &Path,
    more: &[&str],
) -> Step<std::process::Command> {
    let mut command = flinkspark(Build::Plain)?;
    command.args(serve(data, "127.0.0.1:0")?);
    command.arg("--tls-cert").arg(certificate.join("cert.pem"));
    command.arg("--tls-key").arg(certificate.join("key.pem"));
    command.args(more);
    Ok(command)
}

#[test]
fn the_http_port_asks_for_a_host_of_ours_and_metrics_for_an_admin() -> Step {
    let closed = Closed::start(&[("ann", &["*:read,write,create"])])?;
    let http = closed.server.http();
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 401),
        ("/none", 401),
    ] {
        let answer = get(http, path)?;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    }
    let asked = |host: &str, token: &str| -> Step<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(http)?;
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text.lines().next().unwrap_or_default().into())
    };
    let ann = std::fs::read_to_string(closed.file("ann"))?;
    let admin = std::fs::read_to_string(closed.file("data/admin.token"))?;
    for (host, token, status) in [
        (http, admin.trim(), "200"),
        ("localhost", admin.trim(), "200"),
        ("[::1]:7071", admin.trim(), "200"),
        (http, ann.trim(), "403"),
        (http, "fst_", "401"),
        ("evil.example", admin.trim(), "421"),
        ("127.0.0.1.evil.example:7071", admin.trim(), "421"),
        ("", admin.trim(), "421"),
    ] {
        let answer = asked(host, token)?;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{host}: {answer}"
        );
    }
    Ok(())
}

#[test]
fn a_local_command_finds_the_token_of_the_server_that_runs_beside_it() -> Step {
    let closed = Closed::start(&[("ann", &["web:read"])])?;
    let list = |data: PathBuf, url: String| -> Step<Option<i32>> {
        let mut command = flinkspark(Build::Plain)?;
        command.args(["dataset", "list"]).env("FLINKSPARK_URL", url);
        Ok(command
            .env("FLINKSPARK_DATA_DIR", data)
            .output()?
            .status
            .code())
    };
    assert_eq!(list(closed.file("data"), closed.server.url())?, Some(0));
    assert_eq!(
        list(closed.file("elsewhere"), closed.server.url())?,
        Some(4)
    );
    let other = closed.server.url().replace("127.0.0.1", "localhost");
    assert_eq!(
        list(closed.file("data"), other)?,
        Some(4),
        "another address gets no token"
    );
    Ok(())
}
