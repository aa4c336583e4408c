//! Python environments for what acts as somebody else's program, in tests and benchmarks: one for each peer.
//!
//! Made once, beside the target folder, from the package index, with the versions that stand in
//! `integration-tests/python/peers/requirements`. Invariant: an environment whose mark is not of these
//! versions was not finished, or is of others, and is made again.

use crate::process::{self, Failure};
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peers, which are also the names of their files of requirements.
const PEERS: [&str; 6] = [
    "pyarrow",
    "fastavro",
    "polars",
    "duckdb",
    "thriftpy2",
    "pyspark",
];

/// What the peers' scripts and requirements lie in.
const FOLDER: &str = "integration-tests/python/peers";

/// The folder in which each peer's environment has the peer's name.
pub(crate) fn environments(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.tools().join("peers");
    let scripts = workspace.root.join(FOLDER);
    for peer in PEERS {
        environment(&folder.join(peer), &scripts, peer)?;
    }
    Ok(folder)
}

/// The interpreter of a peer's environment.
pub(crate) fn interpreter(environments: &Path, peer: &str) -> PathBuf {
    environments.join(peer).join("bin/python")
}

/// Makes an environment unless it is there with these requirements.
fn environment(folder: &Path, scripts: &Path, peer: &str) -> Result<(), Failure> {
    let requirements = scripts.join("requirements").join(format!("{peer}.txt"));
    let jars = requirements.with_extension("jars");
    let mut wanted = read(&requirements)?;
    if jars.exists() {
        wanted += &read(&jars)?;
    }
    let (python, mark) = (folder.join("bin/python"), folder.join("complete"));
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    process::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )?;
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "-r"])
            .arg(&requirements),
    )?;
    if jars.exists() {
        process::run(
            Command::new(&python)
                .arg(scripts.join("jars.py"))
                .arg(&jars),
        )?;
    }
    std::fs::write(&mark, wanted).map_err(Failure::while_doing(mark.display()))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::while_doing(path.display()))
}
