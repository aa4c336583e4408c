//! Somebody else's engine that keeps its own checkpoints, and its server, killed at every step.
//!
//! The engines are `python/engine.py`, which goes Flink's way, and `python/batched_engine.py`, which goes Spark's: plain pyarrow,
//! and the functions of docs/flight.md. Each has half of the kills, and each campaign a dataset of its own, which must end with
//! the digest of the unfailed run: both engines have the same input.

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
const CAMPAIGN_KILLS: u64 = 8;
/// The engines, by what they are called and their scripts.
const ENGINES: [(&str, &str); 2] = [
    ("checkpoints", "python/engine.py"),
    ("batches", "python/batched_engine.py"),
];
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
        script: ENGINES[0].1,
    };
    let (expected, _) = campaign.run(empty, 0)?;
    println!("seed {seed}: the unfailed run has {expected}");
    for (engine, script) in ENGINES {
        campaign.script = script;
        let share = count / ENGINES.len() as u64;
        let mut killed = 0;
        while killed < share {
            campaign.number += 1;
            let (found, kills) = campaign.run(empty, CAMPAIGN_KILLS.min(share - killed))?;
            let number = campaign.number;
            assert_eq!(found, expected, "campaign {number} of seed {seed}");
            println!("campaign {number}: {engine}, {kills} kills, digest identical");
            killed += kills;
        }
        println!("{engine}: {killed} kills, lost 0, doubled 0, hung 0");
    }
    Ok(())
}

/// How a life ended.
struct Life {
    server: Server,
    kills: u64,
    /// Whether the engine has come to the end of its input.
    ended: bool,
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
    /// The engine that runs.
    script: &'static str,
}

impl Campaign<'_> {
    /// Runs an engine that is killed so often, or until a life of it has come to the end; gives its dataset's digest
    /// and the kills.
    fn run(&mut self, schema: &str, kills: u64) -> Step<(String, u64)> {
        let mut server = self.serve(None)?;
        let name = format!("engine_{}", self.number);
        server.must(&["dataset", "register", &name, "--like", schema])?;
        let (mut killed, mut ended) = (0, false);
        while killed < kills && !ended {
            let life = self.kill(&name, server)?;
            (server, ended) = (life.server, life.ended);
            killed += life.kills;
        }
        let ended = wait(self.engine(&name, None)?)?;
        assert!(ended, "the last life of {name} did not end well");
        let shown = server.must(&["dataset", "show", &name, "-o", "json"])?;
        let digest = shown.json()?["digest"].as_str().ok_or("a digest")?.into();
        server.terminate(Duration::from_secs(30))?;
        Ok((digest, killed))
    }

    /// A life in which the engine is killed at a step, or its server at a moment or at a step and then perhaps the engine.
    fn kill(&mut self, name: &str, server: Server) -> Step<Life> {
        if self.random.below(3) == 0 {
            let step = 1 + self.random.below(120);
            let ended = wait(self.engine(name, Some(step))?)?;
            let kills = u64::from(!ended);
            return Ok(Life {
                server,
                kills,
                ended,
            });
        }
        let (dying, mut engine) = match self.random.below(2) {
            0 => (server, self.engine(name, None)?),
            _ => {
                server.terminate(Duration::from_secs(30))?;
                let step = STEPS[self.random.below(STEPS.len() as u64) as usize];
                let faults = format!("kill={step}:{}", 1 + self.random.below(25));
                let server = self.serve(Some(&faults))?;
                (server, self.engine(name, None)?)
            }
        };
        std::thread::sleep(Duration::from_millis(300 + self.random.below(900)));
        let was_alive = engine.try_wait()?.is_none();
        dying.kill()?;
        let server = self.serve(None)?;
        let mut kills = u64::from(was_alive);
        if self.random.below(2) == 0 {
            std::thread::sleep(Duration::from_millis(self.random.below(300)));
            kills += u64::from(engine.try_wait()?.is_none());
            engine.kill()?;
        }
        let ended = wait(engine)?;
        Ok(Life {
            server,
            kills,
            ended,
        })
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
        command.arg(crate::file(self.script)?).arg("run");
        command.arg(format!("grpc://{}", self.grpc)).arg(name);
        command.arg(self.dir.join(name)).args(["--rows", "20000"]);
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
