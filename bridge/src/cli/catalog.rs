//! `flinkspark catalog`: the catalogue of a stopped server.

use super::args::{CatalogCommand, Format};
use super::render;
use crate::config::{Config, Overrides};
use crate::damage::Object;
use crate::server::{DataDir, catalogue_dir, inspect};
use crate::workers::no_threads;
use flinkspark_metadata::offline;
use flinkspark_model::{Error, Kind, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The most damaged objects that an error names.
const NAMED_MAX: usize = 10;

/// Runs one of the commands; the data directory is held meanwhile.
pub(super) fn run(output: Format, command: &CatalogCommand) -> Result<()> {
    match command {
        CatalogCommand::Verify(overrides) => {
            let (held, dir) = open(overrides)?;
            let verified = offline::verify(&dir);
            if matches!(&verified, Err(error) if error.kind() != Kind::Data) {
                verified?;
                return Ok(());
            }
            let damaged = inspected(held.path())?;
            let found = verified?;
            render::object(
                output,
                &json!({
                    "first": found.first, "last": found.last, "acknowledged": found.acknowledged,
                    "torn_bytes": found.torn_bytes, "datasets": found.datasets, "edges": found.edges,
                    "index": found.index,
                    "damaged": damaged.iter().map(|(object, error)| json!({
                        "object": object.to_string(), "code": error.code(), "message": error.message(),
                        "detail": error.detail(), "hint": error.hint(),
                    })).collect::<Vec<_>>(),
                }),
            )?;
            whole(&damaged)
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

/// Every log, every job and the key, compared with what else is known of them.
fn inspected(data_dir: &Path) -> Result<Vec<(Object, Error)>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(no_threads)?;
    Ok(runtime.block_on(inspect(data_dir))?.all())
}

fn whole(damaged: &[(Object, Error)]) -> Result<()> {
    if damaged.is_empty() {
        return Ok(());
    }
    let named = damaged
        .iter()
        .take(NAMED_MAX)
        .map(|(object, error)| format!("{object}: {}: {}", error.code(), error.message()));
    Err(Error::new(
        Kind::Data,
        "FS0023",
        format!("{} objects are damaged", damaged.len()),
    )
    .with_detail(named.collect::<Vec<_>>().join("; "))
    .with_hint("`flinkspark explain CODE` says what to do about each"))
}

fn open(overrides: &Overrides) -> Result<(DataDir, PathBuf)> {
    let config = Config::load(overrides)?;
    let mut held = DataDir::open(&config.data_dir)?;
    held.announce(&format!(
        "`flinkspark catalog`, process {},",
        std::process::id()
    ));
    let dir = catalogue_dir(held.path());
    Ok((held, dir))
}
