//! Segments of bytes: what a job keeps as state.
//!
//! Invariant: bytes that are given out have the digest that was sealed.

use super::{damaged, missing};
use crate::store::blocking::blocking;
use crate::store::error;
use crate::store::log::Driver;
use crate::store::names::{self, Owner};
use bytes::Bytes;
use flinkspark_model::Result;
use flinkspark_model::digest::Digest;
use flinkspark_model::log::{Receipt, SegmentFormat, SegmentRef};
use std::io::Read;

/// Keeps bytes as a segment of the log.
pub(in crate::store) async fn stage_bytes(
    driver: &Driver,
    owner: &Owner,
    partition: u32,
    bytes: Bytes,
) -> Result<Receipt> {
    let (name, key) = driver.new_segment(owner, SegmentFormat::Bytes)?;
    let mut staging = driver.shared().store.stage(&key).await?;
    staging.append(bytes.clone()).await?;
    staging.publish().await?;
    let segment = SegmentRef {
        name,
        partition,
        attempt: 0,
        format: SegmentFormat::Bytes,
        rows: 1,
        bytes: bytes.len() as u64,
        digest: digest_of(&bytes),
    };
    driver.shared().signer.receipt(driver.id(), segment)
}

/// The bytes of a segment, which are those that were sealed.
pub(in crate::store) async fn read_bytes(driver: &Driver, segment: &SegmentRef) -> Result<Bytes> {
    let key = names::segment_key(driver.root(), segment)?;
    let opened = driver.shared().store.open(&key).await?;
    let mut opened = opened.ok_or_else(|| missing(driver.id(), segment))?;
    if segment.format != SegmentFormat::Bytes || opened.bytes != segment.bytes {
        let why = format!(
            "it has {} bytes, {} were sealed",
            opened.bytes, segment.bytes
        );
        return Err(damaged(driver.id(), segment, &why));
    }
    let bytes = blocking(move || {
        let mut bytes = Vec::new();
        opened
            .content
            .read_to_end(&mut bytes)
            .map_err(|cause| error::unavailable("read", &key, cause))?;
        Ok(Bytes::from(bytes))
    })
    .await?;
    if digest_of(&bytes) != segment.digest {
        return Err(damaged(
            driver.id(),
            segment,
            "its digest is not the one that was sealed",
        ));
    }
    Ok(bytes)
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest {
        rows: 1,
        sum: xxhash_rust::xxh3::xxh3_128(bytes),
    }
}
