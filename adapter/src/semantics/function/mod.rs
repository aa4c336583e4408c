//! The functions that a job may call: name, signature and kernel side by side.
//!
//! Owns the table of functions and the way a call is bound; what a function is stands beside the expressions that call
//! it. Never looks at rows. Invariant: a call
//! that binds has the type and, for every argument, the answer of Flink 2.3.

pub mod array;
pub mod number;
pub mod operator;
pub mod pattern;
mod signature;
pub mod text;
pub mod time;

pub use crate::semantics::expr::{Bind, Call, Function, Kernel};

use crate::semantics::expr::Expr;

/// Every table of named functions, and what they are about.
pub fn named() -> [(&'static str, &'static [Function]); 5] {
    [
        ("texts", text::FUNCTIONS),
        ("patterns of texts", pattern::FUNCTIONS),
        ("numbers", number::FUNCTIONS),
        ("dates and times", time::FUNCTIONS),
        ("arrays", array::FUNCTIONS),
    ]
}

/// The function with this name, compared without case as Flink compares function names.
pub fn find(name: &str) -> Option<&'static Function> {
    let upper = name.to_ascii_uppercase();
    named()
        .into_iter()
        .flat_map(|(_, table)| table)
        .find(|function| function.name == upper)
}

/// Whether any argument's type has NULL.
pub fn any_nullable(args: &[Expr]) -> bool {
    args.iter().any(|arg| arg.ty.nullable)
}
