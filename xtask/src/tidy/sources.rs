//! The checkout's Rust sources, each divided into production code and tests.
//!
//! Invariant: every line of a file is in exactly one of its two parts, in order.

use crate::process::{self, Failure};
use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// One source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// As seen from the checkout.
    pub(super) path: String,
    /// What ends up in a build for users.
    pub(super) production: String,
    /// What only tests compile; in an ordinary file the last part of it.
    pub(super) tests: String,
}

impl Source {
    /// Divides a file: by its place, or else at the first test module with a body.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let at = if is_test_file(path) {
            0
        } else {
            test_module(text).unwrap_or(text.len())
        };
        let (production, tests) = text.split_at(at);
        Self {
            path: path.into(),
            production: production.into(),
            tests: tests.into(),
        }
    }

    /// The first part of the file that is not empty.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.production, self.tests)
    }
}

/// Every source that git knows or would take in, without generated code.
pub(super) fn load(workspace: &Workspace) -> Result<Vec<Source>, Failure> {
    let mut command = Command::new("git");
    command.args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "*.rs",
    ]);
    let listing = process::stdout(command.current_dir(&workspace.root))?;
    let mut sources = Vec::new();
    for path in listing.lines().filter(|path| !path.contains("/generated/")) {
        let file = workspace.root.join(path);
        // A file that was deleted and not yet committed is still listed.
        if file.exists() {
            let text = std::fs::read_to_string(&file).map_err(Failure::while_doing(path))?;
            sources.push(Source::new(path, &text));
        }
    }
    let declared: BTreeSet<_> = sources.iter().flat_map(test_files).collect();
    for source in sources
        .iter_mut()
        .filter(|source| declared.contains(&source.path))
    {
        source.tests = source.text();
        source.production.clear();
    }
    Ok(sources)
}

/// Whole files of tests, by their place alone.
fn is_test_file(path: &str) -> bool {
    let folder = path.split('/').any(|part| part == "tests");
    folder || path.ends_with("/tests.rs") || path.starts_with("integration-tests/")
}

/// Where the first `#[cfg(test)] mod ... {` at the margin begins.
fn test_module(text: &str) -> Option<usize> {
    let mut offset = 0;
    let mut attribute = None;
    for line in text.split_inclusive('\n') {
        if is_test_attribute(line) {
            attribute = Some(offset);
        } else if line.starts_with("mod ") && line.trim_end().ends_with('{') && attribute.is_some()
        {
            return attribute;
        } else if !line.starts_with("#[") {
            attribute = None;
        }
        offset += line.len();
    }
    None
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,")
}

/// The files of modules that this file declares for tests only, folders included.
fn test_files(source: &Source) -> Vec<String> {
    let path = Path::new(&source.path);
    let stem = path.file_stem().unwrap_or_default();
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = if ["lib", "main", "mod"].iter().any(|root| stem == *root) {
        parent.to_owned()
    } else {
        parent.join(stem)
    };
    let lines: Vec<_> = source.production.lines().collect();
    let declared = lines
        .windows(2)
        .filter(|pair| is_test_attribute(pair[0]))
        .filter_map(|pair| module_name(pair[1]));
    declared
        .map(|name| {
            folder
                .join(format!("{name}.rs"))
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn module_name(line: &str) -> Option<&str> {
    let (before, name) = line.strip_suffix(';')?.rsplit_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_divided_at_its_test_module() {
        let text = "//! A.\n#[cfg(test)]\nfn only_in_tests() {}\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
        let source = Source::new("a/src/lib.rs", text);
        assert!(source.production.ends_with("fn a() {}\n"));
        assert!(source.tests.starts_with("#[cfg(test)]\nmod tests {"));
        assert_eq!(source.text(), text);
    }

    #[test]
    fn a_declaration_does_not_end_the_production_code() {
        let source = Source::new(
            "a/src/lib.rs",
            "//! A.\n#[cfg(test)]\nmod property;\nfn a() {}\n",
        );
        assert!(source.tests.is_empty());
        assert_eq!(test_files(&source), ["a/src/property.rs"]);
        let source = Source::new(
            "a/src/log.rs",
            "//! A.\n#[cfg(all(test, feature = \"faults\"))]\npub(crate) mod crash;\n",
        );
        assert_eq!(test_files(&source), ["a/src/log/crash.rs"]);
    }

    #[test]
    fn files_of_tests_are_known_by_their_place() {
        for path in [
            "a/tests/b.rs",
            "a/src/b/tests.rs",
            "a/src/tests/c.rs",
            "integration-tests/src/bin/kills.rs",
        ] {
            assert!(
                Source::new(path, "fn a() {}").production.is_empty(),
                "{path}"
            );
        }
        assert!(
            Source::new("a/src/contests.rs", "fn a() {}")
                .tests
                .is_empty()
        );
    }
}
