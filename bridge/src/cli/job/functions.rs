//! `flinkspark job explain --functions`: what a job may call, and the ledger of differences.
//!
//! Invariant: a signature is what the binder said, asked when the list is printed.

use crate::cli::args::Format;
use crate::cli::render::{self, Listing};
use crate::exit;
use flinkspark_adapter::front::flink;
use flinkspark_adapter::semantics::ledger;
use flinkspark_model::Result;
use serde_json::json;

/// Lists each function, then each difference.
pub(super) fn print(output: Format) -> Result<u8> {
    let mut functions = Listing::new(&["signature", "kind"]);
    for group in flink::functions() {
        for name in &group.names {
            let mut signatures = flink::signatures(name);
            if signatures.is_empty() {
                // It takes what is not tried.
                signatures.push(format!("{name}(...)"));
            }
            for signature in signatures {
                functions
                    .push(json!({"function": name, "kind": group.title, "signature": signature}));
            }
        }
    }
    let mut differences = Listing::new(&["difference", "text", "way_out"]);
    for entry in ledger::ENTRIES {
        differences.push(
            json!({"difference": entry.id, "text": entry.difference, "way_out": entry.way_out}),
        );
    }
    if output == Format::Table {
        render::listing(output, &functions)?;
        render::text("\nknown differences, by the entries that refusals name:\n")?;
        render::listing(output, &differences)?;
    } else {
        functions.extend(differences);
        render::listing(output, &functions)?;
    }
    Ok(exit::OK)
}
