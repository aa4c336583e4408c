//! The rules of the house that no other tool knows.
//!
//! Each check is a pure function of texts; only this file and `sources` read the checkout.
//! Invariant: nothing is excused by name.

mod arrows;
mod circles;
mod error_pages;
mod fail_points;
mod features;
mod lockfile;
mod modules;
mod paths;
mod sources;

use crate::process::{Failure, Outcome};
use crate::workspace::Workspace;
use std::fmt;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, package or code that it is about.
    place: String,
    /// What is wrong and what would be right.
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Runs every check and prints every finding.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let read = |path: &str| {
        std::fs::read_to_string(workspace.root.join(path)).map_err(Failure::while_doing(path))
    };
    let sources = sources::load(workspace)?;
    let pages = error_pages::load(workspace)?;
    let mut findings = arrows::check(&workspace.members);
    findings.extend(lockfile::check(&read("Cargo.lock")?));
    findings.extend(features::check(&features::ask()?));
    findings.extend(error_pages::check(&sources, &pages));
    findings.extend(fail_points::check(&read(fail_points::REGISTRY)?, &sources));
    findings.extend(modules::check(&sources));
    findings.extend(circles::check(&sources));
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!("tidy has {count} findings"))),
    }
}
