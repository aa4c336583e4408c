//! Scripts of statements, and what a client of Flink SQL types.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::{Flights, Server};
use serde_json::json;
use std::io::Write;
use std::process::Stdio;

/// Views, variables, settings, two jobs, a question.
const SCRIPT: &str = "\
-- What leaves ${airport}; a semicolon in a comment ends nothing.
SET 'execution.runtime-mode' = 'batch';
CREATE TEMPORARY VIEW leaving AS
  SELECT dest, distance FROM flights WHERE origin = '${airport}';
CREATE TEMPORARY VIEW far (place) AS SELECT DISTINCT dest FROM leaving WHERE distance > 2000;
EXECUTE STATEMENT SET BEGIN
INSERT INTO counts SELECT dest, COUNT(*) AS n FROM leaving GROUP BY dest;
INSERT INTO places SELECT place FROM far;
END;
SELECT COUNT(*) AS many FROM far;
";

#[test]
fn a_script_runs_its_statements_and_twice_is_once() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    let file = dir.path().join("leaving.sql");
    std::fs::write(&file, SCRIPT)?;
    let file = file.to_str().ok_or("the path is text")?;
    let run = [
        "sql",
        file,
        "--var",
        "airport=JFK",
        "--id",
        "leaving",
        "-o",
        "jsonl",
    ];
    let said = server.must(&run)?;
    let last = said.out.lines().last().unwrap_or_default();
    let many: serde_json::Value = serde_json::from_str(last)?;
    assert!(
        many["many"].as_u64().is_some_and(|many| many > 5),
        "{said:?}"
    );
    let rows = |name: &str| -> Step<u64> {
        let shown = server
            .must(&["dataset", "show", name, "-o", "json"])?
            .json()?;
        Ok(shown["rows"].as_u64().ok_or("rows are a number")?)
    };
    let before = (rows("counts")?, rows("places")?);
    assert_eq!(before.1, many["many"].as_u64().unwrap_or_default());
    // The same jobs, by their ids; `job run` knows scripts, too.
    server.must(&run)?;
    server.must(&[
        "job",
        "run",
        file,
        "--var",
        "airport=JFK",
        "--id",
        "leaving",
        "--on",
        "batch",
    ])?;
    assert_eq!((rows("counts")?, rows("places")?), before);
    let jobs = server.must(&["job", "list", "-o", "json"])?.json()?;
    let ids: Vec<&str> = jobs
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|job| job["id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2, "{jobs}");
    assert!(
        ids.contains(&"leaving-1") && ids.contains(&"leaving-2"),
        "{jobs}"
    );
    // Both engines plan a job over views, and agree.
    let job = dir.path().join("job.sql");
    std::fs::write(
        &job,
        "CREATE TEMPORARY VIEW late AS SELECT origin, dep_delay FROM flights WHERE dep_delay > 60;\n\
         INSERT INTO late_by_origin SELECT origin, COUNT(*) AS n FROM late GROUP BY origin",
    )?;
    let job = job.to_str().ok_or("the path is text")?;
    server.must(&["job", "verify", job])?;
    Ok(())
}

#[test]
fn an_insert_goes_by_position_or_by_the_columns_that_it_lists() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let like = dir.path().join("like.csv");
    std::fs::write(&like, "n,name,score\n1,a,1.5\n")?;
    let like = like.to_str().ok_or("the path is text")?;
    server.must(&["transfer", like, "dataset://t"])?;
    for on in ["batch", "stream"] {
        let statements = "INSERT INTO t SELECT n + 1, name AS other, score FROM t WHERE n = 1;\n\
                          INSERT INTO t (score, n) SELECT score, n + 10 FROM t WHERE n = 1";
        server.must(&["sql", "-e", statements, "--on", on])?;
    }
    let said = server.must(&[
        "query",
        "SELECT n, name, score FROM t ORDER BY n, name",
        "-o",
        "jsonl",
    ])?;
    let expected = "{\"n\":1,\"name\":\"a\",\"score\":1.5}\n\
                    {\"n\":2,\"name\":\"a\",\"score\":1.5}\n{\"n\":2,\"name\":\"a\",\"score\":1.5}\n\
                    {\"n\":11,\"name\":null,\"score\":1.5}\n{\"n\":11,\"name\":null,\"score\":1.5}\n";
    assert_eq!(said.out, expected);
    for (statement, code) in [
        ("INSERT INTO t SELECT n, name FROM t", "FS0913"),
        ("INSERT INTO t SELECT name, n, score FROM t", "FS0913"),
        ("INSERT INTO t (n, nowhere) SELECT n, name FROM t", "FS0913"),
        ("INSERT INTO t (n) SELECT n, name FROM t", "FS0913"),
        ("INSERT INTO t (n, n) SELECT n, n FROM t", "FS0802"),
        ("INSERT INTO fresh (n) SELECT n FROM t", "FS0804"),
    ] {
        let said = server.run(&["sql", "-e", statement])?;
        assert!(
            said.err.contains(&format!("error[{code}]")),
            "{statement}: {said:?}"
        );
    }
    assert!(!server.must(&["dataset", "list"])?.out.contains("fresh"));
    Ok(())
}

#[test]
fn an_overwrite_replaces_what_was_there_once_and_may_read_it() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let like = dir.path().join("like.csv");
    std::fs::write(&like, "n,name\n1,a\n2,b\n3,\n")?;
    let like = like.to_str().ok_or("the path is text")?;
    server.must(&["transfer", like, "dataset://t"])?;
    let all = |dataset: &str| -> Step<String> {
        let question = format!("SELECT n, name FROM {dataset} ORDER BY n");
        Ok(server.must(&["query", &question, "-o", "jsonl"])?.out)
    };
    // It reads what it takes out; the same id again is the same run.
    let itself = "INSERT OVERWRITE t SELECT n + 10, name FROM t WHERE n > 1";
    let expected = "{\"n\":12,\"name\":\"b\"}\n{\"n\":13,\"name\":null}\n";
    for _ in 0..2 {
        let said = server.must(&["sql", "-e", itself, "--id", "itself"])?;
        assert!(
            said.err.contains("replaces the 3 rows of dataset t"),
            "{said:?}"
        );
        assert_eq!(all("t")?, expected);
    }
    let lineage = server
        .must(&["dataset", "lineage", "t", "-o", "json"])?
        .json()?;
    assert_eq!(lineage.as_array().map(Vec::len), Some(1), "{lineage}");
    // What others added after it is theirs to keep, and the run that is asked for again is over.
    server.must(&[
        "sql",
        "-e",
        "INSERT INTO t VALUES (CAST(20 AS BIGINT), 'c')",
    ])?;
    server.must(&["sql", "-e", itself, "--id", "itself"])?;
    assert_eq!(all("t")?.lines().count(), 3);
    // By the columns that it lists; into a dataset that it makes; by no rows.
    server.must(&[
        "sql",
        "-e",
        "INSERT OVERWRITE t (n) SELECT n FROM t WHERE n = 20",
    ])?;
    assert_eq!(all("t")?, "{\"n\":20,\"name\":null}\n");
    server.must(&["sql", "-e", "INSERT OVERWRITE fresh SELECT n, name FROM t"])?;
    assert_eq!(all("fresh")?, all("t")?);
    server.must(&[
        "sql",
        "-e",
        "INSERT OVERWRITE fresh SELECT n, name FROM t WHERE n < 0",
    ])?;
    assert_eq!(all("fresh")?, "");
    // A stream has no end at which it could.
    let said = server.run(&[
        "sql",
        "-e",
        "INSERT OVERWRITE t SELECT n, name FROM t",
        "--on",
        "stream",
    ])?;
    assert!(
        said.err
            .contains("error[FS0617]: the stream target does not run INSERT OVERWRITE"),
        "{said:?}"
    );
    let said = server.run(&["sql", "-e", "INSERT OVERWRITE t SELECT name, n FROM t"])?;
    assert!(said.err.contains("error[FS0913]"), "{said:?}");
    assert_eq!(all("t")?, "{\"n\":20,\"name\":null}\n");
    Ok(())
}

#[test]
fn a_dataset_with_a_time_attribute_can_be_copied_and_narrower_numbers_go_into_wider_columns() -> Step
{
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let file = |name: &str, text: &str| -> Step<String> {
        let path = dir.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let like = file("like.csv", "n,moment\n1,2024-02-29T12:00:00.5\n")?;
    let time = ["--time-attribute", "moment", "--watermark-delay", "1m"];
    let register = |name| -> Step {
        let mut command = vec!["dataset", "register", name, "--like", &like];
        command.extend(time);
        server.must(&command)?;
        Ok(())
    };
    ["source", "copy", "apart"]
        .into_iter()
        .try_for_each(register)?;
    server.must(&["transfer", &like, "dataset://source"])?;
    for on in ["batch", "stream"] {
        let copies = "INSERT INTO copy SELECT * FROM source; \
                      INSERT INTO apart (moment, n) SELECT moment, CAST(7 AS SMALLINT) FROM source";
        server.must(&["sql", "-e", copies, "--on", on])?;
    }
    for (name, n) in [("copy", 1), ("apart", 7)] {
        let question = format!("SELECT n, moment FROM {name}");
        let said = server.must(&["query", &question, "-o", "jsonl"])?;
        let row = format!("{{\"n\":{n},\"moment\":\"2024-02-29T12:00:00.500\"}}\n");
        assert_eq!(said.out, row.repeat(2));
    }
    Ok(())
}

#[test]
fn a_statement_calls_a_dataset_by_its_name_or_by_either_engines_handle() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let like = dir.path().join("like.csv");
    std::fs::write(&like, "n\n1\n")?;
    let like = like.to_str().ok_or("the path is text")?;
    for name in ["source", "target"] {
        let flink = format!("lake.shop.{name}");
        let spark = format!("spark_catalog.shop.{name}");
        server.must(&[
            "dataset", "register", name, "--like", like, "--flink", &flink, "--spark", &spark,
        ])?;
    }
    server.must(&["transfer", like, "dataset://source"])?;
    for on in ["batch", "stream"] {
        let statements = "INSERT INTO lake.shop.target SELECT n + 1 FROM spark_catalog.shop.source; \
                          INSERT INTO `spark_catalog`.`shop`.`target` SELECT s.n FROM source AS s";
        server.must(&["sql", "-e", statements, "--on", on])?;
    }
    let both = "SELECT COUNT(*) AS n FROM lake.shop.target AS t JOIN target AS u ON t.n = u.n";
    let said = server.must(&["query", both, "-o", "jsonl"])?;
    assert_eq!(said.out, "{\"n\":8}\n");
    let listed = server.must(&["dataset", "list", "-o", "json"])?.json()?;
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    let missing = server.run(&["query", "SELECT n FROM lake.shop.nothing"])?;
    assert!(missing.err.contains("error[FS0804]"), "{missing:?}");
    Ok(())
}

#[test]
fn columns_of_types_that_no_function_reads_go_through_jobs_and_are_printed() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let file = dir.path().join("odd.jsonl");
    let rows = [
        r#"{"id":1,"at":"2024-02-29T12:00:00Z","r":{"a":1,"l":[1,null]},"o":[{"b":"x"}]}"#,
        r#"{"id":2,"at":"2024-02-29T12:00:00Z","r":{"a":null,"l":[]},"o":[]}"#,
        r#"{"id":3,"at":null,"r":null,"o":null}"#,
    ];
    std::fs::write(&file, rows.join("\n"))?;
    let file = file.to_str().ok_or("the path is text")?;
    server.must(&["transfer", file, "dataset://odd"])?;
    server.must(&["dataset", "register", "copy", "--like", file])?;
    for on in ["batch", "stream"] {
        let copies = "INSERT INTO copy SELECT * FROM odd WHERE r IS NOT NULL; \
                      INSERT INTO copy (o, id) SELECT o, id + 10 FROM odd WHERE id = 3";
        server.must(&["sql", "-e", copies, "--on", on])?;
    }
    let lines = dir.path().join("copy.jsonl");
    let lines = lines.to_str().ok_or("the path is text")?;
    server.must(&["query", "SELECT * FROM copy ORDER BY id", "--to", lines])?;
    let said = std::fs::read_to_string(lines)?;
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
    let came: Vec<serde_json::Value> = said.lines().map(value).collect::<Result<_, _>>()?;
    let mut wanted: Vec<serde_json::Value> = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        let mut row = value(row)?;
        if index == 2 {
            row["id"] = json!(13);
        }
        wanted.extend([row.clone(), row]);
    }
    assert_eq!(came, wanted, "{said}");
    let instants = "SELECT `at`, COUNT(r) AS n FROM odd GROUP BY `at` ORDER BY `at` DESC";
    let csv = dir.path().join("instants.csv");
    let csv = csv.to_str().ok_or("the path is text")?;
    server.must(&["query", instants, "--to", csv])?;
    let text = std::fs::read_to_string(csv)?;
    assert!(text.contains("Z,2\n") && text.ends_with(",0\n"), "{text}");
    let table = server.must(&["query", "SELECT id, r, o FROM odd"])?;
    assert!(table.out.contains("| id | r "), "{table:?}");
    let nested = ["query", "SELECT r FROM odd", "--to", csv, "--force"];
    let nested = server.run(&nested)?;
    assert!(nested.err.contains("error[FS0306]"), "{nested:?}");
    for (statement, says) in [
        ("SELECT r FROM odd GROUP BY r", "GROUP BY r"),
        ("SELECT CAST(r AS STRING) AS t FROM odd", "CAST from struct"),
        (
            "SELECT MAX(`at`) AS m FROM odd",
            "column \"at\" of type timestamp[us, UTC]",
        ),
    ] {
        let refused = server.run(&["query", statement])?;
        let names = refused.err.contains("error[FS0803]") && refused.err.contains(says);
        assert!(
            names && refused.err.contains("hint: "),
            "{statement}: {refused:?}"
        );
    }
    Ok(())
}

#[test]
fn the_functions_that_a_refusal_speaks_of_are_listed() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let refused = server.run(&["query", "SELECT SOUNDEX('a') AS q"])?;
    assert!(
        refused.err.contains("`job explain --functions`"),
        "{refused:?}"
    );
    let listed = server
        .must(&["job", "explain", "--functions", "-o", "json"])?
        .json()?;
    let has = |key: &str, value: &str| {
        let mut all = listed.as_array().into_iter().flatten();
        all.any(|one| one[key] == *value)
    };
    for name in ["UPPER", "TIMESTAMPDIFF", "COALESCE", "COUNT", "ROW_NUMBER"] {
        assert!(has("function", name), "{name}");
    }
    assert!(!has("function", "SOUNDEX") && has("difference", "function"));
    assert!(has("signature", "UPPER(STRING) -> STRING"), "{listed}");
    let text = server.must(&["job", "explain", "--functions"])?.out;
    let line = |begin: &str| text.lines().any(|line| line.starts_with(begin));
    assert!(
        line("signature") && line("ABS(number) -> ") && line("float-mixed "),
        "{text}"
    );
    Ok(())
}

#[test]
fn what_a_client_asks_of_its_session_is_answered_or_refused_by_name() -> Step {
    let Flights { server, dir: _dir } = Flights::start("24h")?;
    let sql = |statements: &str| server.run(&["sql", "-e", statements, "-o", "json"]);
    let tables = sql("SHOW TABLES")?;
    assert_eq!(tables.json()?, json!([{"table": "flights"}]));
    let described = sql("DESCRIBE flights")?.json()?;
    let time = described
        .as_array()
        .into_iter()
        .flatten()
        .find(|column| !column["watermark"].is_null());
    assert_eq!(
        time.map(|column| &column["watermark"]),
        Some(&json!("86400000 ms behind")),
        "{described}"
    );
    let described = sql("CREATE TEMPORARY VIEW v AS SELECT origin, 1 AS uno FROM flights; DESC v")?;
    let names: Vec<_> = described
        .json()?
        .as_array()
        .into_iter()
        .flatten()
        .map(|column| column["name"].clone())
        .collect();
    assert_eq!(names, [json!("origin"), json!("uno")]);
    let settings = sql("SET 'parallelism.default' = '2'; SET; RESET; RESET 'parallelism.default'")?;
    assert!(settings.out.contains("\"value\": \"2\""), "{settings:?}");
    let plan = server.must(&["sql", "-e", "EXPLAIN SELECT DISTINCT origin FROM flights"])?;
    assert!(plan.out.contains("on batch:"), "{plan:?}");
    // A statement on standard input, and a text that holds a semicolon.
    let mut piped = flinkspark_integration_tests::command::flinkspark(
        flinkspark_integration_tests::command::Build::Plain,
    )?;
    let mut piped = piped
        .args(["sql", "--url", &server.url(), "-o", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    piped
        .stdin
        .take()
        .ok_or("its input is open")?
        .write_all(b"SELECT 'a;b' AS t; -- end")?;
    let out = piped.wait_with_output()?;
    assert_eq!(String::from_utf8_lossy(&out.stdout), "{\"t\":\"a;b\"}\n");

    for (statements, code) in [
        ("SET 'state.backend' = 'rocksdb'", "FS0812"),
        ("SET 'table.local-time-zone' = 'Asia/Kolkata'", "FS0812"),
        ("SELECT '${unknown}' AS t", "FS0811"),
        ("SELECT 1 AS uno; SELECT 'torn", "FS0801"),
        ("", "FS0801"),
        ("CREATE VIEW v AS SELECT 1 AS n", "FS0803"),
        ("CREATE FUNCTION f AS 'x'", "FS0801"),
        (
            "CREATE TEMPORARY VIEW v AS SELECT nothing FROM flights",
            "FS0802",
        ),
        (
            "CREATE TEMPORARY VIEW v AS SELECT 1 AS n; CREATE TEMPORARY VIEW v AS SELECT 1 AS n",
            "FS0802",
        ),
        ("DROP TEMPORARY VIEW v", "FS0804"),
        ("DESCRIBE nowhere", "FS0512"),
        ("INSERT INTO o SELECT * FROM nowhere", "FS0804"),
    ] {
        let said = sql(statements)?;
        assert!(
            said.err.contains(&format!("error[{code}]")),
            "{statements}: {said:?}"
        );
        assert_ne!(said.code, Some(0), "{statements}");
    }
    // What follows a failure is not run, and the line of the failure is told.
    let said = sql("SELECT 1 AS uno;\n\nSELECT nothing;\nINSERT INTO never SELECT 1 AS n")?;
    assert!(said.err.contains("begins in line 3"), "{said:?}");
    assert!(!server.must(&["dataset", "list"])?.out.contains("never"));
    Ok(())
}

#[test]
fn datasets_are_renamed_altered_counted_and_exported() -> Step {
    let Flights { server, dir } = Flights::start("24h")?;
    assert_eq!(
        server.must(&["dataset", "count", "flights"])?.out,
        "336776\n"
    );
    server.must(&["dataset", "rename", "flights", "departures"])?;
    let said = server.run(&["dataset", "count", "flights"])?;
    assert!(said.err.contains("error[FS0512]"), "{said:?}");
    let altered = server.must(&[
        "dataset",
        "alter",
        "departures",
        "--spark",
        "spark_catalog.air.departures",
        "--ends",
        "unbounded",
        "--time-attribute",
        "event_time",
        "--watermark-delay",
        "2h",
        "-o",
        "json",
    ])?;
    let altered = altered.json()?;
    assert_eq!(
        altered["traits"]["boundedness"],
        json!("unbounded"),
        "{altered}"
    );
    assert_eq!(
        altered["traits"]["time"]["watermark_delay_ms"],
        json!(7_200_000),
        "{altered}"
    );
    assert_eq!(
        server
            .must(&["dataset", "count", "spark:spark_catalog.air.departures"])?
            .out,
        "336776\n"
    );
    let said = server.run(&["dataset", "alter", "departures"])?;
    assert!(said.err.contains("nothing is to be altered"), "{said:?}");
    let said = server.run(&["dataset", "alter", "departures", "--primary-key", "nowhere"])?;
    assert_ne!(said.code, Some(0), "{said:?}");
    let out = dir.path().join("out.parquet");
    let out = out.to_str().ok_or("the path is text")?;
    server.must(&[
        "dataset",
        "export",
        "departures",
        out,
        "--columns",
        "origin,dest",
    ])?;
    server.must(&["transfer", out, "dataset://copied"])?;
    assert_eq!(
        server.must(&["dataset", "count", "copied"])?.out,
        "336776\n"
    );
    let columns = server
        .must(&["dataset", "show", "copied", "-o", "json"])?
        .json()?["columns"]
        .clone();
    assert_eq!(columns.as_array().map(Vec::len), Some(2), "{columns}");
    Ok(())
}

#[test]
fn folders_patterns_and_pipes_are_moved_by_the_names_of_their_columns() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let root = dir.path().join("in");
    for (path, text) in [
        ("day=2024-02-29/a.csv", "n,name\n1,a\n2,b\n"),
        ("day=2024-03-01/a.csv", "name,n,more\nc,3,1.5\n"),
        ("_SUCCESS", ""),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().ok_or("it has a folder")?)?;
        std::fs::write(path, text)?;
    }
    let root = root.to_str().ok_or("the path is text")?;
    let rows = || -> Step<Vec<String>> {
        let said = server.must(&[
            "query",
            "SELECT name, n, `day`, more FROM t ORDER BY n",
            "-o",
            "jsonl",
        ])?;
        Ok(said.out.lines().map(Into::into).collect())
    };
    // Looking changes nothing.
    let tried = server.must(&["transfer", root, "dataset://t", "--dry-run", "-o", "json"])?;
    assert_eq!(tried.json()?["rows"], json!(3));
    assert_eq!(
        server.must(&["dataset", "list", "-o", "json"])?.json()?,
        json!([])
    );
    let said = server.must(&["transfer", root, "dataset://t"])?;
    assert!(
        said.err.contains("\"more\" is not in 1 of the 2 files"),
        "{said:?}"
    );
    let expected = [
        r#"{"name":"a","n":1,"day":"2024-02-29","more":null}"#,
        r#"{"name":"b","n":2,"day":"2024-02-29","more":null}"#,
        r#"{"name":"c","n":3,"day":"2024-03-01","more":1.5}"#,
    ];
    assert_eq!(rows()?, expected);

    // Through pipes, and back by other columns.
    let pipe = |arguments: &[&str], input: &str| -> Step<(String, String)> {
        let mut command = flinkspark_integration_tests::command::flinkspark(
            flinkspark_integration_tests::command::Build::Plain,
        )?;
        let mut child = command
            .args(arguments)
            .args(["--url", &server.url()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .ok_or("its input is open")?
            .write_all(input.as_bytes())?;
        let out = child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((text(out.stdout), text(out.stderr)))
    };
    let line = "{\"extra\":{\"x\":[1]},\"n\":4,\"name\":\"d\"}\n";
    let (_, said) = pipe(&["transfer", "-", "dataset://t", "--format", "jsonl"], line)?;
    assert!(said.contains("error[FS0308]"), "{said}");
    let (_, said) = pipe(
        &[
            "transfer",
            "-",
            "dataset://t",
            "--format",
            "jsonl",
            "--columns",
            "name,n",
        ],
        line,
    )?;
    assert!(said.contains("column \"day\" is not in the file"), "{said}");
    let (csv, said) = pipe(
        &[
            "transfer",
            "dataset://t",
            "-",
            "--format",
            "csv",
            "--columns",
            "n,name",
        ],
        "",
    )?;
    assert_eq!(csv, "n,name\n1,a\n2,b\n3,c\n4,d\n", "{said}");
    let (_, said) = pipe(&["transfer", "-", "dataset://t"], "n\n1\n")?;
    assert!(
        said.contains("error[FS0301]") && said.contains("--format"),
        "{said}"
    );

    // What is there stays there.
    let out = dir.path().join("out.csv");
    std::fs::write(&out, "somebody's only copy")?;
    let out = out.to_str().ok_or("the path is text")?;
    for command in [
        ["transfer", "dataset://t", out].as_slice(),
        &["query", "SELECT 1 AS n", "--to", out],
    ] {
        let said = server.run(command)?;
        assert!(said.err.contains("error[FS0321]"), "{said:?}");
        assert_eq!(std::fs::read_to_string(out)?, "somebody's only copy");
        let forced: Vec<&str> = command.iter().copied().chain(["--force"]).collect();
        server.must(&forced)?;
        assert_ne!(std::fs::read_to_string(out)?, "somebody's only copy");
        std::fs::write(out, "somebody's only copy")?;
    }
    Ok(())
}

#[test]
fn a_table_makes_its_dataset_or_agrees_with_it_and_is_a_name_for_it() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let tables = "\
CREATE TABLE web.clicks (
  id BIGINT, ts TIMESTAMP(3), tags ARRAY<STRING>, price DECIMAL(2, 1) NOT NULL,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'flinkspark');
CREATE TEMPORARY TABLE c (
  id BIGINT NOT NULL, ts TIMESTAMP(3), tags ARRAY<STRING>, price DECIMAL(2, 1) NOT NULL
) WITH ('connector' = 'flinkspark', 'dataset' = 'web.clicks');
CREATE TABLE IF NOT EXISTS copied (n BIGINT, ts TIMESTAMP(3))
  WITH ('connector' = 'flinkspark', 'dataset' = 'web.copy');
";
    let file = |name: &str, statements: &str| -> Step<String> {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("{tables}{statements}"))?;
        Ok(path.to_str().ok_or("the path is text")?.into())
    };
    let copy = "INSERT INTO copied SELECT c.id, c.ts FROM c WHERE c.price > 2;\n";
    let count = "SELECT COUNT(*) AS n FROM copied;\n";
    let rows = "INSERT INTO c (id, ts, price) VALUES (1, TIMESTAMP '2024-02-29 12:00:00.500', 1.5),
  (2, TIMESTAMP '2024-02-29 12:00:01.000', 2.5);\n";
    let both = file("both.sql", &format!("{rows}{copy}{count}"))?;
    let one = file("one.sql", &format!("{copy}{count}"))?;
    // The second run is the first one; the third one finds the datasets, and writes again.
    for (file, on, id, is_made, n) in [
        (&both, "batch", "first", true, 1),
        (&both, "batch", "first", false, 1),
        (&one, "stream", "second", false, 2),
    ] {
        let said = server.must(&["sql", file, "--on", on, "--id", id, "-o", "jsonl"])?;
        assert_eq!(said.err.contains("was made"), is_made, "{said:?}");
        let last = said.out.lines().last().unwrap_or_default();
        assert_eq!(last, format!("{{\"n\":{n}}}"), "{said:?}");
    }
    let shown = server
        .must(&["sql", "-e", "SHOW CREATE TABLE web.clicks"])?
        .out;
    for said in [
        "`price` DECIMAL(2, 1) NOT NULL",
        "WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND",
        "PRIMARY KEY (`id`) NOT ENFORCED",
    ] {
        assert!(shown.contains(said), "{shown}");
    }
    // What it shows agrees with the dataset.
    server.must(&["sql", "-e", &shown])?;
    let with = "WITH ('connector' = 'flinkspark', 'dataset' = 'web.copy')";
    for (statements, code) in [
        (format!("CREATE TABLE t (n INT) {with}"), "FS0813"),
        (format!("CREATE TABLE web.clicks {with}"), "FS0802"),
        (
            format!("CREATE TABLE t {with}; CREATE TABLE t {with}"),
            "FS0802",
        ),
        (
            format!("CREATE TABLE t {with}; DROP TEMPORARY TABLE t; SELECT n FROM t"),
            "FS0804",
        ),
        (
            format!("CREATE TABLE t {with}; CREATE TEMPORARY VIEW t AS SELECT 1 AS n"),
            "FS0802",
        ),
        (
            "CREATE TABLE fresh WITH ('connector' = 'flinkspark')".into(),
            "FS0804",
        ),
        (
            "CREATE TABLE fresh (n INT) WITH ('connector' = 'kafka')".into(),
            "FS0814",
        ),
        ("DROP TEMPORARY TABLE t".into(), "FS0804"),
    ] {
        let said = server.run(&["sql", "-e", &statements])?;
        let code = format!("error[{code}]");
        assert!(said.err.contains(&code), "{statements}: {said:?}");
    }
    assert!(!server.must(&["dataset", "list"])?.out.contains("fresh"));
    let named = format!("CREATE TEMPORARY TABLE t {with}; DESCRIBE t; SHOW TABLES");
    let said = server.must(&["sql", "-e", &named, "-o", "jsonl"])?.out;
    assert!(said.contains("\"table\":\"t\""), "{said}");
    assert!(said.contains("\"name\":\"n\""), "{said}");
    Ok(())
}
