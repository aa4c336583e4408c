//! What is done with a column of any type at all.

use super::samples::{every_type, is_null};
use super::{Cell, On, Row, each, expected, gives, rows, stored, within};
use Cell::{Number, Sample, Truth};
use arrow_schema::Field;
use flinkspark_adapter::front::flink::arrow_type;
use flinkspark_adapter::plan::Home;
use flinkspark_model::schema::type_name;
use std::collections::BTreeMap;

/// The rows that a statement gives, in any order; one without a group has none.
type Answer = fn(&[Row], &dyn Fn(usize) -> bool) -> Vec<Vec<Cell>>;

/// What is done with a column of any type at all. The second argument says of a sample whether it is NULL.
const CARRIED: [(On, &str, Answer); 17] = [
    (On::Both, "SELECT * FROM t", |rows, _| {
        let row = |row: &Row| vec![Number(Some(row.id)), Number(row.k), Sample(Some(row.x))];
        rows.iter().map(row).collect()
    }),
    (On::Both, "SELECT x, id FROM t WHERE id > 3", |rows, _| {
        let kept = rows.iter().filter(|row| row.id > 3);
        kept.map(|row| vec![Sample(Some(row.x)), Number(Some(row.id))])
            .collect()
    }),
    (
        On::Both,
        "WITH w AS (SELECT t.*, id + 1 AS more FROM t WHERE k IS NOT NULL) SELECT more, (x) AS y, w.x FROM w",
        |rows, _| {
            let kept = rows.iter().filter(|row| row.k.is_some());
            let x = |row: &Row| Sample(Some(row.x));
            kept.map(|row| vec![Number(Some(row.id + 1)), x(row), x(row)])
                .collect()
        },
    ),
    (
        On::Both,
        "SELECT id, x FROM t WHERE x IS NULL",
        |rows, null| {
            let kept = rows.iter().filter(|row| null(row.x));
            kept.map(|row| vec![Number(Some(row.id)), Sample(Some(row.x))])
                .collect()
        },
    ),
    (
        On::Both,
        "SELECT id, x FROM t WHERE t.x IS NOT NULL OR id = 1",
        |rows, null| {
            let kept = rows.iter().filter(|row| !null(row.x) || row.id == 1);
            kept.map(|row| vec![Number(Some(row.id)), Sample(Some(row.x))])
                .collect()
        },
    ),
    (
        On::Both,
        "SELECT id, x IS NULL AS n FROM t",
        |rows, null| {
            let row = |row: &Row| vec![Number(Some(row.id)), Truth(Some(null(row.x)))];
            rows.iter().map(row).collect()
        },
    ),
    (
        On::Both,
        "SELECT id, CASE WHEN x IS NULL THEN id ELSE -id END AS n FROM t",
        |rows, null| {
            let n = |row: &Row| if null(row.x) { row.id } else { -row.id };
            rows.iter()
                .map(|row| vec![Number(Some(row.id)), Number(Some(n(row)))])
                .collect()
        },
    ),
    (
        On::Both,
        "SELECT k, COUNT(x) AS n FROM t GROUP BY k",
        |rows, null| counted(rows, &|row| !null(row.x)),
    ),
    (
        On::Both,
        "SELECT k, COUNT(x) FILTER (WHERE id > 3) AS n FROM t GROUP BY k",
        |rows, null| counted(rows, &|row| !null(row.x) && row.id > 3),
    ),
    (
        On::Batch,
        "SELECT a.id, a.x, b.x FROM t AS a JOIN t AS b ON a.id = b.k",
        |rows, _| {
            let mut joined = Vec::new();
            for a in rows {
                for b in rows.iter().filter(|b| b.k == Some(a.id)) {
                    let cells = [Number(Some(a.id)), Sample(Some(a.x)), Sample(Some(b.x))];
                    joined.push(cells.to_vec());
                }
            }
            joined
        },
    ),
    (
        On::Batch,
        "SELECT a.id, b.x FROM t AS a LEFT JOIN t AS b ON a.k = b.id AND b.id > 1",
        |rows, _| {
            let x = |k: Option<i64>| rows.iter().find(|b| Some(b.id) == k && b.id > 1);
            rows.iter()
                .map(|a| vec![Number(Some(a.id)), Sample(x(a.k).map(|b| b.x))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT a.id, a.x FROM t AS a WHERE a.id IN (SELECT k FROM t)",
        |rows, _| {
            let looked_up = |a: &&Row| rows.iter().any(|b| b.k == Some(a.id));
            rows.iter()
                .filter(looked_up)
                .map(|a| vec![Number(Some(a.id)), Sample(Some(a.x))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, x FROM t WHERE id < 4 UNION ALL SELECT k, x FROM t",
        |rows, _| {
            let first = rows.iter().filter(|row| row.id < 4);
            let first = first.map(|row| vec![Number(Some(row.id)), Sample(Some(row.x))]);
            let second = rows
                .iter()
                .map(|row| vec![Number(row.k), Sample(Some(row.x))]);
            first.chain(second).collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, x FROM t ORDER BY k DESC, id",
        |rows, _| {
            let row = |row: &Row| vec![Number(Some(row.id)), Sample(Some(row.x))];
            rows.iter().map(row).collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY id) AS r FROM t",
        |rows, _| {
            let before = |row: &Row| {
                let own = rows.iter().filter(|other| other.k == row.k);
                own.filter(|other| other.id <= row.id).count() as i64
            };
            rows.iter()
                .map(|row| {
                    let x = Sample(Some(row.x));
                    vec![Number(Some(row.id)), x, Number(Some(before(row)))]
                })
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, COUNT(x) OVER (PARTITION BY k) AS n FROM t",
        |rows, null| {
            let n = |row: &Row| {
                let own = rows.iter().filter(|other| other.k == row.k);
                own.filter(|other| !null(other.x)).count() as i64
            };
            rows.iter()
                .map(|row| vec![Number(Some(row.id)), Number(Some(n(row)))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT t.id, x, e FROM t CROSS JOIN UNNEST(ARRAY[id, k]) AS u (e)",
        |rows, _| {
            let each = |row: &Row| [Some(row.id), row.k].map(|e| (row.id, row.x, e));
            rows.iter()
                .flat_map(each)
                .map(|(id, x, e)| vec![Number(Some(id)), Sample(Some(x)), Number(e)])
                .collect()
        },
    ),
];

fn counted(rows: &[Row], counts: &dyn Fn(&Row) -> bool) -> Vec<Vec<Cell>> {
    let mut groups: BTreeMap<Option<i64>, i64> = BTreeMap::new();
    for row in rows {
        *groups.entry(row.k).or_default() += i64::from(counts(row));
    }
    groups
        .into_iter()
        .map(|(k, n)| vec![Number(k), Number(Some(n))])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_of_any_type_comes_out_of_a_job_as_it_went_in() {
    each(every_type(), |samples| async move {
        let mut wrong = Vec::new();
        let name = type_name(samples.data_type());
        for (count, per_batch) in [(0, 1), (1, 1), (23, 4)] {
            let rows = rows(count);
            let fixture = stored(&rows, per_batch, &[("x", &samples)]).await;
            for (on, sql, answer) in CARRIED {
                let null = |at: usize| is_null(&samples, at % samples.len());
                let answer = within(&samples, answer(&rows, &null));
                let wanted = expected(&samples, &answer);
                if let Err(found) = gives(&fixture, on, sql, wanted).await {
                    wrong.push(format!("{name}, {count} rows: {found}"));
                }
            }
            let job = fixture.bind("SELECT x FROM t", Home::FlinkBatch).unwrap();
            let gives = job.columns[0].ty.root.arrow();
            let known = arrow_type(&Field::new("x", samples.data_type().clone(), true));
            if known.is_none() && gives != *samples.data_type() {
                wrong.push(format!("{name} comes out as {gives}"));
            }
        }
        wrong
    })
    .await;
}
