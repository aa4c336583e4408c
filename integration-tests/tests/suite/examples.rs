//! What docs/flight.md shows, run as it stands there: over TLS and with tokens, by pyarrow and by the command line.
//!
//! Fenced blocks and tables of actions are `python/examples.py`'s; commands within the text are run here.

use crate::interpreter;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark, must};
use flinkspark_integration_tests::server::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Loses the rows of the second file, whose windows are over.
const LATE: &str = "SELECT window_start, origin, COUNT(*) AS n \
     FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) \
     GROUP BY window_start, window_end, origin";

/// Where a bridge over TLS is, and what its callers show.
struct Secured {
    server: Server,
    dir: tempfile::TempDir,
}

impl Secured {
    /// With the flights and an empty `web.clicks`, and a token of ann's.
    fn start() -> Step<Self> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("data");
        let clicks = dir.path().join("clicks.csv");
        std::fs::write(&clicks, "user,at\nann,2026-11-28 10:00:00.000\n")?;
        let server = Server::start(&data)?;
        let clicks = clicks.to_str().ok_or("the path is text")?;
        server.must(&["dataset", "register", "web.clicks", "--like", clicks])?;
        let header = "event_time,origin";
        let files = [("12", "JFK,EWR,LGA"), ("09", "JFK,LGA,EWR")].map(|(hour, origins)| {
            let row = |origin: &str| format!("2013-01-01 {hour}:00:00.000,{origin}");
            let rows: Vec<String> = origins.split(',').map(row).collect();
            (hour, format!("{header}\n{}\n", rows.join("\n")))
        });
        for (hour, text) in files {
            let file = dir.path().join(format!("{hour}.csv"));
            std::fs::write(&file, text)?;
            let file = file.to_str().ok_or("the path is text")?;
            if hour == "12" {
                let time = ["--time-attribute", "event_time", "--watermark-delay", "0s"];
                let register = ["dataset", "register", "flights", "--like", file];
                server.must(&[&register[..], &time[..]].concat())?;
            }
            server.must(&["transfer", file, "dataset://flights"])?;
        }
        let grants = ["--grant", "*:read,write", "--grant", "web:admin"];
        let token = server.must(&[&["token", "create", "ann"][..], &grants].concat())?;
        std::fs::write(dir.path().join("ann"), token.out)?;
        drop(server);
        super::access::certificate(dir.path())?;
        let mut command = super::access::over_tls(&data, dir.path(), &[])?;
        let server = Server::launch(&mut command)?.ready()?;
        Ok(Self { server, dir })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn port(&self) -> Step<&str> {
        let port = self.server.grpc().rsplit(':').next();
        Ok(port.ok_or("the address has a port")?)
    }

    /// A command of an admin's.
    fn admin(&self) -> Step<Command> {
        let mut command = flinkspark(Build::Plain)?;
        command.arg("--url");
        command.arg(format!("https://localhost:{}", self.port()?));
        command.arg("--tls-ca").arg(self.file("cert.pem"));
        command.arg("--token-file");
        command.arg(self.file("data/admin.token"));
        Ok(command)
    }
}

fn page() -> Step<String> {
    let page = flinkspark_integration_tests::path("../docs/flight.md");
    Ok(std::fs::read_to_string(page)?)
}

/// The commands within the text of the page: code that begins with the binary's name, outside blocks.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for text in page.split("```").step_by(2) {
        let code = text.split('`').skip(1).step_by(2);
        let command = code.filter(|code| code.starts_with("flinkspark "));
        found.extend(command.map(|code| code.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn everything_that_the_page_shows_runs_over_tls_with_a_token() -> Step {
    let secured = Secured::start()?;
    let token = std::fs::read_to_string(secured.file("ann"))?;
    let url = format!("grpc+tls://localhost:{}", secured.port()?);
    let mut command = Command::new(interpreter::interpreter()?);
    command.arg(crate::file("python/examples.py")?);
    command.args([url.as_str(), LATE]);
    command.env("FLINKSPARK_TLS_CA", secured.file("cert.pem"));
    let output = command.env("FLINKSPARK_TOKEN", token).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(output.status.success(), "{said}{wrong}");
    Ok(())
}

#[test]
fn every_command_within_the_text_runs_over_tls_with_a_token() -> Step {
    let secured = Secured::start()?;
    let like = secured.file("12.csv");
    let mut ran = 0;
    for text in commands(&page()?) {
        let mut command = secured.admin()?;
        match text.as_str() {
            // What the test has started is this with more options.
            "flinkspark serve --grpc" => continue,
            "flinkspark dataset transactions NAME" => {
                command.args(["dataset", "transactions", "web.clicks"]);
            }
            "flinkspark transaction abort ID" => {
                let txn = begin(&secured)?;
                command.args(["transaction", "abort", &txn]);
            }
            "flinkspark dataset schema NAME --like FILE --compatibility MODE" => {
                command.args(["dataset", "schema", "flights", "--like"]);
                command.arg(&like);
                command.args(["--compatibility", "backward"]);
            }
            "flinkspark explain CODE" => {
                command.args(["explain", "FS0449"]);
            }
            other => return Err(format!("nothing runs what the page says: {other}").into()),
        }
        must(&mut command).map_err(|cause| format!("{text}: {cause}"))?;
        ran += 1;
    }
    assert_eq!(ran, 4, "the page has fewer commands than it had");
    Ok(())
}

/// Opens a transaction as ann does, by what the page says of an action.
fn begin(secured: &Secured) -> Step<String> {
    let code = "import sys, json; sys.path.insert(0, sys.argv[1]); from flight_client import documented; d = documented(); \
                print(d['act'](d['connect'](sys.argv[2]), 'begin', {'dataset': 'web.clicks'})['txn'])";
    let scripts = flinkspark_integration_tests::path("python");
    let mut command = Command::new(interpreter::interpreter()?);
    command.args(["-c", code]).arg(scripts.as_path() as &Path);
    command.arg(format!("grpc+tls://localhost:{}", secured.port()?));
    command.env("FLINKSPARK_TLS_CA", secured.file("cert.pem"));
    let token = std::fs::read_to_string(secured.file("ann"))?;
    let output = command.env("FLINKSPARK_TOKEN", token).output()?;
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{wrong}");
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
