//! The table of `docs/sql.md` that says what SQL does with each type.
//!
//! Invariant: the table is what statements are planned or refused; where it is not, the test says where the true one
//! lies.

use super::samples::every_type;
use super::{rows, stored};
use arrow_array::Array;
use flinkspark_adapter::plan::Home;
use flinkspark_model::schema::type_name;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- made by bridge/tests/engines/types/page.rs -->\n";
const END: &str = "<!-- end -->\n";

/// What is asked of each type.
const ASKED: [(&str, &str); 6] = [
    ("`=`, `<>`", "SELECT id FROM t WHERE x = y"),
    ("`<`, BETWEEN", "SELECT id FROM t WHERE x < y"),
    (
        "GROUP BY, DISTINCT",
        "SELECT x, COUNT(*) AS n FROM t GROUP BY x",
    ),
    ("ORDER BY", "SELECT x FROM t ORDER BY x"),
    ("COUNT(DISTINCT)", "SELECT COUNT(DISTINCT x) AS n FROM t"),
    ("MIN, MAX", "SELECT MAX(x) AS m FROM t"),
];

#[tokio::test]
async fn the_page_says_what_sql_does_with_each_type() {
    let asked: Vec<&str> = ASKED.iter().map(|(name, _)| *name).collect();
    let mut table = format!("| type | is | comes out as | {} |\n", asked.join(" | "));
    writeln!(table, "| --- | --- | --- |{}", " --- |".repeat(ASKED.len())).unwrap();
    for samples in every_type() {
        let columns = [("x", &samples), ("y", &samples)];
        let fixture = stored(&rows(1), 1, &columns).await;
        let job = fixture.bind("SELECT x FROM t", Home::FlinkBatch).unwrap();
        let ty = &job.columns[0].ty;
        let (name, text) = (type_name(samples.data_type()), ty.to_string());
        let is = match text == name {
            true => "carried as it is".to_owned(),
            false => format!("`{text}`"),
        };
        let out = match type_name(&ty.root.arrow()) {
            out if out == name => "`=`".to_owned(),
            out => format!("`{out}`"),
        };
        let answers = ASKED.map(|(_, sql)| match fixture.bind(sql, Home::FlinkBatch) {
            Ok(_) => "yes",
            Err(error) if error.code() == "FS0803" => "no",
            Err(error) => panic!("{sql}: {error}"),
        });
        writeln!(
            table,
            "| `{name}` | {is} | {out} | {} |",
            answers.join(" | ")
        )
        .unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sql.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (stands, after) = rest.split_once(END).unwrap();
    if stands != table {
        let made = std::env::temp_dir().join("flinkspark-sql.md");
        std::fs::write(&made, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        panic!(
            "docs/sql.md is not what SQL does with each type; {} is",
            made.display()
        );
    }
}
