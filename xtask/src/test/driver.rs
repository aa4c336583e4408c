//! The drivers of the whole system: binaries of `integration-tests` that start servers and judge.
//!
//! A driver prints its own table; its exit code is its verdict.

use super::Arguments;
use super::category::Category;
use crate::process::{self, Failure};
use crate::profile::{Binary, QUICK};
use crate::workspace::Workspace;
use std::process::Command;

/// Kills in an ordinary run: at least one at each step of the protocol.
const KILLS: u32 = 30;

/// Kills with `--long`.
const KILLS_LONG: u32 = 200;

/// The package that holds the drivers.
const PACKAGE: &str = "flinkspark-integration-tests";

/// Which driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// Kills at named steps and at random; nothing may be lost or doubled.
    Kills,
    /// The real engines' answers.
    Probes,
}

impl Driver {
    /// Every driver, in the order of a whole run.
    pub(super) const ALL: [Self; 2] = [Self::Probes, Self::Kills];

    /// Its name, which is also its binary's.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::Probes => "probes",
        }
    }

    /// What it counts as.
    pub(super) fn category(self) -> Category {
        match self {
            Self::Kills => Category::Crash,
            Self::Probes => Category::Conformance,
        }
    }

    /// Builds and runs it on the binaries of the quick profile; gives its exit code.
    pub(super) fn run(self, workspace: &Workspace, arguments: &Arguments) -> Result<i32, Failure> {
        let name = self.name();
        if !workspace
            .member(PACKAGE)?
            .binaries
            .iter()
            .any(|binary| binary == name)
        {
            return Err(Failure::new(format!("{PACKAGE} has no binary {name}")));
        }
        process::run(process::cargo(&["build", "--package", PACKAGE, "--bin", name]).args(QUICK))?;
        let mut command = Command::new(workspace.target.join("quick").join(name));
        command
            .args(self.arguments(arguments))
            .env("FLINKSPARK_BIN", Binary::Plain.path(workspace))
            .env("FLINKSPARK_FAULTS_BIN", Binary::Faults.path(workspace));
        process::exit_code(&mut command)
    }

    fn arguments(self, arguments: &Arguments) -> Vec<String> {
        match self {
            Self::Kills => {
                let usual = if arguments.long { KILLS_LONG } else { KILLS };
                let mut words = vec![
                    "--count".into(),
                    arguments.count.unwrap_or(usual).to_string(),
                ];
                words.extend(
                    arguments
                        .seed
                        .iter()
                        .flat_map(|seed| ["--seed".into(), seed.to_string()]),
                );
                words
            }
            Self::Probes => {
                let file = arguments.file.iter();
                file.flat_map(|file| ["--file".into(), file.display().to_string()])
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_have_a_count_even_when_none_is_given() {
        let long = Arguments {
            long: true,
            seed: Some(7),
            ..Arguments::default()
        };
        assert_eq!(
            Driver::Kills.arguments(&Arguments::default()),
            ["--count", "30"]
        );
        assert_eq!(
            Driver::Kills.arguments(&long),
            ["--count", "200", "--seed", "7"]
        );
    }

    #[test]
    fn probes_take_the_file() {
        let arguments = Arguments {
            file: Some("a b.jsonl".into()),
            ..Arguments::default()
        };
        assert_eq!(
            Driver::Probes.arguments(&arguments),
            ["--file", "a b.jsonl"]
        );
        assert!(Driver::Probes.arguments(&Arguments::default()).is_empty());
    }
}
