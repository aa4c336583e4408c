//! JSON after RFC 8259, token by token.
//!
//! Knows nothing of types. A number stays the text that it is. Invariant: what is not JSON to its last byte is wrong,
//! with the byte; nesting is bounded, so that whoever reads by recursion has stack enough.

use super::wrong::Wrong;
use flinkspark_model::schema::DEPTH_MAX;
use std::borrow::Cow;

/// What begins at a place.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Null,
    Boolean(bool),
    /// The number's text.
    Number(&'a str),
    /// A string's text, without quotes and escapes.
    Text(Cow<'a, str>),
    /// An object; [`Tokens::key`] reads on.
    Object,
    /// An array; [`Tokens::item`] reads on.
    List,
}

/// Walks through one value.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Whether an object or array was opened and nothing of it was read.
    fresh: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            fresh: false,
        }
    }

    /// The byte from which the next token is read, white space before it aside.
    pub(super) fn at(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// How many bytes were taken.
    pub(super) fn taken(&self) -> usize {
        self.at
    }

    /// The text from a byte on, up to what was read.
    pub(super) fn since(&self, at: usize) -> &'a str {
        self.text.get(at..self.at).unwrap_or_default()
    }

    /// The next value, or the beginning of one.
    pub(super) fn value(&mut self) -> Result<Token<'a>, Wrong> {
        let first = self.peek();
        self.fresh = false;
        match first {
            Some(b'{') => self.open(Token::Object),
            Some(b'[') => self.open(Token::List),
            Some(b'"') => self.string().map(Token::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            _ => self.word(),
        }
    }

    /// The next key of the object that was opened last and the byte where it begins, its colon taken; `None` at the
    /// object's end.
    pub(super) fn key(&mut self) -> Result<Option<(usize, Cow<'a, str>)>, Wrong> {
        if !self.goes_on(b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.missing("a key in quotes"));
        }
        let at = self.at;
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.missing("a colon"));
        }
        self.at += 1;
        Ok(Some((at, key)))
    }

    /// Takes the next key of the object that was opened last, with its colon, where it stands there like this; nothing
    /// is taken otherwise.
    pub(super) fn take_key(&mut self, quoted: &[u8]) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let rest = match self.fresh {
            true => Some(rest),
            false => rest.strip_prefix(b","),
        };
        if !rest.is_some_and(|rest| rest.starts_with(quoted)) {
            return false;
        }
        self.at += usize::from(!self.fresh) + quoted.len();
        self.fresh = false;
        true
    }

    /// Whether the array that was opened last has another item, which is read next.
    pub(super) fn item(&mut self) -> Result<bool, Wrong> {
        self.goes_on(b']')
    }

    /// Takes the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), Wrong> {
        match self.value()? {
            Token::Object => {
                while self.key()?.is_some() {
                    self.skip()?;
                }
            }
            Token::List => {
                while self.item()? {
                    self.skip()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses whatever follows.
    pub(super) fn end(&mut self) -> Result<(), Wrong> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Wrong::broken(self.at, "something follows the row")),
        }
    }

    fn open(&mut self, token: Token<'a>) -> Result<Token<'a>, Wrong> {
        // The row itself is a level above its columns.
        if self.depth > DEPTH_MAX {
            let why = format!("it is nested deeper than {DEPTH_MAX} levels");
            return Err(Wrong::broken(self.at, why));
        }
        self.depth += 1;
        self.at += 1;
        self.fresh = true;
        Ok(token)
    }

    /// Takes the comma before the next member, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, Wrong> {
        let next = self.peek();
        let fresh = std::mem::take(&mut self.fresh);
        match next {
            Some(byte) if byte == end => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !fresh => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if fresh => Ok(true),
            _ => Err(self.missing(&format!("a comma or {}", char::from(end)))),
        }
    }

    fn missing(&self, what: &str) -> Wrong {
        match self.byte(0) {
            Some(_) => Wrong::broken(self.at, format!("{what} is missing")),
            None => Wrong::broken(self.at, format!("the row ends where {what} is missing")),
        }
    }

    /// The byte so far on.
    fn byte(&self, on: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + on).copied()
    }

    /// The next byte that is no white space, which is not taken.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte(0) {
            self.at += 1;
        }
        self.byte(0)
    }

    fn word(&mut self) -> Result<Token<'a>, Wrong> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let token = match rest.get(..length) {
            Some("null") => Token::Null,
            Some("true") => Token::Boolean(true),
            Some("false") => Token::Boolean(false),
            Some(word @ ("NaN" | "Infinity")) => {
                let why = format!("{word} is no JSON; as a text, \"{word}\", it is a float");
                return Err(Wrong::broken(self.at, why));
            }
            _ => return Err(self.missing("a value")),
        };
        self.at += length;
        Ok(token)
    }

    fn digits(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        while self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.missing("a digit"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Wrong> {
        let start = self.at;
        self.at += usize::from(self.byte(0) == Some(b'-'));
        match self.byte(0) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte(0) == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte(0) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(0), Some(b'+' | b'-')));
            self.digits()?;
        }
        if self.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(Wrong::broken(start, "a number begins with a zero too many"));
        }
        Ok(self.since(start))
    }

    /// The string whose quote is the next byte.
    fn string(&mut self) -> Result<Cow<'a, str>, Wrong> {
        let quote = self.at;
        self.at += 1;
        let mut decoded: Option<String> = None;
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..).unwrap_or_default();
            let stops = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
            self.at += rest.iter().position(stops).unwrap_or(rest.len());
            let plain = self.since(start);
            match self.byte(0) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(plain),
                        Some(decoded) => Cow::Owned(decoded + plain),
                    });
                }
                Some(b'\\') => {
                    let decoded = decoded.get_or_insert_default();
                    decoded.push_str(plain);
                    decoded.push(self.escape()?);
                }
                Some(_) => {
                    let why = "a string holds a control character that is not escaped";
                    return Err(Wrong::broken(self.at, why));
                }
                None => return Err(Wrong::broken(quote, "the row ends within a string")),
            }
        }
    }

    /// The character that the backslash at the next byte begins.
    fn escape(&mut self) -> Result<char, Wrong> {
        let start = self.at;
        let character = match self.byte(1) {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 2;
                return self.unicode(start);
            }
            _ => return Err(Wrong::broken(start, "a backslash begins no escape")),
        };
        self.at += 2;
        Ok(character)
    }

    /// The character of one or two units of UTF-16.
    fn unicode(&mut self, start: usize) -> Result<char, Wrong> {
        let lone = || Wrong::broken(start, "a string holds half of a surrogate pair");
        let first = self.unit(start)?;
        if !matches!(first, 0xd800..=0xdbff) {
            return char::from_u32(first).ok_or_else(lone);
        }
        if (self.byte(0), self.byte(1)) != (Some(b'\\'), Some(b'u')) {
            return Err(lone());
        }
        self.at += 2;
        let second = self.unit(start)?;
        if !matches!(second, 0xdc00..=0xdfff) {
            return Err(lone());
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)
    }

    /// Four digits of base 16.
    fn unit(&mut self, start: usize) -> Result<u32, Wrong> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|text| u32::from_str_radix(text, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| Wrong::broken(start, "four digits of base 16 follow a \\u"))
    }
}
