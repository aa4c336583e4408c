//! Everything that is judged without running the code.
//!
//! Cheap checks come first, so that a slip shows in seconds.

use crate::process::{self, Outcome};
use crate::profile::QUICK;
use crate::workspace::Workspace;
use crate::{codegen, deny, steps, tidy};

/// Runs every check; the first that fails ends the run.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    steps(&[
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
