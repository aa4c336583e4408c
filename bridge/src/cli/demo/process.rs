//! A bridge server in a process of its own, so that it can be killed.
//!
//! Invariant: no server outlives its [`Process`].

use flinkspark_model::{Error, Kind, Result};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to stop after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running server.
pub(super) struct Process {
    child: Child,
    url: String,
}

impl Process {
    /// Starts a server on a data directory, on free ports, and waits until it is ready.
    pub(super) fn start(data_dir: &Path, faults: Option<&str>) -> Result<Self> {
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(&program);
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
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // The user's own settings must not reach the demo's server.
        for name in [
            "FLINKSPARK_ADVERTISE",
            "FLINKSPARK_CONFIG",
            "FLINKSPARK_DATA_DIR",
            "FLINKSPARK_GRPC",
            "FLINKSPARK_HTTP",
            "FLINKSPARK_LOG",
            "FLINKSPARK_TLS_CERT",
            "FLINKSPARK_TLS_CLIENT_CA",
            "FLINKSPARK_TLS_KEY",
        ] {
            command.env_remove(name);
        }
        match faults {
            Some(faults) => command.env("FLINKSPARK_FAULTS", faults),
            None => command.env_remove("FLINKSPARK_FAULTS"),
        };
        let mut child = command.spawn().map_err(failed)?;
        let stderr = child
            .stderr
            .take()
            .ok_or_else(|| failed(std::io::Error::other("it has no stderr")))?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            if let Some(rest) = line.strip_prefix("flinkspark is ready: gRPC on ") {
                let address = rest.split(',').next().unwrap_or(rest).to_owned();
                // What it says later is passed on, and its pipe never fills.
                std::thread::spawn(move || {
                    lines
                        .map_while(std::result::Result::ok)
                        .for_each(|line| eprintln!("server: {line}"))
                });
                return Ok(Self {
                    child,
                    url: format!("http://{address}"),
                });
            }
            said.push(line);
        }
        Err(Error::new(
            Kind::Unavailable,
            "FS0021",
            "the demo's server did not start",
        )
        .with_detail(said.join("\n")))
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it with SIGKILL.
    pub(super) fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .map(drop)
            .map_err(failed)
    }

    /// Ends it with SIGTERM and waits until it has let go.
    pub(super) fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|cause| failed(cause.into()))?;
        let since = Instant::now();
        while since.elapsed() < STOP_LIMIT {
            if self.child.try_wait().map_err(failed)?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Error::new(
            Kind::Unavailable,
            "FS0021",
            "the demo's server did not stop",
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that is removed at the end, unless it is to be kept.
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// `keep`, or a new folder among the temporary ones.
    pub(super) fn new(keep: Option<PathBuf>) -> Result<Self> {
        let temporary =
            || std::env::temp_dir().join(format!("flinkspark-demo-{}", std::process::id()));
        let folder = Self {
            keep: keep.is_some(),
            path: keep.unwrap_or_else(temporary),
        };
        std::fs::create_dir_all(&folder.path).map_err(failed)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // A leftover among temporary files is no reason to fail.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

pub(super) fn failed(cause: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, "FS0021", "the demo cannot go on").with_source(cause)
}
