//! A bridge server in a process of its own.
//!
//! Invariant: it is ready when it was started, and gone when it is dropped.

use crate::command::{self, Build, Said, flinkspark};
use crate::{Failure, Step};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long a server may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running server.
pub struct Server {
    child: Child,
    grpc: String,
    http: String,
}

/// What became of a server that was started to be killed.
pub enum Started {
    /// It takes requests.
    Ready(Server),
    /// It ended before it was ready, as it was asked to.
    Died,
}

impl Server {
    /// Starts the users' binary on free ports.
    pub fn start(data_dir: &Path) -> Step<Self> {
        match Self::start_with(data_dir, Build::Plain, None)? {
            Started::Ready(server) => Ok(server),
            Started::Died => Err("the server ended before it was ready".into()),
        }
    }

    /// Starts a binary with faults, on free ports.
    pub fn start_with(data_dir: &Path, build: Build, faults: Option<&str>) -> Step<Started> {
        let mut command = flinkspark(build)?;
        command.args([
            "serve",
            "--grpc",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--log",
            "error",
            "--data-dir",
        ]);
        command
            .arg(data_dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(faults) = faults {
            command.env("FLINKSPARK_FAULTS", faults);
        }
        let mut child = command.spawn()?;
        let lines = lines(&mut child)?;
        let since = Instant::now();
        let mut said = Vec::new();
        while since.elapsed() < READY_LIMIT {
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => match line.strip_prefix("flinkspark is ready: gRPC on ") {
                    Some(rest) => {
                        let (grpc, http) = rest
                            .split_once(", HTTP on ")
                            .ok_or("the server says where it is")?;
                        return Ok(Started::Ready(Self {
                            child,
                            grpc: grpc.into(),
                            http: http.into(),
                        }));
                    }
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if faults.is_some() => {
                    child.wait()?;
                    return Ok(Started::Died);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        child.kill()?;
        child.wait()?;
        Err(Failure::from(format!(
            "the server was not ready: {}",
            said.join("\n")
        )))
    }

    /// The address of its gRPC port.
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// The address of its HTTP port.
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a client's command against it, to its end.
    pub fn run(&self, arguments: &[&str]) -> Step<Said> {
        let mut command = flinkspark(Build::Plain)?;
        Ok(command
            .args(arguments)
            .env("FLINKSPARK_URL", self.url())
            .output()?
            .into())
    }

    /// Runs a client's command that must end with 0.
    pub fn must(&self, arguments: &[&str]) -> Step<Said> {
        command::must(
            flinkspark(Build::Plain)?
                .args(arguments)
                .env("FLINKSPARK_URL", self.url()),
        )
    }

    /// Ends it as `kill -9` does.
    pub fn kill(mut self) -> Step {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it with SIGTERM; gives how it ended and how long that took.
    pub fn terminate(mut self, limit: Duration) -> Step<(ExitStatus, Duration)> {
        let since = Instant::now();
        let pid = self.child.id().to_string();
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()?;
        while since.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, since.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the server did not stop on SIGTERM".into())
    }

    /// Waits until it has ended by itself; false when the limit passed first.
    pub fn ended_within(&mut self, limit: Duration) -> Step<bool> {
        let since = Instant::now();
        loop {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            if since.elapsed() >= limit {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of the child's messages; they are read to the end, so that its pipe never fills.
fn lines(child: &mut Child) -> Step<Receiver<String>> {
    let stderr = child.stderr.take().ok_or("the server has no stderr")?;
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Once nobody listens the lines are only drained.
            let _ = sender.try_send(line);
        }
    });
    Ok(receiver)
}

/// A server on a data directory of its own, with the flights in it.
pub struct Flights {
    /// The server.
    pub server: Server,
    /// The data directory, removed at the end.
    pub dir: tempfile::TempDir,
}

impl Flights {
    /// Registers the flights with this watermark delay and transfers them.
    pub fn start(delay: &str) -> Step<Self> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(&dir.path().join("data"))?;
        load(&server, delay)?;
        Ok(Self { server, dir })
    }

    /// A path in the temporary folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Registers the flights and transfers them.
pub fn load(server: &Server, delay: &str) -> Step {
    let file = crate::path("data/flights.parquet");
    let file = file.to_str().ok_or("the path is text")?;
    server.must(&[
        "dataset",
        "register",
        "flights",
        "--like",
        file,
        "--time-attribute",
        "event_time",
        "--watermark-delay",
        delay,
        "--flink",
        "default_catalog.default_database.flights",
        "--spark",
        "spark_catalog.default.flights",
    ])?;
    server.must(&["transfer", file, "dataset://flights"])?;
    Ok(())
}
