//! A place in the tokens of a `CREATE TABLE`.
//!
//! Knows words, names and texts; what they mean, the readers beside it decide. Invariant: what is not taken is still there.

use super::super::{STATEMENT_DEPTH_MAX, dialect, reserved, syntax};
use datafusion::sql::sqlparser::ast::{self, DataType as SqlType};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use flinkspark_model::{Error, Result};

pub(super) struct Cursor {
    parser: Parser<'static>,
}

impl Cursor {
    /// At the first of these tokens.
    pub(super) fn new(tokens: Vec<TokenWithSpan>) -> Self {
        // `>>` ends two types here, and shifts nothing.
        let mut split = Vec::with_capacity(tokens.len());
        for token in tokens {
            if token.token == Token::ShiftRight {
                let half = TokenWithSpan::new(Token::Gt, token.span);
                split.extend([half.clone(), half]);
            } else {
                split.push(token);
            }
        }
        let parser = Parser::new(&dialect::FlinkDialect)
            .with_recursion_limit(STATEMENT_DEPTH_MAX)
            .with_tokens_with_locations(split);
        Self { parser }
    }

    /// Whether this word, which is no name in back-ticks, stands so many tokens ahead.
    fn is_ahead(&self, ahead: usize, word: &str) -> bool {
        let token = self.parser.peek_nth_token_ref(ahead);
        matches!(&token.token, Token::Word(found) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }

    /// Whether these words follow.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        let mut ahead = words.iter().enumerate();
        ahead.all(|(ahead, word)| self.is_ahead(ahead, word))
    }

    /// Takes these words, all of them or none.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let is = self.is(words);
        if is {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        is
    }

    /// Takes these words.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<()> {
        match self.take(words) {
            true => Ok(()),
            false => Err(self.expected(&words.join(" "))),
        }
    }

    /// Takes a sign.
    pub(super) fn take_sign(&mut self, sign: &Token) -> bool {
        self.parser.consume_token(sign)
    }

    /// Takes a sign that has to be there.
    pub(super) fn expect_sign(&mut self, sign: &Token) -> Result<()> {
        match self.take_sign(sign) {
            true => Ok(()),
            false => Err(self.expected(&format!("\"{sign}\""))),
        }
    }

    /// What stands in parentheses, parted by commas.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_sign(&Token::LParen)?;
        let mut items = vec![item(self)?];
        while self.take_sign(&Token::Comma) {
            items.push(item(self)?);
        }
        self.expect_sign(&Token::RParen).map(|()| items)
    }

    /// A name, in back-ticks or not.
    pub(super) fn name(&mut self) -> Result<String> {
        if !matches!(self.parser.peek_token_ref().token, Token::Word(_)) {
            return Err(self.expected("a name"));
        }
        let name = self.parser.parse_identifier().map_err(unread)?;
        reserved::check(&name).map(|()| name.value)
    }

    /// A name of several parts.
    pub(super) fn dotted(&mut self) -> Result<ast::ObjectName> {
        self.parser.parse_object_name(false).map_err(unread)
    }

    /// A text in single quotes.
    pub(super) fn text(&mut self) -> Result<String> {
        match &self.parser.peek_token_ref().token {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.parser.advance_token();
                Ok(text)
            }
            _ => Err(self.expected("a text in single quotes")),
        }
    }

    /// A whole number in parentheses, where there is one.
    pub(super) fn precision(&mut self) -> Result<Option<u64>> {
        if !self.take_sign(&Token::LParen) {
            return Ok(None);
        }
        let number = self.parser.parse_literal_uint().map_err(unread)?;
        self.expect_sign(&Token::RParen).map(|()| Some(number))
    }

    /// A type that the parser of queries knows.
    pub(super) fn data_type(&mut self) -> Result<SqlType> {
        self.parser.parse_data_type().map_err(unread)
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Result<ast::Expr> {
        self.parser.parse_expr().map_err(unread)
    }

    /// Whether nothing follows.
    pub(super) fn is_end(&self) -> bool {
        matches!(
            self.parser.peek_token_ref().token,
            Token::EOF | Token::SemiColon
        )
    }

    /// Something else stands here.
    pub(super) fn expected(&self, what: &str) -> Error {
        let found = self.parser.peek_token_ref();
        let (line, column) = (found.span.start.line, found.span.start.column);
        match self.is_end() {
            true => syntax(format!("the CREATE TABLE ends where {what} is expected")),
            false => syntax(format!(
                "{what} is expected in line {line}, column {column}, and {} stands there",
                found.token
            )),
        }
    }
}

fn unread(error: ParserError) -> Error {
    syntax(error.to_string())
}
