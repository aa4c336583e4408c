//! Each fail point is on the code's way and is hit by a test.
//!
//! Invariant: the registry, the code and the tests name the same points.

use super::Finding;
use super::sources::Source;

/// The file that registers them.
pub(super) const REGISTRY: &str = "model/src/fault.rs";

/// Points that no code reaches, that no test names, or that are reached without being registered.
pub(super) fn check(registry: &str, sources: &[Source]) -> Vec<Finding> {
    let Some(points) = registered(registry) else {
        return vec![Finding::new(
            REGISTRY,
            "has no list POINTS of string literals",
        )];
    };
    let elsewhere: Vec<_> = sources
        .iter()
        .filter(|source| source.path != REGISTRY)
        .collect();
    let named = |text: fn(&Source) -> &str, point: &str| {
        elsewhere
            .iter()
            .any(|source| text(source).contains(&format!("\"{point}\"")))
    };
    // The driver that kills at every registered point fails where one is not reached.
    let all = elsewhere
        .iter()
        .any(|source| source.tests.contains("fault::POINTS"));
    let mut findings = Vec::new();
    for point in &points {
        if !named(|source| &source.production, point) {
            findings.push(Finding::new(
                REGISTRY,
                format!("\"{point}\" is on no way: no code reaches it"),
            ));
        }
        if !all && !named(|source| &source.tests, point) {
            findings.push(Finding::new(
                REGISTRY,
                format!("\"{point}\" is hit by no test"),
            ));
        }
    }
    for source in elsewhere {
        for point in reached(&source.production).filter(|point| !points.contains(point)) {
            findings.push(Finding::new(
                &source.path,
                format!("reaches \"{point}\", which is not registered"),
            ));
        }
    }
    findings
}

fn registered(registry: &str) -> Option<Vec<&str>> {
    let (_, list) = registry.split_once("POINTS: &[&str] = &[")?;
    let (list, _) = list.split_once("];")?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

fn reached(text: &str) -> impl Iterator<Item = &str> {
    text.split("reach(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: &str =
        "pub const POINTS: &[&str] = &[\n    \"log.staged\",\n    \"log.linked\",\n];\n\"other\"";

    #[test]
    fn a_point_needs_code_and_a_test() {
        let code = Source::new(
            "connector/src/store.rs",
            "reach(\"log.staged\")?;\nreach(\"log.linked\")?;\n",
        );
        let test = Source::new("connector/src/store/tests.rs", "kill_at(\"log.staged\");\n");
        let findings = check(POINTS, &[code, test]);
        assert_eq!(
            findings,
            [Finding::new(REGISTRY, "\"log.linked\" is hit by no test")]
        );
    }

    #[test]
    fn a_driver_over_the_whole_list_hits_every_point() {
        let code = Source::new(
            "connector/src/store.rs",
            "reach(\"log.staged\")?;\nreach(\"log.linked\")?;\n",
        );
        let driver = Source::new(
            "integration-tests/src/kills.rs",
            "for point in fault::POINTS {}\n",
        );
        assert!(check(POINTS, &[code, driver]).is_empty());
    }

    #[test]
    fn a_point_that_nothing_reaches_is_found() {
        let test = Source::new(
            "integration-tests/src/bin/kills.rs",
            "[\"log.staged\", \"log.linked\"]",
        );
        assert_eq!(check(POINTS, &[test]).len(), 2);
    }

    #[test]
    fn an_unregistered_point_is_found() {
        let code = Source::new("metadata/src/journal.rs", "fault::reach(\"log.typo\")?;\n");
        let findings = check("POINTS: &[&str] = &[];", &[code]);
        assert_eq!(
            findings,
            [Finding::new(
                "metadata/src/journal.rs",
                "reaches \"log.typo\", which is not registered"
            )]
        );
    }
}
