//! `LIKE` and the regular expressions that Java and Rust read alike.
//!
//! Owns the common subset: a pattern must be a literal without constructs whose meaning differs.
//! Invariant: a pattern outside the subset is refused before anything runs.

use super::signature::{Want, always_nullable, as_nullable_as, want};
use super::text::{integer, text};
use super::{Call, Function};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use crate::semantics::{broken, failed, refuse};
use Want::{Int, Text};
use flinkspark_model::Result;

/// The pattern functions.
pub static FUNCTIONS: &[Function] = &[
    Function::strict("LIKE", like_bind, like),
    Function::strict(
        "REGEXP",
        |args| regex_bind(args, &[Text, Text], 0, Root::Boolean, false),
        regexp,
    ),
    Function::strict(
        "REGEXP_REPLACE",
        |args| regex_bind(args, &[Text, Text, Text], 0, Root::STRING, false),
        regexp_replace,
    ),
    Function::strict(
        "REGEXP_EXTRACT",
        |args| regex_bind(args, &[Text, Text, Int], 1, Root::STRING, true),
        regexp_extract,
    ),
];

/// The characters that may stand in a pattern beside ASCII letters, digits and blanks.
const PATTERN_CHARACTERS: &str = "()[]+*?|.^$-_,:;/<>=!#@%&'\"~` ";

/// What Java's `.` does not match, so that Flink's `_` does not either; `%` matches them.
const LINE_TERMINATORS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

fn like_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Text, Text], 1)?;
    if let Some(escape) = args.get(2) {
        let one =
            matches!(escape.as_literal(), Some(Value::Text(text)) if text.chars().count() == 1);
        if !one || args[1].as_literal().is_none() {
            return Err(refuse(
                "LIKE with an ESCAPE that is not one literal character",
                "like-escape",
            ));
        }
    }
    as_nullable_as(args, Root::Boolean)
}

/// One element of a LIKE pattern.
enum Part {
    Exactly(char),
    One,
    Any,
}

fn like_parts(pattern: &str, escape: Option<char>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        parts.push(match c {
            c if Some(c) == escape => match rest.next() {
                Some(next) if "%_".contains(next) || Some(next) == escape => Part::Exactly(next),
                _ => return Err(failed(format!("invalid escape sequence '{pattern}'"))),
            },
            '%' => Part::Any,
            '_' => Part::One,
            c => Part::Exactly(c),
        });
    }
    Ok(parts)
}

fn like(call: &Call<'_>) -> Result<Value> {
    let escape = if call.args.len() > 2 {
        text(call, 2)?.chars().next()
    } else {
        None
    };
    let parts = like_parts(text(call, 1)?, escape)?;
    let characters: Vec<char> = text(call, 0)?.chars().collect();
    // Greedy matching with one point to return to: the last `%`.
    let (mut at, mut part, mut back) = (0, 0, None);
    while at < characters.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                back = Some((part, at));
                part += 1;
            }
            Some(Part::One) if !LINE_TERMINATORS.contains(&characters[at]) => {
                (at, part) = (at + 1, part + 1)
            }
            Some(Part::Exactly(c)) if *c == characters[at] => (at, part) = (at + 1, part + 1),
            _ => match &mut back {
                Some((any, from)) => {
                    *from += 1;
                    (at, part) = (*from, *any + 1);
                }
                None => return Ok(Value::Boolean(false)),
            },
        }
    }
    Ok(Value::Boolean(
        parts[part..].iter().all(|part| matches!(part, Part::Any)),
    ))
}

fn regex_bind(
    args: Vec<Expr>,
    kinds: &[Want],
    optional: usize,
    root: Root,
    nullable: bool,
) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, kinds, optional)?;
    let known = match args[1].as_literal() {
        Some(Value::Text(pattern)) => in_common_subset(pattern),
        _ => false,
    };
    if !known {
        return Err(refuse(
            "a regular expression outside the subset that Java and Rust read alike",
            "regex-dialect",
        ));
    }
    if args.len() == 3 && root == Root::STRING && !nullable && matches_nothing(&args[1]) {
        return Err(refuse(
            "a replacement of matches that may be empty",
            "regex-dialect",
        ));
    }
    if nullable {
        always_nullable(args, root)
    } else {
        as_nullable_as(args, root)
    }
}

/// Whether a literal pattern matches the empty text: the engines count such matches differently.
fn matches_nothing(pattern: &Expr) -> bool {
    match pattern.as_literal() {
        Some(Value::Text(pattern)) => {
            regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(""))
        }
        _ => true,
    }
}

/// Literals, classes, groups, `?`, `*`, `+`, `|`, anchors; no escapes, braces, nested classes,
/// possessive or lazy doubles, special groups or class intersections.
fn in_common_subset(pattern: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || PATTERN_CHARACTERS.contains(c);
    let odd = [
        "(?", "++", "*+", "?+", "&&", "--", "~~", "[]", "[^]", "**", "+*", "[:", "$", "^*", "^+",
        "||",
    ];
    let nested = pattern.split('[').skip(1).any(|part| !part.contains(']'));
    let parsed = regex::Regex::new(pattern);
    pattern.chars().all(known)
        && !odd.iter().any(|odd| pattern.contains(odd))
        && !nested
        && !pattern.is_empty()
        && parsed.is_ok()
}

/// The pattern with Java's meaning of `.`, which stops at more line terminators than Rust's.
fn compiled(call: &Call<'_>) -> Result<regex::Regex> {
    let mut inside = false;
    let mut pattern = String::new();
    for c in text(call, 1)?.chars() {
        inside = if inside { c != ']' } else { c == '[' };
        match c {
            '.' if !inside => pattern.push_str("[^\\n\\r\\x{85}\\x{2028}\\x{2029}]"),
            c => pattern.push(c),
        }
    }
    regex::Regex::new(&pattern).map_err(|error| broken(format!("an unchecked pattern: {error}")))
}

fn regexp(call: &Call<'_>) -> Result<Value> {
    Ok(Value::Boolean(compiled(call)?.is_match(text(call, 0)?)))
}

/// All matches are replaced, the replacement as it is written.
fn regexp_replace(call: &Call<'_>) -> Result<Value> {
    let replaced = compiled(call)?
        .replace_all(text(call, 0)?, regex::NoExpand(text(call, 2)?))
        .into_owned();
    Ok(Value::text(replaced))
}

/// The group of the first match; NULL where there is none.
fn regexp_extract(call: &Call<'_>) -> Result<Value> {
    let group = if call.args.len() > 2 {
        integer(call, 2)?
    } else {
        0
    };
    let regex = compiled(call)?;
    let captures = regex.captures(text(call, 0)?);
    let found = captures.and_then(|captures| {
        usize::try_from(group)
            .ok()
            .and_then(|group| captures.get(group).map(|m| m.as_str().to_owned()))
    });
    Ok(found.map_or(Value::Null, Value::text))
}
