//! The shell: lines that are typed, until they make statements.
//!
//! Invariant: a statement that fails or is interrupted ends itself and not the shell.

use super::session::{Flow, Session};
use crate::exit;
use flinkspark_adapter::front::flink::script::{self, Command};
use flinkspark_model::{Error, Kind, Result};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::path::PathBuf;
use std::time::Instant;

const HELP: &str = "\
Statements end with a semicolon, and may be of several lines.
  SELECT ...; WITH ...; VALUES ...;      rows, and nothing stays behind
  INSERT INTO dataset SELECT ...;        a job
  CREATE TEMPORARY VIEW v AS SELECT ...; DROP TEMPORARY VIEW v; SHOW VIEWS;
  SHOW TABLES; DESCRIBE dataset; EXPLAIN SELECT ...;
  SET; SET 'key' = 'value'; RESET 'key';
  \\d [NAME]   datasets, or the columns of one
  \\timing     how long statements take, on or off
  \\?          this
  \\q          leave; Ctrl-D, too
Ctrl-C ends a question; a job goes on, and `flinkspark job stop` ends it. TAB completes names.
";

const WORDS: [&str; 41] = [
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COUNT",
    "CREATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "FROM",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERVAL",
    "INTO",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "ORDER",
    "SELECT",
    "SET",
    "SHOW",
    "SUM",
    "TABLES",
    "TEMPORARY",
    "UNION",
    "VIEW",
    "WHERE",
];

/// Reads, runs and prints, until somebody leaves.
pub(super) async fn run(mut session: Session) -> Result<u8> {
    let config = Config::builder()
        .max_history_size(10_000)
        .map_err(broken)?
        .build();
    let mut editor: Editor<Names, FileHistory> = Editor::with_config(config).map_err(broken)?;
    editor.set_helper(Some(Names(session.names().await.unwrap_or_default())));
    let history = history();
    if let Some(path) = &history {
        // The first shell of a user has none.
        let _ = editor.load_history(path);
    }
    println!(
        "flinkspark {}. \\? for help, \\q to leave.",
        env!("CARGO_PKG_VERSION")
    );
    let mut timing = false;
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() { "sql> " } else { "...> " };
        let line = match tokio::task::block_in_place(|| editor.readline(prompt)) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                text.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(broken(error)),
        };
        if text.is_empty() {
            match line.trim() {
                "" => continue,
                "\\q" => break,
                "\\?" | "help" | "HELP" => {
                    print!("{HELP}");
                    continue;
                }
                "\\timing" => {
                    timing = !timing;
                    println!("timing is {}", if timing { "on" } else { "off" });
                    continue;
                }
                "\\d" => text = "SHOW TABLES;".into(),
                line => match line.strip_prefix("\\d ") {
                    Some(name) => text = format!("DESCRIBE {name};"),
                    None => text = line.into(),
                },
            }
            // What needs no semicolon elsewhere needs none here.
            if matches!(text.to_ascii_lowercase().as_str(), "quit" | "exit") {
                break;
            }
        } else {
            text.push('\n');
            text.push_str(&line);
        }
        if script::is_open(&text) {
            continue;
        }
        let statements = std::mem::take(&mut text);
        let _ = editor.add_history_entry(statements.replace('\n', " "));
        let since = Instant::now();
        match all(&mut session, &statements).await {
            Ok(Flow::Quit) => break,
            Ok(Flow::On | Flow::Failed(_)) => {}
            Err(error) => eprintln!("{error}"),
        }
        if timing {
            println!("{:.3} s", since.elapsed().as_secs_f64());
        }
        if let (Some(helper), Ok(names)) = (editor.helper_mut(), session.names().await) {
            helper.0 = names;
        }
    }
    if let Some(path) = &history {
        // A history that cannot be kept is no reason to fail.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.save_history(path);
    }
    Ok(exit::OK)
}

/// The statements of what was typed; Ctrl-C ends the one at work, and those after it.
async fn all(session: &mut Session, text: &str) -> Result<Flow> {
    for piece in script::pieces(text)? {
        let command: Command = piece.command()?;
        let ran = tokio::select! {
            ran = session.run(&piece, command) => ran?,
            _ = tokio::signal::ctrl_c() => {
                return Err(Error::new(Kind::Unavailable, "FS0005", "interrupted"));
            }
        };
        if !matches!(ran, Flow::On) {
            return Ok(ran);
        }
    }
    Ok(Flow::On)
}

/// Where what was typed is kept; none where there is no home.
fn history() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "flinkspark")?;
    let folder = folders
        .state_dir()
        .unwrap_or_else(|| folders.data_local_dir());
    Some(folder.join("sql_history"))
}

fn broken(cause: ReadlineError) -> Error {
    Error::new(Kind::Unavailable, "FS0025", "the terminal cannot be read")
        .with_source(cause)
        .with_hint("give the statements in a file or by -e: flinkspark sql -e \"SHOW TABLES\"")
}

/// What is completed: words of SQL, and names of datasets, views and columns.
struct Names(Vec<String>);

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or(line);
        let is_part =
            |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '$');
        let begin = before.rfind(|character| !is_part(character));
        let begin = begin.map_or(0, |at| {
            at + before
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
        let word = before.get(begin..).unwrap_or_default();
        Ok((begin, candidates(word, &self.0)))
    }
}

/// What a word may become: names as they are, words of SQL in the case that was begun.
fn candidates(word: &str, names: &[String]) -> Vec<String> {
    let upper = word.to_ascii_uppercase();
    let lower = word.chars().any(|character| character.is_ascii_lowercase());
    let words = WORDS
        .iter()
        .filter(|known| !word.is_empty() && known.starts_with(&upper));
    let words = words.map(|known| match lower {
        true => known.to_ascii_lowercase(),
        false => (*known).to_owned(),
    });
    let names = names.iter().filter(|name| name.starts_with(word)).cloned();
    names.chain(words).collect()
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Validator for Names {}

impl Helper for Names {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_are_completed_in_the_case_that_was_begun() {
        let names = ["flights".to_owned(), "from_airport".to_owned()];
        assert_eq!(candidates("f", &names), ["flights", "from_airport", "from"]);
        assert_eq!(candidates("FR", &names), ["FROM"]);
        assert_eq!(candidates("", &names), names);
        assert_eq!(candidates("nothing", &names), Vec::<String>::new());
        let mut sorted = WORDS.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, WORDS);
    }
}
