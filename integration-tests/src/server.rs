//! A bridge server in a process of its own.
//!
//! Invariant: it is ready when it was started, and gone when it is dropped.

use crate::command::{self, Build, Said, flinkspark};
use crate::{Failure, Step};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long a server may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A port that the system chooses, on loopback.
const ANY_PORT: &str = "127.0.0.1:0";

/// A running server.
pub struct Server {
    child: Child,
    grpc: String,
    http: String,
    said: Vec<String>,
}

/// What became of a server that was started to be killed.
pub enum Started {
    /// It takes requests.
    Ready(Server),
    /// It ended before it was ready, and had said this.
    Died(ExitStatus, String),
}

impl Started {
    /// The server, where there is one.
    pub fn ready(self) -> Step<Server> {
        match self {
            Self::Ready(server) => Ok(server),
            Self::Died(status, said) => {
                Err(format!("the server ended with {status} before it was ready: {said}").into())
            }
        }
    }
}

/// The arguments of a server that says little.
pub fn serve<'a>(data_dir: &'a Path, grpc: &'a str) -> Step<[&'a str; 9]> {
    let data_dir = data_dir.to_str().ok_or("the path is text")?;
    Ok([
        "serve",
        "--grpc",
        grpc,
        "--http",
        ANY_PORT,
        "--log",
        "error",
        "--data-dir",
        data_dir,
    ])
}

impl Server {
    /// Starts the users' binary on free ports.
    pub fn start(data_dir: &Path) -> Step<Self> {
        Self::start_at(data_dir, ANY_PORT)
    }

    /// Starts the users' binary where clients expect it.
    pub fn start_at(data_dir: &Path, grpc: &str) -> Step<Self> {
        let mut command = flinkspark(Build::Plain)?;
        Self::launch(command.args(serve(data_dir, grpc)?))?.ready()
    }

    /// Starts the binary with faults, on free ports.
    pub fn start_with_faults(data_dir: &Path, faults: &str) -> Step<Started> {
        let mut command = flinkspark(Build::Faults)?;
        command.args(serve(data_dir, ANY_PORT)?);
        Self::launch(command.env("FLINKSPARK_FAULTS", faults))
    }

    /// Starts the server that the command becomes.
    pub fn launch(command: &mut Command) -> Step<Started> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
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
                            said,
                        }));
                    }
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Started::Died(child.wait()?, said.join("\n")));
                }
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

    /// What it said before it was ready, by lines.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the kernel says of its memory under this key of `/proc/PID/status`, in KiB.
    pub fn memory_kib(&self, key: &str) -> Step<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let line = line.ok_or_else(|| format!("the kernel does not say {key}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
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

    /// Runs a client's command against it; none where it did not end within the limit, and was killed.
    pub fn run_within(&self, arguments: &[&str], limit: Duration) -> Step<Option<Said>> {
        let mut command = flinkspark(Build::Plain)?;
        command.args(arguments).env("FLINKSPARK_URL", self.url());
        command::within(&mut command, limit)
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
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.ended_within(limit)?;
        let status = status.ok_or("the server did not stop on SIGTERM")?;
        Ok((status, since.elapsed()))
    }

    /// Waits until it has ended by itself; none when the limit passed first.
    pub fn ended_within(&mut self, limit: Duration) -> Step<Option<ExitStatus>> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if since.elapsed() >= limit {
                return Ok(None);
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
