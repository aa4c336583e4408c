//! Somebody else's engine that keeps its own checkpoints, and its server, killed at every step.
//!
//! The engine is `python/engine.py`: plain pyarrow, and the functions of docs/flight.md. Each campaign has a dataset of
//! its own, which must end with the digest of the unfailed run.

use crate::interpreter;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark};
use flinkspark_integration_tests::random::Random;
use flinkspark_integration_tests::server::{Server, Started, serve};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Kills in one campaign.
const CAMPAIGN_KILLS: u64 = 10;
/// An engine that takes longer hangs.
const LIFE_LIMIT: Duration = Duration::from_secs(120);
/// Steps of the server on the way of a put and of a commit.
const STEPS: [&str; 11] = [
    "segment.write",
    "segment.seal.synced",
    "segment.seal.linked",
    "segment.seal.done",
    "log.create.staged",
    "log.create.synced",
    "log.create.linked",
    "log.create.done",
    "catalog.append.written",
    "catalog.append.synced",
    "catalog.index.applied",
];

#[test]
fn an_engine_that_keeps_its_own_checkpoints_is_exactly_once_under_kills() -> Step {
    kills(30, 11)
}

#[test]
#[ignore = "long: 300 kills"]
fn an_engine_that_keeps_its_own_checkpoints_is_exactly_once_under_300_kills() -> Step {
    kills(300, 7)
}

fn kills(count: u64, seed: u64) -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let empty = dir.path().join("rows.parquet");
    let empty = empty.to_str().ok_or("text")?;
    interpreter::python("python/engine.py", &["schema", empty])?;
    let mut campaign = Campaign {
        dir: dir.path(),
        data: &data,
        grpc: "127.0.0.1:0".into(),
        random: Random::new(seed),
        seed,
        life: 0,
        number: 0,
    };
    let expected = campaign.run(empty, 0)?;
    println!("seed {seed}: the unfailed run has {expected}");
    let mut killed = 0;
    while killed < count {
        campaign.number += 1;
        let kills = CAMPAIGN_KILLS.min(count - killed);
        let found = campaign.run(empty, kills)?;
        assert_eq!(
            found, expected,
            "campaign {} of seed {seed}",
            campaign.number
        );
        killed += kills;
    }
    println!(
        "{killed} kills in {} campaigns: lost 0, doubled 0, hung 0",
        campaign.number
    );
    Ok(())
}

struct Campaign<'a> {
    dir: &'a Path,
    data: &'a Path,
    /// Where every server listens, so that the engine finds the next one.
    grpc: String,
    random: Random,
    seed: u64,
    life: u64,
    number: u64,
}

impl Campaign<'_> {
    /// Runs an engine that is killed so often, and gives its dataset's digest.
    fn run(&mut self, schema: &str, kills: u64) -> Step<String> {
        let server = self.serve(None)?;
        let name = format!("engine_{}", self.number);
        server.must(&["dataset", "register", &name, "--like", schema])?;
        let mut server = Some(server);
        for _ in 0..kills {
            server = Some(self.kill(&name, server)?);
        }
        let server = server.ok_or("a server")?;
        let ended = wait(self.engine(&name, None)?)?;
        assert!(ended, "the last life of {name} did not end well");
        let shown = server
            .must(&["dataset", "show", &name, "-o", "json"])?
            .json()?;
        let digest = shown["digest"].as_str().ok_or("a digest")?.to_string();
        server.terminate(Duration::from_secs(30))?;
        Ok(digest)
    }

    /// A life that ends by a kill, and the server after it. One that has ended before is as good: the engine goes
    /// on from its end.
    fn kill(&mut self, name: &str, server: Option<Server>) -> Step<Server> {
        let alive = |server: Option<Server>| server.ok_or("a server");
        match self.random.below(3) {
            0 => {
                let step = 1 + self.random.below(120);
                wait(self.engine(name, Some(step))?)?;
                Ok(alive(server)?)
            }
            1 => {
                let engine = self.engine(name, None)?;
                std::thread::sleep(Duration::from_millis(200 + self.random.below(1500)));
                alive(server)?.kill()?;
                let server = self.serve(None)?;
                self.end(engine)?;
                Ok(server)
            }
            _ => {
                alive(server)?.kill()?;
                let step = STEPS[self.random.below(STEPS.len() as u64) as usize];
                let faults = format!("kill={step}:{}", 1 + self.random.below(25));
                let mut dying = self.serve(Some(&faults))?;
                let engine = self.engine(name, None)?;
                if dying.ended_within(Duration::from_secs(3))?.is_none() {
                    dying.kill()?;
                }
                let server = self.serve(None)?;
                self.end(engine)?;
                Ok(server)
            }
        }
    }

    /// The engine lives on beside the new server: to its end, or to a kill of its own.
    fn end(&mut self, mut engine: Child) -> Step {
        if self.random.below(2) == 0 {
            std::thread::sleep(Duration::from_millis(self.random.below(700)));
            engine.kill()?;
        }
        wait(engine)?;
        Ok(())
    }

    fn serve(&mut self, faults: Option<&str>) -> Step<Server> {
        let build = faults.map_or(Build::Plain, |_| Build::Faults);
        let mut command = flinkspark(build)?;
        command.args(serve(self.data, &self.grpc)?);
        if let Some(faults) = faults {
            command.env("FLINKSPARK_FAULTS", faults);
        }
        let server = match Server::launch(&mut command)? {
            Started::Ready(server) => server,
            // It died while it opened its data: the next one opens what it left.
            Started::Died(..) if faults.is_some() => return self.serve(None),
            died => died.ready()?,
        };
        self.grpc = server.grpc().into();
        Ok(server)
    }

    fn engine(&mut self, name: &str, die_at: Option<u64>) -> Step<Child> {
        self.life += 1;
        let mut command = Command::new(interpreter::interpreter()?);
        command.arg(crate::file("python/engine.py")?).arg("run");
        command.arg(format!("grpc://{}", self.grpc)).arg(name);
        command.arg(self.dir.join(name)).args(["--rows", "3000"]);
        command.args([
            "--seed",
            &self.seed.to_string(),
            "--life",
            &self.life.to_string(),
        ]);
        if let Some(step) = die_at {
            command.args(["--die-at", &step.to_string()]);
        }
        Ok(command.stdin(Stdio::null()).spawn()?)
    }
}

/// Whether a life ended well; one that was killed did not, and any other end is a bug.
fn wait(mut engine: Child) -> Step<bool> {
    let since = Instant::now();
    loop {
        if let Some(status) = engine.try_wait()? {
            let killed = status.signal() == Some(9);
            assert!(status.success() || killed, "the engine ended with {status}");
            return Ok(status.success());
        }
        if since.elapsed() > LIFE_LIMIT {
            engine.kill()?;
            engine.wait()?;
            return Err("the engine hangs".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
