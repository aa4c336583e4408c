//! The shipped probes against Flink's recorded answers.

use super::{Batch, Verdict, run_file};

/// The answers of Flink 2.3 that the repository ships.
const SHIPPED: &str = include_str!("../../../integration-tests/data/probes.jsonl");

/// More answers: Flink 2.3.0 (PyFlink, batch mode, parallelism 1, table.local-time-zone=UTC), each statement
/// through `execute_sql(..).collect()`, rows as `Row.toString` prints them.
const RECORDED: &str = include_str!("../../data/flink-2.3.0-answers.jsonl");

#[tokio::test]
async fn no_recorded_statement_is_answered_otherwise_than_flink_answers_it() {
    let summary = run_file(RECORDED, &[&Batch]).await.unwrap();
    let wrong: Vec<String> = summary
        .wrong()
        .map(|outcome| format!("{}: {:?}", outcome.id, outcome.verdict))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (right, _, _) = summary.counts("batch");
    assert!(right >= 900, "{right} of {} right", summary.probes);
}

#[tokio::test]
async fn no_shipped_probe_is_answered_otherwise_than_flink_answers_it() {
    let summary = run_file(SHIPPED, &[&Batch]).await.unwrap();
    let wrong: Vec<String> = summary
        .wrong()
        .map(|outcome| format!("{}: {:?}", outcome.id, outcome.verdict))
        .collect();
    let (right, refused, _) = summary.counts("batch");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(right >= 120, "{right} right, {refused} refused");
    assert_eq!(right + refused, summary.probes);
}

#[tokio::test]
async fn every_refusal_says_what_is_refused_and_names_a_way_out() {
    let summary = run_file(SHIPPED, &[&Batch]).await.unwrap();
    for outcome in &summary.outcomes {
        if let Verdict::Refused(error) = &outcome.verdict {
            let known = ["FS0801", "FS0802", "FS0803", "FS0804"].contains(&error.code());
            assert!(known, "{}: {error}", outcome.id);
            if error.code() == "FS0803" {
                assert!(
                    error
                        .detail()
                        .is_some_and(|detail| detail.contains("ledger entry")),
                    "{}: {error}",
                    outcome.id
                );
                assert!(error.hint().is_some(), "{}: {error}", outcome.id);
            }
        }
    }
}
