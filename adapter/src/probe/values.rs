//! A probe's VALUES as a dataset: a streaming engine reads datasets only.
//!
//! Owns the rewriting of the one leaf of a plan that is a path; a plan with several leaves is left
//! as it is, for the target to refuse. Invariant: the rewritten job has the columns of the job.

use crate::plan::rel::{Column, Node, Rel, Scan};
use crate::plan::{Home, Job};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use flinkspark_model::Result;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;
use std::collections::BTreeSet;

/// The dataset's name.
const NAME: &str = "values";
/// The only column where VALUES have none, as in a SELECT without FROM; as Calcite calls it.
const ZERO: &str = "ZERO";

/// Two jobs for one: what writes the dataset, and what reads it.
#[derive(Debug, Clone)]
pub struct Materialised {
    /// Gives the VALUES; none where the plan has no leaf to replace.
    pub values: Option<Job>,
    /// The job; it reads the dataset instead of the VALUES.
    pub job: Job,
}

/// Puts a dataset into the place of a plan's VALUES.
pub fn materialise(job: &Job) -> Result<Materialised> {
    let mut job = job.clone();
    let dataset = DatasetName::new(NAME)?;
    let values = leaf(&mut job.root).map(|leaf| {
        if leaf.columns.is_empty() {
            *leaf = zero();
        }
        let scan = Scan {
            dataset,
            time_attribute: None,
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: None,
            bounded: true,
        };
        let columns = leaf.columns.clone();
        let scan = Rel {
            node: Node::Scan(scan),
            columns: columns.clone(),
        };
        Job {
            home: Home::FlinkBatch,
            sink: None,
            overwrites: false,
            sink_columns: Vec::new(),
            root: std::mem::replace(leaf, scan),
            columns,
            relied_on: BTreeSet::new(),
        }
    });
    Ok(Materialised { values, job })
}

/// One row with one column, for a SELECT without FROM: a dataset has columns.
fn zero() -> Rel {
    let ty = FlinkType::not_null(Root::Int);
    let literal = Expr::literal(Value::Integer(0), ty.clone());
    Rel {
        node: Node::Values(vec![vec![literal]]),
        columns: vec![Column {
            name: ZERO.into(),
            ty,
        }],
    }
}

/// The VALUES at the end of a path.
fn leaf(rel: &mut Rel) -> Option<&mut Rel> {
    if matches!(rel.node, Node::Values(_)) {
        return Some(rel);
    }
    match &mut rel.node {
        Node::Project(input, _)
        | Node::Filter(input, _)
        | Node::Tumble(input, _)
        | Node::Aggregate(input, _)
        | Node::Expand(input, _)
        | Node::Distinct(input)
        | Node::Over(input, _)
        | Node::Unnest(input, _)
        | Node::Sort(input, _)
        | Node::Limit { input, .. } => leaf(input),
        Node::Values(_)
        | Node::Scan(_)
        | Node::Join(_)
        | Node::Union(_)
        | Node::SetOperation(_) => None,
    }
}
