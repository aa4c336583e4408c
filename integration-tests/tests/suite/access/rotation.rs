//! Certificates and tokens change while rows go in and out, and no call is dropped.

use super::{certificate, over_tls};
use flinkspark_bridge::client::{Address, Client};
use flinkspark_bridge::parts::connector::flight::body::{BeginRequest, PutCommand, ReadCommand};
use flinkspark_bridge::parts::model::Result;
use flinkspark_bridge::parts::model::port::Mode;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark, must};
use flinkspark_integration_tests::server::Server;
use futures::{StreamExt, TryStreamExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A bridge over TLS, its tokens and what its clients trust.
struct Bench {
    server: Server,
    dir: tempfile::TempDir,
}

impl Bench {
    fn start() -> Step<Self> {
        let dir = tempfile::tempdir()?;
        for name in ["in-use", "next"] {
            certificate(&dir.path().join(name))?;
        }
        let certs = ["in-use", "next"]
            .map(|name| std::fs::read_to_string(dir.path().join(name).join("cert.pem")));
        let [one, other] = certs;
        std::fs::write(dir.path().join("trusted.pem"), one? + &other?)?;
        let mut command = over_tls(&dir.path().join("data"), &dir.path().join("in-use"), &[])?;
        let server = Server::launch(&mut command)?.ready()?;
        Ok(Self { server, dir })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self) -> String {
        format!("https://{}", self.server.grpc())
    }

    fn admin(&self, arguments: &[&str]) -> Step<String> {
        let mut command = flinkspark(Build::Plain)?;
        command
            .args(["--url", &self.url(), "--tls-ca"])
            .arg(self.file("trusted.pem"));
        if self.file("data/admin.token").exists() {
            command
                .arg("--token-file")
                .arg(self.file("data/admin.token"));
        }
        Ok(must(command.args(arguments))?.out)
    }

    fn at(&self) -> Address {
        Address {
            token_file: Some(self.file("loader")),
            tls_ca: Some(self.file("trusted.pem")),
            ..Address::from(self.url().as_str())
        }
    }

    /// Gives the loader another token, and takes the old ones away once it is there.
    fn rotate_token(&self, rounds: &[AtomicU64]) -> Step {
        let before: serde_json::Value =
            serde_json::from_str(&self.admin(&["-o", "json", "token", "list"])?)?;
        let secret = self.admin(&["token", "create", "loader", "--grant", "web:read,write"])?;
        replace(&self.file("loader"), &secret)?;
        // Whoever has read the old one gets to the end of what it is used for.
        let now: Vec<u64> = rounds
            .iter()
            .map(|round| round.load(Ordering::Relaxed))
            .collect();
        let is_used = || {
            let mut pairs = rounds.iter().zip(&now);
            pairs.any(|(round, now)| round.load(Ordering::Relaxed) < now + 2)
        };
        let began = Instant::now();
        while is_used() && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        for token in before.as_array().into_iter().flatten() {
            let id = token["id"].as_str().ok_or("a token has an id")?;
            self.admin(&["token", "revoke", id])?;
        }
        Ok(())
    }
}

/// A file changes as a whole.
fn replace(path: &Path, text: &str) -> Step {
    let aside = path.with_extension("new");
    std::fs::write(&aside, text)?;
    Ok(std::fs::rename(aside, path)?)
}

async fn put(at: &Address) -> Result<()> {
    let client = Client::connect(at).await?;
    let read = ReadCommand {
        dataset: "web.clicks".into(),
        ..ReadCommand::default()
    };
    let schema = client.flight.info(&read).await?.schema;
    let begin = BeginRequest {
        dataset: "web.clicks".into(),
        id: None,
        mode: Mode::Append,
    };
    let txn = client.flight.begin(&begin).await?.txn.to_string();
    let command = PutCommand {
        txn: txn.clone(),
        partition: 0,
        attempt: 0,
    };
    let batch = arrow_array::RecordBatch::new_empty(Arc::clone(&schema));
    let rows = futures::stream::iter([Ok(batch)]).boxed();
    let receipt = client.flight.put(&command, &schema, rows, &|_| {}).await?;
    client.flight.commit(&txn, vec![receipt]).await.map(drop)
}

async fn get(at: &Address) -> Result<()> {
    let client = Client::connect(at).await?;
    let read = ReadCommand {
        dataset: "web.clicks".into(),
        ..ReadCommand::default()
    };
    let info = client.flight.info(&read).await?;
    let rows: Vec<arrow_array::RecordBatch> = client.flight.get(&info).try_collect().await?;
    assert!(!rows.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificates_and_tokens_change_under_load_without_a_dropped_call() -> Step {
    let bench = Arc::new(Bench::start()?);
    let flights = crate::file("data/flights.parquet")?;
    bench.admin(&["transfer", &flights, "dataset://web.clicks"])?;
    std::fs::write(
        bench.file("loader"),
        bench.admin(&["token", "create", "loader", "--grant", "web:read,write"])?,
    )?;
    let going = Arc::new(AtomicBool::new(true));
    let counts: Arc<[AtomicU64; 4]> = Arc::default();
    let mut loops = Vec::new();
    for which in 0..4 {
        let (at, going, counts) = (bench.at(), Arc::clone(&going), Arc::clone(&counts));
        loops.push(tokio::spawn(async move {
            while going.load(Ordering::Relaxed) {
                match which % 2 {
                    0 => put(&at).await?,
                    _ => get(&at).await?,
                }
                counts[which].fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), flinkspark_bridge::parts::model::Error>(())
        }));
    }
    let (rotating, rounds) = (Arc::clone(&bench), Arc::clone(&counts));
    let rotated = tokio::task::spawn_blocking(move || {
        for _ in 0..4 {
            rotating
                .rotate_token(&*rounds)
                .map_err(|error| error.to_string())?;
            swap(&rotating).map_err(|error| error.to_string())?;
            std::thread::sleep(Duration::from_millis(2_500));
        }
        Ok::<(), String>(())
    });
    rotated.await??;
    going.store(false, Ordering::Relaxed);
    for one in loops {
        one.await??;
    }
    let of = |which: usize| counts[which].load(Ordering::Relaxed);
    let (puts, gets) = (of(0) + of(2), of(1) + of(3));
    println!("4 tokens and 4 certificates changed over {puts} puts and {gets} gets");
    assert!(puts > 20 && gets > 20, "{puts} puts, {gets} gets");
    Ok(())
}

/// Puts the other certificate and key in the place of those in use.
fn swap(bench: &Bench) -> Step {
    for name in ["key.pem", "cert.pem"] {
        let (used, next) = (
            bench.file("in-use").join(name),
            bench.file("next").join(name),
        );
        let (one, other) = (
            std::fs::read_to_string(&used)?,
            std::fs::read_to_string(&next)?,
        );
        replace(&next, &one)?;
        replace(&used, &other)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not_and_is_said() -> Step {
    let bench = Bench::start()?;
    let only = |name: &str| Address {
        tls_ca: Some(bench.file(name)),
        ..Address::from(bench.url().as_str())
    };
    std::fs::copy(bench.file("in-use/cert.pem"), bench.file("old.pem"))?;
    std::fs::copy(bench.file("next/cert.pem"), bench.file("new.pem"))?;
    Client::connect(only("old.pem")).await?;
    assert!(Client::connect(only("new.pem")).await.is_err());
    swap(&bench)?;
    within(async || Client::connect(only("new.pem")).await.is_ok()).await?;
    assert!(Client::connect(only("old.pem")).await.is_err());
    let key = std::fs::read_to_string(bench.file("in-use/key.pem"))?;
    replace(&bench.file("in-use/key.pem"), "no key")?;
    let ready = || -> Step<String> {
        let output = std::process::Command::new("curl")
            .args(["--silent", "--cacert"])
            .arg(bench.file("new.pem"))
            .arg(format!("https://{}/readyz", bench.server.http()))
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    within(async || ready().is_ok_and(|text| text.contains("FS1111"))).await?;
    assert!(ready()?.contains("\"ready\":true"), "{}", ready()?);
    Client::connect(only("new.pem")).await?;
    replace(&bench.file("in-use/key.pem"), &key)?;
    within(async || ready().is_ok_and(|text| text.contains("\"damaged\":[]"))).await?;
    Client::connect(only("new.pem")).await.map(drop)?;
    Ok(())
}

/// Waits until something holds, for a few looks of the server at its files.
async fn within(holds: impl AsyncFn() -> bool) -> Step {
    for _ in 0..100 {
        if holds().await {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("it did not come to hold within ten seconds".into())
}
