//! Runs one test command, shows what it prints and reads it at the same time.
//!
//! Invariant: no run outlives its limit, and none hangs on a pipe that a grandchild keeps open.

use super::libtest::Report;
use crate::process;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long one test binary may take.
const RUN_SECONDS_MAX: u64 = 20 * 60;

/// How long it may take with the long tests.
const LONG_RUN_SECONDS_MAX: u64 = 6 * 60 * 60;

/// How long lines may still come after the process has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Lines that may wait between the reader and the terminal.
const LINES_WAITING_MAX: usize = 1024;

/// Runs to the end or to the limit.
pub(super) fn run(command: &mut Command, long: bool) -> Report {
    eprintln!("$ {}", abbreviated(command));
    let limit = Duration::from_secs(if long {
        LONG_RUN_SECONDS_MAX
    } else {
        RUN_SECONDS_MAX
    });
    match start(command) {
        Ok((child, lines)) => follow(child, &lines, limit),
        Err(cause) => Report::of_none(format!("did not start: {cause}")),
    }
}

/// The command without a selection of hundreds of names.
fn abbreviated(command: &Command) -> String {
    let line = process::line(command);
    match line.split_once(" --exact ") {
        Some((before, names)) => format!("{before} ({} tests)", names.split(' ').count()),
        None => line,
    }
}

fn start(command: &mut Command) -> std::io::Result<(Child, Receiver<String>)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let (sender, receiver) = sync_channel(LINES_WAITING_MAX);
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || read_lines(stdout, |line| sender.send(line).is_ok()));
    }
    Ok((child, receiver))
}

fn read_lines(output: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut reader = BufReader::new(output);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
        let line = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned();
        bytes.clear();
        if !take(line) {
            return;
        }
    }
}

fn follow(mut child: Child, lines: &Receiver<String>, limit: Duration) -> Report {
    let deadline = Instant::now() + limit;
    let mut report = Report::default();
    let mut last_blank = false;
    loop {
        match lines.recv_timeout(DRAIN) {
            Ok(line) => {
                if report.read(&line) && !(last_blank && line.is_empty()) {
                    println!("{line}");
                    last_blank = line.is_empty();
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if matches!(child.try_wait(), Ok(Some(_))) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() > deadline {
            report.broken = Some(format!(
                "was ended after its limit of {} s",
                limit.as_secs()
            ));
            // A child that cannot be killed has ended already.
            let _ = child.kill();
            break;
        }
    }
    let code = child.wait().ok().and_then(|status| status.code());
    report.finish(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_open_does_not_hang_the_run() {
        let start = Instant::now();
        let summary = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let report = run(
            &mut shell(&format!(
                "sleep 30 & echo 'test a ... ok'; echo '{summary}'"
            )),
            false,
        );
        assert_eq!(report.broken, None);
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_run_beyond_its_limit_is_ended_and_broken() {
        let (child, lines) = super::start(&mut shell("exec sleep 60")).unwrap();
        let report = follow(child, &lines, Duration::from_millis(10));
        assert!(report.broken.unwrap().contains("limit"));
    }

    #[test]
    fn a_command_that_is_not_there_is_broken() {
        assert!(
            run(&mut Command::new("/nowhere/at/all"), false)
                .broken
                .unwrap()
                .contains("did not start")
        );
    }
}
