//! What the Flink front accepts and refuses.

use super::{NoTables, bind, parse};
use flinkspark_model::{Error, Kind};

fn refusal(sql: &str) -> Error {
    parse(sql)
        .and_then(|statement| bind(&statement, &NoTables))
        .unwrap_err()
}

fn types(sql: &str) -> Vec<String> {
    let job = parse(sql)
        .and_then(|statement| bind(&statement, &NoTables))
        .unwrap();
    job.columns
        .iter()
        .map(|column| column.ty.to_string())
        .collect()
}

#[test]
fn literals_have_flinks_types() {
    let sql = "SELECT 1, 2147483648, 0.1, .5, 1e2, 'abc', '', DATE '2024-01-05', TIMESTAMP '2024-01-05 01:02:03.4'";
    let expected = [
        "INT NOT NULL",
        "BIGINT NOT NULL",
        "DECIMAL(2, 1) NOT NULL",
        "DECIMAL(1, 1) NOT NULL",
        "DOUBLE NOT NULL",
        "CHAR(3) NOT NULL",
        "CHAR(0) NOT NULL",
        "DATE NOT NULL",
        "TIMESTAMP(1) NOT NULL",
    ];
    assert_eq!(types(sql), expected);
}

#[test]
fn statements_that_are_no_flink_sql_are_told_apart_from_those_that_are_refused() {
    for sql in ["SELECT", "SELECT 1; SELECT 2", "SELECT FROM WHERE"] {
        assert_eq!(refusal(sql).code(), "FS0801", "{sql}");
    }
    for sql in [
        "SELECT A AS q FROM (VALUES (1)) AS t(a)",
        "SELECT \"abc\"",
        "SELECT NULL AS q",
    ] {
        assert_eq!(refusal(sql).code(), "FS0802", "{sql}");
    }
    assert_eq!(refusal("SELECT a FROM missing").code(), "FS0804");
}

#[test]
fn views_stand_for_their_queries() {
    let views = "CREATE TEMPORARY VIEW v AS SELECT a, 'x' AS s FROM (VALUES (1)) AS t(a);\n\
                 CREATE TEMPORARY VIEW w (n, m) AS SELECT a, a + 1 FROM v;\n";
    let both = format!("{views}SELECT n, m, s FROM w JOIN v ON w.n = v.a");
    assert_eq!(
        types(&both),
        ["INT NOT NULL", "INT NOT NULL", "CHAR(1) NOT NULL"]
    );
    // A WITH item is nearer, and a view does not see it.
    let nearer = format!("{views}WITH v AS (SELECT 'near' AS s) SELECT v.s, w.n FROM v, w;");
    assert_eq!(types(&nearer), ["CHAR(4) NOT NULL", "INT NOT NULL"]);
    // What nothing uses is not looked up; a view knows those before it only.
    let unused = "CREATE TEMPORARY VIEW v AS SELECT * FROM missing; SELECT 1 AS n";
    assert_eq!(types(unused), ["INT NOT NULL"]);
    let later = "CREATE TEMPORARY VIEW a AS SELECT * FROM b; CREATE TEMPORARY VIEW b AS SELECT 1 AS n; SELECT * FROM a";
    assert_eq!(refusal(later).code(), "FS0804");
    let itself = "CREATE TEMPORARY VIEW a AS SELECT * FROM a; SELECT * FROM a";
    assert_eq!(refusal(itself).code(), "FS0804");
    for (sql, code) in [
        ("CREATE VIEW v AS SELECT 1 AS n; SELECT * FROM v", "FS0803"),
        (
            "CREATE TEMPORARY VIEW v AS SELECT 1 AS n; CREATE TEMPORARY VIEW v AS SELECT 2 AS n; SELECT * FROM v",
            "FS0802",
        ),
        (
            "CREATE TEMPORARY VIEW v (a, b) AS SELECT 1 AS n; SELECT * FROM v",
            "FS0802",
        ),
        ("CREATE TEMPORARY VIEW v AS SELECT 1 AS n", "FS0803"),
        (
            "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1 AS n; SELECT * FROM v",
            "FS0803",
        ),
        ("DROP TABLE t; SELECT 1 AS n", "FS0803"),
        ("DELETE FROM t", "FS0803"),
        (
            "SELECT a FROM t /*+ OPTIONS('scan.parallelism' = '1') */",
            "FS0803",
        ),
        ("SELECT /*+ STATE_TTL('t' = '1d') */ a FROM t", "FS0803"),
    ] {
        assert_eq!(refusal(sql).code(), code, "{sql}");
    }
}

#[test]
fn an_insert_adds_or_overwrites_and_never_both() {
    let job = |sql: &str| {
        let job = parse(sql).and_then(|statement| bind(&statement, &NoTables));
        job.unwrap()
    };
    let plain = job("INSERT INTO t SELECT 1 AS n");
    assert!(!plain.overwrites && plain.to_string().contains("into t\n"));
    let over = job("INSERT OVERWRITE t (n) SELECT 1 AS n");
    assert!(over.overwrites && over.to_string().contains("overwrite t\n"));
    assert_eq!(
        (over.sink.unwrap().as_str(), over.sink_columns),
        ("t", vec!["n".to_owned()])
    );
    for sql in [
        "INSERT OVERWRITE INTO t SELECT 1 AS n",
        "INSERT OVERWRITE t PARTITION (n = 1) SELECT 1 AS m",
        "INSERT OVERWRITE DIRECTORY '/tmp/t' SELECT 1 AS n",
        "INSERT OR REPLACE INTO t SELECT 1 AS n",
    ] {
        assert!(["FS0801", "FS0803"].contains(&refusal(sql).code()), "{sql}");
    }
}

#[test]
fn what_is_not_known_to_agree_is_refused_by_name() {
    let cases = [
        (
            "SELECT a < b AS q FROM (VALUES (9,'10')) AS t(a,b)",
            "implicit-conversion",
        ),
        ("SELECT RAND(1) AS q", "function"),
        ("SELECT a FROM (VALUES (1)) AS t(a) LIMIT 1", "limit-order"),
        ("SELECT REGEXP_REPLACE('a','\\d','b') AS q", "regex-dialect"),
        (
            "SELECT a FROM (VALUES (1)) AS t(a) GROUP BY 1",
            "group-by-name",
        ),
        (
            "SELECT NTILE(2) OVER (ORDER BY a) AS q, RANK() OVER (ORDER BY b) AS r FROM (VALUES (1,2)) AS t(a,b)",
            "over-window",
        ),
    ];
    for (sql, entry) in cases {
        let error = refusal(sql);
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Invalid, "FS0803"),
            "{sql}: {error}"
        );
        assert!(
            error
                .detail()
                .unwrap()
                .contains(&format!("ledger entry {entry}:")),
            "{sql}: {error}"
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn nesting_has_a_limit_and_no_input_overflows_the_stack() {
    let deep = format!("SELECT {}1{} AS q", "(".repeat(500), ")".repeat(500));
    assert_eq!(refusal(&deep).code(), "FS0801");
    let long = format!("SELECT {} AS q", vec!["1"; 400].join(" + "));
    assert!(["FS0801", "FS0807"].contains(&refusal(&long).code()));
}

#[test]
fn a_plan_shows_each_conversion_and_the_ledger_entries_it_relied_on() {
    let sql = "SELECT a + 1.5 AS q FROM (VALUES (1),(2)) AS t(a) ORDER BY q";
    let job = parse(sql)
        .and_then(|statement| bind(&statement, &NoTables))
        .unwrap();
    let text = job.to_string();
    assert!(
        text.contains("(CAST(#0 AS DECIMAL(10, 0)) + 1.5)"),
        "{text}"
    );
    assert!(job.relied_on.contains("null-order"), "{:?}", job.relied_on);
}
