//! The one profile and the binaries that are built in it.
//!
//! Everything that is tested is built in `quick`, so that the dependencies are compiled once.
//! Invariant: `<target>/quick/flinkspark` is the binary that users build; the one with fail points
//! lies beside it under a name of its own.

use crate::process::{self, Failure};
use crate::workspace::Workspace;
use std::path::PathBuf;

/// The arguments that select the profile.
pub(crate) const QUICK: [&str; 2] = ["--profile", "quick"];

/// The package with the binary.
const BRIDGE: &str = "flinkspark-bridge";

/// Which binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    /// As users build it.
    Plain,
    /// With fail points and plantable defects.
    Faults,
}

impl Binary {
    /// Where the binary lies once [`build`] has run.
    pub(crate) fn path(self, workspace: &Workspace) -> PathBuf {
        let name = match self {
            Self::Plain => "flinkspark",
            Self::Faults => "flinkspark-faults",
        };
        workspace.target.join("quick").join(name)
    }
}

/// Builds both binaries; the plain one last, because cargo gives both the same place.
pub(crate) fn build_both(workspace: &Workspace) -> Result<(), Failure> {
    build(workspace, Binary::Faults)?;
    build(workspace, Binary::Plain).map(drop)
}

/// Builds one binary and gives its path.
pub(crate) fn build(workspace: &Workspace, binary: Binary) -> Result<PathBuf, Failure> {
    let mut command = process::cargo(&["build", "--package", BRIDGE]);
    command.args(QUICK);
    if binary == Binary::Faults {
        command.args(["--features", "faults"]);
    }
    process::run(&mut command)?;
    let path = binary.path(workspace);
    if binary == Binary::Faults {
        let built = Binary::Plain.path(workspace);
        // A rename, not a copy: the next plain build must not find a binary with fail points.
        std::fs::rename(&built, &path).map_err(Failure::while_doing(built.display()))?;
    }
    Ok(path)
}
