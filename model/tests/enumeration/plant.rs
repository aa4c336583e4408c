//! Planted defects: each must be found, or the models prove nothing.
//!
//! Invariant: a defect is planted only while no other exploration runs.

use super::explore::{Model, Violation, explore};
use super::foreign::{self, Foreign, Restore};
use super::gathered::{self, Gathered};
use super::ours::{Facts, Ours, Size};
use super::transaction::Transaction;
use flinkspark_model::digest::Digest;
use flinkspark_model::fault;

fn found<M: Model>(mut model: M) -> Option<Violation> {
    explore(&mut model).violation
}

fn ours(facts: Facts) -> Ours {
    Ours::new(Size {
        incarnations: 2,
        epochs: 3,
        in_flight: 2,
        facts,
    })
}

fn gathered(restore: gathered::Restore) -> gathered::Size {
    gathered::Size {
        incarnations: 2,
        rounds: 3,
        aborts: 1,
        late: 1,
        in_flight: 2,
        other: false,
        history: true,
        restore,
    }
}

/// With the collector on, a deleted segment comes first; without it, the rows or the owner suffer.
fn without_collector(defect: &str) -> bool {
    matches!(defect, "manifest-outside-fenced-log" | "no-fence-check")
}

/// A row that came twice shows in the digest.
fn doubled_row_is_missed() -> Option<Violation> {
    let row = Digest { rows: 1, sum: 7 };
    let what = "a doubled row does not change the digest".to_string();
    let missed = (row + row + row).sum == row.sum;
    missed.then(|| Violation {
        what,
        steps: 1,
        trace: String::new(),
    })
}

fn hunt(defect: &str) -> Option<Violation> {
    match defect {
        "abort-without-slot" => found(Transaction::new()),
        "garbage-forgets-receipts" => {
            let restore = Restore::Latest;
            found(Foreign::new(foreign::Size {
                incarnations: 2,
                epochs: 3,
                restore,
            }))
        }
        "open-whatever-was-read"
        | "set-completed-by-counting"
        | "abort-slot-of-a-checkpoint"
        | "fence-without-incarnation" => found(Gathered::new(gathered(gathered::Restore::Latest))),
        "replay-by-number-alone" => found(Gathered::new(gathered(gathered::Restore::Any))),
        "xor-digest" => doubled_row_is_missed(),
        _ => found(ours(Facts::JobFirst)),
    }
}

/// Plants each defect alone and prints how it was found; the caller holds the lock.
pub(crate) fn every_defect_is_found() {
    for defect in fault::DEFECTS {
        assert!(fault::plant(&[defect]), "{defect} is registered");
        let violation = hunt(defect);
        let rows = without_collector(defect).then(|| found(ours(Facts::Never)));
        assert!(fault::plant(&[]));
        show(defect, violation);
        if let Some(rows) = rows {
            show(&format!("{defect}, without a collector"), rows);
        }
    }
}

fn show(title: &str, violation: Option<Violation>) {
    let violation = violation.unwrap_or_else(|| panic!("{title} is not found"));
    println!(
        "planted {title}: {} after {} steps",
        violation.what, violation.steps
    );
    println!("{}", violation.trace);
}
