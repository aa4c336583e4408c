//! What was met in a file that people should know of: fields that were taken for nulls, and such as may be some.
//!
//! Invariant: what is not a null by the options alone is said, with its column and how often it was met.

use super::nulls::BACKSLASH_N;

/// Columns that are named one by one.
const NAMED_MAX: usize = 16;

/// Fields of one column that were not quoted.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    /// How many were empty.
    pub(super) empty: u64,
    /// How many had the text of a null that nobody told, in a file of one column.
    pub(super) alone: u64,
    words: u64,
    word: Option<String>,
    /// How many had the text that earlier versions wrote for nulls, and were none.
    pub(super) backslash_n: u64,
}

impl Met {
    /// Counts a word that may stand for a null.
    pub(super) fn word(&mut self, field: &[u8]) {
        self.words += 1;
        self.word
            .get_or_insert_with(|| String::from_utf8_lossy(field).into_owned());
    }

    /// Adds what was met behind it.
    pub(super) fn add(&mut self, behind: Self) {
        self.empty += behind.empty;
        self.alone += behind.alone;
        self.words += behind.words;
        self.backslash_n += behind.backslash_n;
        self.word = self.word.take().or(behind.word);
    }

    /// What is to be said of a column. Words are nulls in columns that are not of text.
    fn says(&self, column: &Column<'_>) -> Vec<String> {
        let name = column.name.escape_debug();
        let fields = |count: u64, before: &str, behind: &str| match count {
            1 => format!("column \"{name}\": 1 {before}field{behind} is"),
            _ => format!("column \"{name}\": {count} {before}fields{behind} are"),
        };
        let mut says = Vec::new();
        if column.empty && self.empty > 0 {
            says.push(fields(self.empty, "empty ", "") + " null");
        }
        if self.alone > 0 {
            says.push(fields(self.alone, "", &format!(" of the text {BACKSLASH_N}")) + " null");
        }
        if let Some(word) = self.word.as_ref().filter(|_| !column.textual) {
            says.push(fields(self.words, "", &format!(" such as \"{word}\"")) + " null");
        }
        if column.textual && self.backslash_n > 0 {
            let read = fields(self.backslash_n, "", "");
            says.push(format!(
                "{read} the text {BACKSLASH_N}, which stood for a null in files of earlier versions: \
                 if it does, pass --null '{BACKSLASH_N}'"
            ));
        }
        says
    }
}

/// A column of which something is to be said.
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    /// Whether it is of texts.
    pub(super) textual: bool,
    /// Whether empty fields are nulls, and that is to be said.
    pub(super) empty: bool,
}

/// The notices of all columns; beyond the first few they are only counted.
pub(super) fn notices<'a>(columns: impl Iterator<Item = (Column<'a>, &'a Met)>) -> Vec<String> {
    let says = columns.map(|(column, met)| met.says(&column));
    let mut says = says.filter(|says| !says.is_empty());
    let mut notices: Vec<String> = says.by_ref().take(NAMED_MAX).flatten().collect();
    match says.count() {
        0 => {}
        more => notices.push(format!("{more} more columns have such fields")),
    }
    notices
}
