//! Python scripts of this crate, run with pyarrow or a peer in an environment of its own.

use flinkspark_integration_tests::Step;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a script with pyarrow to its end, which must be 0, and shows what it prints.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Step {
    run(&interpreter()?, script, arguments)
}

/// The interpreter that has pyarrow.
pub(crate) fn interpreter() -> Step<PathBuf> {
    set("FLINKSPARK_PYTHON")
}

/// Runs a script in the environment of a peer to its end, which must be 0, and shows what it prints.
pub(crate) fn peer(peer: &str, script: &str, arguments: &[&str]) -> Step {
    let interpreter = set("FLINKSPARK_PEERS")?.join(peer).join("bin/python");
    run(&interpreter, script, arguments)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test command says where the interpreters are"
)]
fn set(name: &str) -> Step<PathBuf> {
    let path = std::env::var_os(name).map(PathBuf::from);
    path.ok_or_else(|| format!("{name} is not set: run `cargo xtask test system`").into())
}

fn run(interpreter: &Path, script: &str, arguments: &[&str]) -> Step {
    let output = Command::new(interpreter)
        .arg(crate::file(script)?)
        .args(arguments)
        .output()?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    print!("{text}");
    assert!(output.status.success(), "{text}");
    Ok(())
}
