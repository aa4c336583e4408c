//! The grammar's switches for Flink SQL.
//!
//! Owns what the tokenizer and the parser accept; never decides what a form means. Invariant: a form
//! that Flink's own parser rejects is rejected here or by the binder.

use datafusion::sql::sqlparser::ast::{Expr, Ident};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use std::any::TypeId;

/// The prefix under which `TABLE name` arrives as an argument of a window function.
pub(super) const TABLE_ARGUMENT: &str = "TABLE";

/// Flink SQL for sqlparser: back-ticks quote names, backslashes are literal.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FlinkDialect;

impl Dialect for FlinkDialect {
    // The parser asks for the generic dialect by type in many places; Flink's forms need those answers.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::TABLE) {
            return None;
        }
        let name = parser.parse_object_name(false);
        Some(name.map(|name| {
            let parts = name
                .0
                .into_iter()
                .filter_map(|part| part.as_ident().cloned())
                .collect();
            Expr::Prefixed {
                prefix: Ident::new(TABLE_ARGUMENT),
                value: Box::new(Expr::CompoundIdentifier(parts)),
            }
        }))
    }
}
