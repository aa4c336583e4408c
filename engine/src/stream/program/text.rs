//! Programs as text: the StreamGraph of `job explain`.
//!
//! Invariant: the text holds everything that decides what a program answers, but for
//! identities: with them it makes up the fingerprint to which a checkpoint's state belongs.

use super::{Aggregate, NamedExpr, Node, Operator, Program, Sink, Source};
use std::fmt;

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.uid)?;
        match &self.operator {
            Operator::Filter(predicate) => write!(f, "filter {predicate}"),
            Operator::Project(columns) => write!(f, "project {}", Listed(columns)),
            Operator::Tumble(tumble) => {
                let time = self
                    .input
                    .fields()
                    .get(tumble.time)
                    .map_or("?", |field| field.name());
                write!(f, "tumble {time} size {} ms", tumble.size_ms)?;
                if tumble.offset_ms != 0 {
                    write!(f, " offset {} ms", tumble.offset_ms)?;
                }
                write!(
                    f,
                    " by {} aggregate {}",
                    Listed(&tumble.keys),
                    Listed(&tumble.aggregates)
                )?;
                match &tumble.late_to {
                    Some(late) => write!(f, " late rows to {}", late.name),
                    None => Ok(()),
                }
            }
            Operator::Keyed(keyed) => {
                write!(
                    f,
                    "aggregate {} by {} at the end",
                    Listed(&keyed.aggregates),
                    Listed(&keyed.keys)
                )
            }
        }
    }
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", items.join(", "))
    }
}

impl fmt::Display for NamedExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} AS {}", self.expr, self.name)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.argument {
            None => write!(f, "{}(*) AS {}", self.function, self.name),
            Some(argument) => write!(f, "{}({argument}) AS {}", self.function, self.name),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: read {}", self.uid, self.name)?;
        match &self.columns {
            None => Ok(()),
            Some(columns) => {
                let name = |index: &usize| {
                    self.schema
                        .fields()
                        .get(*index)
                        .map_or("?", |field| field.name())
                        .to_owned()
                };
                write!(
                    f,
                    " ({})",
                    columns.iter().map(name).collect::<Vec<_>>().join(", ")
                )
            }
        }?;
        match &self.time {
            None => Ok(()),
            Some(time) => write!(f, " watermark delay {} ms", time.watermark_delay_ms),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: write {}", self.uid, self.name)
    }
}

/// The StreamGraph: one operator a line, from the source down.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.source)?;
        for node in &self.nodes {
            writeln!(f, "{node}")?;
        }
        write!(f, "{}", self.sink)
    }
}
