//! Everything that is judged without running the code.
//!
//! Cheap checks come first, so that a slip shows in seconds.

use crate::process::{self, Failure, Outcome};
use crate::profile::QUICK;
use crate::workspace::Workspace;
use crate::{codegen, deny, tidy};

/// One check: its name, and what does it.
type Check<'a> = (&'a str, &'a dyn Fn() -> Outcome);

/// Runs every check, also after one has failed: whoever mends one wants to know of all.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    all(&[
        ("format", &|| {
            process::run(&mut process::cargo(&["fmt", "--all", "--check"]))
        }),
        ("tidy", &|| tidy::run(workspace)),
        ("clippy with fail points", &|| {
            clippy(&["--features", "faults"])
        }),
        ("clippy as users build", &|| clippy(&[])),
        ("generated code", &|| {
            codegen::run(workspace, &codegen::Arguments { check: true })
        }),
        ("licences, bans, sources", &|| deny::run(workspace)),
    ])
}

fn clippy(features: &[&str]) -> Outcome {
    let mut command = process::cargo(&["clippy", "--workspace", "--all-targets"]);
    command
        .args(QUICK)
        .args(features)
        .args(["--", "-D", "warnings"]);
    process::run(&mut command)
}

fn all(checks: &[Check<'_>]) -> Outcome {
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(failure) = process::timed(name, check) {
            eprintln!("{name}: {failure}");
            failed.push(*name);
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "lint found fault with: {}",
            failed.join("; ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn every_check_runs_and_every_failure_is_named() {
        let ran = Cell::new(0);
        let good = || {
            ran.set(ran.get() + 1);
            Ok(())
        };
        let bad = || Err(Failure::new("no"));
        assert!(all(&[("a", &good)]).is_ok());
        let failure = all(&[("b", &bad), ("c", &good), ("d", &bad)]).unwrap_err();
        assert_eq!(failure.to_string(), "lint found fault with: b; d");
        assert_eq!(ran.get(), 2);
    }
}
