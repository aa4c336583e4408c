//! Relational nodes with named, typed columns.
//!
//! Owns the tree between a front and a target. Every expression is over positions of its input, every
//! key is a position: a target never resolves a name. Invariant: `columns` describes exactly what the
//! node produces, in order; names may repeat.

use crate::semantics::aggregate::Signature;
use crate::semantics::expr::Expr;
use crate::semantics::types::FlinkType;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;

/// A column of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name, case-sensitive.
    pub name: String,
    /// The type.
    pub ty: FlinkType,
}

/// A relation: a node and the columns that it produces.
#[derive(Debug, Clone, PartialEq)]
pub struct Rel {
    /// What is done.
    pub node: Node,
    /// What comes out.
    pub columns: Vec<Column>,
}

/// The relational operators.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Rows of expressions without columns; one row without columns is a SELECT without FROM.
    Values(Vec<Vec<Expr>>),
    /// All columns of a dataset.
    Scan(Scan),
    /// One expression for each output column.
    Project(Box<Rel>, Vec<Expr>),
    /// The rows on which the predicate is TRUE.
    Filter(Box<Rel>, Expr),
    /// The input's columns, then `window_start`, `window_end`, `window_time`; a NULL time drops the row.
    Tumble(Box<Rel>, Tumble),
    /// The keys, then the calls; without keys always one row.
    Aggregate(Box<Rel>, Grouping),
    /// The input once for each list, the listed columns NULL, then the list's number as BIGINT.
    Expand(Box<Rel>, Vec<Vec<usize>>),
    /// The left columns, then, unless the join only filters, the right ones.
    Join(Box<Join>),
    /// The rows of all inputs, whose columns have the same types.
    Union(Vec<Rel>),
    /// INTERSECT or EXCEPT.
    SetOperation(Box<SetOperation>),
    /// Each row once, with Flink's identity of groups.
    Distinct(Box<Rel>),
    /// The input's columns, then one for each call.
    Over(Box<Rel>, Vec<OverCall>),
    /// The input's columns, then the elements of the array at this position.
    Unnest(Box<Rel>, usize),
    /// The rows in order.
    Sort(Box<Rel>, Vec<SortKey>),
    /// At most `fetch` rows after the first `offset`.
    Limit {
        /// The rows to take from.
        input: Box<Rel>,
        /// Rows to skip.
        offset: usize,
        /// Rows to keep.
        fetch: usize,
    },
}

/// A dataset that is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Which dataset.
    pub dataset: DatasetName,
    /// The position of the time attribute, read in milliseconds.
    pub time_attribute: Option<usize>,
    /// What happens to an event time finer than a millisecond.
    pub time_precision: TimePrecision,
    /// The watermark's delay behind the largest time seen, in milliseconds.
    pub watermark_delay_ms: Option<i64>,
    /// Whether the dataset ends.
    pub bounded: bool,
}

/// Tumbling windows over event time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tumble {
    /// The position of the time column.
    pub time: usize,
    /// The windows' length in milliseconds.
    pub size_ms: i64,
    /// The start of the windows relative to the epoch, in milliseconds.
    pub offset_ms: i64,
}

/// Grouping keys and aggregate calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// Positions of the keys.
    pub keys: Vec<usize>,
    /// The calls.
    pub calls: Vec<AggregateCall>,
}

/// One aggregate call.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    /// The function and its types.
    pub signature: Signature,
    /// The argument's position; none for `COUNT(*)`.
    pub argument: Option<usize>,
    /// The position of a BOOLEAN: only rows on which it is TRUE are folded.
    pub filter: Option<usize>,
}

/// A join of two relations.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The left input.
    pub left: Rel,
    /// The right input.
    pub right: Rel,
    /// Which rows come out.
    pub kind: JoinKind,
    /// Pairs of positions (left, right) that must be equal; the types are the same and no floats.
    pub keys: Vec<(usize, usize)>,
    /// What else must be TRUE, over the left columns followed by the right ones.
    pub residual: Option<Expr>,
}

/// The kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "SQL names them")]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    /// Left rows with a match.
    Semi,
    /// Left rows without a match.
    Anti,
    /// Left rows whose one key is unequal to each of the right: a NULL may be equal to anything.
    NotIn,
}

/// INTERSECT or EXCEPT.
#[derive(Debug, Clone, PartialEq)]
pub struct SetOperation {
    /// The left input.
    pub left: Rel,
    /// The right input, with the same types.
    pub right: Rel,
    /// Whether rows that are in both come out, or those only on the left.
    pub intersect: bool,
    /// Whether rows count as often as they occur.
    pub all: bool,
}

/// One sort key: NULL is the lowest value unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The column's position.
    pub column: usize,
    /// Whether the largest comes first.
    pub descending: bool,
    /// Whether NULLs come first.
    pub nulls_first: bool,
}

/// A call with an OVER clause.
#[derive(Debug, Clone, PartialEq)]
pub struct OverCall {
    /// What is computed.
    pub function: OverFunction,
    /// Positions of the arguments.
    pub args: Vec<usize>,
    /// Positions of the partition keys.
    pub partition: Vec<usize>,
    /// The order inside a partition.
    pub order: Vec<SortKey>,
    /// The frame of an aggregate.
    pub frame: Frame,
    /// The result's type.
    pub ty: FlinkType,
}

/// Functions of an OVER clause.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "SQL names them")]
pub enum OverFunction {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    /// Into how many parts.
    Ntile(u64),
    /// Rows back (positive) or ahead (negative); the second argument is the default.
    Lag(i64),
    /// An aggregate over the frame.
    Aggregate(Signature),
}

/// The rows over which an OVER aggregate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// From the partition's first row to the current row and its equals.
    ToCurrentPeers,
    /// The whole partition.
    Partition,
    /// Rows relative to the current one; none is unbounded.
    Rows(Option<i64>, Option<i64>),
}
