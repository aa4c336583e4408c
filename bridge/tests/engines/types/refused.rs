//! What is refused of a type that no function reads, by name and with what can be done instead.

use super::samples::{every_type, ordered_types};
use super::{rows, stored};
use arrow_schema::Field;
use flinkspark_adapter::front::flink::arrow_type;
use flinkspark_adapter::plan::Home;
use flinkspark_model::Kind;
use flinkspark_model::schema::type_name;

#[tokio::test]
async fn what_is_not_sure_of_a_type_is_refused_by_the_name_of_the_column() {
    let refused = [
        "SELECT UPPER(x) AS q FROM t",
        "SELECT COALESCE(x, x) AS q FROM t",
        "SELECT CASE WHEN id = 1 THEN x ELSE x END AS q FROM t",
        "SELECT MAX(x) AS q FROM t",
        "SELECT ARRAY[x] AS q FROM t",
        "SELECT x || 'a' AS q FROM t",
        "SELECT LAG(x) OVER (ORDER BY id) AS q FROM t",
        "SELECT id FROM t WHERE x = 'a'",
        "SELECT id FROM t WHERE x IN (1, 2)",
        "SELECT CAST(x AS STRING) AS q FROM t",
        "SELECT (SELECT x FROM t) AS q FROM t",
        "SELECT x FROM t AS a FULL JOIN t AS b USING (x)",
        "SELECT x FROM t UNION ALL SELECT id FROM t",
    ];
    let without_an_order = [
        "SELECT x, COUNT(*) AS n FROM t GROUP BY x",
        "SELECT DISTINCT x FROM t",
        "SELECT id FROM t WHERE x = x",
        "SELECT id FROM t AS a JOIN t AS b ON a.x < b.x",
        "SELECT id FROM t NATURAL JOIN (SELECT x FROM t) AS b",
        "SELECT id FROM t WHERE x IN (SELECT x FROM t)",
        "SELECT x FROM t ORDER BY x",
        "SELECT x FROM t UNION SELECT x FROM t",
        "SELECT COUNT(DISTINCT x) AS n FROM t",
        "SELECT ROW_NUMBER() OVER (PARTITION BY x ORDER BY id) AS q FROM t",
    ];
    let not_of_bytes = [
        "SELECT COUNT(DISTINCT x) AS n FROM t",
        "SELECT RANK() OVER (ORDER BY x) AS q FROM t",
    ];
    for samples in every_type() {
        let field = Field::new("x", samples.data_type().clone(), true);
        if arrow_type(&field).is_some() {
            continue;
        }
        let fixture = stored(&rows(3), 3, &[("x", &samples)]).await;
        let ordered = ordered_types();
        let ordered = ordered
            .iter()
            .any(|(known, _)| known.data_type() == samples.data_type());
        let bytes = type_name(field.data_type()).contains("binary");
        let unsure = refused
            .iter()
            .chain(without_an_order.iter().filter(|_| !ordered))
            .chain(not_of_bytes.iter().filter(|_| bytes));
        for sql in unsure {
            let error = match fixture.bind(sql, Home::FlinkBatch) {
                Err(error) => error,
                Ok(_) => panic!("{}: {sql}", field.data_type()),
            };
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Invalid, "FS0803"),
                "{sql}: {error}"
            );
            let text = error.to_string();
            assert!(
                text.contains('x') || text.contains(&type_name(field.data_type())),
                "{sql}: {text}"
            );
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{text}");
        }
    }
}
