//! A server on a disk that fills up.
//!
//! The disk is a small tmpfs in a mount namespace of its own, which a sleeping process holds open.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, Said, binary};
use flinkspark_integration_tests::server::{Server, load, serve};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Less than the flights need, in MiB.
const SMALL: u32 = 16;
/// Enough for them.
const LARGE: u32 = 256;

/// A small disk that lasts as long as this.
struct Disk {
    holder: Child,
    at: PathBuf,
}

impl Disk {
    /// A small one, in a folder.
    fn within(folder: &Path) -> Step<Self> {
        let at = folder.join("disk");
        std::fs::create_dir(&at)?;
        let script = format!(
            "mount -t tmpfs -o size={SMALL}m none \"$0\" && echo mounted && exec sleep 3600"
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .arg(&at)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = [0; 8];
        let stdout = holder.stdout.as_mut().ok_or("it has an output")?;
        let mounted = stdout.read_exact(&mut said);
        let disk = Self { holder, at };
        mounted.map_err(|_| "this test must be allowed to mount a tmpfs in a user namespace")?;
        Ok(disk)
    }

    /// A command that sees the disk.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.holder.id().to_string();
        command.args(["--preserve-credentials", "--user", "--mount", "--target"]);
        command.arg(target).arg("--").arg(program);
        command
    }

    fn serve(&self) -> Step<Server> {
        let data = self.at.join("data");
        let mut command = self.command(&binary(Build::Plain)?);
        Server::launch(command.args(serve(&data, "127.0.0.1:0")?))?.ready()
    }

    /// Leaves no room at all, or gives it back.
    fn fill(&self, full: bool) -> Step {
        let filler = self.at.join("filler");
        let script = if full {
            "head -c 1G /dev/zero > \"$0\" 2>/dev/null; test -s \"$0\""
        } else {
            "rm \"$0\""
        };
        let mut command = self.command(Path::new("sh"));
        let status = command.args(["-c", script]).arg(&filler).status()?;
        assert!(status.success(), "{status}");
        Ok(())
    }

    fn enlarge(&self) -> Step {
        let size = format!("remount,size={LARGE}m");
        let mut command = self.command(Path::new("mount"));
        let status = command.args(["-o", &size]).arg(&self.at).status()?;
        assert!(status.success(), "{status}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Rows and digest.
fn state(server: &Server, dataset: &str) -> Step<(u64, String)> {
    let shown = server.must(&["dataset", "show", dataset, "-o", "json"])?;
    let shown = shown.json()?;
    let rows = shown["rows"].as_u64().ok_or("a dataset has rows")?;
    let digest = shown["digest"].as_str().ok_or("a dataset has a digest")?;
    Ok((rows, digest.into()))
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() -> Step {
    let dir = tempfile::tempdir()?;
    let disk = Disk::within(dir.path())?;
    let flights = crate::file("data/flights.parquet")?;
    let airports = dir.path().join("airports.csv");
    std::fs::write(&airports, "faa,lat\nJFK,40.6\nLGA,40.7\nEWR,40.6\n")?;
    let airports = airports.to_str().ok_or("the path is text")?;
    let into_flights = ["transfer", &flights, "dataset://flights", "--id", "once"];

    let server = disk.serve()?;
    for (dataset, like) in [("flights", flights.as_str()), ("airports", airports)] {
        server.must(&["dataset", "register", dataset, "--like", like])?;
    }
    server.must(&["transfer", airports, "dataset://airports"])?;
    let small = state(&server, "airports")?;
    assert_eq!(small.0, 3);
    let refused = server.run(&into_flights)?;
    crate::errors::is_error(&refused, "FS1001", 1)?;
    assert_eq!(state(&server, "airports")?, small);
    assert_eq!(state(&server, "flights")?.0, 0);

    // Killed while the disk is small, started again on it, then given space.
    server.kill()?;
    let server = disk.serve()?;
    assert_eq!(state(&server, "airports")?, small);
    assert_eq!(state(&server, "flights")?.0, 0);
    disk.enlarge()?;
    server.must(&into_flights)?;
    let whole = state(&server, "flights")?;
    assert_eq!(whole.0, 336_776);
    server.must(&into_flights)?;
    server.kill()?;
    let server = disk.serve()?;
    assert_eq!(state(&server, "airports")?, small);
    assert_eq!(state(&server, "flights")?, whole);
    Ok(())
}

/// Small records that a full disk takes before it takes no more: the pages that it has given have room.
const TAKEN_WHILE_FULL_MAX: usize = 200;

/// A command that is refused while the disk is full, and says that nothing can be written.
fn refused(server: &Server, command: &[&str]) -> Step {
    says_full(&server.run(command)?)
}

fn says_full(said: &Said) -> Step {
    let full = ["FS1001", "FS0222", "FS0506", "FS0505", "FS1003"];
    assert!(said.code != Some(0), "{said:?}");
    assert!(full.iter().any(|code| said.err.contains(code)), "{said:?}");
    Ok(())
}

/// Registers datasets until the full disk refuses one; gives those that were acknowledged.
fn registered_while_full(server: &Server, prefix: &str, like: &str) -> Step<Vec<String>> {
    let mut taken = Vec::new();
    loop {
        let name = format!("{prefix}_{}", taken.len());
        let said = server.run(&["dataset", "register", &name, "--like", like])?;
        if said.code != Some(0) {
            return says_full(&said).map(|()| taken);
        }
        taken.push(name);
        assert!(taken.len() < TAKEN_WHILE_FULL_MAX, "a full disk takes all");
    }
}

/// Repeats a command until it succeeds: what had failed is tried again at intervals.
fn succeeds_soon(server: &Server, command: &[&str]) -> Step {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let said = server.run(command)?;
        if said.code == Some(0) {
            return Ok(());
        }
        assert!(Instant::now() < until, "{said:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_job_whose_disk_fills_up_goes_on_when_it_is_freed() -> Step {
    let dir = tempfile::tempdir()?;
    let disk = Disk::within(dir.path())?;
    disk.enlarge()?;
    let server = disk.serve()?;
    load(&server, "24h")?;
    let job = crate::file("jobs/hourly_departures.sql")?;
    let url = server.url();
    let running = std::thread::spawn(move || {
        let run = [
            "--url", &url, "job", "run", &job, "--on", "stream", "--id", "hourly",
        ];
        let pace = ["--rate", "60000", "--checkpoint-interval", "100ms"];
        flinkspark_integration_tests::command::run(&[&run[..], &pace].concat())
    });
    let until = |wanted: &dyn Fn(&serde_json::Value) -> bool| -> Step<serde_json::Value> {
        let since = Instant::now();
        loop {
            let shown = server.run(&["job", "show", "hourly", "-o", "json"])?;
            if shown.code == Some(0) {
                let job = shown.json()?;
                if wanted(&job) {
                    return Ok(job);
                }
                assert!(since.elapsed() < Duration::from_secs(60), "{job}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until(&|job| job["checkpoint"].as_u64() >= Some(3))?;
    disk.fill(true)?;
    let troubled = until(&|job| job["tries"].as_u64() >= Some(2))?;
    let why = troubled["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("FS1001"), "{troubled}");
    disk.fill(false)?;
    let said = running.join().map_err(|_| "the client ended")??;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(
        crate::jobs::sums(&server, "hourly_departures")?,
        crate::jobs::FLINK
    );
    Ok(())
}

#[test]
fn a_disk_that_fills_up_and_is_freed_needs_no_restart() -> Step {
    let dir = tempfile::tempdir()?;
    let disk = Disk::within(dir.path())?;
    disk.enlarge()?;
    let flights = crate::file("data/flights.parquet")?;
    let airports = dir.path().join("airports.csv");
    std::fs::write(&airports, "faa,lat\nJFK,40.6\nLGA,40.7\nEWR,40.6\n")?;
    let airports = airports.to_str().ok_or("the path is text")?;
    let server = disk.serve()?;
    server.must(&["dataset", "register", "airports", "--like", airports])?;
    server.must(&["transfer", airports, "dataset://airports", "--id", "before"])?;
    let before = state(&server, "airports")?;

    // During a put, a commit and a registration.
    disk.fill(true)?;
    let put = ["transfer", airports, "dataset://airports", "--id", "during"];
    let register = ["dataset", "register", "flights", "--like", &flights];
    refused(&server, &put)?;
    let taken = registered_while_full(&server, "while_full", airports)?;
    assert_eq!(state(&server, "airports")?, before);
    disk.fill(false)?;
    succeeds_soon(&server, &put)?;
    succeeds_soon(&server, &register)?;
    for name in &taken {
        assert_eq!(state(&server, name)?.0, 0);
    }
    assert_eq!(state(&server, "airports")?.0, 6);
    server.must(&["transfer", &flights, "dataset://flights", "--id", "once"])?;
    let after = (state(&server, "airports")?, state(&server, "flights")?);

    // During a start: what is there is served, and changes are taken once there is room.
    disk.fill(true)?;
    server.kill()?;
    let server = disk.serve()?;
    assert_eq!(
        (state(&server, "airports")?, state(&server, "flights")?),
        after
    );
    registered_while_full(&server, "since_start", airports)?;
    disk.fill(false)?;
    succeeds_soon(
        &server,
        &["dataset", "register", "more", "--like", airports],
    )?;
    succeeds_soon(&server, &["transfer", airports, "dataset://more"])?;
    let ready = crate::server::get(server.http(), "/readyz")?;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    server.kill()?;
    let server = disk.serve()?;
    assert_eq!(
        (state(&server, "airports")?, state(&server, "flights")?),
        after
    );
    assert_eq!(state(&server, "more")?.0, 3);
    Ok(())
}
