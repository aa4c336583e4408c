//! One version of each library whose types cross crates.

use super::Finding;
use std::collections::BTreeMap;

/// Libraries of which a second version would make two types of one name. Every `arrow-*` is one.
const SINGLE: &[&str] = &[
    "arrow",
    "datafusion",
    "object_store",
    "parquet",
    "prost",
    "tonic",
];

/// Every library that `Cargo.lock` holds in two versions and must not.
pub(super) fn check(lock: &str) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if let (Some(name), Some(version)) = (
            value(line, "name"),
            lines.clone().next().and_then(|next| value(next, "version")),
        ) {
            versions.entry(name).or_default().push(version);
        }
    }
    let single = |name: &str| SINGLE.contains(&name) || name.starts_with("arrow-");
    versions
        .into_iter()
        .filter(|(name, versions)| single(name) && versions.len() > 1)
        .map(|(name, versions)| {
            Finding::new(
                "Cargo.lock",
                format!("holds {name} {}; one is allowed", versions.join(" and ")),
            )
        })
        .collect()
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?
        .strip_prefix(" = \"")?
        .strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> String {
        let entry = |(name, version): &(&str, &str)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        packages.iter().map(entry).collect()
    }

    #[test]
    fn a_second_arrow_is_found() {
        let findings = check(&lock(&[
            ("arrow-schema", "58.0.0"),
            ("arrow-schema", "59.3.0"),
            ("syn", "1.0.0"),
            ("syn", "2.0.0"),
        ]));
        assert_eq!(
            findings,
            [Finding::new(
                "Cargo.lock",
                "holds arrow-schema 58.0.0 and 59.3.0; one is allowed"
            )]
        );
    }

    #[test]
    fn one_of_each_is_right() {
        assert!(
            check(&lock(&[
                ("arrow-schema", "59.3.0"),
                ("parquet", "59.3.0"),
                ("tonic", "0.14.9")
            ]))
            .is_empty()
        );
    }
}
