//! The functions that a job may call: name, signature and kernel side by side.
//!
//! Owns the table of functions and the way a call is bound. Never looks at rows. Invariant: a call
//! that binds has the type and, for every argument, the answer of Flink 2.3.

pub mod array;
pub mod number;
pub mod operator;
pub mod pattern;
mod signature;
pub mod text;
pub mod time;

use crate::plan::expr::{Expr, ExprKind};
use crate::plan::types::FlinkType;
use crate::plan::value::Value;
use flinkspark_model::Result;

/// One call being evaluated: argument values with their declared types, and the result's type.
#[derive(Debug)]
pub struct Call<'a> {
    /// The argument values, in order.
    pub args: &'a [Value],
    /// The argument expressions, for their types.
    pub exprs: &'a [Expr],
    /// The declared type of the result.
    pub ty: &'a FlinkType,
}

/// Decides a call's type and may convert its arguments; refuses what is not known to agree.
pub type Bind = fn(Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)>;
/// Computes a call on values.
pub type Kernel = fn(&Call<'_>) -> Result<Value>;

/// A function of the allow-list.
pub struct Function {
    /// The name, upper-case; operators are named by their symbol.
    pub name: &'static str,
    /// The signature.
    pub bind: Bind,
    /// The meaning.
    pub kernel: Kernel,
    /// Whether any NULL argument makes the result NULL before the kernel is asked.
    pub strict: bool,
    /// Whether equal arguments give equal results.
    pub deterministic: bool,
}

impl Function {
    /// A deterministic function that is NULL on any NULL.
    pub const fn strict(name: &'static str, bind: Bind, kernel: Kernel) -> Self {
        Self {
            name,
            bind,
            kernel,
            strict: true,
            deterministic: true,
        }
    }

    /// A deterministic function whose kernel sees the NULLs.
    pub const fn lenient(name: &'static str, bind: Bind, kernel: Kernel) -> Self {
        Self {
            name,
            bind,
            kernel,
            strict: false,
            deterministic: true,
        }
    }

    /// The bound call.
    pub fn call(&'static self, args: Vec<Expr>) -> Result<Expr> {
        let (args, ty) = (self.bind)(args)?;
        Ok(Expr {
            kind: ExprKind::Call(self, args),
            ty,
        })
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every table of named functions.
static TABLES: [&[Function]; 5] = [
    text::FUNCTIONS,
    pattern::FUNCTIONS,
    number::FUNCTIONS,
    time::FUNCTIONS,
    array::FUNCTIONS,
];

/// The function with this name, compared without case as Flink compares function names.
pub fn find(name: &str) -> Option<&'static Function> {
    let upper = name.to_ascii_uppercase();
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .find(|function| function.name == upper)
}

/// Whether any argument's type has NULL.
pub fn any_nullable(args: &[Expr]) -> bool {
    args.iter().any(|arg| arg.ty.nullable)
}
