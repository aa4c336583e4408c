//! A child process is killed with SIGKILL at each named step of a create and of a seal, or the step
//! fails; what was acknowledged is there afterwards, and the next incarnation finishes the work,
//! each row once.

use super::tests::fixture::*;
use arrow_array::RecordBatch;
use flinkspark_model::Result;
use flinkspark_model::fault::{self, Injected};
use flinkspark_model::log::{Intent, Ordinal};
use flinkspark_model::port::Log;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, id as process_id};
use std::sync::atomic::{AtomicU32, Ordering};

const ROOT: &str = "FLINKSPARK_TEST_ROOT";
const KILL: &str = "FLINKSPARK_TEST_KILL";
const FAIL: &str = "FLINKSPARK_TEST_FAIL";
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
async fn work(root: &Path, incarnation: u64) -> Result<()> {
    let seed = u64::from(process_id()) << 32 | incarnation;
    let dataset = dataset(&local(root, seed).await).await;
    let view = dataset.refresh().await?;
    let (generation, last) = view
        .writer(&"w".into())
        .map_or((0, 0), |state| (state.generation, state.last()));
    dataset.append(fence(generation + 1, last)).await?;
    for n in last + 1..=EPOCHS {
        let receipt = seal(&dataset, 0, &[epoch(n)]).await?;
        dataset
            .append(Intent::Commit(commit(generation + 1, n, &[receipt])))
            .await?;
        println!("\nacknowledged {n}");
    }
    Ok(())
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

/// Where the hook strikes: a point and which time that it is reached, from 1.
fn target(name: &str) -> Option<(String, u32)> {
    let text = role(name)?;
    let (point, nth) = text.split_once('@').unwrap();
    Some((point.to_owned(), nth.parse().unwrap()))
}

fn strike(
    target: (String, u32),
    with: impl Fn(&'static str) -> std::result::Result<(), Injected> + Send + Sync + 'static,
) {
    let reached = AtomicU32::new(0);
    fault::install(Some(Box::new(move |here| {
        let struck = here == target.0 && reached.fetch_add(1, Ordering::SeqCst) + 1 == target.1;
        if struck { with(here) } else { Ok(()) }
    })));
}

/// The child's body; run by itself it does the work in a directory of its own, and nothing strikes.
#[tokio::test]
async fn an_incarnation_commits_every_epoch() {
    let own = tempfile::tempdir().unwrap();
    let root = role(ROOT).map_or_else(|| own.path().to_path_buf(), Into::into);
    if let Some(target) = target(KILL) {
        strike(target, |_| {
            Command::new("kill")
                .args(["-9", &process_id().to_string()])
                .status()
                .unwrap();
            std::thread::sleep(std::time::Duration::from_secs(60));
            Ok(())
        });
    }
    let fails = target(FAIL);
    let may_fail = u32::from(fails.is_some());
    if let Some(target) = fails {
        strike(target, |point| Err(Injected { point }));
    }
    let mut failed = 0_u32;
    while let Err(cause) = work(&root, failed.into()).await {
        println!("\nfailed: {cause}");
        failed += 1;
        assert!(failed <= may_fail, "{cause}");
    }
    assert_eq!(holds_every_row_once(&root, EPOCHS).await, EPOCHS);
}

fn child(root: &Path, strike: Option<(&str, String)>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "store::crash::an_incarnation_commits_every_epoch",
        "--exact",
        "--nocapture",
    ]);
    command.env(ROOT, root);
    if let Some((how, target)) = strike {
        command.env(how, target);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn a_process_killed_at_any_step_loses_and_doubles_nothing() {
    for point in POINTS {
        for nth in 1..=3 {
            let root = tempfile::tempdir().unwrap();
            let killed = child(root.path(), Some((KILL, format!("{point}@{nth}"))));
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

#[test]
fn a_step_that_fails_loses_and_doubles_nothing() {
    for point in POINTS {
        for nth in 1..=3 {
            let root = tempfile::tempdir().unwrap();
            let output = child(root.path(), Some((FAIL, format!("{point}@{nth}"))));
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{point}@{nth}: {said}");
            // A create of a slot in doubt is repeated by the driver; anything else fails by name.
            let healed = ["log.create.linked", "log.create.done"].contains(&point);
            assert_eq!(
                said.contains("failed: error[FS100"),
                !healed,
                "{point}@{nth}: {said}"
            );
        }
    }
}

#[test]
fn every_point_that_the_store_owns_is_killed_at() {
    let owned = fault::POINTS
        .iter()
        .filter(|point| point.starts_with("log.") || point.starts_with("segment."));
    assert!(owned.copied().eq(POINTS), "crash.rs kills at {POINTS:?}");
}
