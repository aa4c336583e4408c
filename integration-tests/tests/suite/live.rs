//! A writer, a follower and a reader live with one dataset while each of them is killed, and their server too.
//!
//! They are `python/live.py`: plain pyarrow, and the functions of docs/flight.md. Each must have been given each row once
//! and in order, and what a server holds must not grow with what has passed through it.

use crate::interpreter;
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::random::Random;
use flinkspark_integration_tests::server::Server;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROLES: [&str; 3] = ["writer", "follower", "reader"];
const SCRIPT: &str = "python/live.py";
const DATASET: &str = "live";
/// Epochs a second.
const RATE: &str = "20";
/// How long whoever was killed stays away, at most.
const AWAY_MS: u64 = 400;
/// How long everybody may take to end once the writer has.
const END_LIMIT: Duration = Duration::from_secs(60);
/// After so many seconds what a server holds has settled.
const SETTLED_S: usize = 60;
/// Lives of a server that are shorter say nothing of its memory.
const JUDGED_S: usize = 120;
/// What the second half of a life may hold beyond the first: a part of it, and so much besides for the slots that came.
const GROWTH_PERCENT: u64 = 15;
const GROWTH_KIB: u64 = 8 << 10;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// One of [`ROLES`].
    Role(usize),
    Server,
    Everybody,
}

/// What becomes of a run.
struct Plan {
    seed: u64,
    seconds: u64,
    /// From one kill of a role to the next, at least and at most.
    pause_ms: (u64, u64),
    /// When the server is killed, and when everybody is, in seconds.
    server_at: &'static [u64],
    everybody_at: u64,
}

#[test]
fn each_row_comes_once_and_in_order_whoever_is_killed() -> Step {
    run(&Plan {
        seed: 5,
        seconds: 24,
        pause_ms: (600, 1800),
        server_at: &[5, 17],
        everybody_at: 11,
    })
}

#[test]
#[ignore = "long: ten minutes, from 2026-11-28 on"]
fn each_row_comes_once_and_in_order_for_ten_minutes_and_memory_stays_flat() -> Step {
    run(&Plan {
        seed: 6,
        seconds: 600,
        pause_ms: (2000, 6000),
        server_at: &[20, 45, 220],
        everybody_at: 75,
    })
}

/// Every kill of a run, in order; none in its last two seconds.
fn schedule(plan: &Plan) -> Vec<(Duration, Who)> {
    let mut random = Random::new(plan.seed);
    let seconds = |at: &u64| Duration::from_secs(*at);
    let mut kills: Vec<(Duration, Who)> = Vec::new();
    kills.extend(plan.server_at.iter().map(|at| (seconds(at), Who::Server)));
    kills.push((seconds(&plan.everybody_at), Who::Everybody));
    let (least, most) = plan.pause_ms;
    let mut at_ms = least + 1000;
    while at_ms < (plan.seconds - 2) * 1000 {
        let role = random.below(ROLES.len() as u64) as usize;
        kills.push((Duration::from_millis(at_ms), Who::Role(role)));
        at_ms += least + random.below(most - least);
    }
    kills.sort_by_key(|(at, _)| *at);
    kills
}

fn run(plan: &Plan) -> Step {
    let dir = tempfile::tempdir()?;
    let mut live = Live::start(dir.path(), plan.seed)?;
    let since = Instant::now();
    for (at, who) in schedule(plan) {
        live.until(since + at)?;
        live.kill(who)?;
    }
    live.until(since + Duration::from_secs(plan.seconds))?;
    live.end()?;
    let took = since.elapsed();
    println!(
        "seed {}: {took:.1?}; kills: {}",
        plan.seed,
        live.kills_said()
    );
    live.check()?;
    flat(&live.lives)
}

/// Says what each server held, and fails where one that lived long enough held more and more.
fn flat(lives: &[Vec<u64>]) -> Step {
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
    for (number, life) in lives.iter().enumerate() {
        let number = number + 1;
        if life.len() < JUDGED_S {
            let (seconds, most) = (life.len(), most(life));
            println!("server {number}: {seconds} s, anonymous memory at most {most} KiB");
            continue;
        }
        let (settling, rest) = life.split_at(SETTLED_S);
        let (first, second) = rest.split_at(rest.len() / 2);
        let (settling, first, second) = (most(settling), most(first), most(second));
        let limit = first + first * GROWTH_PERCENT / 100 + GROWTH_KIB;
        println!(
            "server {number}: {} s, anonymous memory at most {settling} KiB in the first minute, {first} in the half after it, {second} in the other (limit {limit})",
            life.len()
        );
        assert!(second <= limit, "server {number} holds more and more");
    }
    Ok(())
}

/// A client in a process of its own; gone when it is dropped.
struct Role {
    child: Child,
    lives: u64,
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Live {
    data: PathBuf,
    /// What the roles keep.
    state: PathBuf,
    /// Where every server listens.
    grpc: String,
    /// None only while it is killed.
    server: Option<Server>,
    roles: Vec<Role>,
    random: Random,
    /// Of each role, and of the server.
    kills: [u64; 4],
    /// The anonymous memory of each server, in KiB, second by second.
    lives: Vec<Vec<u64>>,
    sampled: Instant,
}

impl Live {
    fn start(dir: &Path, seed: u64) -> Step<Self> {
        let empty = dir.join("rows.parquet");
        let empty = empty.to_str().ok_or("text")?;
        interpreter::python(SCRIPT, &["schema", empty])?;
        let data = dir.join("data");
        let server = Server::start(&data)?;
        server.must(&["dataset", "register", DATASET, "--like", empty])?;
        let mut live = Self {
            data,
            state: dir.join("state"),
            grpc: server.grpc().into(),
            server: Some(server),
            roles: Vec::new(),
            random: Random::new(seed),
            kills: [0; 4],
            lives: vec![Vec::new()],
            sampled: Instant::now(),
        };
        for role in 0..ROLES.len() {
            live.roles.push(live.role(role, 1)?);
        }
        Ok(live)
    }

    fn command(&self, role: &str) -> Step<Vec<String>> {
        let state = self.state.to_str().ok_or("text")?;
        let url = format!("grpc://{}", self.grpc);
        Ok([role, &url, DATASET, state].map(String::from).into())
    }

    fn role(&self, role: usize, lives: u64) -> Step<Role> {
        let mut command = Command::new(interpreter::interpreter()?);
        command.arg(crate::file(SCRIPT)?);
        command.args(self.command(ROLES[role])?);
        command.args(["--rate", RATE, "--life", &lives.to_string()]);
        let child = command.stdin(Stdio::null()).spawn()?;
        Ok(Role { child, lives })
    }

    /// Lets them live until then, and looks after them.
    fn until(&mut self, then: Instant) -> Step {
        while Instant::now() < then {
            for (role, name) in self.roles.iter_mut().zip(ROLES) {
                if let Some(status) = role.child.try_wait()? {
                    return Err(format!("the {name} ended with {status}").into());
                }
            }
            self.sample()?;
            let left = then.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        Ok(())
    }

    /// Once a second.
    fn sample(&mut self) -> Step {
        if self.sampled.elapsed() >= Duration::from_secs(1)
            && let (Some(server), Some(life)) = (&self.server, self.lives.last_mut())
        {
            life.push(server.memory_kib("RssAnon:")?);
            self.sampled = Instant::now();
        }
        Ok(())
    }

    /// Kills with SIGKILL, and starts anew a little later.
    fn kill(&mut self, who: Who) -> Step {
        let (roles, server) = match who {
            Who::Role(role) => (vec![role], false),
            Who::Server => (vec![], true),
            Who::Everybody => ((0..ROLES.len()).collect(), true),
        };
        for role in &roles {
            self.roles[*role].child.kill()?;
            self.roles[*role].child.wait()?;
            self.kills[*role] += 1;
        }
        if let Some(server) = self.server.take_if(|_| server) {
            server.kill()?;
            self.kills[ROLES.len()] += 1;
        }
        std::thread::sleep(Duration::from_millis(self.random.below(AWAY_MS)));
        if self.server.is_none() {
            self.server = Some(Server::start_at(&self.data, &self.grpc)?);
            self.lives.push(Vec::new());
        }
        for role in roles {
            self.roles[role] = self.role(role, self.roles[role].lives + 1)?;
        }
        Ok(())
    }

    /// Tells them that it is over, and waits until each has ended well.
    fn end(&mut self) -> Step {
        std::fs::write(self.state.join("stop"), "")?;
        let since = Instant::now();
        for (role, name) in self.roles.iter_mut().zip(ROLES) {
            let status = loop {
                match role.child.try_wait()? {
                    Some(status) => break status,
                    None if since.elapsed() > END_LIMIT => {
                        return Err(format!("the {name} does not end").into());
                    }
                    None => std::thread::sleep(Duration::from_millis(20)),
                }
            };
            assert!(status.success(), "the {name} ended with {status}");
        }
        Ok(())
    }

    fn check(&self) -> Step {
        let command = self.command("check")?;
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        interpreter::python(SCRIPT, &command)
    }

    fn kills_said(&self) -> String {
        let names = ROLES.iter().chain(&["server"]);
        let said = names
            .zip(self.kills)
            .map(|(name, kills)| format!("{name} {kills}"));
        said.collect::<Vec<_>>().join(", ")
    }
}
