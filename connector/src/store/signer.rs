//! Signs what leaves the bridge and must come back unchanged: receipts and tickets.
//!
//! HMAC-SHA256 with a key of 32 random bytes, made at first start and kept in the data directory.
//! Invariant: a signature for one purpose is never valid for another.

use super::{Created, Key, Store, record};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flinkspark_model::log::{LogId, Receipt, SegmentRef};
use flinkspark_model::port::Entropy;
use flinkspark_model::{Error, Kind, Result};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const KEY_BYTES: usize = 32;

/// Signs with the key in the data directory.
///
/// A key that is damaged signs no receipt and accepts none (`FS1012`). Tickets live for minutes: they are
/// signed with another key then, which the process forgets, so that rows can still be read.
#[derive(Clone)]
pub struct Signer {
    key: [u8; KEY_BYTES],
    damage: Option<Error>,
}

impl Signer {
    /// Reads the key, or makes it where there never was one, and compares it with what was kept of it.
    pub(super) async fn open(store: &dyn Store, entropy: &dyn Entropy) -> Result<Self> {
        let (key_at, check_at) = (Key::new("key")?, Key::new("key-check")?);
        let check = store.read(&check_at).await?;
        let was_kept = check.is_some();
        let check: Option<String> = check.and_then(|bytes| record::decode(&check_at, &bytes).ok());
        let found = match store.read(&key_at).await? {
            None if was_kept => return Ok(Self::damaged(entropy, "the file `key` is gone".into())),
            found => found,
        };
        let signer = match found.as_deref() {
            None => Self::fresh(store, &key_at, entropy).await?,
            Some(found) => match <[u8; KEY_BYTES]>::try_from(found) {
                Ok(key) => Self { key, damage: None },
                Err(_) => {
                    let why = format!("the file `key` has {} bytes, not {KEY_BYTES}", found.len());
                    return Ok(Self::damaged(entropy, why));
                }
            },
        };
        let expected = signer.sign(CHECK, b"");
        match check {
            Some(check) if check == expected => {}
            Some(_) => {
                let why = "the file `key` is not the one that `key-check` was made for".into();
                return Ok(Self::damaged(entropy, why));
            }
            // A data directory from before there was one, or one that is damaged itself.
            None => {
                let kept = async {
                    store.delete(&check_at).await?;
                    let record = record::encode(&check_at, &expected)?;
                    store.create(&check_at, record).await
                };
                if let Err(error) = kept.await {
                    tracing::warn!(%error, "what shows that the signing key is whole could not be kept");
                }
            }
        }
        Ok(signer)
    }

    async fn fresh(store: &dyn Store, place: &Key, entropy: &dyn Entropy) -> Result<Self> {
        let mut key = [0; KEY_BYTES];
        entropy.fill(&mut key);
        match store.create(place, Bytes::copy_from_slice(&key)).await? {
            Created::New => Ok(Self { key, damage: None }),
            Created::Exists(other) => match other.as_ref().try_into() {
                Ok(key) => Ok(Self { key, damage: None }),
                Err(_) => Ok(Self::damaged(entropy, "another process has made it".into())),
            },
        }
    }

    fn damaged(entropy: &dyn Entropy, why: String) -> Self {
        let mut key = [0; KEY_BYTES];
        entropy.fill(&mut key);
        let damage = Error::new(Kind::Data, "FS1012", "the signing key is damaged")
            .with_detail(why)
            .with_hint("restore `key` from a backup; or delete `key` and `key-check` and start again: receipts that were given before are void then");
        Self {
            key,
            damage: Some(damage),
        }
    }

    /// What is wrong with the key; `None` where it is whole.
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// A whole key, for tests.
    #[cfg(test)]
    pub(super) fn of(key: [u8; KEY_BYTES]) -> Self {
        Self { key, damage: None }
    }

    /// Refuses where the key is damaged.
    pub(super) fn whole(&self) -> Result<()> {
        self.damage.clone().map_or(Ok(()), Err)
    }

    /// The signature of `content` for one purpose, in base64.
    pub fn sign(&self, purpose: &'static str, content: &[u8]) -> String {
        STANDARD.encode(self.mac(purpose, content).finalize().into_bytes())
    }

    /// Whether `signature` is the one of `content` for that purpose; compared in constant time.
    pub fn verify(&self, purpose: &'static str, content: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        self.mac(purpose, content).verify_slice(&signature).is_ok()
    }

    /// The signature as 32 bytes.
    pub(super) fn mac_of(&self, purpose: &'static str, content: &[u8]) -> [u8; 32] {
        self.mac(purpose, content).finalize().into_bytes().into()
    }

    /// Whether `given` is the beginning of the signature of `content`; compared in constant time.
    pub(super) fn verify_cut(&self, purpose: &'static str, content: &[u8], given: &[u8]) -> bool {
        let mac = self.mac(purpose, content);
        mac.verify_truncated_left(given).is_ok()
    }

    fn mac(&self, purpose: &'static str, content: &[u8]) -> Hmac<Sha256> {
        // A key of the block's length is used as it is; so the only way to fail does not exist.
        let mut block = [0; 64];
        block[..KEY_BYTES].copy_from_slice(&self.key);
        let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.update(content);
        mac
    }

    pub(super) fn receipt(&self, log: LogId, segment: SegmentRef) -> Result<Receipt> {
        self.whole()?;
        let signature = self.sign(RECEIPT, &content(log, &segment)?);
        Ok(Receipt { segment, signature })
    }

    /// Checks that this data directory gave the receipt, for this log. Otherwise `Invalid`.
    pub fn verify_receipt(&self, log: LogId, receipt: &Receipt) -> Result<()> {
        self.whole()?;
        if self.verify(
            RECEIPT,
            &content(log, &receipt.segment)?,
            &receipt.signature,
        ) {
            return Ok(());
        }
        Err(
            Error::new(Kind::Invalid, "FS1008", "a receipt was not given here")
                .with_detail(format!(
                    "segment {} of log {log}: the signature does not fit",
                    receipt.segment.name
                ))
                .with_hint("pass receipts back unchanged, to the dataset that gave them"),
        )
    }
}

const RECEIPT: &str = "receipt v1";
const CHECK: &str = "key check v1";

fn content(log: LogId, segment: &SegmentRef) -> Result<Vec<u8>> {
    serde_json::to_vec(&(log, segment)).map_err(|cause| {
        Error::new(Kind::Internal, "FS1020", "a receipt could not be encoded").with_source(cause)
    })
}
