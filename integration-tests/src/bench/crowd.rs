//! Memory and rates of a server of one gibibyte among two thousand readers, twenty jobs and what is too large.

use super::report;
use crate::Step;
use crate::crowd::{Crowd, Figures};
use serde_json::json;
use std::time::Duration;

/// Everybody.
const CROWD: Crowd = Crowd {
    memory: "1GiB",
    stalled: 1000,
    live: 1000,
    jobs: 20,
    bombs: 3,
    puts: 50,
    put_bytes: 60 << 20,
    window: Duration::from_secs(20),
};

/// What the server may have beside its budget, in MiB.
const BESIDE_MIB: u64 = 256;

/// Measures, prints and reports. `--scale PERCENT` takes a part of everybody; `--without KIND`, which may be repeated,
/// leaves out the `jobs`, the `bombs`, the `puts` or the `stalled`.
pub fn run(mut arguments: &[&str]) -> Step {
    let (mut crowd, mut percent) = (CROWD, 100);
    while !arguments.is_empty() {
        arguments = match arguments {
            ["--scale", value, rest @ ..] => {
                percent = value.parse()?;
                rest
            }
            ["--without", kind, rest @ ..] => {
                *match *kind {
                    "jobs" => &mut crowd.jobs,
                    "bombs" => &mut crowd.bombs,
                    "puts" => &mut crowd.puts,
                    "stalled" => &mut crowd.stalled,
                    other => return Err(format!("there are no {other}").into()),
                } = 0;
                rest
            }
            other => return Err(format!("unknown arguments {other:?}").into()),
        };
    }
    for number in [
        &mut crowd.stalled,
        &mut crowd.live,
        &mut crowd.jobs,
        &mut crowd.puts,
    ] {
        *number = *number * percent / 100;
    }
    let Figures {
        alone,
        beside_stalled,
        beside_all,
        stalled_kib,
        most_kib,
        finished,
        refused,
        stored,
    } = crowd.measure()?;
    println!("live readers alone          {:8.2} M rows/s", alone / 1e6);
    println!(
        "beside the stalled          {:8.2} M rows/s ({:.2})",
        beside_stalled / 1e6,
        beside_stalled / alone
    );
    println!(
        "beside everybody            {:8.2} M rows/s ({:.2})",
        beside_all / 1e6,
        beside_all / alone
    );
    println!("anonymous memory, readers   {:8} MiB", stalled_kib >> 10);
    println!(
        "anonymous memory, everybody {:8} MiB (limit {})",
        most_kib >> 10,
        1024 + BESIDE_MIB
    );
    println!(
        "jobs finished {finished} of {}; puts stored {stored} of {}; refused with {refused:?}",
        crowd.jobs, crowd.puts
    );
    report(
        "crowd",
        json!({
            "unit": "rows/s", "alone": alone, "beside_stalled": beside_stalled,
            "beside_all": beside_all, "stalled_kib": stalled_kib, "most_kib": most_kib,
            "finished": finished, "stored": stored, "refused": refused,
        }),
    )
}
