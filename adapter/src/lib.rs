//! One job, one meaning: dialects, plans, the ledger of differences, targets.
//!
//! A statement goes from a front (`front::flink`) to a typed plan (`plan`) whose every type and
//! conversion is Flink's (`semantics`), and from there to a target (`target`). What is not known to
//! agree is refused by name before anything starts. `front`, `plan`, `semantics` and `target` do no I/O
//! and read no clock. Invariant: nothing reaches a target that the ledger does not allow.
//!
//! ```
//! use flinkspark_adapter::front::flink::{self, NoTables};
//!
//! let statement = flink::parse("SELECT a / 2 AS half FROM (VALUES (7), (-7)) AS t(a)")?;
//! let job = flink::bind(&statement, &NoTables)?;
//! // Division of integers truncates and stays INT, as in Flink.
//! assert_eq!(job.columns[0].ty.to_string(), "INT NOT NULL");
//!
//! let refused = flink::parse("SELECT RAND(1) AS q").and_then(|statement| flink::bind(&statement, &NoTables));
//! assert_eq!(refused.unwrap_err().code(), "FS0803");
//! # Ok::<(), flinkspark_model::Error>(())
//! ```

pub mod front;
pub mod plan;
pub mod probe;
pub mod semantics;
pub mod target;
