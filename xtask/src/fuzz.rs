//! Fuzzes the targets of `fuzz/`: libFuzzer, guided by the compiler's coverage.
//!
//! Builds the driver with SanitizerCoverage, which the pinned compiler has, into a folder of its own below the
//! target folder, and runs as many targets at once as there are cores. What a run finds interesting stays below the
//! target folder and is where the next one begins. Invariant: a finding, or a target that ran nothing, is a failure.

use crate::process::{self, Failure, Outcome};
use crate::workspace::Workspace;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What `cargo xtask fuzz` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these targets: folders of fuzz/corpus
    targets: Vec<String>,
    /// For how long altogether; the targets share it
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Fixes the randomness; another one in each run without it
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// How many targets at once; as many as there are cores without it
    #[arg(long)]
    jobs: Option<usize>,
    /// Runs this one input through the one target instead
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

const PACKAGE: &str = "flinkspark-fuzz";

/// How the driver is compiled: every edge counts, and what is compared is seen.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The libraries whose edges say something of an input, beside the workspace's own crates.
const COVERED: [&str; 8] = [
    "arrow_data",
    "arrow_ipc",
    "arrow_schema",
    "flatbuffers",
    "lz4_flex",
    "parquet",
    "serde_json",
    "sqlparser",
];

/// The longest that one input may take, in seconds.
const INPUT_SECONDS_MAX: u32 = 10;
/// What the process may hold besides what the counting allocator counts, in MiB: a guard and no bound.
const PROCESS_MIB_MAX: u32 = 4096;

/// Builds the driver and runs it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Outcome {
    let kept = workspace.member(PACKAGE)?.folder.join("corpus");
    let known = names(&kept)?;
    let unknown = arguments.targets.iter().find(|name| !known.contains(name));
    if let Some(name) = unknown {
        let known = known.join(" ");
        return Err(Failure::new(format!("no target {name}; there are {known}")));
    }
    let chosen = match arguments.targets.is_empty() {
        true => known,
        false => arguments.targets.clone(),
    };
    let fuzz = Fuzz {
        driver: build(workspace, chosen.iter().any(|name| name == "sql"))?,
        kept,
        grown: folder(workspace),
    };
    if let Some(input) = &arguments.replay {
        let [name] = chosen.as_slice() else {
            return Err(Failure::new("an input is replayed through one target"));
        };
        return process::run(fuzz.command(name)?.arg(input));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or(cores).clamp(1, chosen.len());
    let seconds = (arguments.seconds * jobs as u64 / chosen.len() as u64).max(1);
    let seed = arguments.seed;
    let waiting = Mutex::new(VecDeque::from(chosen));
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(name) = next() {
                    if let Err(failure) = fuzz.target(&name, seconds, seed) {
                        eprintln!("{name}: {failure}");
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "found something in: {}",
            failed.join(" ")
        ))),
    }
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("fuzz")
}

/// Without statements the driver needs no DataFusion.
fn build(workspace: &Workspace, statements: bool) -> Result<PathBuf, Failure> {
    let version = process::stdout(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::new("rustc does not say what it runs on"))?;
    let target = folder(workspace);
    let itself = std::env::current_exe().map_err(Failure::while_doing("its own program"))?;
    // With a target that is named, build scripts and macros are compiled without the flags.
    let mut command = process::cargo(&["build", "--profile", "fuzz", "--target", host]);
    command
        .args(["--package", PACKAGE, "--no-default-features"])
        .args([
            "--features",
            if statements {
                "libfuzzer,sql"
            } else {
                "libfuzzer"
            },
        ])
        .env("RUSTC_WRAPPER", itself)
        .env("RUSTFLAGS", FLAGS)
        .env("CARGO_TARGET_DIR", &target);
    process::run(&mut command)?;
    Ok(target.join(host).join("fuzz").join(PACKAGE))
}

/// What cargo calls in the compiler's place while the driver is built: `None` where it was not cargo who called.
///
/// Only what [`COVERED`] names is compiled for coverage: the rest of the libraries would take twice as long.
pub(crate) fn compile(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let compiler = PathBuf::from(arguments.next()?);
    if compiler.file_stem()? != "rustc" {
        return None;
    }
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(compiler);
    command.args(uncovered(&arguments));
    Some(process::quietly(&mut command).map_or(ExitCode::FAILURE, process::pass_on))
}

/// The compiler's arguments, without those for coverage where none is wanted.
fn uncovered(arguments: &[OsString]) -> Vec<&OsString> {
    let named = arguments.windows(2).find(|pair| pair[0] == "--crate-name");
    let name = named.and_then(|pair| pair[1].to_str()).unwrap_or_default();
    let covered = name.starts_with("flinkspark") || COVERED.contains(&name);
    let wanted = |argument: &&OsString| {
        let text = argument.to_string_lossy();
        covered || !text.contains("sancov-module") && !text.contains("sanitizer-coverage")
    };
    arguments.iter().filter(wanted).collect()
}

/// The targets: each has a folder in the corpus.
fn names(corpus: &Path) -> Result<Vec<String>, Failure> {
    let failed = || Failure::while_doing(corpus.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(corpus).map_err(failed())? {
        names.extend(entry.map_err(failed())?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

struct Fuzz {
    driver: PathBuf,
    /// The corpus of the checkout.
    kept: PathBuf,
    /// Where everything lies that a run makes.
    grown: PathBuf,
}

impl Fuzz {
    /// A folder of one target's.
    fn place(&self, kind: &str, name: &str) -> Result<PathBuf, Failure> {
        let place = self.grown.join(kind).join(name);
        fs::create_dir_all(&place).map_err(Failure::while_doing(place.display()))?;
        Ok(place)
    }

    fn command(&self, name: &str) -> Result<Command, Failure> {
        let findings = self.place("findings", name)?;
        let mut command = Command::new(&self.driver);
        command
            .env("FLINKSPARK_FUZZ_TARGET", name)
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={PROCESS_MIB_MAX}"));
        Ok(command)
    }

    fn target(&self, name: &str, seconds: u64, seed: u32) -> Outcome {
        let (corpus, seeds) = (self.place("corpus", name)?, self.place("seeds", name)?);
        let log = self.place("logs", name)?.join("log");
        let output = File::create(&log).map_err(Failure::while_doing(log.display()))?;
        let mut command = self.command(name)?;
        command
            .env("FLINKSPARK_FUZZ_SEEDS", &seeds)
            .args([
                "-print_final_stats=1",
                "-max_len=65536",
                "-use_value_profile=1",
            ])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-seed={seed}"))
            .args([&corpus, &seeds, &self.kept.join(name)])
            .stderr(output);
        let code = process::exit_code(&mut command)?;
        let text = fs::read(&log).map_err(Failure::while_doing(log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let ran = Ran::of(&text);
        println!("{name}: {ran}");
        if code == 0 && ran.inputs > 0 {
            return Ok(());
        }
        let mut why = format!("ended with {code}; its output is {}", log.display());
        if let Some(input) = written(&text) {
            let replay = format!("cargo xtask fuzz {name} --replay {input}");
            why.push_str(&format!(
                "\n  the input is {input}\n  replay it with: {replay}"
            ));
        }
        Err(Failure::new(why))
    }
}

/// What a run says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ran {
    inputs: u64,
    edges: u64,
    features: u64,
    kept: u64,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            inputs,
            edges,
            features,
            kept,
        } = self;
        write!(
            f,
            "{inputs} inputs, {edges} edges, {features} features, {kept} inputs kept"
        )
    }
}

impl Ran {
    fn of(log: &str) -> Self {
        let mut ran = Self::default();
        for line in log.lines() {
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            if first == "stat::number_of_executed_units:" {
                ran.inputs = words
                    .next()
                    .and_then(|count| count.parse().ok())
                    .unwrap_or(0);
            } else if let Some(inputs) =
                first.strip_prefix('#').and_then(|count| count.parse().ok())
            {
                ran.inputs = inputs;
                let words: Vec<&str> = words.collect();
                for pair in words.windows(2) {
                    let number = pair[1]
                        .split('/')
                        .next()
                        .and_then(|count| count.parse().ok());
                    match (pair[0], number) {
                        ("cov:", Some(edges)) => ran.edges = edges,
                        ("ft:", Some(features)) => ran.features = features,
                        ("corp:", Some(kept)) => ran.kept = kept,
                        _ => {}
                    }
                }
            }
        }
        ran
    }
}

/// Where a finding's input lies.
fn written(log: &str) -> Option<&str> {
    log.lines()
        .find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Seed: 1\n#2\tINITED cov: 7 ft: 8 corp: 1/1b exec/s: 0 rss: 26Mb\n\
        #1024\tNEW    cov: 10 ft: 12 corp: 3/2048b lim: 4 exec/s: 0 rss: 26Mb L: 2/4 MS: 1 ChangeBit-\n\
        artifact_prefix='/t/'; Test unit written to /t/crash-00\nBase64: AA==\n\
        stat::number_of_executed_units: 2000\nstat::peak_rss_mb: 30\n";

    #[test]
    fn only_what_is_named_is_compiled_for_coverage() {
        let count = |name: &str| {
            let arguments = [
                "--crate-name",
                name,
                "-Cpasses=sancov-module",
                "-Cdebuginfo=0",
            ];
            uncovered(&arguments.map(OsString::from)).len()
        };
        assert_eq!(count("parquet"), 4);
        assert_eq!(count("flinkspark_model"), 4);
        assert_eq!(count("tokio"), 3);
        assert!(compile(["fuzz".into(), "csv".into()].into_iter()).is_none());
    }

    #[test]
    fn a_log_says_how_much_ran_and_where_a_finding_lies() {
        let ran = Ran {
            inputs: 2000,
            edges: 10,
            features: 12,
            kept: 3,
        };
        assert_eq!(Ran::of(LOG), ran);
        assert_eq!(written(LOG), Some("/t/crash-00"));
        assert_eq!(Ran::of(""), Ran::default());
        assert_eq!(written(""), None);
    }
}
