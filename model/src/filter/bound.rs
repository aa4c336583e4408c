//! A filter whose columns are found and whose literals are typed.
//!
//! Pure. Invariant: `may_match` says no only where no row of those that the statistics are of can make the
//! filter true.

use super::Filter;
use super::statistics::ColumnStatistics;
use super::value::Value;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A filter that is bound to a schema.
#[derive(Debug, Clone)]
pub struct Bound {
    /// What must hold, all of it: as it was written, and bound.
    pub(super) conjuncts: Vec<(Filter, Node)>,
}

/// A bound filter in two parts, both of which must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// What is answered exactly; `None` for nothing.
    pub answered: Option<Filter>,
    /// What whoever asked must evaluate himself; `None` for nothing.
    pub residual: Option<Filter>,
}

/// A bound condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// All of them.
    And(Vec<Node>),
    /// Any of them.
    Or(Vec<Node>),
    /// Its opposite.
    Not(Box<Node>),
    /// One test of one column.
    Term(Term),
}

/// One test of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The column's index in the schema.
    pub column: usize,
    /// What is asked of it.
    pub test: Test,
}

/// What is asked of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A comparison with a literal; with NULL it is unknown.
    Compare(Operator, Option<Value>),
    /// Whether it is one of these values, which are sorted; `null` where the list has NULL besides.
    In {
        /// The values.
        values: Vec<Value>,
        /// Whether NULL is in the list: then what is not found is unknown.
        null: bool,
    },
    /// Whether it begins with these bytes; with NULL it is unknown.
    Prefix(Option<Vec<u8>>),
    /// Whether it is null.
    IsNull,
    /// What engines answer differently; never evaluated here.
    Residual,
}

/// A comparison of a column with a literal, the column on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Bound {
    #[cfg(test)]
    pub(super) fn of(node: Node) -> Self {
        let is_null = super::Column {
            column: String::new(),
        };
        Self {
            conjuncts: vec![(Filter::IsNull(is_null), node)],
        }
    }

    /// The part that is answered exactly and the one that is handed back, as they were written.
    pub fn split(&self) -> Split {
        let part = |exact: bool| {
            let these = self
                .conjuncts
                .iter()
                .filter(|(_, node)| node.is_exact() == exact);
            let mut these: Vec<Filter> = these.map(|(filter, _)| filter.clone()).collect();
            match these.len() {
                0 => None,
                1 => these.pop(),
                _ => Some(Filter::And(these)),
            }
        };
        Split {
            answered: part(true),
            residual: part(false),
        }
    }

    /// What must hold, all of it.
    pub fn conditions(&self) -> impl Iterator<Item = &Node> {
        self.conjuncts.iter().map(|(_, node)| node)
    }

    /// The columns that it needs, by index.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut columns = BTreeSet::new();
        for node in self.conditions() {
            node.collect(&mut columns);
        }
        columns
    }

    /// Whether any of the rows may make it true, by what is known of the columns that are named; nothing is
    /// known of one that is not.
    pub fn may_match(&self, statistics: &BTreeMap<usize, ColumnStatistics>) -> bool {
        self.conditions().all(|node| node.possible(statistics).0)
    }
}

impl Node {
    fn is_exact(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_exact),
            Self::Not(part) => part.is_exact(),
            Self::Term(term) => term.test != Test::Residual,
        }
    }

    fn collect(&self, columns: &mut BTreeSet<usize>) {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.collect(columns))
            }
            Self::Not(part) => part.collect(columns),
            Self::Term(term) => {
                columns.insert(term.column);
            }
        }
    }

    /// Whether it may be true of a row, and whether it may be false.
    fn possible(&self, statistics: &BTreeMap<usize, ColumnStatistics>) -> (bool, bool) {
        let of = |parts: &[Self]| -> Vec<(bool, bool)> {
            parts.iter().map(|part| part.possible(statistics)).collect()
        };
        match self {
            Self::And(parts) => {
                let parts = of(parts);
                (
                    parts.iter().all(|part| part.0),
                    parts.iter().any(|part| part.1),
                )
            }
            Self::Or(parts) => {
                let parts = of(parts);
                (
                    parts.iter().any(|part| part.0),
                    parts.iter().all(|part| part.1),
                )
            }
            Self::Not(part) => {
                let (yes, no) = part.possible(statistics);
                (no, yes)
            }
            Self::Term(term) => match statistics.get(&term.column) {
                Some(known) => term.test.possible(known),
                None => (true, true),
            },
        }
    }
}

impl Test {
    fn possible(&self, known: &ColumnStatistics) -> (bool, bool) {
        if *self == Self::IsNull {
            return (known.nulls > 0, known.has_values());
        }
        if !known.has_values() {
            return (false, false);
        }
        let (min, max) = (known.min.as_ref(), known.max.as_ref());
        let below = |value: &Value| min.is_none_or(|min| min < value);
        let above = |value: &Value| max.is_none_or(|max| max > value);
        let within = |value: &Value| {
            min.is_none_or(|min| min <= value) && max.is_none_or(|max| max >= value)
        };
        let only = |value: &Value| min == Some(value) && max == Some(value);
        match self {
            Self::Compare(_, None) | Self::Prefix(None) => (false, false),
            Self::Compare(operator, Some(value)) => match operator {
                Operator::Eq => (within(value), !only(value)),
                Operator::Ne => (!only(value), within(value)),
                Operator::Lt => (below(value), above(value) || within(value)),
                Operator::Le => (below(value) || within(value), above(value)),
                Operator::Gt => (above(value), below(value) || within(value)),
                Operator::Ge => (above(value) || within(value), below(value)),
            },
            Self::In { values, null } => {
                let found = values.iter().any(within);
                (found, !null && !values.iter().any(only))
            }
            Self::Prefix(Some(prefix)) => {
                let starts = |value: &Value| value.starts_with(prefix);
                let literal = Value::Bytes(prefix.clone());
                let from = min.is_none_or(|min| *min <= literal || starts(min));
                let to = max.is_none_or(|max| *max >= literal);
                (
                    from && to,
                    !(min.is_some_and(starts) && max.is_some_and(starts)),
                )
            }
            Self::IsNull | Self::Residual => (true, true),
        }
    }
}
