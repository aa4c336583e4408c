//! A token as it is kept, and how tokens are written down.
//!
//! One line of JSON and one with its CRC32C. Invariant: what is not whole, of a newer format, or beyond a limit is
//! refused as one, so that no token of a damaged file lets anybody in.

use super::secret::{Hash, Secret};
use flinkspark_model::access::{GRANTS_MAX, Grant, Principal};
use flinkspark_model::{Error, Kind, Result, checksum};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most tokens of a bridge: each call is compared with every one.
pub(crate) const TOKENS_MAX: usize = 1024;

/// Where the admin's secret is, in the data directory.
pub(crate) const ADMIN_FILE: &str = "admin.token";

/// The format that this build writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Digits of the hash that name a token.
const ID_DIGITS: usize = 12;

/// What is kept of a token.
#[derive(Clone)]
pub(crate) struct Token {
    /// Names it: the first digits of the hash.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) principal: Principal,
    /// What it allows.
    pub(crate) grants: Arc<[Grant]>,
    /// When it was made, in milliseconds since the epoch.
    pub(crate) created_at_ms: u64,
    /// When it ends, in milliseconds since the epoch.
    pub(crate) expires_at_ms: Option<u64>,
    pub(super) hash: Hash,
}

impl Token {
    pub(super) fn new(
        secret: &Secret,
        principal: Principal,
        grants: Vec<Grant>,
        created_at_ms: u64,
        life_ms: Option<u64>,
    ) -> Self {
        let hash = secret.hash();
        Self {
            id: id(&hash),
            principal,
            grants: grants.into(),
            created_at_ms,
            expires_at_ms: life_ms.map(|life_ms| created_at_ms.saturating_add(life_ms)),
            hash,
        }
    }
}

fn id(hash: &Hash) -> String {
    hash.hex().chars().take(ID_DIGITS).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    tokens: Vec<StoredToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    sha256: String,
    principal: Principal,
    grants: Vec<Grant>,
    created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
}

/// Tokens as they are written.
pub(super) fn encode(tokens: &[Token]) -> Result<Vec<u8>> {
    let stored = |token: &Token| StoredToken {
        sha256: token.hash.hex(),
        principal: token.principal.clone(),
        grants: token.grants.to_vec(),
        created_at_ms: token.created_at_ms,
        expires_at_ms: token.expires_at_ms,
    };
    let stored = Stored {
        format: FORMAT,
        tokens: tokens.iter().map(stored).collect(),
    };
    let mut bytes = serde_json::to_vec(&stored).map_err(|cause| {
        let what = "the tokens could not be encoded";
        Error::new(Kind::Internal, "FS1107", what).with_source(cause)
    })?;
    let checksum = checksum::crc32c(&bytes);
    bytes.extend_from_slice(format!("\ncrc32c {checksum:08x}\n").as_bytes());
    Ok(bytes)
}

/// Tokens as they were written.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Token>> {
    let text = std::str::from_utf8(bytes).map_err(|cause| damaged(cause.to_string()))?;
    let parts = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'));
    let (json, trailer) = parts.ok_or_else(|| damaged("it ends early".into()))?;
    if trailer != format!("crc32c {:08x}", checksum::crc32c(json.as_bytes())) {
        return Err(damaged("its checksum does not match its content".into()));
    }
    let stored: Stored = serde_json::from_str(json).map_err(|cause| damaged(cause.to_string()))?;
    if stored.format > FORMAT {
        let newer = format!("it has format {}; this build reads {FORMAT}", stored.format);
        return Err(damaged(newer));
    }
    if stored.tokens.len() > TOKENS_MAX {
        return Err(damaged(format!("it has more than {TOKENS_MAX} tokens")));
    }
    stored.tokens.into_iter().map(read).collect()
}

fn read(stored: StoredToken) -> Result<Token> {
    let hash = Hash::from_hex(&stored.sha256)
        .ok_or_else(|| damaged("a token's hash is not one".into()))?;
    if stored.grants.len() > GRANTS_MAX || stored.principal.is_reserved() {
        return Err(damaged(format!(
            "token {} cannot have been made here",
            id(&hash)
        )));
    }
    Ok(Token {
        id: id(&hash),
        principal: stored.principal,
        grants: stored.grants.into(),
        created_at_ms: stored.created_at_ms,
        expires_at_ms: stored.expires_at_ms,
        hash,
    })
}

/// The file of tokens is not to be believed.
pub(super) fn damaged(why: String) -> Error {
    Error::new(Kind::Data, "FS1106", "the file of tokens is damaged")
        .with_detail(format!("{why}; only the token in {ADMIN_FILE} lets anybody in"))
        .with_hint("restore the file `tokens` from a backup and start the server again, or make the tokens anew with `flinkspark token create`")
}
