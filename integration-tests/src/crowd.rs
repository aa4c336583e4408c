//! A server with a small budget, and more clients and jobs than it has memory for.
//!
//! Readers that stall, readers that read all the time, jobs on both engines, statements whose answers are
//! larger than the machine, and puts of the largest messages, all at once. Invariant: what is measured of
//! the server is what the kernel says of its process, sampled until everybody is gone.

use crate::command::{Build, flinkspark};
use crate::flights::write;
use crate::server::{Server, load, serve};
use crate::{Failure, Step};
use arrow_array::{LargeBinaryArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use flinkspark_bridge::parts::connector::flight::body::{BeginRequest, PutCommand, ReadCommand};
use flinkspark_bridge::parts::connector::flight::{Client, limits};
use flinkspark_bridge::parts::model::port::Mode;
use futures::StreamExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tonic::transport::Endpoint;

/// How many of each.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// The server's `--memory`.
    pub memory: &'static str,
    /// Readers that take a first message, and then nothing.
    pub stalled: usize,
    /// Readers that read the whole dataset again and again.
    pub live: usize,
    /// Jobs, half of them on each engine.
    pub jobs: usize,
    /// Statements whose answers do not fit, at most as many as are known.
    pub bombs: usize,
    /// Puts at the same time.
    pub puts: usize,
    /// The bytes of such a put, in messages of nearly the largest cell.
    pub put_bytes: usize,
    /// How long rates are taken.
    pub window: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Rows that the live readers got in a second, alone.
    pub alone: f64,
    /// The same beside the stalled ones.
    pub beside_stalled: f64,
    /// The same beside the stalled ones, the jobs, the statements and the puts.
    pub beside_all: f64,
    /// The most anonymous memory of the server, with the stalled readers alone, in KiB.
    pub stalled_kib: u64,
    /// The most anonymous memory of the server, in KiB.
    pub most_kib: u64,
    /// Jobs that finished.
    pub finished: usize,
    /// Codes with which statements and puts were refused, each once.
    pub refused: Vec<String>,
    /// Puts that were stored.
    pub stored: usize,
}

/// Nearly the largest cell that a dataset takes.
const CELL_BYTES: usize = 30 << 20;

/// Statements whose answers do not fit, by the engine that is to compute them.
const BOMBS: [(&str, &str); 3] = [
    ("batch", "SELECT REPEAT('x', 1000000) AS r FROM flights"),
    ("stream", "SELECT REPEAT('y', 1000000) AS r FROM flights"),
    (
        "batch",
        "SELECT REPEAT(REPEAT('z', 10000), 10000) AS r FROM flights",
    ),
];

/// What the jobs compute: much state, or much to sort and join.
const JOBS: [(&str, &str); 2] = [
    (
        "stream",
        "SELECT origin, dest, carrier, flight, COUNT(*) AS n FROM flights GROUP BY origin, dest, carrier, flight",
    ),
    (
        "batch",
        "SELECT a.origin, a.dest, a.tailnum, COUNT(*) AS n FROM flights a JOIN flights b \
         ON a.tailnum = b.tailnum AND a.dest = b.dest GROUP BY a.origin, a.dest, a.tailnum",
    ),
];

impl Crowd {
    /// Starts a server and everybody, one kind after another, and measures.
    pub fn measure(self) -> Step<Figures> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("data");
        let mut command = flinkspark(Build::Plain)?;
        command.args(serve(&data, "127.0.0.1:0")?);
        command.args(["--memory", self.memory]);
        let server = Server::launch(&mut command)?.ready()?;
        load(&server, "24h")?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let figures = threads.block_on(self.run(&server, dir.path()))?;
        drop(threads);
        // It lives, and answers as before.
        server.must(&["dataset", "list"])?;
        let (status, _) = server.terminate(Duration::from_secs(60))?;
        match status.success() {
            true => Ok(figures),
            false => Err(format!("the server ended with {status}").into()),
        }
    }

    async fn run(self, server: &Server, dir: &Path) -> Step<Figures> {
        let url = server.url();
        let memory = Sampler::start(server.pid());
        let mut stalled = Vec::with_capacity(self.stalled);
        let rows = Arc::new(AtomicU64::new(0));
        let mut live = Vec::with_capacity(self.live);
        for _ in 0..self.live {
            live.push(tokio::spawn(read_for_ever(url.clone(), Arc::clone(&rows))));
        }
        let alone = rate(&rows, self.window).await;
        eprintln!("alone: {alone:.0} rows/s, {} KiB", memory.most());
        for _ in 0..self.stalled {
            stalled.push(tokio::spawn(stall(url.clone())));
        }
        let beside_stalled = rate(&rows, self.window).await;
        let stalled_kib = memory.most();
        eprintln!("beside the stalled: {beside_stalled:.0} rows/s, {stalled_kib} KiB");
        let mut jobs = Vec::new();
        for number in 0..self.jobs {
            let (engine, query) = JOBS[number % JOBS.len()];
            let id = format!("job{number}");
            jobs.push((submit(server, dir, &id, engine, query)?, id));
        }
        let mut bombs = Vec::new();
        for (number, (engine, query)) in BOMBS.into_iter().take(self.bombs).enumerate() {
            let id = format!("bomb{number}");
            bombs.push((submit(server, dir, &id, engine, query)?, id));
        }
        let like = dir.join("blobs.arrow");
        write(&like, &[blobs(0)?])?;
        let like = like.to_str().ok_or("the path is text")?;
        server.must(&["dataset", "register", "blobs", "--like", like])?;
        // One for all of them: what is measured is not how they are made.
        let batch = blobs(self.put_bytes / CELL_BYTES)?;
        let puts = (0..self.puts).map(|_| tokio::spawn(put(url.clone(), batch.clone())));
        let puts: Vec<_> = puts.collect();
        let beside_all = rate(&rows, self.window).await;
        for reader in &mut live {
            if reader.is_finished() {
                return Err(reader.await?.err().unwrap_or_else(|| "it ended".into()));
            }
        }
        eprintln!("beside all: {beside_all:.0} rows/s, {} KiB", memory.most());
        let (mut refused, mut stored) = (Vec::new(), 0);
        for put in puts {
            match put.await? {
                Ok(()) => stored += 1,
                Err(why) => refused.push(why),
            }
        }
        eprintln!("puts: {stored} stored, {refused:?}, {} KiB", memory.most());
        live.iter().for_each(tokio::task::JoinHandle::abort);
        let finished = self.ended(server, jobs)?;
        eprintln!("jobs: {finished} finished, {} KiB", memory.most());
        for (mut client, id) in bombs {
            let shown = server.run(&["job", "show", &id, "-o", "json"])?;
            if shown.code == Some(0) && shown.json()?["state"] == "running" {
                server.must(&["job", "stop", &id])?;
            }
            client.wait()?;
            // What it was refused with, at once or in the end.
            let said = std::fs::read_to_string(dir.join(format!("{id}.err")))?;
            for text in [said, shown.out] {
                let code = text.find("FS").and_then(|at| text.get(at..at + 6));
                refused.extend(code.map(str::to_owned));
            }
        }
        for (number, reader) in stalled.iter_mut().enumerate() {
            if reader.is_finished() {
                let why = reader.await?.err().map(|why| why.to_string());
                return Err(format!("stalled reader {number} ended: {why:?}").into());
            }
        }
        stalled.iter().for_each(tokio::task::JoinHandle::abort);
        refused.sort_unstable();
        refused.dedup();
        Ok(Figures {
            alone,
            beside_stalled,
            beside_all,
            stalled_kib,
            most_kib: memory.stop()?,
            finished,
            refused,
            stored,
        })
    }

    /// How many jobs finished; one that failed is an error.
    fn ended(self, server: &Server, jobs: Vec<(Child, String)>) -> Step<usize> {
        let mut finished = 0;
        let since = Instant::now();
        for (mut client, id) in jobs {
            loop {
                let shown = server.must(&["job", "show", &id, "-o", "json"])?.json()?;
                match shown["state"].as_str() {
                    Some("finished") => finished += 1,
                    Some("failed") => return Err(format!("{id} failed: {shown}").into()),
                    _ if since.elapsed() < Duration::from_secs(600) => {
                        std::thread::sleep(Duration::from_millis(200));
                        continue;
                    }
                    _ => return Err(format!("{id} did not end: {shown}").into()),
                }
                break;
            }
            client.kill()?;
            client.wait()?;
        }
        Ok(finished)
    }
}

fn submit(server: &Server, dir: &Path, id: &str, engine: &str, query: &str) -> Step<Child> {
    let file = dir.join(format!("{id}.sql"));
    std::fs::write(&file, format!("INSERT INTO out_{id} {query}"))?;
    let mut command = flinkspark(Build::Plain)?;
    command.env("FLINKSPARK_URL", server.url());
    command.args(["job", "run"]).arg(file);
    command.args(["--on", engine, "--id", id, "--reconnect", "60s"]);
    let said = std::fs::File::create(dir.join(format!("{id}.err")))?;
    command.stdout(Stdio::null()).stderr(said);
    Ok(command.spawn()?)
}

/// A connection of its own, which takes no more than it reads.
async fn connect(url: String) -> Step<Client> {
    let endpoint = limits::endpoint(Endpoint::from_shared(url)?)
        .connect_timeout(Duration::from_secs(60))
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(64 << 10);
    Ok(Client::over(endpoint.connect().await?))
}

fn flights() -> ReadCommand {
    ReadCommand {
        dataset: "flights".into(),
        ..ReadCommand::default()
    }
}

/// Takes one batch, and then nothing for as long as it lives.
async fn stall(url: String) -> Step {
    let client = connect(url).await?;
    let info = client.info(&flights()).await?;
    let mut rows = client.get(&info);
    rows.next().await.ok_or("no rows")??;
    std::future::pending::<()>().await;
    drop(rows);
    Ok(())
}

async fn read_for_ever(url: String, rows: Arc<AtomicU64>) -> Step {
    let client = connect(url).await?;
    let info = client.info(&flights()).await?;
    loop {
        let mut batches = client.get(&info);
        while let Some(batch) = batches.next().await {
            rows.fetch_add(batch?.num_rows() as u64, Ordering::Relaxed);
        }
    }
}

/// Rows of one large cell each: every row is a message of its own.
fn blobs(rows: usize) -> Step<RecordBatch> {
    let schema = Schema::new(vec![Field::new("blob", DataType::LargeBinary, true)]);
    let cell = vec![7_u8; CELL_BYTES];
    let cells = std::iter::repeat_n(Some(cell.as_slice()), rows);
    let column = Arc::new(cells.collect::<LargeBinaryArray>());
    Ok(RecordBatch::try_new(Arc::new(schema), vec![column])?)
}

/// Puts large messages; the code with which it was refused.
async fn put(url: String, batch: RecordBatch) -> Result<(), String> {
    let told = |why: Failure| why.to_string();
    let client = connect(url).await.map_err(told)?;
    let request = BeginRequest {
        dataset: "blobs".into(),
        id: None,
        mode: Mode::Append,
    };
    let code = |error: flinkspark_bridge::parts::model::Error| error.code().to_owned();
    let txn = client.begin(&request).await.map_err(code)?.txn.to_string();
    let schema = batch.schema();
    let command = PutCommand {
        txn: txn.clone(),
        partition: 0,
        attempt: 0,
    };
    let batches = futures::stream::iter([Ok(batch)]).boxed();
    let receipt = client.put(&command, &schema, batches, &|_| {}).await;
    let receipt = receipt.map_err(code)?;
    client.commit(&txn, vec![receipt]).await.map_err(code)?;
    Ok(())
}

/// Rows in a second, over a while.
async fn rate(rows: &AtomicU64, window: Duration) -> f64 {
    // Who has just come is let in first.
    tokio::time::sleep(window / 2).await;
    let (before, since) = (rows.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(window).await;
    let got = rows.load(Ordering::Relaxed) - before;
    got as f64 / since.elapsed().as_secs_f64()
}

/// Reads a process's anonymous memory until it is stopped.
struct Sampler {
    over: Arc<AtomicBool>,
    most_kib: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Sampler {
    fn start(pid: u32) -> Self {
        let (over, most_kib) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (told, most) = (Arc::clone(&over), Arc::clone(&most_kib));
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
                let status = status.unwrap_or_default();
                let line = status
                    .lines()
                    .find_map(|line| line.strip_prefix("RssAnon:"));
                let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
                most.fetch_max(kib.unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            over,
            most_kib,
            thread,
        }
    }

    fn most(&self) -> u64 {
        self.most_kib.load(Ordering::Relaxed)
    }

    fn stop(self) -> Step<u64> {
        self.over.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| "the sampler's thread ended")?;
        Ok(self.most_kib.load(Ordering::Relaxed))
    }
}
