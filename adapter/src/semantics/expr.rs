//! Typed scalar expressions over the columns of one relation, and what a function is that they call.
//!
//! Owns the tree that binders build and evaluators walk; every node carries its Flink type and
//! every implicit conversion is an explicit [`ExprKind::Cast`]. Knows no function by name. Invariant: a column index is below
//! the column count of the relation that the expression is evaluated over.

use super::types::FlinkType;
use super::value::Value;
use flinkspark_model::Result;

/// The deepest expression tree, in nodes from root to leaf: evaluation recurses.
pub const EXPRESSION_DEPTH_MAX: usize = 100;

/// An expression with its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What is computed.
    pub kind: ExprKind,
    /// The type of what is computed.
    pub ty: FlinkType,
}

/// The forms of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A column of the input by position.
    Column(usize),
    /// A constant.
    Literal(Value),
    /// A function of the ledger; arguments are evaluated from left to right.
    Call(&'static Function, Vec<Expr>),
    /// A conversion to the node's type, with Flink's `CAST` semantics.
    Cast(Box<Expr>),
    /// A conversion that gives NULL where the cast would fail.
    TryCast(Box<Expr>),
    /// Conjunction; stops at the first FALSE.
    And(Vec<Expr>),
    /// Disjunction; stops at the first TRUE.
    Or(Vec<Expr>),
    /// `CASE WHEN .. THEN .. ELSE .. END`; only the branch that is taken is evaluated.
    Case(Vec<(Expr, Expr)>, Box<Expr>),
    /// The first argument that is not NULL; later ones are not evaluated.
    Coalesce(Vec<Expr>),
    /// Inside the binder only: the result of an aggregate call of the same SELECT.
    Aggregate(usize),
    /// Inside the binder only: the result of an OVER call of the same SELECT.
    Over(usize),
}

impl Expr {
    /// A column reference.
    pub fn column(index: usize, ty: FlinkType) -> Self {
        Self {
            kind: ExprKind::Column(index),
            ty,
        }
    }

    /// A constant.
    pub fn literal(value: Value, ty: FlinkType) -> Self {
        Self {
            kind: ExprKind::Literal(value),
            ty,
        }
    }

    /// The constant's value, if this is one.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.kind {
            ExprKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The direct operands, in evaluation order.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Column(_)
            | ExprKind::Literal(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Over(_) => vec![],
            ExprKind::Call(_, args)
            | ExprKind::And(args)
            | ExprKind::Or(args)
            | ExprKind::Coalesce(args) => args.iter().collect(),
            ExprKind::Cast(input) | ExprKind::TryCast(input) => vec![input],
            ExprKind::Case(whens, otherwise) => whens
                .iter()
                .flat_map(|(when, then)| [when, then])
                .chain([otherwise.as_ref()])
                .collect(),
        }
    }

    /// The same node over rewritten operands; stops at the first error.
    pub fn try_map_children<E>(
        self,
        rewrite: &mut impl FnMut(Expr) -> Result<Expr, E>,
    ) -> Result<Self, E> {
        let mut all = |list: Vec<Expr>| {
            list.into_iter()
                .map(&mut *rewrite)
                .collect::<Result<Vec<_>, E>>()
        };
        let kind = match self.kind {
            ExprKind::Call(function, args) => ExprKind::Call(function, all(args)?),
            ExprKind::And(args) => ExprKind::And(all(args)?),
            ExprKind::Or(args) => ExprKind::Or(all(args)?),
            ExprKind::Coalesce(args) => ExprKind::Coalesce(all(args)?),
            ExprKind::Cast(input) => ExprKind::Cast(Box::new(rewrite(*input)?)),
            ExprKind::TryCast(input) => ExprKind::TryCast(Box::new(rewrite(*input)?)),
            ExprKind::Case(whens, otherwise) => {
                let whens = whens
                    .into_iter()
                    .map(|(when, then)| Ok((rewrite(when)?, rewrite(then)?)))
                    .collect::<Result<_, E>>()?;
                ExprKind::Case(whens, Box::new(rewrite(*otherwise)?))
            }
            leaf => leaf,
        };
        Ok(Self { kind, ty: self.ty })
    }

    /// Whether any node of the tree satisfies the test.
    pub fn any(&self, test: &impl Fn(&Expr) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|child| child.any(test))
    }

    /// The positions of the columns that the tree reads, ascending and unique.
    pub fn columns(&self) -> Vec<usize> {
        fn collect(expr: &Expr, found: &mut std::collections::BTreeSet<usize>) {
            if let ExprKind::Column(index) = expr.kind {
                found.insert(index);
            }
            for child in expr.children() {
                collect(child, found);
            }
        }
        let mut found = std::collections::BTreeSet::new();
        collect(self, &mut found);
        found.into_iter().collect()
    }

    /// Whether the tree reads no row at all and gives the same value each time.
    pub fn is_constant(&self) -> bool {
        !self.any(&|expr| match &expr.kind {
            ExprKind::Column(_) | ExprKind::Aggregate(_) | ExprKind::Over(_) => true,
            ExprKind::Call(function, _) => !function.deterministic,
            _ => false,
        })
    }

    /// The same tree with every column moved by `offset` positions.
    #[must_use]
    pub fn shifted(self, offset: usize) -> Self {
        self.with_columns(&|index| index + offset)
    }

    /// The same tree with every column position replaced.
    #[must_use]
    pub fn with_columns(self, place: &impl Fn(usize) -> usize) -> Self {
        if let ExprKind::Column(index) = self.kind {
            return Self::column(place(index), self.ty);
        }
        let moved: Result<Self, std::convert::Infallible> =
            self.try_map_children(&mut |child| Ok(child.with_columns(place)));
        match moved {
            Ok(expr) => expr,
            Err(never) => match never {},
        }
    }
}

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
