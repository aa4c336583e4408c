//! Child processes: started with their command line printed, timed, and never ignored.
//!
//! Invariant: a child that did not end with exit code 0 is a [`Failure`], unless the caller asked
//! for the code itself.

use std::fmt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Why a task failed, in words for a terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// The result of a task that has no answer but that it worked.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure that says `why`.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// For `map_err`: what was attempted, then the cause.
    pub(crate) fn while_doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |cause| Self(format!("{what}: {cause}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `cargo`, told to keep the lock file as it is.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments);
    command
}

/// Runs to the end with the terminal's own output; any exit code but 0 is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let code = exit_code(command)?;
    if code == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "`{}` ended with {code}",
            line(command)
        )))
    }
}

/// Runs to the end with the terminal's own output and gives the exit code; a signal counts as 101.
pub(crate) fn exit_code(command: &mut Command) -> Result<i32, Failure> {
    eprintln!("$ {}", line(command));
    quietly(command)
}

/// Runs to the end without a word of its own and gives the exit code; a signal counts as 101.
pub(crate) fn quietly(command: &mut Command) -> Result<i32, Failure> {
    let status = command
        .status()
        .map_err(Failure::while_doing(line(command)))?;
    Ok(status.code().unwrap_or(101))
}

/// Runs to the end and gives what was printed on stdout; stderr goes to the terminal.
pub(crate) fn stdout(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::while_doing(line(command)))?;
    if !output.status.success() {
        return Err(Failure::new(format!(
            "`{}` ended with {}",
            line(command),
            output.status
        )));
    }
    String::from_utf8(output.stdout).map_err(Failure::while_doing(line(command)))
}

/// The command as a person would type it, for messages only.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Does `work`, saying before it what it is and after it how long it took.
pub(crate) fn timed<T>(
    name: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    eprintln!("== {name}");
    let start = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!(
        "== {name}: {verdict} in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    result
}

/// A child's exit code as this process's own.
pub(crate) fn pass_on(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
