//! What every source file keeps to: documented, short, no test that never runs.

use super::Finding;
use super::sources::Source;

/// A file of production code is about one thing; beyond this it is not.
const LINES_MAX: usize = 600;

/// Files without module documentation, files that are too long, tests ignored for no good reason.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        if !source.text().starts_with("//!") {
            findings.push(Finding::new(
                &source.path,
                "does not begin with `//!` documentation",
            ));
        }
        let lines = source.production.lines().count();
        if lines > LINES_MAX {
            findings.push(Finding::new(
                &source.path,
                format!("has {lines} lines; {LINES_MAX} is the limit"),
            ));
        }
        for (number, line) in source.text().lines().enumerate() {
            if line.trim_start().starts_with("#[ignore") && !line.contains("#[ignore = \"long: ") {
                let what = format!(
                    "line {}: only a test that is long may be ignored, as #[ignore = \"long: ...\"]",
                    number + 1
                );
                findings.push(Finding::new(&source.path, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text)])
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn a_module_begins_with_its_documentation() {
        assert!(check_one("a/src/b.rs", "//! B.\n").is_empty());
        assert_eq!(check_one("a/src/b.rs", "use std::fmt;\n//! B.\n").len(), 1);
    }

    #[test]
    fn only_production_code_counts_for_length() {
        let long = format!("//! B.\n{}", "fn a() {}\n".repeat(LINES_MAX));
        assert_eq!(
            check_one("a/src/b.rs", &long),
            ["a/src/b.rs: has 601 lines; 600 is the limit"]
        );
        assert!(check_one("a/src/b/tests.rs", &long).is_empty());
    }

    #[test]
    fn an_ignored_test_is_long_or_wrong() {
        assert_eq!(
            check_one("a/src/b.rs", "//! B.\n#[ignore]\nfn a() {}\n").len(),
            1
        );
        assert_eq!(
            check_one("a/src/b.rs", "//! B.\n#[ignore = \"flaky\"]\nfn a() {}\n").len(),
            1
        );
        assert!(
            check_one(
                "a/src/b.rs",
                "//! B.\n#[ignore = \"long: 9 min\"]\nfn a() {}\n"
            )
            .is_empty()
        );
    }
}
