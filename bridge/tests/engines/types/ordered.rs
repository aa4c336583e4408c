//! What is done with a column whose values have an order.

use super::samples::{is_null, ordered_types};
use super::{Cell, On, Row, each, expected, gives, rows, stored, within};
use crate::fixture::How;
use Cell::{Number, Sample, Truth};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use flinkspark_adapter::plan::Home;
use flinkspark_model::schema::type_name;
use std::collections::{BTreeMap, BTreeSet};

/// What is done with a column whose values have an order: `x` and `y` are of one type, `z` is `x` in another unit,
/// zone or encoding. The second argument is the place of a sample in the order, none for NULL.
type Ordered = fn(&[Row], &dyn Fn(usize) -> Option<usize>) -> Vec<Vec<Cell>>;

fn compared(rows: &[Row], truth: &dyn Fn(&Row) -> Option<bool>) -> Vec<Vec<Cell>> {
    rows.iter()
        .map(|row| vec![Number(Some(row.id)), Truth(truth(row))])
        .collect()
}

fn kept(rows: &[Row], truth: &dyn Fn(&Row) -> Option<bool>) -> Vec<Vec<Cell>> {
    rows.iter()
        .filter(|row| truth(row) == Some(true))
        .map(|row| vec![Number(Some(row.id)), Sample(Some(row.x))])
        .collect()
}

const ORDERED: [(On, &str, Ordered); 18] = [
    (On::Both, "SELECT id, x < y AS q FROM t", |rows, at| {
        compared(rows, &|row| Some(at(row.x)? < at(row.y)?))
    }),
    (On::Both, "SELECT id, z >= y AS q FROM t", |rows, at| {
        compared(rows, &|row| Some(at(row.x)? >= at(row.y)?))
    }),
    (On::Both, "SELECT id, x = z AS q FROM t", |rows, at| {
        compared(rows, &|row| at(row.x).map(|_| true))
    }),
    (On::Both, "SELECT id, x <> y AS q FROM t", |rows, at| {
        compared(rows, &|row| Some(at(row.x)? != at(row.y)?))
    }),
    (
        On::Both,
        "SELECT id, x IS NOT DISTINCT FROM y AS q FROM t",
        |rows, at| compared(rows, &|row| Some(at(row.x) == at(row.y))),
    ),
    (On::Both, "SELECT id, x FROM t WHERE x = y", |rows, at| {
        kept(rows, &|row| Some(at(row.x)? == at(row.y)?))
    }),
    (
        On::Both,
        "SELECT id, x FROM t WHERE NOT x > y",
        |rows, at| kept(rows, &|row| Some(at(row.x)? <= at(row.y)?)),
    ),
    (
        On::Both,
        "SELECT id, x FROM t WHERE x BETWEEN y AND z AND x IN (y, z)",
        |rows, at| kept(rows, &|row| Some(at(row.x)? >= at(row.y)?)),
    ),
    (
        On::Both,
        "SELECT x, COUNT(*) AS n FROM t GROUP BY x",
        |rows, at| grouped(rows, at),
    ),
    (
        On::Both,
        "SELECT x, COUNT(y) AS n, MAX(id) AS m FROM t GROUP BY x",
        |rows, at| {
            let counts = groups(rows, at).into_values();
            let row = |own: Vec<&Row>| {
                let n = own.iter().filter(|row| at(row.y).is_some()).count() as i64;
                let m = own.iter().map(|row| row.id).max();
                vec![Sample(Some(own[0].x)), Number(Some(n)), Number(m)]
            };
            counts.map(row).collect()
        },
    ),
    (On::Both, "SELECT DISTINCT x FROM t", |rows, at| {
        let all = groups(rows, at).into_values();
        all.map(|own| vec![Sample(Some(own[0].x))]).collect()
    }),
    (
        On::Batch,
        "SELECT a.id, b.id FROM t AS a JOIN t AS b ON a.x = b.y",
        joined,
    ),
    (
        On::Batch,
        "SELECT a.id, b.id FROM t AS a JOIN t AS b ON a.z = b.y",
        joined,
    ),
    (
        On::Batch,
        "SELECT id, x FROM t WHERE x NOT IN (SELECT y FROM t WHERE id < 2 AND y IS NOT NULL)",
        |rows, at| {
            let listed = |x: usize| rows.iter().any(|row| row.id < 2 && at(row.y) == Some(x));
            let empty = !rows.iter().any(|row| row.id < 2 && at(row.y).is_some());
            kept(rows, &|row| match at(row.x) {
                _ if empty => Some(true),
                None => None,
                Some(x) => Some(!listed(x)),
            })
        },
    ),
    (
        On::Batch,
        "SELECT x FROM t UNION SELECT y FROM t WHERE id < 3",
        |rows, at| {
            let more = rows.iter().filter(|row| row.id < 3);
            let more = more.map(|row| Row { x: row.y, ..*row });
            let all: Vec<Row> = rows.iter().copied().chain(more).collect();
            let all = groups(&all, at);
            all.into_values()
                .map(|own| vec![Sample(Some(own[0].x))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT x FROM t EXCEPT SELECT y FROM t WHERE id < 2",
        |rows, at| {
            let taken = |x: usize| rows.iter().any(|row| row.id < 2 && at(row.y) == at(x));
            let all = groups(rows, at).into_values().map(|own| own[0].x);
            all.filter(|x| !taken(*x))
                .map(|x| vec![Sample(Some(x))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT x, id FROM t ORDER BY x DESC, id LIMIT 7",
        |rows, at| {
            let mut all: Vec<&Row> = rows.iter().collect();
            all.sort_by_key(|row| (std::cmp::Reverse(at(row.x)), row.id));
            let first = all.into_iter().take(7);
            first
                .map(|row| vec![Sample(Some(row.x)), Number(Some(row.id))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, COUNT(*) OVER (PARTITION BY x) AS n FROM t",
        |rows, at| {
            let n = |row: &Row| rows.iter().filter(|other| at(other.x) == at(row.x)).count();
            rows.iter()
                .map(|row| vec![Number(Some(row.id)), Number(Some(n(row) as i64))])
                .collect()
        },
    ),
];

/// The rows of each value; all that are NULL are one.
fn groups<'r>(
    rows: &'r [Row],
    at: &dyn Fn(usize) -> Option<usize>,
) -> BTreeMap<Option<usize>, Vec<&'r Row>> {
    let mut groups: BTreeMap<Option<usize>, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(at(row.x)).or_default().push(row);
    }
    groups
}

fn grouped(rows: &[Row], at: &dyn Fn(usize) -> Option<usize>) -> Vec<Vec<Cell>> {
    let row = |own: Vec<&Row>| vec![Sample(Some(own[0].x)), Number(Some(own.len() as i64))];
    groups(rows, at).into_values().map(row).collect()
}

fn joined(rows: &[Row], at: &dyn Fn(usize) -> Option<usize>) -> Vec<Vec<Cell>> {
    let mut joined = Vec::new();
    for a in rows {
        for b in rows {
            if at(a.x).is_some() && at(a.x) == at(b.y) {
                joined.push(vec![Number(Some(a.id)), Number(Some(b.id))]);
            }
        }
    }
    joined
}

/// What is not done with bytes.
const UNLESS_BYTES: [(On, &str, Ordered); 2] = [
    (
        On::Batch,
        "SELECT k, COUNT(DISTINCT x) AS n FROM t GROUP BY k",
        |rows, at| {
            let mut sets: BTreeMap<Option<i64>, BTreeSet<usize>> = BTreeMap::new();
            for row in rows {
                sets.entry(row.k).or_default().extend(at(row.x));
            }
            sets.into_iter()
                .map(|(k, set)| vec![Number(k), Number(Some(set.len() as i64))])
                .collect()
        },
    ),
    (
        On::Batch,
        "SELECT id, RANK() OVER (PARTITION BY k ORDER BY x) AS r FROM t",
        |rows, at| {
            let rank = |row: &Row| {
                let own = rows.iter().filter(|other| other.k == row.k);
                1 + own.filter(|other| at(other.x) < at(row.x)).count() as i64
            };
            rows.iter()
                .map(|row| vec![Number(Some(row.id)), Number(Some(rank(row)))])
                .collect()
        },
    ),
];

/// The place of a row's sample in the order.
fn place(samples: &ArrayRef, row: usize) -> Option<usize> {
    let at = row % samples.len();
    (!is_null(samples, at)).then_some(at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_with_an_order_are_compared_grouped_joined_and_sorted_on_both_engines() {
    each(ordered_types(), |(samples, others)| async move {
        let mut wrong = Vec::new();
        let name = type_name(samples.data_type());
        let unless_bytes = UNLESS_BYTES.iter().filter(|_| !name.contains("binary"));
        let statements: Vec<_> = ORDERED.iter().chain(unless_bytes).collect();
        for (count, per_batch) in [(0, 1), (1, 1), (31, 5)] {
            let rows = rows(count);
            let columns = [("x", &samples), ("y", &samples), ("z", &others)];
            let fixture = stored(&rows, per_batch, &columns).await;
            for (on, sql, answer) in &statements {
                let answer = answer(&rows, &|row| place(&samples, row));
                let wanted = expected(&samples, &within(&samples, answer));
                if let Err(found) = gives(&fixture, *on, sql, wanted).await {
                    wrong.push(format!("{name}, {count} rows: {found}"));
                }
            }
        }
        wrong
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_by_such_values_come_through_checkpoints_and_kills() {
    each(ordered_types(), |(samples, _)| async move {
        let rows = rows(900);
        let fixture = stored(&rows, 70, &[("x", &samples), ("y", &samples)]).await;
        let answer = grouped(&rows, &|row| place(&samples, row));
        let wanted = expected(&samples, &within(&samples, answer));
        let how = How {
            killed_every_ms: Some(5),
            ..How::at(2)
        };
        let sql = "SELECT x, COUNT(*) AS n FROM t GROUP BY x";
        let name = type_name(samples.data_type());
        match fixture.stream(sql, how).await {
            Ok(given) if given.digest == wanted => vec![],
            Ok(given) => vec![format!("{name}: {} for {wanted}", given.digest)],
            Err(error) => vec![format!("{name}: {error}")],
        }
    })
    .await;
}

#[tokio::test]
async fn an_unsigned_integer_is_cast_to_what_holds_it() {
    for (at, to, held) in [
        (9, "SMALLINT", true),
        (9, "TINYINT", false),
        (10, "INT", true),
        (11, "BIGINT", true),
        (11, "DECIMAL(12, 2)", true),
        (11, "INT", false),
        (12, "DECIMAL(20, 0)", true),
        (12, "BIGINT", false),
        (12, "STRING", false),
    ] {
        let (samples, _) = ordered_types().swap_remove(at);
        let rows = rows(20);
        let fixture = stored(&rows, 7, &[("x", &samples)]).await;
        let sql = format!("SELECT CAST(x AS {to}) AS q FROM t");
        let name = type_name(samples.data_type());
        if !held {
            let error = fixture.batch(&sql, How::at(1)).await.unwrap_err();
            assert_eq!(error.code(), "FS0803", "{name}, {sql}");
            continue;
        }
        let job = fixture.bind(&sql, Home::FlinkStreaming).unwrap();
        let as_numbers = cast(&samples, &job.columns[0].ty.root.arrow()).unwrap();
        let row = |row: &Row| vec![Sample(Some(row.x % samples.len()))];
        let wanted = expected(&as_numbers, &rows.iter().map(row).collect::<Vec<_>>());
        gives(&fixture, On::Both, &sql, wanted).await.unwrap();
    }
}
