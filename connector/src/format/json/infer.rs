//! The schema of a whole JSON file.
//!
//! Looks at every value of the file and keeps none. Invariant: the type of a place holds every value that stands there
//! without loss of a digit; columns stand in the order in which their keys were first seen, and all are nullable.

use super::numbers::Numbers;
use super::rows::{Broken, LINES_BYTES, Rows, Source};
use super::tokens::{Token, Tokens};
use super::wrong::{What, Wrong, shown};
use crate::format::text::{Patterns, Restated, Seen};
use arrow_schema::{DataType, Field, Fields, Schema};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::io::Read;

/// The most columns, fields and lists of items of a file.
const PLACES_MAX: usize = 1 << 16;
/// The most bytes that their names have together.
const NAMES_BYTES_MAX: usize = 8 << 20;

/// A schema, and what is to be said of it.
pub(super) struct Inferred {
    pub(super) schema: Schema,
    pub(super) notices: Vec<String>,
}

/// The schema of a whole input. Where lines are set aside, those that are no JSON are not looked at.
pub(super) fn infer(
    input: impl Read,
    patterns: &Patterns,
    aside: bool,
) -> Result<Inferred, Broken> {
    let mut rows = Rows::new(input);
    let mut inference = Inference {
        patterns,
        line: 0,
        places: 0,
        names_bytes: 0,
    };
    let mut columns = Members::default();
    while aside && let Some(lines) = rows.lines(LINES_BYTES)? {
        for line in lines.each() {
            let mut rows = line.rows();
            if serde_json::from_slice::<IgnoredAny>(line.bytes()).is_ok() && rows.advance()? {
                inference.line = rows.line();
                let read = inference.row(&mut columns, rows.text());
                read.map_err(|wrong| rows.broken(wrong))?;
            }
        }
    }
    while rows.advance()? {
        inference.line = rows.line();
        let read = inference.row(&mut columns, rows.text());
        read.map_err(|wrong| rows.broken(wrong))?;
    }
    if columns.objects == 0 {
        return Err(rows.broken_here("it is empty: there is no row to tell its columns"));
    }
    let mut notices = Vec::new();
    let schema = Schema::new(columns.fields("", &mut notices));
    Ok(Inferred { schema, notices })
}

/// What was seen so far, places aside.
struct Inference<'a> {
    patterns: &'a Patterns,
    /// The line of the present row.
    line: u64,
    places: usize,
    names_bytes: usize,
}

/// What was seen of one place: a column, a field, or the items of a list.
struct Place {
    form: Option<(Form, u64)>,
    seen: Seen,
    /// Whether anything but numbers was.
    others: bool,
    numbers: Numbers,
    /// The first value that is no string, as a text would be written.
    unquoted: Option<Restated>,
    members: Members,
    items: Option<Box<Place>>,
}

/// What the values of a place are, and the line of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Scalar,
    Object,
    List,
}

impl Form {
    /// Its name with an article, and without.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Scalar => ("a plain value", "plain value"),
            Self::Object => ("an object", "object"),
            Self::List => ("an array", "array"),
        }
    }
}

/// The fields of a struct, in the order in which they were seen.
#[derive(Default)]
struct Members {
    places: Vec<(String, Place, u64)>,
    known: HashMap<String, usize>,
    /// How many objects were seen.
    objects: u64,
}

impl Inference<'_> {
    fn row(&mut self, columns: &mut Members, text: &str) -> Result<(), Wrong> {
        let mut tokens = Tokens::new(text);
        let at = tokens.at();
        match tokens.value()? {
            Token::Object => self.object(columns, &mut tokens)?,
            _ => return Err(Wrong::broken(at, "a row is an object")),
        }
        tokens.end()
    }

    fn object(&mut self, members: &mut Members, tokens: &mut Tokens<'_>) -> Result<(), Wrong> {
        members.objects += 1;
        let object = members.objects;
        while let Some((at, key)) = tokens.key()? {
            let index = match members.known.get(key.as_ref()) {
                Some(index) => *index,
                None => {
                    self.new_place(at, key.len())?;
                    let index = members.places.len();
                    members.known.insert(key.clone().into_owned(), index);
                    let place = (key.clone().into_owned(), Place::new(), 0);
                    members.places.push(place);
                    index
                }
            };
            let Some((_, place, last)) = members.places.get_mut(index) else {
                continue;
            };
            if std::mem::replace(last, object) == object {
                return Err(Wrong::twice(at, &key));
            }
            let read = self.value(place, tokens);
            read.map_err(|wrong| wrong.in_field(&key))?;
        }
        Ok(())
    }

    fn new_place(&mut self, at: usize, name_bytes: usize) -> Result<(), Wrong> {
        self.places += 1;
        self.names_bytes += name_bytes;
        if self.places > PLACES_MAX || self.names_bytes > NAMES_BYTES_MAX {
            let why = format!(
                "there are more than {PLACES_MAX} columns and fields, or {NAMES_BYTES_MAX} bytes of their names: \
                 keys that are values are a map, which only a schema can say"
            );
            return Err(Wrong::broken(at, why));
        }
        Ok(())
    }

    fn value(&mut self, place: &mut Place, tokens: &mut Tokens<'_>) -> Result<(), Wrong> {
        let at = tokens.at();
        let token = tokens.value()?;
        match &token {
            Token::Null => {}
            Token::Object => {
                place.is(Form::Object, at, self.line)?;
                self.object(&mut place.members, tokens)?;
            }
            Token::List => {
                place.is(Form::List, at, self.line)?;
                if place.items.is_none() {
                    self.new_place(at, 0)?;
                }
                let items = place.items.get_or_insert_with(|| Box::new(Place::new()));
                let mut count = 0;
                while tokens.item()? {
                    let read = self.value(items, tokens);
                    read.map_err(|wrong| wrong.in_item(count))?;
                    count += 1;
                }
            }
            Token::Text(text) => {
                place.is(Form::Scalar, at, self.line)?;
                place.others = true;
                match self.patterns.moment(text) {
                    Some(iso) => place.seen.see(&iso, self.line),
                    None => place.seen.see_text(),
                }
            }
            Token::Boolean(_) => {
                place.is(Form::Scalar, at, self.line)?;
                place.others = true;
                place.seen.see(tokens.since(at), self.line);
                place.unquoted(tokens.since(at), self.line);
            }
            Token::Number(number) => {
                place.is(Form::Scalar, at, self.line)?;
                place.numbers.see(number, self.line);
                place.unquoted(number, self.line);
            }
        }
        Ok(())
    }
}

impl Place {
    fn new() -> Self {
        Self {
            form: None,
            seen: Seen::NOTHING,
            others: false,
            numbers: Numbers::default(),
            unquoted: None,
            members: Members::default(),
            items: None,
        }
    }

    /// Refuses values of two forms in one place.
    fn is(&mut self, form: Form, at: usize, line: u64) -> Result<(), Wrong> {
        let (known, first) = *self.form.get_or_insert((form, line));
        if known == form {
            return Ok(());
        }
        let (found, _) = form.names();
        let (_, wanted) = known.names();
        let (found, wanted) = (found.to_owned(), format!("{wanted} as in line {first}"));
        Err(Wrong::new(at, What::Misfit { found, wanted }))
    }

    fn unquoted(&mut self, text: &str, line: u64) {
        self.unquoted.get_or_insert_with(|| Restated {
            line,
            text: shown(text).to_string(),
            written: format!("\"{}\"", shown(text)),
        });
    }

    /// The type of the place, and what is to be said of it.
    fn data_type(&self, path: &str, notices: &mut Vec<String>) -> DataType {
        match self.form {
            Some((Form::Object, _)) => {
                return DataType::Struct(self.members.fields(&format!("{path}."), notices));
            }
            Some((Form::List, _)) => {
                let item = self.items.as_deref().map_or(DataType::Utf8, |items| {
                    items.data_type(&format!("{path}[]"), notices)
                });
                return DataType::new_list(item, true);
            }
            Some((Form::Scalar, _)) | None => {}
        }
        let numbers = self.numbers.data_type();
        let data_type = match (self.others, numbers) {
            (false, Some(numbers)) => numbers,
            (true, Some(_)) => DataType::Utf8,
            (_, None) => self.seen.data_type(),
        };
        let restated = match &data_type {
            DataType::Utf8 => self.unquoted.as_ref(),
            DataType::Float64 => self.numbers.restated(),
            _ => None,
        };
        notices.extend(restated.map(|restated| restated.notice(path, &data_type)));
        notices.extend(self.seen.notice(path, &data_type));
        data_type
    }
}

impl Members {
    fn fields(&self, path: &str, notices: &mut Vec<String>) -> Fields {
        let fields = self.places.iter().map(|(name, place, _)| {
            let data_type = place.data_type(&format!("{path}{name}"), notices);
            Field::new(name, data_type, true)
        });
        fields.collect()
    }
}
