//! Aggregate functions: which exist, their types, and how they fold.
//!
//! Owns accumulators that both targets run; their state is a list of values with declared types, so
//! it can be merged and, by a stream, kept. Invariant: folding in row order gives Flink's answer; where
//! the order of rows decides (floats, FIRST_VALUE), [`Aggregate::is_order_sensitive`] says so.

mod fold;

pub use fold::Fold;

use super::refuse;
use crate::semantics::types::{FlinkType, Root};
use flinkspark_model::Result;

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// `COUNT(*)`.
    CountRows,
    /// `COUNT(x)`.
    Count,
    /// `SUM(x)`.
    Sum,
    /// `AVG(x)`.
    Avg,
    /// `MIN(x)`.
    Min,
    /// `MAX(x)`.
    Max,
    /// `FIRST_VALUE(x)`, which skips NULLs.
    First,
    /// `LAST_VALUE(x)`, which skips NULLs.
    Last,
    /// `ARRAY_AGG(x)`, which keeps NULLs.
    ArrayAgg,
    /// `VAR_POP(x)`.
    VarPop,
    /// `VAR_SAMP(x)`.
    VarSamp,
    /// `STDDEV_POP(x)`.
    StddevPop,
    /// `STDDEV_SAMP(x)`.
    StddevSamp,
    /// The only value of a scalar subquery.
    Single,
}

impl Aggregate {
    /// Every name in SQL, and what it stands for.
    const NAMED: [(&str, Self); 14] = [
        ("COUNT", Self::Count),
        ("SUM", Self::Sum),
        ("AVG", Self::Avg),
        ("MIN", Self::Min),
        ("MAX", Self::Max),
        ("FIRST_VALUE", Self::First),
        ("LAST_VALUE", Self::Last),
        ("ARRAY_AGG", Self::ArrayAgg),
        ("VAR_POP", Self::VarPop),
        ("VAR_SAMP", Self::VarSamp),
        ("VARIANCE", Self::VarSamp),
        ("STDDEV_POP", Self::StddevPop),
        ("STDDEV_SAMP", Self::StddevSamp),
        ("STDDEV", Self::StddevSamp),
    ];

    /// Every name in SQL.
    pub fn names() -> Vec<&'static str> {
        Self::NAMED.map(|(name, _)| name).to_vec()
    }

    /// The function with this name, compared without case.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        Self::NAMED
            .iter()
            .find(named)
            .map(|(_, aggregate)| *aggregate)
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::CountRows | Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::First => "FIRST_VALUE",
            Self::Last => "LAST_VALUE",
            Self::ArrayAgg => "ARRAY_AGG",
            Self::VarPop => "VAR_POP",
            Self::VarSamp => "VAR_SAMP",
            Self::StddevPop => "STDDEV_POP",
            Self::StddevSamp => "STDDEV_SAMP",
            Self::Single => "SINGLE_VALUE",
        }
    }

    /// The result's type over an argument of this type; `grouped` says that no group is empty.
    pub fn result_type(self, arg: &FlinkType, grouped: bool) -> Result<FlinkType> {
        let nullable = arg.nullable || !grouped;
        let same = || FlinkType {
            root: arg.root.clone(),
            nullable,
        };
        let refused = || {
            Err(refuse(
                format!("{} of {arg}", self.name()),
                "aggregate-type",
            ))
        };
        match self {
            Self::CountRows | Self::Count => Ok(FlinkType::not_null(Root::BigInt)),
            Self::Sum | Self::Avg => match &arg.root {
                Root::Decimal(_, scale) => {
                    let scale = if self == Self::Avg {
                        (*scale).max(6)
                    } else {
                        *scale
                    };
                    Ok(FlinkType {
                        root: Root::Decimal(38, scale),
                        nullable,
                    })
                }
                root if root.is_numeric() => Ok(same()),
                _ => refused(),
            },
            Self::Min | Self::Max if arg.root.is_nested() || arg.root == Root::Null => refused(),
            Self::First | Self::Last if arg.root.is_nested() || arg.root == Root::Null => refused(),
            Self::Min | Self::Max | Self::First | Self::Last => Ok(same()),
            Self::ArrayAgg if arg.root.is_nested() || arg.root == Root::Null => refused(),
            Self::ArrayAgg => Ok(FlinkType {
                root: Root::Array(Box::new(arg.clone())),
                nullable: arg.nullable,
            }),
            Self::Single => Ok(FlinkType::nullable(arg.root.clone())),
            // Flink gives -1 where the sample of a group is one NOT NULL row.
            Self::VarSamp | Self::StddevSamp if !nullable => refused(),
            _ => match &arg.root {
                Root::Decimal(_, scale) if *scale <= 6 => {
                    Ok(FlinkType::nullable(Root::Decimal(38, 6)))
                }
                root if root.is_integer() || *root == Root::Double => {
                    Ok(FlinkType::nullable(root.clone()))
                }
                _ => refused(),
            },
        }
    }

    /// Whether the order of rows can change the result over arguments of this type.
    pub fn is_order_sensitive(self, arg: &FlinkType) -> bool {
        match self {
            Self::First | Self::Last | Self::ArrayAgg => true,
            Self::CountRows | Self::Count | Self::Single => false,
            Self::Sum | Self::Avg | Self::Min | Self::Max => arg.root.is_approximate(),
            _ => true,
        }
    }

    /// Whether the result is whichever rows come first, last or in turn, and not their sum up to rounding.
    pub fn is_positional(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::ArrayAgg)
    }

    /// Whether DISTINCT is known to agree.
    pub fn allows_distinct(self) -> bool {
        matches!(
            self,
            Self::Count | Self::Sum | Self::Avg | Self::Min | Self::Max
        )
    }
}

/// One aggregate call's types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The function.
    pub function: Aggregate,
    /// Whether equal arguments count once.
    pub distinct: bool,
    /// The argument's type; BOOLEAN for `COUNT(*)`, whose argument is never read.
    pub argument: FlinkType,
    /// The result's type.
    pub result: FlinkType,
}

impl Signature {
    /// The types of the values in which a fold keeps its state.
    pub fn state_types(&self) -> Vec<FlinkType> {
        let nullable = FlinkType::nullable;
        if self.distinct {
            return vec![nullable(Root::Array(Box::new(nullable(
                self.argument.root.clone(),
            ))))];
        }
        if self.is_decimal_sum() {
            let Root::Decimal(_, scale) = self.argument.root else {
                return Vec::new();
            };
            return vec![
                nullable(Root::Decimal(38, 0)),
                nullable(Root::Decimal(38, scale)),
                nullable(Root::BigInt),
            ];
        }
        match self.function {
            Aggregate::CountRows | Aggregate::Count => vec![nullable(Root::BigInt)],
            Aggregate::Sum => vec![nullable(self.result.root.clone())],
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last => {
                vec![nullable(self.argument.root.clone())]
            }
            Aggregate::Avg => vec![nullable(self.sum_root()), nullable(Root::BigInt)],
            Aggregate::ArrayAgg => vec![nullable(Root::Array(Box::new(nullable(
                self.argument.root.clone(),
            ))))],
            Aggregate::Single => vec![nullable(self.argument.root.clone()), nullable(Root::BigInt)],
            _ => vec![
                nullable(Root::BigInt),
                nullable(Root::Double),
                nullable(Root::Double),
            ],
        }
    }

    /// Whether decimals are summed: in 256 bits, whatever comes on the way.
    fn is_decimal_sum(&self) -> bool {
        matches!(self.function, Aggregate::Sum | Aggregate::Avg)
            && matches!(self.argument.root, Root::Decimal(..))
    }

    /// The type in which AVG sums.
    fn sum_root(&self) -> Root {
        match &self.argument.root {
            root if root.is_integer() => Root::BigInt,
            _ => Root::Double,
        }
    }

    /// A fold that has seen nothing.
    pub fn fold(&self) -> Fold {
        Fold::new(self.clone())
    }
}
