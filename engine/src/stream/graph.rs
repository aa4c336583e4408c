//! From operators to chains (JobGraph) and from chains to subtasks (ExecutionGraph).
//!
//! Owns where a program is cut: before an operator that needs equal keys together. It starts
//! nothing. Invariant: every operator is in exactly one chain, and only the first chain reads.

use super::keygroup::{self, KEY_GROUPS};
use super::program::Program;
use flinkspark_model::{Error, Kind, Result};
use std::fmt;
use std::ops::Range;

/// The most subtasks of a chain: a key group is the smallest share of the keys.
pub const PARALLELISM_MAX: usize = KEY_GROUPS as usize;

/// Operators that call each other directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Indexes into the program's operators.
    pub(crate) nodes: Range<usize>,
    /// How many subtasks run it.
    pub(crate) parallelism: usize,
}

/// The chains of a program, in the order in which rows pass them.
#[derive(Debug, Clone)]
pub struct JobGraph {
    program: Program,
    pub(crate) chains: Vec<Chain>,
}

impl JobGraph {
    /// Cuts a program into chains. The first chain has at most one subtask per partition of the
    /// source; the others have `parallelism`, from 1 to [`PARALLELISM_MAX`].
    pub fn new(program: &Program, parallelism: usize, partitions: usize) -> Result<Self> {
        if !(1..=PARALLELISM_MAX).contains(&parallelism) {
            return Err(Error::new(
                Kind::Invalid,
                "FS0609",
                format!("a parallelism of {parallelism} is not possible"),
            )
            .with_detail(format!(
                "it is from 1 to {PARALLELISM_MAX}, the number of key groups"
            )));
        }
        let readers = parallelism.min(partitions.max(1));
        let mut chains = vec![Chain {
            nodes: 0..0,
            parallelism: readers,
        }];
        for (index, node) in program.nodes.iter().enumerate() {
            if node.exchange().is_some() {
                chains.push(Chain {
                    nodes: index..index,
                    parallelism,
                });
            }
            if let Some(chain) = chains.last_mut() {
                chain.nodes.end = index + 1;
            }
        }
        Ok(Self {
            program: program.clone(),
            chains,
        })
    }

    /// The subtasks that run this graph.
    pub fn execution(&self) -> ExecutionGraph<'_> {
        ExecutionGraph(self)
    }
}

impl fmt::Display for JobGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, chain) in self.chains.iter().enumerate() {
            writeln!(
                f,
                "chain {} (parallelism {}):",
                index + 1,
                chain.parallelism
            )?;
            let nodes = &self.program.nodes[chain.nodes.clone()];
            match nodes.first().and_then(|node| node.exchange()) {
                _ if index == 0 => writeln!(f, "  {}", self.program.source)?,
                Some([]) => writeln!(f, "  exchange everything to one subtask")?,
                Some(keys) => {
                    let keys: Vec<String> = keys.iter().map(|key| key.expr.to_string()).collect();
                    writeln!(f, "  exchange by key group of [{}]", keys.join(", "))?;
                }
                None => {}
            }
            for node in nodes {
                writeln!(f, "  {node}")?;
            }
        }
        write!(f, "  {}", self.program.sink)
    }
}

/// The subtasks of a job, each with the key groups that it owns.
#[derive(Debug)]
pub struct ExecutionGraph<'a>(&'a JobGraph);

impl fmt::Display for ExecutionGraph<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (number, chain) in self.0.chains.iter().enumerate() {
            for index in 0..chain.parallelism {
                write!(f, "{separator}subtask {}.{}: ", number + 1, index + 1)?;
                separator = "\n";
                if number == 0 {
                    write!(f, "partitions {index}, {}, ..", index + chain.parallelism)?;
                } else {
                    let groups = keygroup::range(index, chain.parallelism);
                    write!(f, "key groups {} to {}", groups.start(), groups.end())?;
                }
            }
        }
        Ok(())
    }
}
