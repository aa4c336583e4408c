//! Fail points and planted defects of a test build, chosen by the environment.
//!
//! `FLINKSPARK_FAULTS` holds words separated by spaces: `kill=POINT:N` ends the process by SIGKILL
//! when the point is reached for the N-th time, `fail=POINT:N` fails there the first N times,
//! `plant=DEFECT` plants a defect.
//! Invariant: absent from ordinary builds, which ignore the variable.

use flinkspark_model::{Error, Kind, Result, fault};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Installs what the environment asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "the bridge is where the environment is read"
)]
pub fn install() -> Result<()> {
    match std::env::var("FLINKSPARK_FAULTS") {
        Ok(text) => install_from(&text),
        Err(_) => Ok(()),
    }
}

fn install_from(text: &str) -> Result<()> {
    let mut kills: BTreeMap<String, u64> = BTreeMap::new();
    let mut fails: BTreeMap<String, u64> = BTreeMap::new();
    let mut defects = Vec::new();
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("plant", defect)) => defects.push(defect),
            Some((how @ ("kill" | "fail"), place)) => {
                let (point, count) = place.split_once(':').unwrap_or((place, "1"));
                let count = count.parse().map_err(|_| refuse(word))?;
                if !fault::POINTS.contains(&point) {
                    return Err(refuse(word));
                }
                let of = if how == "kill" {
                    &mut kills
                } else {
                    &mut fails
                };
                of.insert(point.into(), count);
            }
            _ => return Err(refuse(word)),
        }
    }
    if !fault::plant(&defects) {
        return Err(refuse(text));
    }
    if !kills.is_empty() || !fails.is_empty() {
        let reached: BTreeMap<String, AtomicU64> = kills
            .keys()
            .chain(fails.keys())
            .map(|point| (point.clone(), AtomicU64::new(0)))
            .collect();
        fault::install(Some(Box::new(move |point| {
            let Some(reached) = reached.get(point) else {
                return Ok(());
            };
            let time = reached.fetch_add(1, Ordering::SeqCst) + 1;
            if kills.get(point) == Some(&time) {
                kill(point);
            }
            match fails.get(point) {
                Some(times) if time <= *times => Err(fault::Injected { point }),
                _ => Ok(()),
            }
        })));
    }
    Ok(())
}

/// Ends the process as `kill -9` does: nothing is flushed, nothing is dropped.
fn kill(point: &str) {
    eprintln!("killed at {point}");
    let me = rustix::process::getpid();
    if rustix::process::kill_process(me, rustix::process::Signal::KILL).is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

fn refuse(word: &str) -> Error {
    let known = fault::DEFECTS.join(", ");
    Error::new(
        Kind::Invalid,
        "FS0002",
        format!("\"{}\" is not a fault", word.escape_debug()),
    )
    .with_detail(format!("defects: {known}"))
    .with_hint("write kill=POINT:N, fail=POINT:N or plant=DEFECT")
}
