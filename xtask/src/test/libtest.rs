//! Reads what a libtest binary prints.
//!
//! Invariant: a report is whole only if the summary was seen and agrees with the single results.

use std::collections::BTreeMap;

/// What one line says.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Result { name: &'a str, passed: bool },
    Ignored,
    Summary { passed: usize, failed: usize },
    Other,
}

/// What a run of one binary showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Whether each test passed, by its path.
    pub(super) results: BTreeMap<String, bool>,
    /// Tests that were left out because they are long.
    pub(super) ignored: usize,
    /// Why the run as a whole is not to be believed.
    pub(super) broken: Option<String>,
    summed: Option<(usize, usize)>,
}

impl Report {
    /// The report of a run that never began.
    pub(super) fn of_none(why: String) -> Self {
        Self {
            broken: Some(why),
            ..Self::default()
        }
    }

    /// Takes in one line and says whether a reader of the terminal wants to see it.
    pub(super) fn read(&mut self, line: &str) -> bool {
        match parse(line) {
            Line::Result { name, passed } => {
                self.results.insert(name.into(), passed);
                true
            }
            Line::Ignored => {
                self.ignored += 1;
                true
            }
            Line::Summary { passed, failed } => {
                // Doctests of several crates come as several runs in one output.
                let (before_passed, before_failed) = self.summed.unwrap_or_default();
                self.summed = Some((before_passed + passed, before_failed + failed));
                true
            }
            Line::Other => !self.is_repetition(line),
        }
    }

    /// With --show-output libtest names the tests that passed a second time.
    fn is_repetition(&self, line: &str) -> bool {
        line == "successes:"
            || line
                .strip_prefix("    ")
                .is_some_and(|name| self.results.get(name) == Some(&true))
    }

    /// Ends the report with the exit code, `None` after a signal.
    pub(super) fn finish(mut self, code: Option<i32>) -> Self {
        let failed = self.results.values().filter(|passed| !**passed).count();
        let seen = (self.results.len() - failed, failed);
        let why = match (self.summed, code) {
            (_, None) => Some("was ended by a signal".into()),
            (None, Some(code)) => Some(format!("ended with {code} and no summary")),
            (Some(summed), _) if summed != seen => Some(format!(
                "summed {summed:?} (passed, failed) where its results are {seen:?}"
            )),
            (Some(_), Some(code)) if (code == 0) != (failed == 0) => {
                Some(format!("ended with {code} after {failed} failed tests"))
            }
            _ => None,
        };
        self.broken = self.broken.or(why);
        self
    }
}

fn parse(line: &str) -> Line<'_> {
    let Some(rest) = line.strip_prefix("test ") else {
        return Line::Other;
    };
    if let Some(summary) = rest.strip_prefix("result: ") {
        return match (
            number_before(summary, " passed"),
            number_before(summary, " failed"),
        ) {
            (Some(passed), Some(failed)) => Line::Summary { passed, failed },
            _ => Line::Other,
        };
    }
    let Some((name, verdict)) = rest.rsplit_once(" ... ") else {
        return Line::Other;
    };
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    match verdict {
        "ok" => Line::Result { name, passed: true },
        "FAILED" => Line::Result {
            name,
            passed: false,
        },
        _ if verdict.starts_with("ignored") => Line::Ignored,
        _ => Line::Other,
    }
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let (before, _) = text.split_once(word)?;
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";

    fn report(lines: &[&str], code: Option<i32>) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        report.finish(code)
    }

    #[test]
    fn results_and_summary_agree() {
        let lines = [
            "running 3 tests",
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test d ... ignored, long: 3 min",
            SUMMARY,
        ];
        let report = report(&lines, Some(101));
        assert_eq!(report.broken, None);
        assert_eq!(report.ignored, 1);
        assert_eq!(
            report.results,
            BTreeMap::from([("a::b".into(), true), ("a::c".into(), false)])
        );
    }

    #[test]
    fn a_binary_that_died_is_broken() {
        assert!(
            report(&["test a ... ok"], None)
                .broken
                .unwrap()
                .contains("signal")
        );
        assert!(
            report(&["test a ... ok"], Some(0))
                .broken
                .unwrap()
                .contains("no summary")
        );
    }

    #[test]
    fn a_summary_that_counts_otherwise_is_broken() {
        assert!(
            report(&["test a ... ok", SUMMARY], Some(101))
                .broken
                .is_some()
        );
    }

    #[test]
    fn an_exit_code_that_contradicts_the_results_is_broken() {
        let summary = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert!(
            report(&["test a ... ok", summary], Some(101))
                .broken
                .is_some()
        );
        assert!(
            report(&["test a ... ok", summary], Some(0))
                .broken
                .is_none()
        );
    }

    #[test]
    fn doctests_and_expected_panics_are_results() {
        assert_eq!(
            parse("test model/src/lib.rs - name (line 3) ... ok"),
            Line::Result {
                name: "model/src/lib.rs - name (line 3)",
                passed: true
            }
        );
        assert_eq!(
            parse("test a - should panic ... ok"),
            Line::Result {
                name: "a",
                passed: true
            }
        );
        assert_eq!(parse("testing ... ok"), Line::Other);
    }

    #[test]
    fn only_the_repeated_names_are_hidden() {
        let mut report = Report::default();
        assert!(report.read("test a ... ok"));
        assert!(report.read("    states: 12"));
        assert!(!report.read("successes:"));
        assert!(!report.read("    a"));
    }
}
