//! The definitions of an IDL.
//!
//! After the grammar of Apache Thrift's own compiler. Invariant: what no record holds (namespaces, services) is skipped
//! whole, and what would be left out of a record otherwise is wrong.

mod fields;

use super::Wrong;
use super::tokens::{Place, Token, What};
use crate::format::thrift::layout::Words;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Wrong>;

/// Texts that are said of a type, a field or a struct.
pub(super) type Annotations = Vec<(String, String)>;

/// The definitions of a text.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) typedefs: HashMap<String, Type>,
    pub(super) constants: HashMap<String, Value>,
    pub(super) enums: HashMap<String, Arc<Words>>,
    /// Structs, unions and exceptions, in their order.
    pub(super) structures: Vec<Structure>,
    names: HashSet<String>,
}

/// What a structure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Struct,
    Union,
    Exception,
}

/// A struct, a union or an exception.
#[derive(Debug)]
pub(super) struct Structure {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) fields: Vec<Field>,
    pub(super) annotations: Annotations,
    pub(super) place: Place,
}

/// A field of one.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) id: i16,
    pub(super) required: bool,
    pub(super) kind: Type,
    pub(super) name: String,
    pub(super) default: Option<Value>,
    pub(super) annotations: Annotations,
    pub(super) place: Place,
}

/// A type and what is said of it.
#[derive(Debug, Clone)]
pub(super) struct Type {
    pub(super) form: TypeForm,
    pub(super) annotations: Annotations,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum TypeForm {
    /// A type of Thrift, or one that has its name from the text.
    Named(String),
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<(Type, Type)>),
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Whole(i64),
    Double(f64),
    Text(String),
    Word(String),
    /// A list, a map or a struct.
    Nested,
}

/// Reads definitions to the end.
pub(super) fn document(tokens: &[Token<'_>]) -> Result<Document> {
    let mut parser = Parser { tokens, at: 0 };
    let mut document = Document::default();
    while *parser.what() != What::End {
        parser.definition(&mut document)?;
    }
    Ok(document)
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

const END: &Token<'static> = &Token {
    what: What::End,
    place: Place { line: 1, column: 1 },
};

impl<'a> Parser<'a> {
    fn token(&self) -> &'a Token<'a> {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .unwrap_or(END)
    }

    fn what(&self) -> &'a What<'a> {
        &self.token().what
    }

    fn place(&self) -> Place {
        self.token().place
    }

    fn go(&mut self) -> &'a What<'a> {
        let what = self.what();
        self.at += 1;
        what
    }

    fn wanted<T>(&self, wanted: &str) -> Result<T> {
        self.place().wrong(format!("{wanted} is missing"))
    }

    /// Takes the mark, if it is there.
    fn has(&mut self, mark: char) -> bool {
        let there = *self.what() == What::Mark(mark);
        self.at += usize::from(there);
        there
    }

    fn mark(&mut self, mark: char) -> Result<()> {
        match self.has(mark) {
            true => Ok(()),
            false => self.wanted(&format!("\"{mark}\"")),
        }
    }

    /// Takes the word, if it is there.
    fn has_word(&mut self, word: &str) -> bool {
        let there = *self.what() == What::Word(word);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self) -> Result<&'a str> {
        match self.what() {
            What::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.wanted("a name"),
        }
    }

    fn separator(&mut self) {
        let _ = self.has(',') || self.has(';');
    }

    fn definition(&mut self, document: &mut Document) -> Result<()> {
        let place = self.place();
        match self.go() {
            What::Word("namespace") => {
                if !self.has('*') {
                    self.word()?;
                }
                match self.go() {
                    What::Word(_) | What::Text(_) => self.annotations().map(drop),
                    _ => place.wrong("a namespace has no name"),
                }
            }
            What::Word("include") => {
                place.wrong("an included file is not read: put its definitions into this text")
            }
            What::Word("cpp_include") => match self.go() {
                What::Text(_) => Ok(()),
                _ => place.wrong("an include has no file"),
            },
            What::Word("typedef") => {
                let mut kind = self.kind(0)?;
                let name = self.word()?;
                kind.annotations.extend(self.annotations()?);
                self.separator();
                document.named(name, place)?;
                document.typedefs.insert(name.into(), kind);
                Ok(())
            }
            What::Word("const") => {
                self.kind(0)?;
                let name = self.word()?;
                self.mark('=')?;
                let value = self.value(0)?;
                self.separator();
                document.named(name, place)?;
                document.constants.insert(name.into(), value);
                Ok(())
            }
            What::Word("enum") => self.enumeration(document),
            What::Word("struct") => self.structure(document, Form::Struct),
            What::Word("union") => self.structure(document, Form::Union),
            What::Word("exception") => self.structure(document, Form::Exception),
            What::Word("service") => {
                document.named(self.word()?, place)?;
                if self.has_word("extends") {
                    self.word()?;
                }
                self.block()?;
                self.annotations().map(drop)
            }
            _ => place.wrong("a definition is missing: namespace, typedef, const, enum or struct"),
        }
    }

    /// Skips what stands between braces.
    fn block(&mut self) -> Result<()> {
        let place = self.place();
        self.mark('{')?;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.go() {
                What::Mark('{') => depth += 1,
                What::Mark('}') => depth -= 1,
                What::End => return place.wrong("a service does not end"),
                _ => {}
            }
        }
        Ok(())
    }

    fn enumeration(&mut self, document: &mut Document) -> Result<()> {
        let place = self.place();
        let name = self.word()?;
        self.mark('{')?;
        let mut words = BTreeMap::new();
        let mut names = HashSet::new();
        let mut next = Some(0_i32);
        while !self.has('}') {
            let place = self.place();
            let word = self.word()?;
            if self.has('=') {
                next = match self.go() {
                    What::Whole(number) => i32::try_from(*number).ok(),
                    _ => return place.wrong(format!("the number of {word} is missing")),
                };
            }
            let Some(number) = next else {
                return place.wrong(format!("the number of {word} has more than 32 bits"));
            };
            if !names.insert(word) {
                return place.wrong(format!("{word} is there twice"));
            }
            // Which of the two the writer meant could not be told.
            if words.contains_key(&number) {
                return place.wrong(format!("{word} has the number {number} of another word"));
            }
            words.insert(number, word.to_owned());
            next = number.checked_add(1);
            self.annotations()?;
            self.separator();
        }
        self.annotations()?;
        document.named(name, place)?;
        let words = Words {
            name: name.into(),
            words: words.into_iter().collect(),
        };
        document.enums.insert(name.into(), Arc::new(words));
        Ok(())
    }

    fn structure(&mut self, document: &mut Document, form: Form) -> Result<()> {
        let place = self.place();
        let name = self.word()?;
        let _ = self.has_word("xsd_all");
        self.mark('{')?;
        let mut fields = Vec::new();
        while !self.has('}') {
            fields.push(self.field()?);
        }
        let mut ids = HashSet::new();
        if let Some(twice) = fields.iter().find(|field| !ids.insert(field.id)) {
            return twice
                .place
                .wrong(format!("the number {} is there twice", twice.id));
        }
        document.named(name, place)?;
        document.structures.push(Structure {
            name: name.into(),
            form,
            fields,
            annotations: self.annotations()?,
            place,
        });
        Ok(())
    }
}

impl Document {
    /// Takes a name for a definition.
    fn named(&mut self, name: &str, place: Place) -> Result<()> {
        match self.names.insert(name.into()) {
            true => Ok(()),
            false => place.wrong(format!("\"{name}\" is defined twice")),
        }
    }
}
