//! Who may depend on whom.
//!
//! Binds the workspace's crates and the libraries that give a crate its place; small vocabulary
//! crates may be used anywhere. The workspace's own crates are bound in tests as well: a test that
//! needs another of them belongs into `integration-tests`. A library that only reads test data is not.

use super::Finding;
use crate::workspace::Package;

/// A crate and what it may use of the workspace and of [`BOUND`].
const ARROWS: &[(&str, &[&str])] = &[
    ("flinkspark-model", &[]),
    ("flinkspark-proto", &["flinkspark-model", "grpc"]),
    ("flinkspark-metadata", &["flinkspark-model", "sled"]),
    (
        "flinkspark-connector",
        &[
            "flinkspark-model",
            "flinkspark-proto",
            "grpc",
            "object_store",
            "arrow-flight",
            "parquet",
            "arrow-avro",
            "apache-avro",
        ],
    ),
    ("flinkspark-engine", &["flinkspark-model", "datafusion"]),
    (
        "flinkspark-adapter",
        &["flinkspark-model", "flinkspark-engine", "datafusion"],
    ),
    ("flinkspark-bridge", &["*"]),
    (
        "flinkspark-integration-tests",
        // It meets the server as any client does.
        &["flinkspark-bridge", "flinkspark-proto", "grpc"],
    ),
    (
        "flinkspark-fuzz",
        &[
            "flinkspark-model",
            "flinkspark-metadata",
            "flinkspark-connector",
            "flinkspark-adapter",
            "datafusion",
            "parquet",
        ],
    ),
    ("xtask", &["clap"]),
];

/// Libraries that are bound, each by the name under which [`ARROWS`] allows it.
const BOUND: &[(&str, &[&str])] = &[
    (
        "grpc",
        &[
            "tonic",
            "tonic-health",
            "tonic-prost",
            "tonic-reflection",
            "prost",
            "prost-types",
        ],
    ),
    ("sled", &["sled"]),
    ("object_store", &["object_store"]),
    ("arrow-flight", &["arrow-flight"]),
    ("parquet", &["parquet"]),
    ("arrow-avro", &["arrow-avro"]),
    ("apache-avro", &["apache-avro"]),
    ("datafusion", &["datafusion"]),
    ("clap", &["clap"]),
    ("axum", &["axum"]),
];

/// Every arrow that is not allowed.
pub(super) fn check(members: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
            findings.push(Finding::new(
                &member.name,
                "has no arrows; state them in xtask and in a decision record",
            ));
            continue;
        };
        for used in &member.dependencies {
            let name = bound_name(used, members);
            if name.is_some_and(|name| !allowed.contains(&name) && !allowed.contains(&"*")) {
                findings.push(Finding::new(
                    &member.name,
                    format!("may not depend on {used}"),
                ));
            }
        }
    }
    findings
}

/// The name under which a dependency is allowed; `None` where it is not bound.
fn bound_name<'a>(used: &'a str, members: &[Package]) -> Option<&'a str> {
    if members.iter().any(|member| member.name == used) {
        return Some(used);
    }
    let family = used.split_once('-').map_or(used, |(first, _)| first);
    let is_it = |libraries: &[&str]| {
        libraries.contains(&used) || (family == "datafusion" && libraries.contains(&family))
    };
    BOUND
        .iter()
        .find(|(_, libraries)| is_it(libraries))
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            id: name.into(),
            folder: "/w".into(),
            dependencies: dependencies.iter().map(|&used| used.into()).collect(),
            binaries: Vec::new(),
        }
    }

    fn check_one(name: &str, dependencies: &[&str]) -> Vec<String> {
        let bridge = package("flinkspark-bridge", &[]);
        let metadata = package("flinkspark-metadata", &[]);
        check(&[package(name, dependencies), bridge, metadata])
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn vocabulary_crates_are_free() {
        assert!(check_one("flinkspark-model", &["serde", "arrow-schema", "uuid"]).is_empty());
    }

    #[test]
    fn the_engine_sees_no_grpc_and_no_sibling() {
        let findings = check_one(
            "flinkspark-engine",
            &["datafusion", "tonic", "prost", "flinkspark-metadata"],
        );
        assert_eq!(
            findings,
            [
                "flinkspark-engine: may not depend on tonic",
                "flinkspark-engine: may not depend on prost",
                "flinkspark-engine: may not depend on flinkspark-metadata",
            ]
        );
    }

    #[test]
    fn parts_of_datafusion_count_as_datafusion() {
        assert_eq!(
            check_one("flinkspark-connector", &["datafusion-expr"]).len(),
            1
        );
        assert!(check_one("flinkspark-adapter", &["datafusion-expr"]).is_empty());
    }

    #[test]
    fn a_crate_without_arrows_is_refused() {
        assert_eq!(check_one("flinkspark-extra", &[]).len(), 1);
    }
}
