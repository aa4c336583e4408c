//! Small parts from which signatures are written.
//!
//! Invariant: an argument that does not have the exact type asked for is refused, never converted,
//! except an integer narrower than INT, which Flink widens without a choice.

use super::any_nullable;
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{cast, invalid, refuse};
use flinkspark_model::{Error, Result};

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// CHAR or VARCHAR.
    Text,
    /// TINYINT, SMALLINT or INT.
    Int,
    /// An exact number or a DOUBLE, taken as DOUBLE.
    Double,
}

/// Checks the arguments against the wanted kinds; the last `optional` ones may be missing.
pub(super) fn want(args: Vec<Expr>, kinds: &[Want], optional: usize) -> Result<Vec<Expr>> {
    if args.len() > kinds.len() || args.len() + optional < kinds.len() {
        return Err(invalid(format!(
            "{} arguments where {} are declared",
            args.len(),
            kinds.len()
        )));
    }
    args.into_iter()
        .zip(kinds)
        .map(|(arg, kind)| one(arg, *kind))
        .collect()
}

fn one(arg: Expr, kind: Want) -> Result<Expr> {
    let root = &arg.ty.root;
    match kind {
        Want::Text if root.is_text() => Ok(arg),
        Want::Int if root.integer_rank().is_some_and(|rank| rank <= 2) => Ok(arg),
        Want::Double if *root == Root::Float => Err(mismatch(&arg)),
        Want::Double if root.is_numeric() => Ok(cast::to_root(arg, &Root::Double)),
        _ => Err(mismatch(&arg)),
    }
}

/// The refusal of an argument's type.
pub(super) fn mismatch(arg: &Expr) -> Error {
    refuse(
        format!("an argument of type {}", arg.ty),
        "implicit-conversion",
    )
}

/// A result of this root that is NULL only where an argument is.
pub(super) fn as_nullable_as(args: Vec<Expr>, root: Root) -> Result<(Vec<Expr>, FlinkType)> {
    let nullable = any_nullable(&args);
    Ok((args, FlinkType { root, nullable }))
}

/// A result of this root that may be NULL whatever the arguments.
pub(super) fn always_nullable(args: Vec<Expr>, root: Root) -> Result<(Vec<Expr>, FlinkType)> {
    Ok((args, FlinkType::nullable(root)))
}

/// The length of a text argument, as the longest VARCHAR of a result that only shortens it.
pub(super) fn varchar_of(arg: Option<&Expr>) -> Root {
    Root::Varchar(
        arg.and_then(|arg| arg.ty.root.text_length())
            .unwrap_or(crate::semantics::types::STRING_LENGTH),
    )
}

/// Refuses non-ASCII constants where Flink's folding cuts them to their CHAR length.
pub(super) fn no_folded_unicode(args: &[Expr], what: &str) -> Result<()> {
    let foreign = |arg: &Expr| matches!(arg.ty.root, Root::Char(_)) && !ascii_literal(arg);
    if args.iter().any(foreign) {
        return Err(refuse(
            format!("{what} on a CHAR that may hold more than ASCII"),
            "constant-folding",
        ));
    }
    Ok(())
}

fn ascii_literal(arg: &Expr) -> bool {
    matches!(arg.as_literal(), Some(crate::semantics::value::Value::Text(text)) if text.is_ascii())
}
