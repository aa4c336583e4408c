//! The two files below a data directory: `tokens`, and the secret `admin.token`.
//!
//! Each is written aside, synced, renamed and its folder synced, readable by the owner alone. Invariant: whatever
//! moment a write is cut off at, the file is the old one or the new one.

use super::held::{self, ADMIN_FILE, Token, damaged};
use super::secret::{Hash, Secret};
use flinkspark_model::port::Entropy;
use flinkspark_model::{Error, Kind, Result};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const TOKENS_FILE: &str = "tokens";
const FILE_MODE: u32 = 0o600;
/// The largest of these files, in bytes: 1,024 tokens of 64 grants have less.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// The folder in which they lie.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.into())
    }

    /// The tokens; `None` where no file is there.
    ///
    /// Errors: `Data` (`FS1106`) for whatever keeps it from being read.
    pub(super) fn tokens(&self) -> Result<Option<Vec<Token>>> {
        match read(&self.0.join(TOKENS_FILE)) {
            Ok(bytes) => held::decode(&bytes).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(damaged(cause.to_string())),
        }
    }

    /// Writes the tokens, durably.
    pub(super) fn write(&self, tokens: &[Token]) -> Result<()> {
        self.replace(TOKENS_FILE, &held::encode(tokens)?)
    }

    /// Keeps a damaged file of tokens out of the way, for whoever wants to look at it.
    pub(super) fn set_aside(&self) -> Result<()> {
        let (from, to) = (self.0.join(TOKENS_FILE), self.0.join("tokens.damaged"));
        match std::fs::rename(from, to) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(unwritten(TOKENS_FILE, cause)),
            _ => Ok(()),
        }
    }

    /// Whether an admin's token was ever made.
    pub(super) fn has_admin(&self) -> bool {
        std::fs::symlink_metadata(self.0.join(ADMIN_FILE)).is_ok()
    }

    /// The admin's token, made where there is none that can be read.
    pub(super) fn admin(&self, entropy: &dyn Entropy) -> Result<Hash> {
        if let Ok(bytes) = read(&self.0.join(ADMIN_FILE))
            && let Ok(text) = std::str::from_utf8(&bytes)
            && let Some(secret) = Secret::parse(text.trim())
        {
            return Ok(secret.hash());
        }
        let secret = Secret::new(entropy);
        self.replace(ADMIN_FILE, format!("{}\n", secret.expose()).as_bytes())?;
        Ok(secret.hash())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let write = || {
            let aside = self.0.join(format!("{name}.new"));
            let mut options = OpenOptions::new();
            options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(FILE_MODE);
            let mut out = options.open(&aside)?;
            out.write_all(bytes)?;
            out.sync_all()?;
            std::fs::rename(&aside, self.0.join(name))?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|cause| unwritten(name, cause))
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unwritten(name: &str, cause: std::io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        "FS1107",
        "the tokens could not be written",
    )
    .with_detail(format!("{name} in the data directory: {cause}"))
    .with_hint("make room, and repeat the command; the tokens from before hold")
}
