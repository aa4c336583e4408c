//! The tests are built from the binary's own dependencies.
//!
//! A library that the tests build with other features than the binary is built twice, and so is
//! everything above it: minutes on every cold build. Invariant: for each library, the binary's
//! features are among those of the tests.

use super::Finding;
use crate::process::{self, Failure};
use std::collections::{BTreeMap, BTreeSet};

/// The features with which each library is built, once for the target and once for the host.
type Features = BTreeMap<String, BTreeSet<String>>;

/// What cargo would build.
#[derive(Debug, Default)]
pub(super) struct Builds {
    /// For the binary.
    binary: Features,
    /// For the tests.
    tests: Features,
    /// For the drivers of the whole system.
    drivers: Features,
}

/// Asks cargo what each of the builds would be made of.
pub(super) fn ask() -> Result<Builds, Failure> {
    let tree = |selection: &[&str]| {
        let mut command = process::cargo(&["tree", "--prefix", "none", "--format", "{p}|{f}"]);
        process::stdout(command.args(selection)).map(|text| parse(&text))
    };
    Ok(Builds {
        binary: tree(&["--package", "flinkspark-bridge", "--edges", "normal,build"])?,
        tests: tree(&[
            "--workspace",
            "--features",
            "faults",
            "--edges",
            "normal,build,dev",
        ])?,
        drivers: tree(&[
            "--package",
            "flinkspark-integration-tests",
            "--edges",
            "normal,build",
        ])?,
    })
}

fn parse(tree: &str) -> Features {
    let mut features = Features::new();
    for line in tree.lines() {
        // Path dependencies are the workspace's own: fail points are meant to differ.
        if let Some((package, with)) = line
            .trim_end_matches(" (*)")
            .split_once('|')
            .filter(|(package, _)| !package.contains('/'))
        {
            features
                .entry(package.into())
                .or_default()
                .insert(with.into());
        }
    }
    features
}

/// Every library that would be built twice.
pub(super) fn check(builds: &Builds) -> Vec<Finding> {
    let mut findings = compare(&builds.binary, &builds.tests, "the tests");
    findings.extend(compare(&builds.binary, &builds.drivers, "the drivers"));
    findings
}

fn compare(binary: &Features, other: &Features, whose: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, with) in binary {
        let Some(others) = other.get(package) else {
            continue;
        };
        if !with.is_subset(others) {
            let list = |sets: &BTreeSet<String>| {
                sets.iter()
                    .map(|set| format!("[{set}]"))
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            let what = format!(
                "is built with {} for the binary, {} for {whose}; state the union in the bridge",
                list(with),
                list(others)
            );
            findings.push(Finding::new(package, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_tests_switch_on_is_found() {
        let builds = Builds {
            binary: parse("tokio v1.0.0|rt\nserde v1.0.0|std"),
            tests: parse(
                "tokio v1.0.0|rt,test-util\nserde v1.0.0|std\nserde v1.0.0|derive,std (*)",
            ),
            drivers: parse("tokio v1.0.0|rt (*)"),
        };
        let findings = check(&builds);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().contains(
            "tokio v1.0.0: is built with [rt] for the binary, [rt,test-util] for the tests"
        ));
    }

    #[test]
    fn the_workspaces_own_crates_may_differ() {
        assert!(parse("flinkspark-model v0.1.0 (/w/model)|faults").is_empty());
    }
}
