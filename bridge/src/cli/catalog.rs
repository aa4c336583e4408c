//! `flinkspark catalog`: the catalogue of a stopped server.

use super::args::{CatalogCommand, Format};
use super::render;
use crate::config::{Config, Overrides};
use crate::server::{DataDir, catalogue_dir};
use flinkspark_metadata::offline;
use flinkspark_model::Result;
use serde_json::json;
use std::path::PathBuf;

/// Runs one of the commands; the data directory is held meanwhile.
pub(super) fn run(output: Format, command: &CatalogCommand) -> Result<()> {
    match command {
        CatalogCommand::Verify(overrides) => {
            let (_held, dir) = open(overrides)?;
            let found = offline::verify(&dir)?;
            render::object(
                output,
                &json!({
                    "first": found.first, "last": found.last, "acknowledged": found.acknowledged,
                    "torn_bytes": found.torn_bytes, "datasets": found.datasets, "edges": found.edges,
                    "index": found.index,
                }),
            )
        }
        CatalogCommand::Export(overrides) => {
            let (_held, dir) = open(overrides)?;
            offline::export(&dir, &mut std::io::stdout().lock()).map(drop)
        }
        CatalogCommand::Rebuild {
            overrides,
            accept_loss,
        } => {
            let (_held, dir) = open(overrides)?;
            let loss = if *accept_loss {
                offline::Loss::Accept
            } else {
                offline::Loss::Refuse
            };
            offline::rebuild(&dir, loss, &crate::system::SystemEntropy)?;
            eprintln!("rebuilt the index from the journal");
            Ok(())
        }
    }
}

fn open(overrides: &Overrides) -> Result<(DataDir, PathBuf)> {
    let config = Config::load(overrides)?;
    let mut held = DataDir::open(&config.data_dir)?;
    held.announce(&format!(
        "`flinkspark catalog`, process {},",
        std::process::id()
    ))?;
    let dir = catalogue_dir(held.path());
    Ok((held, dir))
}
