//! Declarations of tables: what is read, what is refused, and what agrees with a dataset.

use super::super::{NoTables, TableInfo, Tables, bind, parse};
use super::*;
use arrow_schema::{DataType, TimeUnit};
use flinkspark_model::dataset::{DatasetId, TimePrecision};

fn table(body: &str) -> Table {
    let sql = format!("CREATE TABLE t ({body}) WITH ('connector' = 'flinkspark')");
    Table::parse(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn dataset(declared: &Table) -> Dataset {
    let made = declared.registration().unwrap();
    Dataset {
        id: DatasetId::from_parts(0, [0; 10]),
        name: made.name,
        version: 1,
        schema_version: 1,
        schema: made.schema,
        traits: made.traits,
        handles: Vec::new(),
        created_at_ms: 0,
    }
}

/// Each type that can be declared, as it is written back, and its Arrow type.
fn every_type() -> Vec<(&'static str, DataType)> {
    use DataType as D;
    let utc = || Some("UTC".into());
    let field = |name: &str, ty, nullable| Field::new(name, ty, nullable);
    let list = |ty, nullable| D::List(Arc::new(field("element", ty, nullable)));
    let map = |key, value| {
        let pair = D::Struct(vec![field("key", key, false), field("value", value, true)].into());
        D::Map(Arc::new(field("entries", pair, false)), false)
    };
    vec![
        ("BOOLEAN", D::Boolean),
        ("TINYINT", D::Int8),
        ("SMALLINT", D::Int16),
        ("INT", D::Int32),
        ("BIGINT", D::Int64),
        ("FLOAT", D::Float32),
        ("DOUBLE", D::Float64),
        ("DECIMAL(10, 0)", D::Decimal128(10, 0)),
        ("DECIMAL(38, 38)", D::Decimal128(38, 38)),
        ("STRING", D::Utf8),
        ("BYTES", D::Binary),
        ("DATE", D::Date32),
        ("TIME(3)", D::Time32(TimeUnit::Millisecond)),
        ("TIMESTAMP(3)", D::Timestamp(TimeUnit::Millisecond, None)),
        ("TIMESTAMP(6)", D::Timestamp(TimeUnit::Microsecond, None)),
        ("TIMESTAMP(9)", D::Timestamp(TimeUnit::Nanosecond, None)),
        (
            "TIMESTAMP_LTZ(3)",
            D::Timestamp(TimeUnit::Millisecond, utc()),
        ),
        (
            "TIMESTAMP_LTZ(6)",
            D::Timestamp(TimeUnit::Microsecond, utc()),
        ),
        (
            "TIMESTAMP_LTZ(9)",
            D::Timestamp(TimeUnit::Nanosecond, utc()),
        ),
        ("ARRAY<INT NOT NULL>", list(D::Int32, false)),
        ("ARRAY<ARRAY<STRING>>", list(list(D::Utf8, true), true)),
        ("MAP<STRING, BIGINT>", map(D::Utf8, D::Int64)),
        (
            "MAP<STRING, ARRAY<ARRAY<BYTES>>>",
            map(D::Utf8, list(list(D::Binary, true), true)),
        ),
        (
            "ROW<`a b` INT, `c` ROW<`d` TIME(3) NOT NULL> NOT NULL>",
            D::Struct(
                vec![
                    field("a b", D::Int32, true),
                    field(
                        "c",
                        D::Struct(vec![field("d", D::Time32(TimeUnit::Millisecond), false)].into()),
                        false,
                    ),
                ]
                .into(),
            ),
        ),
    ]
}

#[test]
fn a_type_that_is_read_is_written_as_the_same_type() {
    for (text, ty) in every_type() {
        for nullable in [true, false] {
            let written = if nullable {
                text.to_owned()
            } else {
                format!("{text} NOT NULL")
            };
            let field = Field::new("c", ty.clone(), nullable);
            assert_eq!(
                table(&format!("c {written}")).schema.field(0),
                &field,
                "{written}"
            );
            assert_eq!(types::text(&field), written);
            // Where queries read the column, they call its type the same.
            if let Some(read) = super::super::arrow_type(&field) {
                assert_eq!(read.to_string(), written);
            }
        }
    }
}

#[test]
fn other_names_of_a_type_are_that_type() {
    for (name, same) in [
        ("INTEGER", "INT"),
        ("integer null", "INT"),
        ("DECIMAL", "DECIMAL(10, 0)"),
        ("DEC(5)", "DECIMAL(5, 0)"),
        ("NUMERIC(5, 2)", "DECIMAL(5, 2)"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("VARCHAR(20)", "STRING"),
        ("CHAR(2)", "STRING"),
        ("VARBINARY(9)", "BYTES"),
        ("TIME", "TIME(3)"),
        ("TIMESTAMP", "TIMESTAMP(6)"),
        ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)"),
        ("TIMESTAMP_LTZ", "TIMESTAMP_LTZ(6)"),
        ("ROW(a INT)", "ROW<`a` INT>"),
        ("MAP<STRING NOT NULL, INT>", "MAP<STRING, INT>"),
    ] {
        assert_eq!(
            types::text(table(&format!("c {name}")).schema.field(0)),
            same,
            "{name}"
        );
    }
    for (name, code) in [
        ("TIMESTAMP(4)", "FS0803"),
        ("TIMESTAMP(0)", "FS0803"),
        ("TIMESTAMP(3) WITH TIME ZONE", "FS0803"),
        ("TIME(6)", "FS0803"),
        ("MULTISET<INT>", "FS0803"),
        ("INTERVAL DAY", "FS0803"),
        ("RAW('a', 'b')", "FS0803"),
        ("DECIMAL(39)", "FS0802"),
        ("VARCHAR(0)", "FS0802"),
        ("ARRAY<INT", "FS0801"),
        ("UUID", "FS0803"),
        ("", "FS0801"),
    ] {
        let sql = format!("CREATE TABLE t (c {name}) WITH ('connector' = 'flinkspark')");
        assert_eq!(Table::parse(&sql).unwrap_err().code(), code, "{name}");
    }
}

#[test]
fn a_declaration_has_columns_a_key_a_watermark_and_a_dataset() {
    let sql = "CREATE TEMPORARY TABLE IF NOT EXISTS `my-clicks` (
        `user id` BIGINT COMMENT 'who; and why', -- a comment
        ts TIMESTAMP(3), url STRING NOT NULL,
        WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
        CONSTRAINT k PRIMARY KEY (`user id`, url) NOT ENFORCED
    ) COMMENT 'all' WITH ('dataset' = 'web.clicks', 'connector' = 'flinkspark')";
    let read = Table::parse(sql).unwrap();
    assert_eq!(read.name.as_str(), "my-clicks");
    assert_eq!(read.dataset.as_str(), "web.clicks");
    assert!(read.temporary && read.if_not_exists && read.has_comments && read.is_alias());
    assert_eq!(read.primary_key, ["user id", "url"]);
    let time = TimeAttribute {
        column: "ts".into(),
        watermark_delay_ms: 5000,
        precision: TimePrecision::Exact,
    };
    assert_eq!(read.time, Some(time));
    let nullable: Vec<bool> = read
        .schema
        .fields()
        .iter()
        .map(|field| field.is_nullable())
        .collect();
    assert_eq!(nullable, [false, true, false]);
    let plain = Table::parse("create table a.b with ('connector' = 'flinkspark');").unwrap();
    assert_eq!(plain.dataset.as_str(), "a.b");
    assert!(plain.schema.fields().is_empty() && !plain.is_alias());
    assert_eq!(plain.registration().unwrap_err().code(), "FS0804");
    for (delay, ms) in [
        ("", 0),
        (" - INTERVAL '0' SECOND", 0),
        (" - INTERVAL '0.25' SECOND", 250),
        (" - INTERVAL '0.001' SECOND", 1),
        (" - INTERVAL '2' MINUTE", 120_000),
        (" - INTERVAL '1' DAY", 86_400_000),
    ] {
        let read = table(&format!("ts TIMESTAMP(3), WATERMARK FOR `ts` AS ts{delay}"));
        assert_eq!(read.time.unwrap().watermark_delay_ms, ms, "{delay}");
    }
}

#[test]
fn what_is_not_kept_is_refused_by_name() {
    let with = "WITH ('connector' = 'flinkspark')";
    for (sql, code, said) in [
        (
            "CREATE TABLE t (a INT, b AS a + 1) {}",
            "FS0803",
            "computed column `b`",
        ),
        (
            "CREATE TABLE t (a INT METADATA VIRTUAL) {}",
            "FS0803",
            "METADATA column `a`",
        ),
        (
            "CREATE TABLE t (a INT METADATA FROM 'x') {}",
            "FS0803",
            "METADATA column `a`",
        ),
        (
            "CREATE TABLE t (a INT) PARTITIONED BY (a) {}",
            "FS0803",
            "PARTITIONED BY",
        ),
        (
            "CREATE TABLE t (a INT) DISTRIBUTED BY (a) INTO 4 BUCKETS {}",
            "FS0803",
            "DISTRIBUTED BY",
        ),
        ("CREATE TABLE t LIKE u", "FS0803", "LIKE"),
        ("CREATE TABLE t (a INT) {} LIKE u", "FS0803", "LIKE"),
        (
            "CREATE TABLE t AS SELECT 1 AS a",
            "FS0803",
            "CREATE TABLE AS",
        ),
        (
            "CREATE TABLE t {} AS SELECT 1 AS a",
            "FS0803",
            "CREATE TABLE AS",
        ),
        ("CREATE TABLE t (a INT, UNIQUE (a)) {}", "FS0803", "UNIQUE"),
        (
            "CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS f(a)) {}",
            "FS0803",
            "watermark strategy",
        ),
        (
            "CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS a - INTERVAL '-5' SECOND) {}",
            "FS0803",
            "watermark",
        ),
        (
            "CREATE TABLE t (a TIMESTAMP(3), WATERMARK FOR a AS a - INTERVAL '1' MONTH) {}",
            "FS0803",
            "watermark",
        ),
        (
            "CREATE TABLE t (a INT, WATERMARK FOR a AS a) {}",
            "FS0802",
            "`a`",
        ),
        (
            "CREATE TABLE t (a INT, WATERMARK FOR b AS b) {}",
            "FS0802",
            "`b`",
        ),
        ("CREATE TABLE t (a INT, a INT) {}", "FS0802", "twice"),
        (
            "CREATE TABLE t (a INT, PRIMARY KEY (a)) {}",
            "FS0802",
            "NOT ENFORCED",
        ),
        (
            "CREATE TABLE t (a INT PRIMARY KEY ENFORCED) {}",
            "FS0802",
            "NOT ENFORCED",
        ),
        (
            "CREATE TABLE t (a INT, PRIMARY KEY (b) NOT ENFORCED) {}",
            "FS0802",
            "`b`",
        ),
        ("CREATE TABLE t (a INT DEFAULT 1) {}", "FS0801", "grammar"),
        ("CREATE TABLE t () {}", "FS0801", "grammar"),
        ("CREATE TABLE t (order INT) {}", "FS0801", "Flink SQL"),
        ("CREATE TABLE t (a INT) {} x", "FS0801", "grammar"),
        ("CREATE TABLE t (a INT)", "FS0814", "no connector"),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 'x')",
            "FS0814",
            "'kafka'",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = '/x')",
            "FS0814",
            "'filesystem'",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'flinkspark', 'x' = '1', 'y' = '2')",
            "FS0814",
            "'x', 'y'",
        ),
        (
            "CREATE TABLE t (a INT) WITH ('connector' = 'a', 'connector' = 'b')",
            "FS0814",
            "twice",
        ),
    ] {
        let sql = sql.replace("{}", with);
        let error = Table::parse(&sql).unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.to_string().contains(said), "{sql}: {error}");
        // The same where a job's text says it.
        assert_eq!(
            parse(&format!("{sql}; SELECT 1")).unwrap_err().code(),
            code,
            "{sql}"
        );
    }
}

#[test]
fn each_difference_to_the_dataset_is_said() {
    let has = dataset(&table(
        "id BIGINT, name STRING, ts TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED, WATERMARK FOR ts AS ts",
    ));
    for same in [
        "id BIGINT, name STRING, ts TIMESTAMP(3)",
        "id BIGINT NOT NULL, name VARCHAR(3), ts TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED",
    ] {
        let declared = table(same);
        let agrees = declared.check(&has);
        assert_eq!(agrees.is_ok(), same.contains("KEY"), "{same}: {agrees:?}");
    }
    for (body, said) in [
        (
            "id BIGINT NOT NULL, name INT, ts TIMESTAMP(3)",
            vec!["column \"name\" is declared as INT, the dataset has STRING"],
        ),
        (
            "id BIGINT, ts TIMESTAMP(3)",
            vec![
                "declared as BIGINT, the dataset has BIGINT NOT NULL",
                "\"name\" STRING is not declared",
            ],
        ),
        (
            "name STRING, id BIGINT NOT NULL, ts TIMESTAMP(3)",
            vec!["in the order (name, id, ts)"],
        ),
        (
            "id BIGINT NOT NULL, name STRING, ts TIMESTAMP(3), more INT",
            vec!["no column \"more\""],
        ),
        (
            "id BIGINT NOT NULL, name STRING NOT NULL, ts TIMESTAMP(3), PRIMARY KEY (id, name) NOT ENFORCED, \
             WATERMARK FOR ts AS ts - INTERVAL '1' SECOND",
            vec![
                "key is declared as (id, name), the dataset has (id)",
                "1000 ms behind \"ts\", the dataset has 0 ms behind \"ts\"",
            ],
        ),
    ] {
        let error = table(body).check(&has).unwrap_err();
        assert_eq!(error.code(), "FS0813");
        for said in said {
            assert!(error.detail().unwrap().contains(said), "{body}: {error}");
        }
    }
}

#[test]
fn a_dataset_is_written_as_the_declaration_that_agrees_with_it() {
    let columns: Vec<String> = every_type()
        .iter()
        .enumerate()
        .map(|(number, (text, _))| format!("`c``{number}` {text}"))
        .collect();
    for rest in [
        "",
        ", ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '0.250' SECOND",
        ", ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '90' SECOND, PRIMARY KEY (`c``3`, ts) NOT ENFORCED",
    ] {
        let has = dataset(&table(&format!("{}{rest}", columns.join(", "))));
        let again = Table::parse(&declaration("my.name", &has).unwrap()).unwrap();
        again.check(&has).unwrap();
        assert_eq!(again.name.as_str(), "my.name");
        assert_eq!(again.registration().unwrap().traits, has.traits);
        assert_eq!(again.schema, has.schema);
    }
}

struct One(SchemaRef);

impl Tables for One {
    fn table(&self, name: &DatasetName) -> Result<Option<TableInfo>> {
        let info = TableInfo {
            schema: Arc::clone(&self.0),
            time_attribute: None,
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: None,
            bounded: true,
        };
        Ok((name.as_str() == "web.clicks").then_some(info))
    }
}

#[test]
fn a_job_reads_and_writes_the_dataset_that_a_table_stands_for() {
    let tables = One(table("n BIGINT").schema);
    let with = "WITH ('connector' = 'flinkspark', 'dataset' = 'web.clicks')";
    let bound = |sql: &str| bind(&parse(sql)?, &tables);
    let job = bound(&format!(
        "CREATE TABLE c (n BIGINT) {with}; CREATE TEMPORARY VIEW v AS SELECT c.n FROM c WHERE c.n > 1;
         CREATE TEMPORARY TABLE `o` {with}; INSERT INTO o SELECT v.n FROM v JOIN o ON o.n = v.n;"
    ));
    assert_eq!(job.unwrap().sink.unwrap().as_str(), "web.clicks");
    for (sql, code) in [
        (
            format!("CREATE TABLE c (n INT) {with}; SELECT n FROM c"),
            "FS0813",
        ),
        (
            format!("CREATE TABLE c {with}; CREATE TABLE c {with}; SELECT n FROM c"),
            "FS0802",
        ),
        (format!("CREATE TABLE c {with}"), "FS0803"),
        (format!("CREATE TABLE c {with}; SELECT n FROM d"), "FS0804"),
    ] {
        let error = bound(&sql).unwrap_err();
        assert_eq!(error.code(), code, "{sql}: {error}");
    }
    let error = bind(
        &parse(&format!("CREATE TABLE c {with}; SELECT n FROM c")).unwrap(),
        &NoTables,
    );
    assert!(error.unwrap_err().message().contains("web.clicks"));
}
