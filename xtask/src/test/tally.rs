//! Counts results by category.
//!
//! Invariant: what could not run counts as failed, and a run of nothing is no success.

use super::category::Category;
use super::compile::Executable;
use super::driver::Driver;
use super::libtest::Report;
use crate::process::Failure;
use std::collections::BTreeMap;
use std::fmt;

/// Passed and failed, by category.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<Category, Count>,
    failures: Vec<String>,
    ignored: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Takes in the report of a test binary.
    pub(super) fn record(&mut self, executable: &Executable, report: Report) {
        let origin = format!("{} ({})", executable.package, executable.target);
        self.add(&origin, report, |test| executable.category(test));
    }

    /// Takes in the doctests' report.
    pub(super) fn record_doctests(&mut self, report: Report) {
        self.add("doctests", report, |_| Category::Unit);
    }

    /// Takes in a driver's exit code: it counts as one test.
    pub(super) fn record_driver(&mut self, driver: Driver, code: Result<i32, Failure>) {
        match code {
            Ok(0) => self.count(driver.category(), true),
            Ok(code) => self.fail(
                driver.category(),
                format!("{} ended with {code}", driver.name()),
            ),
            Err(failure) => self.fail(driver.category(), failure.to_string()),
        }
    }

    fn add(&mut self, origin: &str, report: Report, category: impl Fn(&str) -> Category) {
        for (test, passed) in &report.results {
            if *passed {
                self.count(category(test), true);
            } else {
                self.fail(category(test), format!("{origin}: {test}"));
            }
        }
        if let Some(why) = report.broken {
            self.fail(category(""), format!("{origin} {why}"));
        }
        self.ignored += report.ignored;
    }

    fn fail(&mut self, category: Category, what: String) {
        self.count(category, false);
        self.failures.push(what);
    }

    fn count(&mut self, category: Category, passed: bool) {
        let count = self.counts.entry(category).or_default();
        if passed {
            count.passed += 1
        } else {
            count.failed += 1
        }
    }

    fn total(&self) -> Count {
        self.counts
            .values()
            .fold(Count::default(), |sum, count| Count {
                passed: sum.passed + count.passed,
                failed: sum.failed + count.failed,
            })
    }

    /// Whether something ran and nothing failed.
    pub(super) fn is_success(&self) -> bool {
        let total = self.total();
        total.failed == 0 && total.passed > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<12} {:>7} {:>7}", "category", "passed", "failed")?;
        for category in Category::ALL {
            let count = self.counts.get(&category).copied().unwrap_or_default();
            writeln!(f, "{category:<12} {:>7} {:>7}", count.passed, count.failed)?;
        }
        if self.ignored > 0 {
            writeln!(
                f,
                "{} long tests were left out; --long runs them",
                self.ignored
            )?;
        }
        for failure in &self.failures {
            writeln!(f, "failed: {failure}")?;
        }
        let total = self.total();
        if total.passed + total.failed == 0 {
            writeln!(f, "no test ran")?;
        }
        writeln!(f, "{} passed, {} failed", total.passed, total.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_success() {
        assert!(!Tally::default().is_success());
        assert!(Tally::default().to_string().contains("no test ran"));
    }

    #[test]
    fn a_broken_binary_counts_as_failed() {
        let mut tally = Tally::default();
        let mut report = Report::of_none("died".into());
        report.read("test a ... ok");
        tally.record_doctests(report);
        assert!(!tally.is_success());
        assert!(
            tally
                .to_string()
                .ends_with("failed: doctests died\n1 passed, 1 failed\n")
        );
    }

    #[test]
    fn a_driver_counts_in_its_category() {
        let mut tally = Tally::default();
        tally.record_driver(Driver::Probes, Ok(0));
        assert!(tally.is_success());
        assert_eq!(tally.counts[&Category::Conformance].passed, 1);
        tally.record_driver(Driver::Kills, Err(Failure::new("no kills")));
        assert_eq!(tally.counts[&Category::Crash].failed, 1);
        assert!(!tally.is_success());
    }
}
