//! A child process is killed with SIGKILL at each named step of a create and of a seal; what it
//! acknowledged is there afterwards, and the next incarnation finishes the work, each row once.

use super::tests::fixture::*;
use arrow_array::RecordBatch;
use flinkspark_model::fault;
use flinkspark_model::log::{Intent, Ordinal};
use flinkspark_model::port::Log;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, id as process_id};
use std::sync::atomic::{AtomicU32, Ordering};

const ROOT: &str = "FLINKSPARK_TEST_ROOT";
const KILL: &str = "FLINKSPARK_TEST_KILL";
const EPOCHS: Ordinal = 4;

const POINTS: [&str; 8] = [
    "log.create.staged",
    "log.create.synced",
    "log.create.linked",
    "log.create.done",
    "segment.write",
    "segment.seal.synced",
    "segment.seal.linked",
    "segment.seal.done",
];

fn epoch(n: Ordinal) -> RecordBatch {
    let from = n as i64 * 100;
    rows(from..from + 100)
}

/// Takes the writer over and commits what is left of its epochs, printing what is acknowledged.
async fn work(root: &Path) {
    let dataset = dataset(&local(root, u64::from(process_id())).await).await;
    let view = dataset.refresh().await.unwrap();
    let (generation, last) = view
        .writer(&"w".into())
        .map_or((0, 0), |state| (state.generation, state.last()));
    dataset.append(fence(generation + 1, last)).await.unwrap();
    for n in last + 1..=EPOCHS {
        let receipt = seal(&dataset, 0, &[epoch(n)]).await.unwrap();
        dataset
            .append(Intent::Commit(commit(generation + 1, n, &[receipt])))
            .await
            .unwrap();
        println!("\nacknowledged {n}");
    }
}

async fn holds_every_row_once(root: &Path, at_least: Ordinal) -> Ordinal {
    let dataset = dataset(&local(root, 77).await).await;
    let last = dataset
        .refresh()
        .await
        .unwrap()
        .writer(&"w".into())
        .map_or(0, |state| state.last());
    assert!(
        last >= at_least,
        "{at_least} was acknowledged, {last} is there"
    );
    let expected: Vec<RecordBatch> = (1..=last).map(epoch).collect();
    assert_eq!(
        digest_of(&read_all(&dataset).await.unwrap()),
        digest_of(&expected)
    );
    last
}

#[expect(
    clippy::disallowed_methods,
    reason = "a child process of a test learns its role from its environment"
)]
fn role(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The child's body; run by itself it does the work unkilled in a directory of its own.
#[tokio::test]
async fn an_incarnation_commits_every_epoch() {
    let own = tempfile::tempdir().unwrap();
    let root = role(ROOT).map_or_else(|| own.path().to_path_buf(), Into::into);
    if let Some((point, nth)) = role(KILL).as_deref().and_then(|kill| kill.split_once('@')) {
        let (point, nth) = (point.to_owned(), nth.parse::<u32>().unwrap());
        let reached = AtomicU32::new(0);
        fault::install(Some(Box::new(move |here| {
            if here == point && reached.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                Command::new("kill")
                    .args(["-9", &process_id().to_string()])
                    .status()
                    .unwrap();
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            Ok(())
        })));
    }
    work(&root).await;
    assert_eq!(holds_every_row_once(&root, EPOCHS).await, EPOCHS);
}

fn child(root: &Path, kill: Option<String>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "store::crash::an_incarnation_commits_every_epoch",
        "--exact",
        "--nocapture",
    ]);
    command.env(ROOT, root);
    if let Some(kill) = kill {
        command.env(KILL, kill);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn a_process_killed_at_any_step_loses_and_doubles_nothing() {
    for point in POINTS {
        for nth in 1..=3 {
            let root = tempfile::tempdir().unwrap();
            let killed = child(root.path(), Some(format!("{point}@{nth}")));
            let said = String::from_utf8_lossy(&killed.stdout).into_owned();
            assert_eq!(
                killed.status.signal(),
                Some(9),
                "{point} was not reached {nth} times: {said}"
            );
            let acknowledged = said
                .lines()
                .filter(|line| line.starts_with("acknowledged"))
                .count();
            holds_every_row_once(root.path(), acknowledged as Ordinal).await;
            assert!(
                child(root.path(), None).status.success(),
                "after {point}@{nth}"
            );
            assert_eq!(
                holds_every_row_once(root.path(), EPOCHS).await,
                EPOCHS,
                "after {point}@{nth}"
            );
            assert_eq!(
                std::fs::read_dir(root.path().join(".tmp")).unwrap().count(),
                0
            );
        }
    }
}

#[tokio::test]
async fn every_point_that_the_store_owns_is_killed_at() {
    let owned = fault::POINTS
        .iter()
        .filter(|point| point.starts_with("log.") || point.starts_with("segment."));
    assert!(owned.copied().eq(POINTS), "crash.rs kills at {POINTS:?}");
}
