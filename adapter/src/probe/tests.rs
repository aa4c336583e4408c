//! How probes are judged.

use super::*;

fn probe(sql: &str, flink: &str) -> Probe {
    Probe {
        id: "topic_case".into(),
        flink_sql: sql.into(),
        flink: flink.into(),
        flink_stream: None,
    }
}

async fn verdict(sql: &str, flink: &str) -> Verdict {
    run_probe(&probe(sql, flink), &Batch).await
}

#[tokio::test]
async fn the_same_rows_in_another_order_are_right_only_without_order_by() {
    let flink = "[`a` INT NOT NULL] ; +I[2] ; +I[1]";
    assert!(
        verdict("SELECT a FROM (VALUES (1),(2)) AS t(a)", flink)
            .await
            .is_right()
    );
    assert!(
        verdict("SELECT a FROM (VALUES (1),(2)) AS t(a) ORDER BY a", flink)
            .await
            .is_wrong()
    );
}

#[tokio::test]
async fn rows_of_equal_sort_keys_may_change_places() {
    let sql = "SELECT a, b FROM (VALUES (1,'x'),(1,'y')) AS t(a,b) ORDER BY a";
    let flink = "[`a` INT, `b` CHAR(1)] ; +I[1, y] ; +I[1, x]";
    assert!(verdict(sql, flink).await.is_right());
}

#[tokio::test]
async fn names_and_types_count_and_nullability_does_not() {
    let sql = "SELECT 1 AS q";
    assert!(verdict(sql, "[`q` INT] ; +I[1]").await.is_right());
    assert!(verdict(sql, "[`Q` INT] ; +I[1]").await.is_wrong());
    assert!(verdict(sql, "[`q` BIGINT] ; +I[1]").await.is_wrong());
    assert!(verdict(sql, "[`q` INT] ; +I[1] ; +I[1]").await.is_wrong());
}

#[tokio::test]
async fn a_failure_of_flink_is_met_by_failing_or_refusing_only() {
    assert!(
        verdict("SELECT a/b AS q FROM (VALUES (1,0)) AS t(a,b)", "ERR x")
            .await
            .is_right()
    );
    assert!(
        verdict("SELECT a/b AS q FROM (VALUES (1,0)) AS t(a,b)", "[`q` INT]")
            .await
            .is_wrong()
    );
    assert!(verdict("SELECT nothing AS q", "ERR x").await.is_refused());
    assert!(verdict("SELECT 1 AS q", "ERR x").await.is_wrong());
}

#[tokio::test]
async fn a_summary_ends_with_the_line_that_scripts_read() {
    let line =
        r#"{"id": "a_b", "flink_sql": "SELECT 1 AS q", "flink": "[`q` INT] ; +I[1]", "spark": []}"#;
    let summary = run_file(&format!("{line}\n\n{line}\n"), &[&Batch])
        .await
        .unwrap();
    assert!(
        summary
            .to_string()
            .ends_with("probes: 2 run, right 2, refused 0, wrong 0"),
        "{summary}"
    );
    let error = run_file("{", &[&Batch]).await.unwrap_err();
    assert_eq!(error.code(), "FS0808");
}
