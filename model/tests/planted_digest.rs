//! A planted defect of the digest, in a process of its own because defects are the process's.
#![cfg(feature = "faults")]

use arrow_array::{Int64Array, RecordBatch};
use flinkspark_model::digest::digest;
use flinkspark_model::fault;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn sum_of(rows: &[i64]) -> Result<u128> {
    let column = Arc::new(Int64Array::from(rows.to_vec()));
    let batch = RecordBatch::try_from_iter([("n", column as _)])?;
    Ok(digest(&batch.schema(), [&batch])?.sum)
}

#[test]
fn the_sum_sees_a_doubled_row_that_an_xor_misses() -> Result<()> {
    assert_ne!(sum_of(&[1, 7, 7])?, sum_of(&[1, 8, 8])?);
    assert_ne!(sum_of(&[1, 1, 1])?, sum_of(&[1])?);
    assert!(fault::plant(&["xor-digest"]));
    let pair_missed = sum_of(&[1, 7, 7])? == sum_of(&[1, 8, 8])?;
    let triple_missed = sum_of(&[1, 1, 1])? == sum_of(&[1])?;
    assert!(fault::plant(&[]));
    assert!(
        pair_missed && triple_missed,
        "an exclusive or sees a pair as nothing"
    );
    Ok(())
}
