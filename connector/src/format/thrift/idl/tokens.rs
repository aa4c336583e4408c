//! The words, numbers, texts and marks of an IDL.
//!
//! Invariant: every byte of the text is part of a token, of white space or of a comment, or it is wrong.

use super::Wrong;

/// Where something stands, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// What is wrong here.
    pub(super) fn wrong<T>(self, why: impl Into<String>) -> Result<T, Wrong> {
        let why = why.into();
        Err(Wrong { place: self, why })
    }
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What<'a> {
    Word(&'a str),
    Whole(i64),
    Double(f64),
    Text(String),
    Mark(char),
    End,
}

/// A token and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) what: What<'a>,
    pub(super) place: Place,
}

/// The text's tokens; the last is its end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Wrong> {
    let mut lexer = Lexer {
        rest: text,
        place: Place { line: 1, column: 1 },
    };
    let mut tokens = Vec::new();
    loop {
        lexer.blanks()?;
        let place = lexer.place;
        let what = lexer.next()?;
        let end = what == What::End;
        tokens.push(Token { what, place });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    place: Place,
}

impl<'a> Lexer<'a> {
    /// Takes so many bytes, which end a character.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        match taken.rsplit_once('\n') {
            Some((lines, last)) => {
                self.place.line += 1 + lines.matches('\n').count();
                self.place.column = 1 + last.chars().count();
            }
            None => self.place.column += taken.chars().count(),
        }
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// White space and comments of the three kinds.
    fn blanks(&mut self) -> Result<(), Wrong> {
        loop {
            self.take_while(|c| c.is_ascii_whitespace() || c == '\u{feff}');
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.get(2..).and_then(|rest| rest.find("*/")) else {
                    return self.place.wrong("a comment does not end");
                };
                self.take(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<What<'a>, Wrong> {
        let place = self.place;
        let Some(first) = self.rest.chars().next() else {
            return Ok(What::End);
        };
        Ok(match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                What::Word(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            }
            '0'..='9' | '+' | '-' | '.' => return self.number(),
            '"' | '\'' => What::Text(self.text(first)?),
            '{' | '}' | '(' | ')' | '<' | '>' | '[' | ']' | ',' | ';' | ':' | '=' | '*' | '&' => {
                self.take(1);
                What::Mark(first)
            }
            other => {
                return place.wrong(format!("\"{}\" has no meaning here", other.escape_debug()));
            }
        })
    }

    fn number(&mut self) -> Result<What<'a>, Wrong> {
        let place = self.place;
        let mut before = ' ';
        let mut within = |c: char| {
            let sign = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E');
            before = c;
            c.is_ascii_alphanumeric() || c == '.' || sign
        };
        let end = self.rest.find(|c| !within(c)).unwrap_or(self.rest.len());
        let text = self.take(end);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let hex = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        let whole = match hex {
            Some(hex) => i128::from_str_radix(hex, 16),
            None => digits.parse::<i128>(),
        };
        let whole = whole.map(|whole| if negative { -whole } else { whole });
        match (whole.map(i64::try_from), text.parse::<f64>()) {
            (Ok(Ok(whole)), _) => Ok(What::Whole(whole)),
            (Err(_), Ok(double)) if hex.is_none() => Ok(What::Double(double)),
            _ => place.wrong(format!("\"{text}\" is no number of 64 bits")),
        }
    }

    /// A text between quotes.
    fn text(&mut self, quote: char) -> Result<String, Wrong> {
        let place = self.place;
        self.take(1);
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\'));
            let here = self.place;
            let mut taken = self.take(1).chars();
            match taken.next() {
                None => return place.wrong("a text does not end"),
                Some('\\') => {
                    let length = self.rest.chars().next().map_or(0, char::len_utf8);
                    text.push(match self.take(length) {
                        "n" => '\n',
                        "r" => '\r',
                        "t" => '\t',
                        "\\" => '\\',
                        "\"" => '"',
                        "'" => '\'',
                        _ => return here.wrong("a text has an escape that Thrift does not know"),
                    });
                }
                Some(_) => return Ok(text),
            }
        }
    }
}
