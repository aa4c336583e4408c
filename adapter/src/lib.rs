//! One job, one meaning: dialects, plans, the ledger of differences, targets.
//!
//! A statement goes from a front (`front::flink`) to a typed plan (`plan`) whose every type and
//! conversion is Flink's (`semantics`), and from there to a target (`target`). What is not known to
//! agree is refused by name before anything starts. `front`, `plan`, `semantics` and `target` do no I/O
//! and read no clock. Invariant: nothing reaches a target that the ledger does not allow.

pub mod front;
pub mod plan;
pub mod probe;
pub mod semantics;
pub mod target;
