//! Joins and subqueries over datasets: their rows, and the operators that compute them.

use super::{Providers, lower};
use crate::front::flink::{self, TableInfo, Tables};
use crate::plan::{Home, Job};
use arrow_array::{Int32Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::displayable;
use flinkspark_engine::batch::{self, Options};
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Error, Result};
use std::sync::Arc;

/// Numbers that may be NULL, and their names.
fn numbers(of: &[(Option<i32>, Option<&str>)]) -> RecordBatch {
    let ids: Int32Array = of.iter().map(|(id, _)| *id).collect();
    let names: StringArray = of.iter().map(|(_, name)| *name).collect();
    let columns: Vec<(&str, arrow_array::ArrayRef, bool)> =
        vec![("id", Arc::new(ids), true), ("name", Arc::new(names), true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// `t`: 0..=3 and NULL; `u`: 2, 3, 3; `n`: 2 and NULL; `e`: nothing.
fn table(name: &str) -> Option<RecordBatch> {
    Some(match name {
        "t" => numbers(&[
            (Some(0), Some("zero")),
            (Some(1), Some("one")),
            (Some(2), Some("two")),
            (Some(3), Some("three")),
            (None, Some("none")),
        ]),
        "u" => numbers(&[
            (Some(2), Some("two")),
            (Some(3), Some("drei")),
            (Some(3), Some("three")),
        ]),
        "n" => numbers(&[(Some(2), None), (None, Some("none"))]),
        "e" => numbers(&[]),
        _ => return None,
    })
}

struct Datasets;

impl Tables for Datasets {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        Ok(table(name.as_str()).map(|rows| TableInfo {
            schema: rows.schema(),
            time_attribute: None,
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: None,
            bounded: true,
        }))
    }
}

fn bound(sql: &str) -> Result<Job> {
    let job = flink::bind(&flink::parse(sql)?, &Datasets)?;
    let home = Home::FlinkBatch;
    Ok(Job { home, ..job })
}

/// The rows, sorted as texts, and the physical plan.
async fn run(sql: &str) -> Result<(Vec<String>, String)> {
    let job = bound(sql)?;
    let mut providers = Providers::default();
    for name in ["t", "u", "n", "e"] {
        let rows = table(name).unwrap();
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap();
        providers.insert(DatasetName::new(name)?, Arc::new(table));
    }
    let session = batch::session(&Options::default())?;
    let plan = lower(&job, &providers)?.logical;
    let physical = session.state().create_physical_plan(&plan).await.unwrap();
    let shape = displayable(physical.as_ref()).indent(false).to_string();
    let mut rows = Vec::new();
    for batch in batch::collect(&session, &plan).await? {
        let options = FormatOptions::default().with_null("NULL");
        let cells: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let texts: Vec<String> = cells
                .iter()
                .map(|cell| cell.value(row).to_string())
                .collect();
            rows.push(texts.join(","));
        }
    }
    rows.sort();
    Ok((rows, shape))
}

async fn gives(sql: &str, rows: &[&str]) -> String {
    let (ours, shape) = run(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(ours, rows, "{sql}\n{shape}");
    shape
}

fn refusal(sql: &str) -> Error {
    bound(sql).unwrap_err()
}

#[tokio::test]
async fn in_and_not_in_are_hash_joins_that_know_null() {
    let joined = [
        (
            "SELECT id FROM t WHERE id IN (SELECT id FROM u)",
            &["2", "3"][..],
        ),
        (
            "SELECT id FROM t WHERE id NOT IN (SELECT id FROM u)",
            &["0", "1"],
        ),
        (
            "SELECT id FROM t WHERE NOT id IN (SELECT id FROM u)",
            &["0", "1"],
        ),
        ("SELECT id FROM t WHERE id NOT IN (SELECT id FROM n)", &[]),
        (
            "SELECT id FROM t WHERE id NOT IN (SELECT id FROM e)",
            &["0", "1", "2", "3", "NULL"],
        ),
        (
            "SELECT name FROM t WHERE name NOT IN (SELECT name FROM u WHERE id = 3)",
            &["none", "one", "two", "zero"],
        ),
        (
            "SELECT id FROM t WHERE id + 1 IN (SELECT id FROM u)",
            &["1", "2"],
        ),
        (
            "SELECT id FROM t WHERE CAST(id AS BIGINT) IN (SELECT id FROM u)",
            &["2", "3"],
        ),
        (
            "SELECT id FROM t WHERE id IN (SELECT CAST(id AS BIGINT) FROM n)",
            &["2"],
        ),
    ];
    for (sql, rows) in joined {
        let shape = gives(sql, rows).await;
        // What is looked up is there once: many equal keys on both sides make no square.
        assert!(shape.contains("AggregateExec"), "{sql}\n{shape}");
        assert!(shape.contains("HashJoinExec"), "{sql}\n{shape}");
        assert!(
            !shape.contains("NestedLoop") && !shape.contains("CrossJoin"),
            "{sql}\n{shape}"
        );
    }
}

#[tokio::test]
async fn a_guard_stays_before_what_it_guards_in_every_shape() {
    let guarded = [
        (
            "SELECT id FROM t WHERE id <> 0 AND 6 / id IN (SELECT id FROM u)",
            &["2", "3"][..],
        ),
        (
            "SELECT id FROM t WHERE id <> 0 AND 6 / id NOT IN (SELECT id FROM u)",
            &["1"],
        ),
        (
            "SELECT id FROM t WHERE 6 / id IN (SELECT id FROM u) AND id <> 0",
            &["2", "3"],
        ),
        (
            "SELECT id FROM t WHERE id <> 0 AND 6 / id IN (2, 6)",
            &["1", "3"],
        ),
        (
            "SELECT id FROM t WHERE id <> 0 AND 6 / id BETWEEN 2 AND 3",
            &["2", "3"],
        ),
        ("SELECT id FROM t WHERE id = 0 OR 6 / id = 3", &["0", "2"]),
        (
            "SELECT id FROM t WHERE CASE WHEN id = 0 THEN FALSE ELSE 6 / id = 3 END",
            &["2"],
        ),
        (
            "SELECT id FROM t WHERE COALESCE(NULLIF(id, 0), 6) > 2 AND id <> 0 AND 6 / id > 1",
            &["3"],
        ),
        (
            "SELECT id FROM (SELECT id FROM t WHERE id <> 0) v WHERE 6 / id = 3",
            &["2"],
        ),
        (
            "SELECT t.id FROM t JOIN u ON t.id = u.id AND t.id <> 0 AND 6 / t.id = 2",
            &["3", "3"],
        ),
        (
            "SELECT t.id FROM t, u WHERE t.id <> 0 AND t.id = u.id AND 6 / t.id = 2",
            &["3", "3"],
        ),
        // What can fail stays above the join that drops the row it fails on.
        (
            "SELECT t.id FROM t, u WHERE t.id = u.id AND 6 / t.id = 2",
            &["3", "3"],
        ),
        (
            "SELECT t.id FROM t LEFT JOIN u ON t.id = u.id WHERE t.id <> 0 AND 6 / t.id = 6",
            &["1"],
        ),
        (
            "SELECT id FROM t GROUP BY id HAVING id <> 0 AND 6 / id IN (2, 6)",
            &["1", "3"],
        ),
        (
            "SELECT id FROM t WHERE NOT (id = 0 OR 6 / id = 3)",
            &["1", "3"],
        ),
    ];
    for (sql, rows) in guarded {
        gives(sql, rows).await;
    }
    // Without a guard it fails, wherever a later condition would drop the row.
    for sql in [
        "SELECT t.id FROM t, u WHERE 6 / t.id = 2 AND t.id = u.id",
        "SELECT v.id FROM (SELECT t.id, t.name FROM t, u WHERE 6 / t.id < 9) v WHERE v.name <> 'zero'",
    ] {
        let error = run(sql).await.unwrap_err();
        assert_eq!(error.code(), "FS0805", "{sql}: {error}");
    }
}

#[tokio::test]
async fn equalities_of_a_comma_join_are_keys_and_filters_go_below() {
    let shape = gives(
        "SELECT t.name FROM t, u WHERE t.id = u.id AND u.name = 'drei' AND t.name <> 'x'",
        &["three"],
    )
    .await;
    assert!(shape.contains("HashJoinExec"), "{shape}");
    let join = shape.find("HashJoinExec").unwrap();
    let filters: Vec<usize> = shape
        .match_indices("FilterExec")
        .map(|(at, _)| at)
        .collect();
    assert!(
        !filters.is_empty() && filters.iter().all(|at| *at > join),
        "{shape}"
    );
    let three = "SELECT t.id FROM t, u, n WHERE t.id = u.id AND u.id = n.id";
    let shape = gives(three, &["2"]).await;
    assert_eq!(shape.matches("HashJoinExec").count(), 2, "{shape}");
    gives("SELECT t.id FROM t, n WHERE t.id < n.id", &["0", "1"]).await;
    gives(
        "SELECT t.id FROM t CROSS JOIN u WHERE t.id + 1 = u.id",
        &["1", "2", "2"],
    )
    .await;
}

#[tokio::test]
async fn filters_beside_an_outer_join_keep_its_rows() {
    let cases = [
        (
            "SELECT t.id, u.name FROM t LEFT JOIN u ON t.id = u.id WHERE t.id < 2",
            &["0,NULL", "1,NULL"][..],
        ),
        (
            "SELECT t.id, u.name FROM t LEFT JOIN u ON t.id = u.id WHERE u.name = 'two'",
            &["2,two"],
        ),
        (
            "SELECT t.id, u.name FROM t LEFT JOIN u ON t.id = u.id AND u.name = 'two' WHERE t.id > 1",
            &["2,two", "3,NULL"],
        ),
        (
            "SELECT t.id, u.name FROM t LEFT JOIN u ON t.id = u.id AND t.id > 2 WHERE t.id > 1",
            &["2,NULL", "3,drei", "3,three"],
        ),
        (
            "SELECT t.id FROM t LEFT JOIN u ON t.id = u.id WHERE u.id IS NULL",
            &["0", "1", "NULL"],
        ),
        (
            "SELECT t.id, u.id FROM u RIGHT JOIN t ON t.id = u.id WHERE t.id > 1 AND u.id > 2",
            &["3,3", "3,3"],
        ),
        (
            "SELECT t.id, n.id FROM t FULL JOIN n ON t.id = n.id WHERE t.id IS NULL",
            &["NULL,NULL", "NULL,NULL"],
        ),
    ];
    for (sql, rows) in cases {
        let shape = gives(sql, rows).await;
        assert!(shape.contains("HashJoinExec"), "{sql}\n{shape}");
    }
}

#[tokio::test]
async fn subqueries_that_read_the_query_around_them_are_joins_over_datasets() {
    let cases = [
        (
            "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
            &["2", "3"][..],
        ),
        (
            "SELECT id FROM t WHERE NOT EXISTS (SELECT * FROM u WHERE u.id = t.id)",
            &["0", "1", "NULL"],
        ),
        (
            "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM n WHERE n.id = t.id)",
            &["0", "1", "3", "NULL"],
        ),
        (
            "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.name <> t.name)",
            &["3"],
        ),
        (
            "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND u.name = 'two')",
            &["2"],
        ),
        (
            "SELECT id FROM t WHERE name IN (SELECT name FROM u WHERE u.id = t.id)",
            &["2", "3"],
        ),
        (
            "SELECT id FROM t WHERE name NOT IN (SELECT name FROM n WHERE n.id = t.id)",
            &["0", "1", "3", "NULL"],
        ),
        (
            "SELECT id, (SELECT MAX(u.name) FROM u WHERE u.id = t.id) AS m FROM t",
            &["0,NULL", "1,NULL", "2,two", "3,three", "NULL,NULL"],
        ),
        (
            "SELECT id, (SELECT COUNT(*) FROM u WHERE u.id = t.id) + 1 AS c FROM t",
            &["0,1", "1,1", "2,2", "3,3", "NULL,1"],
        ),
        (
            "SELECT id FROM t WHERE (SELECT COUNT(*) FROM u WHERE u.id = t.id) > 1",
            &["3"],
        ),
        (
            "SELECT id FROM t WHERE id > (SELECT MIN(id) FROM u) AND id IN (SELECT id FROM u)",
            &["3"],
        ),
    ];
    for (sql, rows) in cases {
        let shape = gives(sql, rows).await;
        assert!(shape.contains("HashJoinExec"), "{sql}\n{shape}");
    }
}

#[test]
fn a_name_that_is_nowhere_is_no_correlation() {
    for sql in [
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.nome = t.id)",
        "SELECT id FROM t WHERE id IN (SELECT idd FROM u)",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.idd)",
        "SELECT (SELECT MAX(idd) FROM u WHERE u.id = t.id) AS m FROM t",
        "SELECT id FROM t WHERE id = (SELECT MAX(nome) FROM u)",
    ] {
        let error = refusal(sql);
        assert_eq!(error.code(), "FS0802", "{sql}: {error}");
        assert!(
            error.message().contains("not found in any table"),
            "{sql}: {error}"
        );
    }
    for sql in [
        "SELECT id FROM t WHERE id IN (SELECT t.id FROM u)",
        "SELECT id, (SELECT name FROM u WHERE u.id = t.id) AS m FROM t",
        "SELECT a FROM (VALUES (1)) AS v(a) WHERE EXISTS (SELECT 1 FROM u WHERE u.id = v.a)",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u GROUP BY u.id HAVING u.id = t.id)",
    ] {
        let error = refusal(sql);
        assert_eq!(error.code(), "FS0803", "{sql}: {error}");
        assert!(
            error.detail().unwrap().contains("correlated-subquery"),
            "{sql}: {error}"
        );
    }
}
