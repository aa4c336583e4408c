//! Builds the test binaries and says where they are.
//!
//! One cargo call for the whole workspace with fail points on, so that every crate is built once.

use super::category::Category;
use crate::process::{self, Failure};
use crate::profile::QUICK;
use crate::workspace::{Package, Workspace};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// What all tests are built from.
const SELECTION: [&str; 3] = ["--workspace", "--features", "faults"];

/// One test binary.
#[derive(Debug)]
pub(super) struct Executable {
    /// The package that it tests.
    pub(super) package: String,
    /// The name of cargo's target.
    pub(super) target: String,
    /// Whether the target is a file of the folder `tests`, a crate of its own.
    integration: bool,
    folder: PathBuf,
    path: PathBuf,
}

/// Builds all and lists them, the whole-system tests last.
pub(super) fn test_binaries(workspace: &Workspace) -> Result<Vec<Executable>, Failure> {
    let mut command = process::cargo(&[
        "test",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let messages = process::stdout(command.args(SELECTION).args(QUICK))?;
    let mut executables = Vec::new();
    for line in messages.lines() {
        let message: Value =
            serde_json::from_str(line).map_err(Failure::while_doing("cargo's messages"))?;
        executables.extend(Executable::parse(&message, &workspace.members));
    }
    executables.sort_by_key(|executable| {
        (
            executable.is_system(),
            executable.package.clone(),
            executable.target.clone(),
        )
    });
    Ok(executables)
}

/// Runs every doctest.
pub(super) fn doctests() -> Command {
    let mut command = process::cargo(&["test", "--doc", "--no-fail-fast"]);
    command.args(SELECTION).args(QUICK);
    command
}

impl Executable {
    fn parse(message: &Value, members: &[Package]) -> Option<Self> {
        let is_test =
            message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
        let package = members
            .iter()
            .find(|member| message["package_id"] == *member.id)?;
        is_test.then_some(())?;
        Some(Self {
            package: package.name.clone(),
            target: message["target"]["name"].as_str()?.into(),
            integration: message["target"]["kind"][0] == "test",
            folder: package.folder.clone(),
            path: message["executable"].as_str()?.into(),
        })
    }

    fn is_system(&self) -> bool {
        self.package == "flinkspark-integration-tests"
    }

    /// The category of one of its tests.
    pub(super) fn category(&self, test: &str) -> Category {
        let otherwise = if self.is_system() {
            Category::System
        } else {
            Category::Unit
        };
        if self.integration {
            Category::of(&format!("{}::{test}", self.target), otherwise)
        } else {
            Category::of(test, otherwise)
        }
    }

    /// The names of its tests.
    pub(super) fn list(&self) -> Result<Vec<String>, Failure> {
        let listing =
            process::stdout(Command::new(&self.path).args(["--list", "--format", "terse"]))?;
        Ok(listing
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(String::from)
            .collect())
    }

    /// Runs the named tests, or all of them, as cargo would.
    pub(super) fn command(
        &self,
        environment: &[(&str, PathBuf)],
        names: Option<&[String]>,
        long: bool,
    ) -> Command {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.arg("--show-output");
        if let Some(names) = names {
            command.arg("--exact").args(names);
        }
        if long {
            command.arg("--include-ignored");
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(package: &str, target: &str, kind: &str) -> Option<Executable> {
        let members = ["flinkspark-metadata", "flinkspark-integration-tests"].map(|name| Package {
            name: name.into(),
            id: format!("path+file:///w#{name}"),
            folder: "/w".into(),
            dependencies: Vec::new(),
            binaries: Vec::new(),
        });
        let message = serde_json::json!({
            "reason": "compiler-artifact", "package_id": format!("path+file:///w#{package}"),
            "target": {"name": target, "kind": [kind]}, "profile": {"test": true}, "executable": "/t/x",
        });
        Executable::parse(&message, &members)
    }

    #[test]
    fn the_file_of_an_integration_test_is_a_segment_of_its_path() {
        let executable = artifact("flinkspark-metadata", "crash", "test").unwrap();
        assert_eq!(executable.category("a_kill_loses_nothing"), Category::Crash);
        let library = artifact("flinkspark-metadata", "crash", "lib").unwrap();
        assert_eq!(library.category("a_kill_loses_nothing"), Category::Unit);
    }

    #[test]
    fn tests_of_the_integration_crate_are_system_unless_they_say_otherwise() {
        let executable = artifact("flinkspark-integration-tests", "suite", "test").unwrap();
        assert_eq!(
            executable.category("flight::a_put_is_seen"),
            Category::System
        );
        assert_eq!(
            executable.category("conformance::a_put_is_seen"),
            Category::Conformance
        );
    }

    #[test]
    fn artefacts_of_other_packages_are_no_tests_of_ours() {
        assert!(artifact("serde", "serde", "lib").is_none());
    }
}
