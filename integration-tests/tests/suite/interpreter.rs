//! Python scripts of this crate, run with pyarrow in an environment of their own.

use flinkspark_integration_tests::Step;
use std::process::Command;

/// Runs a script to its end, which must be 0, and shows what it prints.
#[expect(
    clippy::disallowed_methods,
    reason = "the test command says where the interpreter is"
)]
pub(crate) fn python(script: &str, arguments: &[&str]) -> Step {
    let python = std::env::var_os("FLINKSPARK_PYTHON")
        .ok_or("FLINKSPARK_PYTHON is not set: run `cargo xtask test system`")?;
    let output = Command::new(&python)
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
