//! Generated input: neither batches, nor parallelism, nor interleavings, nor epochs change a thing.

use super::super::{Ended, Options};
use super::memory::{Fate, Store};
use super::support::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    /// `expected` is the batch answer less the late rows, computed row by row: this is the
    /// invariant `collapse(stream) = batch(input - late)` too.
    #[test]
    fn the_stream_gives_the_batch_answer_less_the_late_rows(
        seed in 1u64..,
        partitions in 1usize..4,
        rows in 0usize..600,
        epochs in 1usize..5,
        parallelism in 1usize..6,
        batch_rows in 1usize..300,
        delay_ms in 0u64..200,
    ) {
        let input = Input { delay_ms, ..Input::generate(seed, partitions, rows) };
        let store = Store::default();
        input.load(&store, epochs);
        let fate = Fate { seed, batch_rows, ..Fate::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let job = job_with(&store, &input, Options { parallelism, ..options() }, fate.into());
        let handle = job.handle();
        let ended = runtime.block_on(job.run(std::future::pending())).unwrap();
        prop_assert_eq!(ended, Ended::Finished);
        let expected = input.expected();
        prop_assert_eq!(store.outcome(), expected.clone());
        let totals = handle.status().totals;
        prop_assert_eq!(totals.rows_late, expected.late.len() as u64);
        prop_assert_eq!(totals.windows_fired, expected.windows.len() as u64);
        prop_assert_eq!(totals.rows_read, input.rows.iter().map(|rows| rows.len() as u64).sum::<u64>());
    }
}

#[test]
fn generated_input_has_late_rows() {
    assert!(Input::generate(1, 1, 600).expected().late.len() > 10);
}
