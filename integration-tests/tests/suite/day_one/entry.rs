//! The statements as they stand in `data/day-one/statements.sql`.
//!
//! Invariant: what is neither a section nor an entry is an error, so that nothing of the file is lost.

use flinkspark_integration_tests::Step;

/// One or several statements under a title.
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) title: String,
    /// The statements, each with its semicolon.
    pub(super) text: String,
}

/// The entries of the file, in its order; what stands before the first section is not read.
pub(super) fn entries(text: &str) -> Step<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut section = None;
    for block in text.split("\n\n") {
        let block = block.trim_matches('\n');
        if let Some(name) = block.strip_prefix("-- # ") {
            section = Some(name.to_owned());
            continue;
        }
        let Some(section) = section.clone() else {
            continue;
        };
        let parts = block.strip_prefix("-- ");
        let parts = parts.and_then(|block| block.split_once('\n'));
        let whole = parts.filter(|(_, text)| text.ends_with(';'));
        let (title, text) = whole.ok_or_else(|| format!("this is no entry: {block}"))?;
        entries.push(Entry {
            section,
            title: title.into(),
            text: text.into(),
        });
    }
    Ok(entries)
}

impl Entry {
    /// Whether the last statement is a question.
    pub(super) fn asks(&self) -> bool {
        let word = self.last().split_whitespace().next();
        matches!(word, Some("SELECT" | "WITH" | "VALUES"))
    }

    /// Whether any of the statements is an INSERT.
    pub(super) fn writes_any(&self) -> bool {
        self.text.split_whitespace().any(|word| word == "INSERT")
    }

    /// The datasets that it inserts into.
    pub(super) fn written(&self) -> Vec<&str> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let into = words.windows(3).filter_map(|words| match words {
            ["INSERT", "INTO" | "OVERWRITE", name] => Some(*name),
            _ => None,
        });
        into.collect()
    }

    /// The same, with the last statement's rows in a dataset of this name.
    pub(super) fn kept_as(&self, dataset: &str) -> String {
        let last = self.last();
        let before = self.text.len() - last.len();
        format!("{}INSERT INTO {dataset} {last}", &self.text[..before])
    }

    /// The last statement, with its semicolon.
    fn last(&self) -> &str {
        let before = self.text.trim_end_matches(';').rfind(";\n");
        before.map_or(self.text.as_str(), |end| &self.text[end + 2..])
    }
}

#[test]
fn an_entry_knows_what_it_asks_and_writes() -> Step {
    let text = "-- Not read\n\n-- # One\n\n-- Asks\nCREATE TEMPORARY VIEW v AS SELECT 1 AS n;\nSELECT n FROM v;\n\n\
                -- # Two\n\n-- Writes\nINSERT INTO a SELECT 1;\nINSERT INTO b (n) SELECT 2;\n";
    let found = entries(text)?;
    let [asks, writes] = found.as_slice() else {
        return Err("there are two entries".into());
    };
    assert_eq!(
        (asks.section.as_str(), asks.title.as_str()),
        ("One", "Asks")
    );
    assert!(asks.asks() && !asks.writes_any() && asks.written().is_empty());
    assert_eq!(
        asks.kept_as("kept"),
        "CREATE TEMPORARY VIEW v AS SELECT 1 AS n;\nINSERT INTO kept SELECT n FROM v;"
    );
    assert!(!writes.asks() && writes.writes_any());
    assert_eq!(writes.written(), ["a", "b"]);
    assert!(entries("-- # One\n\n-- No semicolon\nSELECT 1").is_err());
    Ok(())
}
