//! A Python environment of its own for the tests that act as somebody else's Flight client.
//!
//! Made once, beside the target folder, from the package index. Invariant: an environment without
//! its mark was not finished and is made again.

use crate::process::{self, Failure};
use crate::workspace::Workspace;
use std::path::PathBuf;
use std::process::Command;

/// The one package that is installed: nothing of FlinkSpark is.
const PACKAGE: &str = "pyarrow==26.0.1";

/// The environment's interpreter.
pub(super) fn environment(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.tools().join(PACKAGE.replace("==", "-"));
    let (python, mark) = (folder.join("bin/python"), folder.join("complete"));
    if !mark.exists() {
        process::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
        )?;
        process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
        std::fs::write(&mark, PACKAGE).map_err(Failure::while_doing(mark.display()))?;
    }
    Ok(python)
}
