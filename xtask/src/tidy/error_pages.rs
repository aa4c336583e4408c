//! Each error code has its page, and each page its code.

use super::Finding;
use super::sources::Source;
use crate::process::Failure;
use crate::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// Where the pages are.
const FOLDER: &str = "docs/errors";

/// The pages by the code that their file name states, with their text.
pub(super) fn load(workspace: &Workspace) -> Result<BTreeMap<String, String>, Failure> {
    let entries =
        std::fs::read_dir(workspace.root.join(FOLDER)).map_err(Failure::while_doing(FOLDER))?;
    let mut pages = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(Failure::while_doing(FOLDER))?.path();
        if let Some(code) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".md"))
        {
            let text =
                std::fs::read_to_string(&path).map_err(Failure::while_doing(path.display()))?;
            pages.insert(code.to_owned(), text);
        }
    }
    Ok(pages)
}

/// Codes without a page, pages without a code, pages that do not begin as they should.
pub(super) fn check(sources: &[Source], pages: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut used: BTreeMap<String, &str> = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("xtask/"))
    {
        for line in source
            .production
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            used.extend(
                codes(line)
                    .into_iter()
                    .map(|code| (code, source.path.as_str())),
            );
        }
    }
    let without_page = used.iter().filter(|(code, _)| !pages.contains_key(*code));
    let mut findings: Vec<_> = without_page
        .map(|(code, path)| {
            Finding::new(
                *path,
                format!("uses {code}, which has no page {FOLDER}/{code}.md"),
            )
        })
        .collect();
    for (code, text) in pages {
        let place = format!("{FOLDER}/{code}.md");
        if !used.contains_key(code) {
            findings.push(Finding::new(&place, "no code uses it"));
        }
        if !text.starts_with(&format!("# {code}: ")) {
            findings.push(Finding::new(
                &place,
                format!("does not begin with \"# {code}: \""),
            ));
        }
    }
    findings
}

/// Every `FS` followed by exactly four digits.
fn codes(line: &str) -> BTreeSet<String> {
    let is_code = |word: &str| {
        word.len() == 6
            && word
                .strip_prefix("FS")
                .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    line.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| is_code(word))
        .map(String::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(code: &str, text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(code.into(), text.into())])
    }

    #[test]
    fn a_code_needs_a_page() {
        let sources = [Source::new(
            "model/src/name.rs",
            "fn a() { refuse(\"FS0101\") }\n// see FS0102\n",
        )];
        let findings = check(&sources, &BTreeMap::new());
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().contains("FS0101"));
        assert!(check(&sources, &page("FS0101", "# FS0101: a name is not one\n")).is_empty());
    }

    #[test]
    fn a_page_needs_a_code_outside_tests() {
        let source = Source::new(
            "model/src/name.rs",
            "//! Docs.\n#[cfg(test)]\nmod tests {\n    const A: &str = \"FS0101\";\n}\n",
        );
        assert_eq!(check(&[source], &page("FS0101", "# FS0101: x\n")).len(), 1);
    }

    #[test]
    fn a_page_begins_with_its_code() {
        let source = Source::new("model/src/name.rs", "const A: &str = \"FS0101\";\n");
        assert_eq!(check(&[source], &page("FS0101", "# Names\n")).len(), 1);
    }

    #[test]
    fn only_four_digits_make_a_code() {
        assert_eq!(
            codes("\"FS0101\", FS01012, XFS0101 FSnnnn (FS0102)"),
            BTreeSet::from(["FS0101".into(), "FS0102".into()])
        );
    }
}
