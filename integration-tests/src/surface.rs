//! How a server answers while queries that do not end keep every core busy.
//!
//! Two batch queries (a cross join and a nested-loop join, which find nothing) and stream jobs one
//! after another, at full rate. Invariant: what is measured is measured while both queries run.

use crate::command::{Build, Said, flinkspark};
use crate::server::{Flights, Server};
use crate::{Failure, Step};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The queries: id and text. Each compares a hundred thousand million pairs.
pub const QUERIES: [(&str, &str); 2] = [
    (
        "crossed",
        "INSERT INTO crossed SELECT a.dest FROM flights a CROSS JOIN flights b \
         WHERE a.distance + b.distance < 0",
    ),
    (
        "fruitless",
        "INSERT INTO fruitless SELECT a.dest FROM flights a JOIN flights b \
         ON a.distance * b.distance < -1",
    ),
];

/// How long answers took.
#[derive(Debug, Clone)]
pub struct Figures {
    /// `GET /healthz`, sorted.
    pub healthz: Vec<Duration>,
    /// `dataset list`, with the client's own process, sorted.
    pub list: Vec<Duration>,
    /// `job stop` of each query.
    pub stop: Vec<Duration>,
    /// From SIGTERM to the end of the process, with both queries at work.
    pub terminate: Duration,
    /// Stream jobs that finished meanwhile.
    pub streams: u64,
}

/// One `GET` of a path; what the server says, whole.
pub fn get(address: &str, path: &str) -> Step<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Loads the flights and measures with so many samples of `/healthz`, and a tenth of them of the list.
pub fn measure(samples: usize) -> Step<Figures> {
    let flights = Flights::start("24h")?;
    let Flights { server, dir } = flights;
    let mut clients = Vec::new();
    for (id, text) in QUERIES {
        clients.push(submit(&server, dir.path(), id, text)?);
    }
    let streams = Streams::start(&server)?;
    let mut healthz = Vec::with_capacity(samples);
    let mut list = Vec::new();
    for sample in 0..samples {
        healthz.push(timed(|| get(server.http(), "/healthz"))?.1);
        if sample % 10 == 0 {
            list.push(timed(|| server.must(&["dataset", "list"]))?.1);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut stop = Vec::new();
    for (id, _) in QUERIES {
        at_work(&server, id)?;
        let (said, took) = timed(|| server.must(&["job", "stop", id, "-o", "json"]))?;
        if said.json()?["state"] != "stopped" {
            return Err(Failure::from(format!("{id} was not stopped: {said:?}")));
        }
        stop.push(took);
    }
    let streams = streams.stop()?;
    for (id, text) in QUERIES {
        let again = format!("{id}_again");
        let text = text.replace(&format!("INTO {id}"), &format!("INTO {again}"));
        clients.push(submit(&server, dir.path(), &again, &text)?);
        at_work(&server, &again)?;
    }
    let (status, terminate) = server.terminate(Duration::from_secs(60))?;
    for mut client in clients {
        client.kill()?;
        client.wait()?;
    }
    if !status.success() {
        return Err(Failure::from(format!("the server ended with {status}")));
    }
    healthz.sort_unstable();
    list.sort_unstable();
    Ok(Figures {
        healthz,
        list,
        stop,
        terminate,
        streams,
    })
}

/// Starts a client that submits a query, and waits until that is at work.
pub fn submit(server: &Server, dir: &Path, id: &str, text: &str) -> Step<Child> {
    let file = dir.join(format!("{id}.sql"));
    std::fs::write(&file, text)?;
    let mut command = flinkspark(Build::Plain)?;
    command.env("FLINKSPARK_URL", server.url());
    command.args(["job", "run"]).arg(file);
    command.args(["--on", "batch", "--id", id, "--reconnect", "0s"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let client = command.spawn()?;
    let since = Instant::now();
    while at_work(server, id).is_err() {
        if since.elapsed() > Duration::from_secs(60) {
            at_work(server, id)?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(client)
}

/// Fails where a job does not run.
pub fn at_work(server: &Server, id: &str) -> Step {
    let job = server.must(&["job", "show", id, "-o", "json"])?.json()?;
    if job["state"] == "running" {
        return Ok(());
    }
    Err(Failure::from(format!("{id} does not run: {job}")))
}

/// Does it, and says how long that took.
pub fn timed<T>(work: impl FnOnce() -> Step<T>) -> Step<(T, Duration)> {
    let since = Instant::now();
    let done = work()?;
    Ok((done, since.elapsed()))
}

/// Stream jobs one after another, until it is stopped.
struct Streams {
    over: Arc<AtomicBool>,
    running: JoinHandle<Result<u64, String>>,
}

impl Streams {
    fn start(server: &Server) -> Step<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (told, url) = (Arc::clone(&over), server.url());
        let job = crate::path("jobs/hourly_departures.sql");
        let job = job.to_str().ok_or("the path is text")?.to_owned();
        let running = std::thread::spawn(move || {
            let mut finished = 0;
            while !told.load(Ordering::Relaxed) {
                let run = ["--url", &url, "job", "run", &job, "--on", "stream"];
                let said: Said = crate::command::run(&run).map_err(|cause| cause.to_string())?;
                if said.code != Some(0) {
                    return Err(format!("a stream job failed: {said:?}"));
                }
                finished += 1;
            }
            Ok(finished)
        });
        Ok(Self { over, running })
    }

    fn stop(self) -> Step<u64> {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.running.join();
        Ok(ended.map_err(|_| "the stream jobs' thread ended")??)
    }
}
