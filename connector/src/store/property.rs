//! Commits through seeded faults: whatever is lost, late or repeated, the committed rows are the
//! ones that were written, each once.

use super::faulty::{Faulty, seeded};
use super::object::Objects;
use super::tests::fixture::*;
use super::{LogDataset, Nobody, Store, Transactions};
use arrow_array::RecordBatch;
use flinkspark_model::log::{Appended, Generation, Intent, Ordinal, Receipt, WriterName};
use flinkspark_model::port::{
    Begin, IdempotencyKey, KeyScope, Log, Mode, State, Transactions as _, TxnCommit,
};
use flinkspark_model::{Kind, Result};
use proptest::prelude::*;
use std::sync::Arc;

/// Tries of one operation before a test gives up: far beyond what the seeds need.
const TRIES_MAX: u32 = 400;
/// Epochs of each writer.
const EPOCHS: Ordinal = 5;
/// Rows of each epoch.
const ROWS: i64 = 10;

/// One writer in one process, which may die and come back.
struct Engine {
    name: WriterName,
    /// Where its rows begin.
    first: i64,
    seed: u64,
    store: Arc<dyn Store>,
    incarnations: u64,
    /// What its checkpoints would bring back: sealed and maybe committed.
    pending: Option<(Ordinal, Receipt)>,
    acknowledged: Ordinal,
}

impl Engine {
    fn rows(&self, n: Ordinal) -> RecordBatch {
        let from = self.first + (n as i64 - 1) * ROWS;
        rows(from..from + ROWS)
    }

    /// One incarnation: takes over, commits what is pending, goes on. An error is its death.
    async fn live(&mut self) -> Result<()> {
        self.incarnations += 1;
        let logs = logs_on(
            Arc::clone(&self.store),
            self.seed.wrapping_mul(1000) + self.incarnations,
        )
        .await?;
        let dataset = logs.open_dataset(id(), schema()).await?;
        let (generation, last) = self.take_over(&dataset).await?;
        assert!(last >= self.acknowledged, "an acknowledged commit is gone");
        for n in last + 1..=EPOCHS {
            let receipt = match &self.pending {
                Some((pending, receipt)) if *pending == n => receipt.clone(),
                _ => seal(&dataset, 0, &[self.rows(n)]).await?,
            };
            self.pending = Some((n, receipt.clone()));
            self.commit(&dataset, generation, n, receipt).await?;
            self.acknowledged = n;
        }
        Ok(())
    }

    async fn take_over(&self, dataset: &LogDataset) -> Result<(Generation, Ordinal)> {
        loop {
            let view = dataset.refresh().await?;
            let (highest, last) = view
                .writer(&self.name)
                .map_or((0, 0), |state| (state.generation, state.last()));
            let fence = Intent::Fence {
                writer: self.name.clone(),
                generation: highest + 1,
                restored: last,
                rewind: false,
                drops: false,
                incarnation: format!("{}", self.incarnations),
            };
            match dataset.append(fence).await {
                Ok(_) => return Ok((highest + 1, last)),
                // An earlier incarnation's fence, or its commit, landed late.
                Err(cause) if cause.kind() == Kind::Conflict => {}
                Err(cause) => return Err(cause),
            }
        }
    }

    async fn commit(
        &self,
        dataset: &LogDataset,
        generation: Generation,
        n: Ordinal,
        receipt: Receipt,
    ) -> Result<Appended> {
        let mut wanted = commit(generation, n, &[receipt]);
        wanted.writer = self.name.clone();
        dataset.append(Intent::Commit(wanted)).await
    }
}

fn engine(index: u64, seed: u64, store: &Arc<dyn Store>) -> Engine {
    Engine {
        name: format!("engine {index}").as_str().into(),
        first: index as i64 * 1000,
        seed: seed ^ index,
        store: Arc::clone(store),
        incarnations: 0,
        pending: None,
        acknowledged: 0,
    }
}

async fn run(mut engine: Engine) {
    for _ in 0..TRIES_MAX {
        if engine.live().await.is_ok() {
            return;
        }
    }
    panic!("{} did not finish", engine.name);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

/// One try of a whole put under a key, as a client makes it.
async fn put_by_key(
    txns: &Transactions,
    key: &str,
    batch: &RecordBatch,
    give_up: bool,
) -> Result<()> {
    let begin = Begin {
        dataset: id(),
        schema: schema(),
        key: Some(IdempotencyKey::new(KeyScope::Begin, key)?),
        mode: Mode::Append,
        peer: None,
        principal: None,
    };
    let begun = txns.begin(begin).await?;
    if matches!(begun.state, State::Committed { .. }) {
        return Ok(());
    }
    let mut writer = txns.stage(begun.txn, 0, 0).await?;
    writer.write(batch).await?;
    let receipt = writer.seal().await?;
    if give_up {
        txns.abort(begun.txn).await?;
    }
    txns.commit(
        begun.txn,
        TxnCommit {
            receipts: vec![receipt],
            ..TxnCommit::default()
        },
    )
    .await
    .map(|_| ())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_engines_commit_every_epoch_once(seed in any::<u64>(), per_mille in 0..100_u64) {
        block_on(async {
            let inner: Arc<dyn Store> = Arc::new(Objects::memory());
            logs_on(Arc::clone(&inner), 0).await.unwrap();
            let faulty: Arc<dyn Store> = Arc::new(Faulty::new(Arc::clone(&inner), seeded(seed, per_mille)));
            let engines = [engine(0, seed, &faulty), engine(1, seed, &faulty)];
            let expected: Vec<RecordBatch> =
                engines.iter().flat_map(|engine| (1..=EPOCHS).map(|n| engine.rows(n))).collect();
            futures::future::join_all(engines.map(run)).await;
            let logs = logs_on(inner, 1).await.unwrap();
            let dataset = dataset(&logs).await;
            let view = dataset.refresh().await.unwrap();
            let read = read_all(&dataset).await.unwrap();
            assert_eq!(digest_of(&read), digest_of(&expected), "seed {seed}, {per_mille} per mille");
            assert_eq!(view.totals().2, digest_of(&expected));
            logs.collect(id(), &Nobody).await.unwrap();
            assert_eq!(digest_of(&read_all(&dataset).await.unwrap()), digest_of(&expected));
        });
    }

    #[test]
    fn a_put_that_is_repeated_under_its_key_lands_once(seed in any::<u64>(), per_mille in 0..120_u64) {
        block_on(async {
            let inner: Arc<dyn Store> = Arc::new(Objects::memory());
            logs_on(Arc::clone(&inner), 0).await.unwrap();
            let faulty: Arc<dyn Store> = Arc::new(Faulty::new(Arc::clone(&inner), seeded(seed, per_mille)));
            let mut expected = Vec::new();
            let mut txns = None;
            for put in 0..4_u64 {
                let batch = rows(put as i64 * 100..put as i64 * 100 + 10);
                let key = format!("put {put}");
                let mut tries = 0;
                loop {
                    tries += 1;
                    assert!(tries < TRIES_MAX, "seed {seed}, {per_mille} per mille");
                    let own = seed ^ put << 32 ^ u64::from(tries);
                    // Most tries find the same server, some a new one.
                    if txns.is_none() || own % 3 == 0 {
                        txns = logs_on(Arc::clone(&faulty), own).await.ok().map(Transactions::new);
                    }
                    if let Some(txns) = &txns
                        && put_by_key(txns, &key, &batch, own % 7 == 0).await.is_ok()
                    {
                        break;
                    }
                }
                expected.push(batch);
            }
            let logs = logs_on(inner, 1).await.unwrap();
            logs.collect(id(), &Nobody).await.unwrap();
            let read = read_all(&dataset(&logs).await).await.unwrap();
            assert_eq!(digest_of(&read), digest_of(&expected), "seed {seed}, {per_mille} per mille");
        });
    }
}
