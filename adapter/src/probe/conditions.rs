//! Conditions as Flink 2.3 rewrites them before it evaluates any: what a NaN, a -0.0, a line break and a
//! filter that folds see of it.

use super::*;

/// Texts beside the doubles that they are.
const DOUBLES: &str = "(SELECT s, CAST(s AS DOUBLE) AS x, CAST(y AS DOUBLE) AS y FROM \
                       (VALUES ('NaN','1'),('1.0','2'),('0.1','0')) AS r(s,y)) t";

async fn verdict(sql: &str, flink: &str, flink_stream: Option<&str>) -> Verdict {
    let probe = Probe {
        id: "topic_case".into(),
        flink_sql: sql.into(),
        flink: flink.into(),
        flink_stream: flink_stream.map(str::to_owned),
    };
    run_probe(&probe, &Batch).await
}

/// Asserts that the condition keeps the rows with these texts.
async fn keeps(condition: &str, kept: &[&str]) {
    let rows: String = kept.iter().map(|row| format!(" ; +I[{row}]")).collect();
    let sql = format!("SELECT s FROM {DOUBLES} WHERE {condition}");
    let verdict = verdict(&sql, &format!("[`s` CHAR(3) NOT NULL]{rows}"), None).await;
    assert!(verdict.is_right(), "{condition}: {verdict:?}");
}

#[tokio::test]
async fn not_becomes_the_opposite_comparison_before_a_nan_is_seen() {
    keeps("NOT (x > 1)", &["1.0", "0.1"]).await;
    keeps("NOT (1 < x)", &["1.0", "0.1"]).await;
    keeps("NOT (x < y)", &["0.1"]).await;
    keeps("NOT NOT (x > 1)", &[]).await;
    keeps("NOT (x = 1)", &["NaN", "0.1"]).await;
    keeps("NOT (x <> 1)", &["1.0"]).await;
    keeps("NOT (x > 1 OR s = '0.1')", &["1.0"]).await;
    keeps("(x > 1) IS NOT TRUE", &["1.0", "0.1"]).await;
    keeps("(x > 1) IS FALSE", &["1.0", "0.1"]).await;
    keeps("(x > 0.5) IS FALSE", &["0.1"]).await;
    keeps("(x < 1) IS NOT FALSE", &["0.1"]).await;
    keeps("x NOT IN (1.0, 2.0)", &["NaN", "0.1"]).await;
    keeps("NOT x IN (1, 2)", &["NaN", "0.1"]).await;
    keeps("x NOT BETWEEN 0.5 AND 2", &["NaN", "0.1"]).await;
    keeps("NOT (x >= 0.5 AND x <= 2.0)", &["NaN", "0.1"]).await;
}

#[tokio::test]
async fn comparisons_that_leave_out_nothing_are_true_of_a_nan_too() {
    keeps("x > 1 OR x <= 1", &["NaN", "1.0", "0.1"]).await;
    keeps("x <= 0.1e0 OR 0.1e0 < x", &["NaN", "1.0", "0.1"]).await;
    keeps("x < 1 OR x >= 0", &["NaN", "1.0", "0.1"]).await;
    keeps("NOT (x > 1 OR x <= 1)", &[]).await;
    keeps("x < 1 OR x > 1", &["NaN", "0.1"]).await;
    keeps("x < 1 OR x > 2", &["0.1"]).await;
    keeps("(x > 1 OR x <= 1) AND s <> '1.0'", &["NaN", "0.1"]).await;
}

#[tokio::test]
async fn beside_a_decimal_a_double_is_ordered_as_java_orders_it() {
    keeps("x > 0.5", &["NaN", "1.0"]).await;
    keeps("x >= 2.5", &["NaN"]).await;
    keeps("x < 0.5", &["0.1"]).await;
    keeps("x <> 0.5", &["NaN", "1.0", "0.1"]).await;
    keeps("x = 1.0", &["1.0"]).await;
    keeps("x > 1", &[]).await;
}

#[tokio::test]
async fn a_rewriting_that_is_not_known_is_refused_by_name() {
    let conditions = [
        "NOT (x > 1 AND s <> 'z')",
        "x NOT BETWEEN 1 AND 2",
        "x < 0.5 OR x > 2",
        "(CASE WHEN x > 1 THEN s = 'a' ELSE s = '0.1' END)",
        "CASE WHEN x > 1 THEN 'a' WHEN x <= 1 THEN 'b' ELSE 'c' END = 'b'",
        "x > 1 OR (x <= 1 AND s = 'NaN')",
        "x IN (0, 1)",
        "(x > 1) = FALSE",
        "(CAST(NULLIF(s, 'q') AS DOUBLE) > 1) IS FALSE",
        "(CAST(NULLIF(s, 'q') AS DOUBLE) > 1) IS NOT FALSE",
        "(CAST(NULLIF(s, 'q') AS DOUBLE) > 1) IS NOT TRUE",
    ];
    for condition in conditions {
        let sql = format!("SELECT s FROM {DOUBLES} WHERE {condition}");
        let verdict = verdict(&sql, "ERR", None).await;
        let Verdict::Refused(refusal) = &verdict else {
            panic!("{condition}: {verdict:?}");
        };
        assert!(
            refusal.detail().unwrap().contains("nan-condition"),
            "{condition}: {refusal}"
        );
    }
}

#[tokio::test]
async fn an_underscore_matches_no_line_break_and_a_percent_does() {
    for end in ["10", "13"] {
        let sql = format!(
            "SELECT s LIKE 'a_b' AS q, s LIKE 'a%b' AS r, s LIKE '%_b' AS p, s LIKE '__c' AS n \
             FROM (SELECT 'a' || CHR({end}) || x AS s FROM (VALUES ('b'),('bc')) AS v(x)) t"
        );
        let flink = "[`q` BOOLEAN, `r` BOOLEAN, `p` BOOLEAN, `n` BOOLEAN] ; \
                     +I[false, true, false, false] ; +I[false, false, false, false]";
        let verdict = verdict(&sql, flink, None).await;
        assert!(verdict.is_right(), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_negative_zero_read_in_the_planner_is_none() {
    let group = |rows: &str| {
        format!(
            "SELECT x, COUNT(*) AS c FROM (SELECT CAST(s AS DOUBLE) AS x FROM (VALUES {rows}) AS r(s)) t GROUP BY x"
        )
    };
    let planned = group("('-0.0'),('0.0'),(CAST(NULL AS VARCHAR(4)))");
    let flink = "[`x` DOUBLE, `c` BIGINT NOT NULL] ; +I[null, 1] ; +I[0.0, 2]";
    let answer = verdict(&planned, flink, Some(flink)).await;
    assert!(answer.is_right(), "{answer:?}");
    let rows = group("('-0.0'),('0.0')");
    let flink = "[`x` DOUBLE NOT NULL, `c` BIGINT NOT NULL] ; +I[-0.0, 1] ; +I[0.0, 1]";
    let answer = verdict(&rows, flink, None).await;
    assert!(answer.is_right(), "{answer:?}");
}

#[tokio::test]
async fn an_aggregate_over_a_filter_that_folds_has_its_row_in_both_modes() {
    let columns = "[`c` BIGINT NOT NULL, `s` INT, `v` INT]";
    let (one, none) = (format!("{columns} ; +I[0, null, null]"), columns.to_owned());
    let folding = [
        "1 = 0",
        "FALSE",
        "a > 5 AND a < 3",
        "a = 1 AND a = 2",
        "a > 1 AND NOT (a > 1)",
        "a <> a",
        "a IS NULL AND b < 5",
        "a > 1 AND (1 = 0 OR 2 < 1)",
        "CAST(NULL AS BOOLEAN)",
    ];
    for (conditions, streamed) in [
        (&folding[..], &one),
        (&["a > 5", "a > 1 AND a < 2"][..], &none),
    ] {
        for condition in conditions {
            let sql = format!(
                "SELECT COUNT(*) AS c, SUM(a) AS s, AVG(a) AS v FROM (VALUES (1,2),(3,4)) AS t(a,b) WHERE {condition}"
            );
            let verdict = verdict(&sql, &one, Some(streamed)).await;
            assert!(verdict.is_right(), "{condition}: {verdict:?}");
        }
    }
}
