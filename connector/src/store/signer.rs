//! Signs what leaves the bridge and must come back unchanged: receipts and tickets.
//!
//! HMAC-SHA256 with a key of 32 random bytes, made at first start and kept in the data directory.
//! Invariant: a signature for one purpose is never valid for another.

use super::{Created, Key, Store};
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
#[derive(Clone)]
pub struct Signer([u8; KEY_BYTES]);

impl Signer {
    /// Reads the key, or makes it where there is none. A key of another length is `Data`.
    pub(super) async fn open(store: &dyn Store, entropy: &dyn Entropy) -> Result<Self> {
        let place = Key::new("key")?;
        let found = match store.read(&place).await? {
            Some(found) => found,
            None => {
                let mut fresh = [0; KEY_BYTES];
                entropy.fill(&mut fresh);
                match store.create(&place, Bytes::copy_from_slice(&fresh)).await? {
                    Created::New => return Ok(Self(fresh)),
                    Created::Exists(other) => other,
                }
            }
        };
        <[u8; KEY_BYTES]>::try_from(found.as_ref()).map(Self).map_err(|_| {
            Error::new(Kind::Data, "FS1012", "the signing key is damaged")
                .with_detail(format!("the file `key` has {} bytes, not {KEY_BYTES}", found.len()))
                .with_hint("restore it from a backup, or delete it: open transactions and tickets end then")
        })
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

    fn mac(&self, purpose: &'static str, content: &[u8]) -> Hmac<Sha256> {
        // A key of the block's length is used as it is; so the only way to fail does not exist.
        let mut block = [0; 64];
        block[..KEY_BYTES].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.update(content);
        mac
    }

    pub(super) fn receipt(&self, log: LogId, segment: SegmentRef) -> Result<Receipt> {
        let signature = self.sign(RECEIPT, &content(log, &segment)?);
        Ok(Receipt { segment, signature })
    }

    /// Checks that this data directory gave the receipt, for this log. Otherwise `Invalid`.
    pub fn verify_receipt(&self, log: LogId, receipt: &Receipt) -> Result<()> {
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

fn content(log: LogId, segment: &SegmentRef) -> Result<Vec<u8>> {
    serde_json::to_vec(&(log, segment)).map_err(|cause| {
        Error::new(Kind::Internal, "FS1020", "a receipt could not be encoded").with_source(cause)
    })
}
