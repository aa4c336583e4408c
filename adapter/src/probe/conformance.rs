//! The shipped probes against Flink's recorded answers.

use super::{Batch, Verdict, run_file};

/// The answers of Flink 2.3 that the repository ships, and how many must be right.
const SHIPPED: [(&str, usize); 2] = [
    (
        include_str!("../../../integration-tests/data/probes.jsonl"),
        239,
    ),
    (
        include_str!("../../../integration-tests/data/probes-more.jsonl"),
        71,
    ),
];

#[tokio::test]
async fn no_shipped_probe_is_answered_otherwise_than_flink_answers_it() {
    for (file, right_min) in SHIPPED {
        let summary = run_file(file, &[&Batch]).await.unwrap();
        let wrong: Vec<String> = summary
            .wrong()
            .map(|outcome| format!("{}: {:?}", outcome.id, outcome.verdict))
            .collect();
        let (right, refused, _) = summary.counts("batch");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(right >= right_min, "{right} right, {refused} refused");
        assert_eq!(right + refused, summary.probes);
    }
}

#[tokio::test]
async fn every_refusal_says_what_is_refused_and_names_a_way_out() {
    let mut outcomes = Vec::new();
    for (file, _) in SHIPPED {
        outcomes.extend(run_file(file, &[&Batch]).await.unwrap().outcomes);
    }
    for outcome in &outcomes {
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
