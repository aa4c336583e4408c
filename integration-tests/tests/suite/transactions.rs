//! Loads that are repeated, schemas that change, datasets that are dropped.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Server;
use std::path::Path;

const OLD: &str = "n,text\n1,a\n2,b\n";
const NEW: &str = "n,text,more\n3,c,d\n";

/// A file with this text, as an argument.
fn csv(dir: &Path, name: &str, text: &str) -> Step<String> {
    let path = dir.join(name);
    std::fs::write(&path, text)?;
    Ok(path.to_str().ok_or("the path is text")?.into())
}

#[test]
fn a_load_is_repeated_by_its_id_and_never_by_an_empty_one() -> Step {
    let dir = tempfile::tempdir()?;
    let server = Server::start(&dir.path().join("data"))?;
    let old = csv(dir.path(), "old.csv", OLD)?;
    let other = csv(dir.path(), "other.csv", "n,text\n1,a\n2,c\n")?;
    server.must(&["dataset", "register", "t", "--like", &old])?;
    for blank in ["", "  ", "\u{200b}"] {
        let said = server.run(&["transfer", &old, "dataset://t", "--id", blank])?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains("FS0441"), "{said:?}");
    }
    let load = ["transfer", &old, "dataset://t", "--id", "one", "-o", "json"];
    let first = server.must(&load)?.json()?;
    assert_eq!(
        (&first["rows"], &first["replayed"]),
        (&2.into(), &false.into())
    );
    let again = server.must(&load)?.json()?;
    assert_eq!(
        (&again["replayed"], &again["same_rows"]),
        (&true.into(), &true.into())
    );
    let said = server.run(&["transfer", &other, "dataset://t", "--id", "one"])?;
    assert_eq!(said.code, Some(1), "{said:?}");
    let shown = server
        .must(&["dataset", "show", "t", "-o", "json"])?
        .json()?;
    assert_eq!(shown["rows"], 2);
    let open = server.must(&["dataset", "transactions", "t", "-o", "jsonl"])?;
    assert_eq!(open.out, "");
    let said = server.run(&["transaction", "abort", "nonsense"])?;
    assert!(said.err.contains("FS1013"), "{said:?}");
    Ok(())
}

#[test]
fn a_schema_changes_under_rows_that_stay_readable() -> Step {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let server = Server::start(&data)?;
    let (old, new) = (
        csv(dir.path(), "old.csv", OLD)?,
        csv(dir.path(), "new.csv", NEW)?,
    );
    server.must(&["dataset", "register", "t", "--like", &old])?;
    server.must(&["transfer", &old, "dataset://t"])?;
    let changed = server.must(&["dataset", "schema", "t", "--like", &new, "-o", "json"])?;
    assert_eq!(changed.json()?["schema_version"], 2);
    let refused = server.run(&["dataset", "schema", "t", "--like", &old])?;
    assert!(refused.err.contains("FS0116"), "{refused:?}");
    server.kill()?;

    let server = Server::start(&data)?;
    server.must(&["transfer", &new, "dataset://t"])?;
    let out = dir.path().join("out.csv");
    let target = out.to_str().ok_or("the path is text")?;
    server.must(&["transfer", "dataset://t", target])?;
    let lines = std::fs::read_to_string(&out)?;
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "n,text,more");
    assert!(lines.contains(&"3,c,d"), "{lines:?}");
    server.must(&["dataset", "verify", "t"])?;

    let dropped = server.must(&["dataset", "drop", "t", "--yes"])?;
    assert!(dropped.err.contains("bytes stay until"), "{dropped:?}");
    assert_eq!(server.run(&["dataset", "show", "t"])?.code, Some(1));
    Ok(())
}
