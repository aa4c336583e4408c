//! The tables of `docs/coming-from.md`, and whether they are those that were found.
//!
//! Invariant: what stands between the two marks is made here; where the page has other lines, the failure
//! names them and says where the true page lies.

use super::Outcome;
use super::entry::Entry;
use flinkspark_integration_tests::{Failure, Step, path};
use std::fmt::Write as _;

const PAGE: &str = "docs/coming-from.md";
const BEGIN: &str = "<!-- From here on made by the suite `day_one`. -->\n";
const END: &str = "<!-- Up to here made by the suite `day_one`. -->\n";

/// The most characters of a statement, and of a refusal's message.
const STATEMENT_CHARS_MAX: usize = 130;
const MESSAGE_CHARS_MAX: usize = 90;

/// The counts, and a table for each section.
pub(super) fn tables<'a>(
    found: impl Iterator<Item = (&'a Entry, (&'a Outcome, &'a Outcome))> + Clone,
) -> String {
    let runs = |outcome: &Outcome| matches!(outcome, Outcome::Runs(_));
    let count = |batch: bool, stream: bool| {
        let of = |(_, (on_batch, on_stream)): &(&Entry, (&Outcome, &Outcome))| {
            runs(on_batch) == batch && runs(on_stream) == stream
        };
        found.clone().filter(of).count()
    };
    let mut text = format!(
        "\nOf {} statements {} run on both targets, {} on `batch` alone, {} on `stream` alone, and {} on neither.\n",
        found.clone().count(),
        count(true, true),
        count(true, false),
        count(false, true),
        count(false, false),
    );
    let mut section = "";
    for (entry, (batch, stream)) in found {
        if section != entry.section {
            section = &entry.section;
            let head = "| statement | batch | stream |\n| --- | --- | --- |";
            // Writing into a String does not fail.
            let _ = write!(text, "\n### {section}\n\n{head}\n");
        }
        let statement = code(&short(
            entry.text.trim_end_matches(';'),
            STATEMENT_CHARS_MAX,
        ));
        let (on_batch, on_stream) = (cell(batch, None), cell(stream, Some(batch)));
        let title = &entry.title;
        let _ = writeln!(
            text,
            "| {title}<br>{statement} | {on_batch} | {on_stream} |"
        );
    }
    text.push('\n');
    text
}

/// Fails with the lines that differ where the page does not hold these tables.
pub(super) fn is_as_found(tables: &str) -> Step {
    let page = std::fs::read_to_string(path("..").join(PAGE))?;
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no beginning")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no end")?;
    let made = format!("{before}{BEGIN}{tables}{END}{after}");
    if made == page {
        return Ok(());
    }
    let beside = std::env::temp_dir().join("flinkspark-coming-from.md");
    std::fs::write(&beside, &made)?;
    let only = |sign: &str, left: &str, right: &str| -> String {
        let known: Vec<&str> = right.lines().collect();
        let only = left.lines().filter(|line| !known.contains(line));
        only.map(|line| format!("{sign} {line}\n")).collect()
    };
    Err(Failure::from(format!(
        "{PAGE} is not what was found; {} is\n{}{}",
        beside.display(),
        only("-", &page, &made),
        only("+", &made, &page),
    )))
}

/// What became of a statement; a message that stands to the left is not repeated.
fn cell(outcome: &Outcome, left: Option<&Outcome>) -> String {
    match outcome {
        Outcome::Runs(_) => "runs".into(),
        Outcome::Wrong(why) => why.clone(),
        Outcome::Refused { code, message } => {
            let link = format!("[{code}](errors/{code}.md)");
            match left == Some(outcome) {
                true => link,
                false => format!("{link} {}", plain(&short(message, MESSAGE_CHARS_MAX))),
            }
        }
    }
}

/// A text on one line, and not longer than so many characters.
fn short(text: &str, chars_max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let end = line.char_indices().nth(chars_max);
    match end {
        None => line,
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
    }
}

/// A text as code in a cell.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

/// A text as it is in a cell.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if "|*`_<[]\\".contains(character) {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

#[test]
fn a_cell_holds_any_statement_and_repeats_no_message() {
    let refused = || Outcome::Refused {
        code: "FS0803".into(),
        message: "COUNT(*) | `a` is not known".into(),
    };
    let link = "[FS0803](errors/FS0803.md)";
    assert_eq!(
        cell(&refused(), None),
        format!("{link} COUNT(\\*) \\| \\`a\\` is not known")
    );
    assert_eq!(cell(&refused(), Some(&refused())), link);
    assert_eq!(cell(&Outcome::Runs(vec![]), Some(&refused())), "runs");
    assert_eq!(code(&short("SELECT\n  a || b", 80)), "`SELECT a \\|\\| b`");
    assert_eq!(code("SELECT `a`"), "`` SELECT `a` ``");
    assert_eq!(short("one two three", 8), "one two…");
}
