//! `cargo deny`: installed once beside the target folder, then asked for licences, bans, sources.
//!
//! Advisories are not asked for: their database comes from a host that a build machine may not
//! reach. `cargo deny check advisories` reads the same `deny.toml` where there is a network.

use crate::process::{self, Failure, Outcome};
use crate::workspace::Workspace;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The version that is installed and expected.
const VERSION: &str = "0.20.2";

/// Installs what is missing, then checks.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let program = installed(workspace)?;
    process::run(Command::new(program).args([
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))?;
    eprintln!(
        "advisories were not checked: run `cargo deny check advisories` where its database can be fetched"
    );
    Ok(())
}

fn installed(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let root = workspace.tools();
    let program = root.join("bin/cargo-deny");
    if version(&program).as_deref() == Some(VERSION) {
        return Ok(program);
    }
    let scratch = root.join("cargo-deny-build");
    // An unoptimised build takes a quarter of the time, and the check itself seconds.
    let mut command = process::cargo(&[
        "install",
        "cargo-deny",
        "--version",
        VERSION,
        "--locked",
        "--debug",
        "--force",
    ]);
    command
        .arg("--root")
        .arg(&root)
        .arg("--target-dir")
        .arg(&scratch)
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    process::run(&mut command)?;
    std::fs::remove_dir_all(&scratch).map_err(Failure::while_doing(scratch.display()))?;
    Ok(program)
}

/// The version of the program at the path, if there is one that works.
fn version(program: &PathBuf) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().strip_prefix("cargo-deny ")?.to_owned())
}
