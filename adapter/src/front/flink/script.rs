//! Scripts: several statements of a Flink SQL client, taken apart.
//!
//! Knows where statements begin and end, and which of them are the client's own; what a query or an INSERT means,
//! [`super::parse`] decides. Pure. Invariant: what stands between two quotes, and in comments, ends no statement.

use crate::semantics::invalid;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its text, without the semicolon.
    pub text: String,
    /// The line of its first word, from 1.
    pub line: usize,
}

/// What a statement is to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `SET 'key' = 'value'`; without both, all settings are asked for.
    Set(Option<(String, String)>),
    /// `RESET`, of one setting or of all.
    Reset(Option<String>),
    /// `CREATE TEMPORARY VIEW`, whose name is this.
    View(String),
    /// `DROP TEMPORARY VIEW`.
    DropView(String),
    /// `CREATE [TEMPORARY] TABLE`.
    Table,
    /// `DROP TEMPORARY TABLE`, and whether it says `IF EXISTS`.
    DropTable(String, bool),
    /// `SHOW CREATE TABLE`.
    ShowCreate(String),
    /// `SHOW TABLES`.
    ShowTables,
    /// `SHOW VIEWS`.
    ShowViews,
    /// `DESCRIBE` or `DESC`, of a dataset or a view.
    Describe(String),
    /// `EXPLAIN [PLAN FOR]`, of this statement.
    Explain(String),
    /// `INSERT`, a job.
    Insert(String),
    /// The beginning or the end of a statement set, whose INSERTs are jobs one by one.
    StatementSet,
    /// `QUIT` or `EXIT`.
    Quit,
    /// Anything else: a question, or what the server refuses by name.
    Query,
}

/// The statements of a script; comments between them are left out.
///
/// `FS0801` where quotes or a comment do not end.
pub fn pieces(script: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = Scanner::new(script);
    while let Some(piece) = rest.next()? {
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Whether a script ends within a statement, quotes or a comment: more lines are to come.
pub fn is_open(script: &str) -> bool {
    let mut rest = Scanner::new(script);
    loop {
        match rest.next() {
            Err(_) => return true,
            Ok(None) => return false,
            Ok(Some(_)) if !rest.ended => return true,
            Ok(Some(_)) => {}
        }
    }
}

/// `${name}` replaced by the value of that name, `$${` by `${`.
///
/// `FS0811` where a name has no value, or a value is not used.
pub fn substitute(script: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut out = String::with_capacity(script.len());
    let mut used = BTreeMap::new();
    let mut rest = script;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        out.push_str(before);
        let inner = from.get(2..).unwrap_or_default();
        let Some((name, after)) = inner.split_once('}') else {
            return Err(variable(
                "a variable has no end: } is missing",
                "write ${name}",
            ));
        };
        let Some(value) = values.get(name) else {
            let what = format!("the variable \"{}\" has no value", name.escape_debug());
            return Err(variable(&what, "pass --var name=value; $${ stands for ${"));
        };
        used.insert(name, ());
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    match values.keys().find(|name| !used.contains_key(name.as_str())) {
        None => Ok(out),
        Some(name) => {
            let what = format!("nothing uses the variable \"{}\"", name.escape_debug());
            Err(variable(
                &what,
                "leave it out, or write ${name} where it is meant",
            ))
        }
    }
}

fn variable(what: &str, hint: &str) -> Error {
    Error::new(Kind::Invalid, "FS0811", what).with_hint(hint)
}

impl Command {
    /// Whether it is one that writes.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::Insert(_))
    }
}

impl Piece {
    /// What the statement is to a client. `FS0802` where one of the client's own is not whole.
    pub fn command(&self) -> Result<Command> {
        let text = after_comments(&self.text);
        let words = Words::new(text);
        let upper: Vec<String> = words.clone().take(4).map(str::to_ascii_uppercase).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        let name_after = |count: usize| {
            let name = words.clone().nth(count);
            let name =
                name.ok_or_else(|| invalid(format!("a name is missing after {}", upper.join(" "))));
            name.map(|name| name.trim_matches('`').to_owned())
        };
        let rest_after = |count: usize| words.clone().after(count).to_owned();
        Ok(match upper.as_slice() {
            ["QUIT" | "EXIT"] => Command::Quit,
            ["SET"] => Command::Set(None),
            ["SET", ..] => Command::Set(Some(assignment(&rest_after(1))?)),
            ["RESET"] => Command::Reset(None),
            ["RESET", ..] => Command::Reset(Some(literal(&rest_after(1)))),
            ["CREATE", "TABLE", ..] | ["CREATE", "TEMPORARY", "TABLE", ..] => Command::Table,
            ["DROP", "TEMPORARY", "TABLE", "IF"] => {
                let rest = rest_after(4);
                let name = rest.split_once(char::is_whitespace).map(|(_, name)| name);
                let name =
                    name.ok_or_else(|| invalid("DROP TEMPORARY TABLE IF EXISTS wants a name"))?;
                Command::DropTable(unquoted(name), true)
            }
            ["DROP", "TEMPORARY", "TABLE", _] => {
                Command::DropTable(unquoted(&rest_after(3)), false)
            }
            ["SHOW", "CREATE", "TABLE", _] => Command::ShowCreate(unquoted(&rest_after(3))),
            ["SHOW", "TABLES"] => Command::ShowTables,
            ["SHOW", "VIEWS"] => Command::ShowViews,
            ["DESCRIBE" | "DESC", _, ..] => {
                Command::Describe(rest_after(1).trim_matches('`').to_owned())
            }
            ["EXPLAIN", "PLAN", "FOR", ..] => Command::Explain(rest_after(3)),
            ["EXPLAIN", "SELECT" | "INSERT" | "WITH" | "VALUES", ..] => {
                Command::Explain(rest_after(1))
            }
            ["CREATE", "TEMPORARY", "VIEW", ..] => Command::View(
                name_after(3)?
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ),
            ["DROP", "TEMPORARY", "VIEW", _] => Command::DropView(name_after(3)?),
            ["BEGIN", "STATEMENT", "SET"] | ["END"] => Command::StatementSet,
            ["EXECUTE", "STATEMENT", "SET", "BEGIN"] => match rest_after(4) {
                first if first.is_empty() => Command::StatementSet,
                first => Command::Insert(first),
            },
            ["EXECUTE", "INSERT", ..] => Command::Insert(rest_after(1)),
            ["INSERT", ..] => Command::Insert(text.to_owned()),
            _ => Command::Query,
        })
    }
}

/// A name of one or several parts, without their back-ticks.
fn unquoted(name: &str) -> String {
    let parts = name
        .trim()
        .split('.')
        .map(|part| part.trim().trim_matches('`'));
    parts.collect::<Vec<_>>().join(".")
}

/// `'key' = 'value'`, or `key = value` as older clients have it.
fn assignment(text: &str) -> Result<(String, String)> {
    let malformed = || invalid("a setting is written SET 'key' = 'value'");
    let (key, value) = match text.strip_prefix('\'') {
        // A quoted key may hold an equals sign.
        Some(quoted) => {
            let (key, rest) = quoted.split_once('\'').ok_or_else(malformed)?;
            let value = rest.trim_start().strip_prefix('=').ok_or_else(malformed)?;
            (key.to_owned(), value)
        }
        None => {
            let (key, value) = text.split_once('=').ok_or_else(malformed)?;
            (key.trim().to_owned(), value)
        }
    };
    match key.is_empty() || value.trim().is_empty() {
        true => Err(malformed()),
        false => Ok((key, literal(value))),
    }
}

/// A text without its quotes.
fn literal(text: &str) -> String {
    let text = text.trim();
    let inner = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("''", "'"))
}

/// The text from the first thing on that is no comment.
fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let after = if rest.starts_with("--") {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else if rest.starts_with("/*") && !rest.starts_with("/*+") {
            rest.split_once("*/").map_or("", |(_, after)| after)
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
}

/// The words of a statement, comments between them left out.
#[derive(Clone)]
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self(after_comments(text))
    }

    /// What follows so many words.
    fn after(mut self, count: usize) -> &'a str {
        self.by_ref().take(count).for_each(drop);
        self.0
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.find(char::is_whitespace).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = after_comments(rest);
        Some(word)
    }
}

/// Walks through a script.
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    /// Whether the last statement ended with a semicolon.
    ended: bool,
}

impl<'a> Scanner<'a> {
    fn new(script: &'a str) -> Self {
        Self {
            rest: script,
            line: 1,
            ended: true,
        }
    }

    fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            let length = self.statement()?;
            let (text, rest) = self.rest.split_at(length);
            let lines = |text: &str| text.matches('\n').count();
            let first = after_comments(text);
            let line = self.line + lines(text.get(..text.len() - first.len()).unwrap_or_default());
            self.line += lines(text);
            self.ended = rest.starts_with(';');
            self.rest = rest.strip_prefix(';').unwrap_or_default();
            if !first.trim().is_empty() {
                let text = text.trim().to_owned();
                return Ok(Some(Piece { text, line }));
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
        }
    }

    /// How long the statement is that comes next, up to its semicolon or to the end.
    fn statement(&self) -> Result<usize> {
        let text = self.rest;
        let mut at = 0;
        while let Some(next) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let within = |open: usize, close: &str| {
                let inner = next.get(open..).unwrap_or_default();
                inner.find(close).map(|found| open + found + close.len())
            };
            let taken = if next.starts_with(';') {
                break;
            } else if next.starts_with("--") {
                Some(next.find('\n').unwrap_or(next.len()))
            } else if next.starts_with("/*") {
                within(2, "*/")
            } else if let Some(quote) = ["'", "`", "\""]
                .into_iter()
                .find(|quote| next.starts_with(quote))
            {
                // A doubled quote is two texts one after another here.
                within(1, quote)
            } else {
                next.chars().next().map(char::len_utf8)
            };
            at += taken.ok_or_else(|| {
                let line = self.line + text.get(..at).unwrap_or_default().matches('\n').count();
                super::syntax(format!(
                    "what begins in line {line} with {} does not end",
                    next.get(..1).unwrap_or_default()
                ))
            })?;
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<(String, usize)> {
        let pieces = pieces(script).unwrap();
        pieces
            .into_iter()
            .map(|piece| (piece.text, piece.line))
            .collect()
    }

    fn command(text: &str) -> Command {
        pieces(text).unwrap()[0].command().unwrap()
    }

    #[test]
    fn statements_end_at_semicolons_that_are_no_text() {
        let script = "-- a; comment\nSELECT ';' AS `a;b`, '-- it''s;' /* ; */ ;\n\n;\n  SET 'a' = 'b';\nSELECT 2 -- end;";
        let expected = [
            ("-- a; comment\nSELECT ';' AS `a;b`, '-- it''s;' /* ; */", 2),
            ("SET 'a' = 'b'", 5),
            ("SELECT 2 -- end;", 6),
        ];
        assert_eq!(
            texts(script),
            expected.map(|(text, line)| (text.to_owned(), line))
        );
        for nothing in ["", " ; ;\n", "-- only this", "/* and this */"] {
            assert_eq!(texts(nothing), [], "{nothing:?}");
        }
        for open in ["SELECT 'a", "SELECT `a", "/* a", "SELECT 1 /* ;"] {
            let error = pieces(open).unwrap_err();
            assert_eq!(error.code(), "FS0801", "{open}");
            assert!(is_open(open));
        }
        assert!(is_open("SELECT 1") && is_open("SELECT 1; SELECT"));
        assert!(!is_open("SELECT 1;") && !is_open("") && !is_open("SELECT 1; -- done"));
    }

    #[test]
    fn the_clients_own_statements_are_known() {
        let set = |key: &str, value: &str| Command::Set(Some((key.into(), value.into())));
        for (text, expected) in [
            ("SET", Command::Set(None)),
            (
                "SET 'execution.runtime-mode' = 'batch'",
                set("execution.runtime-mode", "batch"),
            ),
            ("set a.b=c", set("a.b", "c")),
            ("SET 'a=b'='it''s'", set("a=b", "it's")),
            ("RESET 'a'", Command::Reset(Some("a".into()))),
            ("SHOW TABLES", Command::ShowTables),
            ("desc `my table`", Command::Describe("my table".into())),
            ("DESCRIBE flights", Command::Describe("flights".into())),
            (
                "EXPLAIN PLAN FOR SELECT 1",
                Command::Explain("SELECT 1".into()),
            ),
            ("explain select 1", Command::Explain("select 1".into())),
            (
                "CREATE TEMPORARY VIEW v(a) AS SELECT 1",
                Command::View("v".into()),
            ),
            (
                "create /* a */ temporary view v AS SELECT 1",
                Command::View("v".into()),
            ),
            ("CREATE TABLE t (a INT)", Command::Table),
            ("create /* a */ temporary table t", Command::Table),
            ("CREATE TABLESPACE t", Command::Query),
            (
                "DROP TEMPORARY TABLE `a`.`b c`",
                Command::DropTable("a.b c".into(), false),
            ),
            (
                "drop temporary table if exists t",
                Command::DropTable("t".into(), true),
            ),
            ("DROP TABLE t", Command::Query),
            (
                "SHOW CREATE TABLE web.clicks",
                Command::ShowCreate("web.clicks".into()),
            ),
            ("DROP TEMPORARY VIEW v", Command::DropView("v".into())),
            (
                "-- why\nINSERT INTO t SELECT 1",
                Command::Insert("INSERT INTO t SELECT 1".into()),
            ),
            (
                "EXECUTE INSERT INTO t SELECT 1",
                Command::Insert("INSERT INTO t SELECT 1".into()),
            ),
            (
                "EXECUTE STATEMENT SET BEGIN\nINSERT INTO t SELECT 1",
                Command::Insert("INSERT INTO t SELECT 1".into()),
            ),
            ("BEGIN STATEMENT SET", Command::StatementSet),
            ("END", Command::StatementSet),
            ("quit", Command::Quit),
            ("SELECT 1", Command::Query),
            ("CREATE FUNCTION f AS 'x'", Command::Query),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
        for wrong in ["SET 'a'", "SET a =", "SET = 'b'", "CREATE TEMPORARY VIEW"] {
            let error = pieces(wrong).unwrap()[0].command().unwrap_err();
            assert_eq!(error.code(), "FS0802", "{wrong}");
        }
    }

    #[test]
    fn variables_are_replaced_and_none_is_left_over() {
        let values = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            pairs.collect()
        };
        let both = values(&[("day", "2024-01-01"), ("t", "flights")]);
        let text = substitute("SELECT '${day}', '$${x}' FROM ${t}", &both).unwrap();
        assert_eq!(text, "SELECT '2024-01-01', '${x}' FROM flights");
        for (text, values) in [
            ("${none}", values(&[])),
            ("${open", values(&[("open", "x")])),
            ("nothing", values(&[("unused", "x")])),
        ] {
            assert_eq!(
                substitute(text, &values).unwrap_err().code(),
                "FS0811",
                "{text}"
            );
        }
    }
}
