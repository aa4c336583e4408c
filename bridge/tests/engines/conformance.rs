//! Flink's recorded answers on both engines.

use flinkspark_bridge::probe;

/// Flink 2.3.0 (PyFlink, batch mode, parallelism 1, table.local-time-zone=UTC), each statement through
/// `execute_sql(..).collect()`, rows as `Row.toString` prints them.
const RECORDED: &str = include_str!("../data/flink-2.3.0-answers.jsonl");

#[test]
fn no_engine_answers_a_recorded_statement_otherwise_than_flink() {
    let summary = probe::run(RECORDED).unwrap();
    assert_eq!(summary.wrong, 0, "{summary}");
    assert!(summary.right >= 900, "{summary}");
    assert!(summary.right_on_stream >= 600, "{summary}");
}
