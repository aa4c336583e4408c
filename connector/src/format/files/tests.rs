//! Folders and patterns, as people and other programs leave them.

use super::super::{ReadOptions, WriteOptions, create};
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use std::fs;
use std::sync::Arc;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn parquet(root: &Path, name: &str, column: &str, values: ArrayRef) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter([(column, values)]).unwrap();
    let mut writer = create(&path, batch.schema(), &WriteOptions::default()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}

/// All rows of a path as one batch, and what was said.
fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<(RecordBatch, Vec<String>)> {
    let mut reader = open(path, options)?;
    let batches = reader.by_ref().collect::<Result<Vec<_>>>()?;
    let all = arrow_select::concat::concat_batches(&reader.schema(), &batches).unwrap();
    if let Some(rows) = reader.rows_total() {
        assert_eq!(rows, all.num_rows() as u64);
    }
    Ok((all, reader.notices()))
}

fn fails(path: impl AsRef<Path>, options: &ReadOptions) -> Error {
    read(path, options)
        .map(|(batch, _)| batch.num_rows())
        .unwrap_err()
}

fn types(batch: &RecordBatch) -> Vec<(String, DataType)> {
    let fields = batch.schema_ref().fields().iter();
    fields
        .map(|field| (field.name().clone(), field.data_type().clone()))
        .collect()
}

#[test]
fn a_folder_is_read_in_the_order_of_its_paths_without_what_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["b.csv", "a.csv", "deep/er/c.csv"] {
        write(root, name, &format!("name\n{name}\n"));
    }
    for name in [
        "_SUCCESS",
        ".a.csv.crc",
        "_temporary/0/x.csv",
        ".git/config",
    ] {
        write(root, name, "nothing that is read");
    }
    let names = |path: &Path| {
        let (batch, _) = read(path, &ReadOptions::default()).unwrap();
        let names = batch.column(0).as_string::<i32>().iter();
        names
            .map(|name| name.unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(root), ["a.csv", "b.csv", "deep/er/c.csv"]);
    assert_eq!(names(&root.join("?.csv")), ["a.csv", "b.csv"]);
    assert_eq!(names(&root.join("**/c.*")), ["deep/er/c.csv"]);
    // What exists is meant, whatever it looks like.
    write(root, "[ab].csv", "name\nitself\n");
    assert_eq!(names(&root.join("[ab].csv")), ["itself"]);
    for nothing in ["*.parquet", "_x*", "none/*.csv"] {
        let error = fails(root.join(nothing), &ReadOptions::default());
        assert_eq!(error.code(), "FS0302", "{nothing}: {error}");
    }
    fs::create_dir(root.join("empty")).unwrap();
    assert_eq!(
        fails(root.join("empty"), &ReadOptions::default()).code(),
        "FS0302"
    );
}

#[test]
fn folders_that_are_called_name_and_value_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (path, n) in [
        ("day=2024-02-29/code=007/hour=1/p.csv", 1),
        (
            "day=2024-03-01/code=A%2F1/hour=__HIVE_DEFAULT_PARTITION__/p.csv",
            2,
        ),
    ] {
        write(root, path, &format!("n\n{n}\n{n}\n"));
    }
    let (batch, _) = read(root, &ReadOptions::default()).unwrap();
    let expected = [
        ("n", DataType::Int64),
        ("day", DataType::Date32),
        ("code", DataType::Utf8),
        ("hour", DataType::Int64),
    ];
    assert_eq!(
        types(&batch),
        expected.map(|(name, kind)| (name.to_owned(), kind))
    );
    let days = batch.column(1).as_primitive::<Date32Type>();
    assert_eq!(days.values().to_vec(), [19_782, 19_782, 19_783, 19_783]);
    let codes = batch.column(2).as_string::<i32>();
    assert_eq!((codes.value(0), codes.value(2)), ("007", "A/1"));
    assert_eq!(batch.column(3).null_count(), 2);
    // At a declared schema, and below a part of the folders.
    let declared = Schema::new(vec![
        Field::new("n", DataType::Utf8, true),
        Field::new("hour", DataType::Int32, true),
    ]);
    let options = ReadOptions {
        schema: Some(Arc::new(declared)),
        ..ReadOptions::default()
    };
    let (batch, _) = read(root.join("day=2024-02-29/code=007/*/*.csv"), &options).unwrap();
    let expected = [("n", DataType::Utf8), ("hour", DataType::Int32)];
    assert_eq!(
        types(&batch),
        expected.map(|(name, kind)| (name.to_owned(), kind))
    );
    let (batch, _) = read(
        root.join("day=2024-02-29/code=007/hour=1/p.csv"),
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(batch.num_columns(), 1);
}

#[test]
fn columns_are_found_by_name_and_what_a_file_lacks_is_null_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.csv", "n,price,mixed\n1,10,1\n");
    write(root, "b.csv", "price,more,mixed,n\n10.5,x,2024-01-01,2\n");
    let (batch, said) = read(root, &ReadOptions::default()).unwrap();
    let expected = [
        ("n", DataType::Int64),
        ("price", DataType::Float64),
        ("mixed", DataType::Utf8),
        ("more", DataType::Utf8),
    ];
    assert_eq!(
        types(&batch),
        expected.map(|(name, kind)| (name.to_owned(), kind))
    );
    assert_eq!(
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec(),
        [1, 2]
    );
    assert_eq!(
        batch
            .column(1)
            .as_primitive::<Float64Type>()
            .values()
            .to_vec(),
        [10.0, 10.5]
    );
    assert_eq!(batch.column(3).null_count(), 1);
    assert!(
        said.iter()
            .any(|text| text.contains("\"more\" is not in 1 of the 2 files")),
        "{said:?}"
    );
    // Of the columns that are asked for, in that order.
    let options = ReadOptions {
        columns: Some(vec!["more".into(), "n".into()]),
        ..ReadOptions::default()
    };
    let (batch, _) = read(root, &options).unwrap();
    assert_eq!(
        types(&batch)
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["more", "n"]
    );
    let options = ReadOptions {
        columns: Some(vec!["N".into()]),
        ..ReadOptions::default()
    };
    let error = fails(root, &options);
    assert_eq!(error.code(), "FS0319");
    assert!(error.detail().unwrap().contains("\"price\""), "{error}");
}

#[test]
fn types_are_widened_where_that_loses_nothing_and_refused_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    parquet(
        root,
        "good/a.parquet",
        "n",
        Arc::new(Int32Array::from(vec![1])),
    );
    parquet(
        root,
        "good/b.parquet",
        "n",
        Arc::new(Int64Array::from(vec![1 << 40])),
    );
    let (batch, _) = read(root.join("good"), &ReadOptions::default()).unwrap();
    assert_eq!(
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec(),
        [1, 1 << 40]
    );
    parquet(
        root,
        "bad/a.parquet",
        "n",
        Arc::new(Int32Array::from(vec![1])),
    );
    parquet(
        root,
        "bad/b.parquet",
        "n",
        Arc::new(arrow_array::StringArray::from(vec!["x"])),
    );
    let error = fails(root.join("bad"), &ReadOptions::default());
    assert_eq!(error.code(), "FS0320");
    let detail = error.detail().unwrap();
    assert!(
        detail.contains("int32") && detail.contains("utf8") && detail.contains("b.parquet"),
        "{error}"
    );
}

#[test]
fn files_that_do_not_go_together_are_refused_before_a_row_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "formats/a.csv", "n\n1\n");
    write(root, "formats/b.jsonl", "{\"n\":1}\n");
    write(root, "unknown/a.csv", "n\n1\n");
    write(root, "unknown/readme.txt", "hello\n");
    write(root, "keys/day=1/a.csv", "n\n1\n");
    write(root, "keys/a.csv", "n\n1\n");
    write(root, "twice/n=1/a.csv", "n\n1\n");
    for (name, code) in [
        ("formats", "FS0320"),
        ("unknown", "FS0301"),
        ("keys", "FS0320"),
        ("twice", "FS0320"),
    ] {
        let error = fails(root.join(name), &ReadOptions::default());
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.hint().is_some());
    }
    // Whatever the names say, it is what is told.
    write(root, "told/a.txt", "n\n1\n");
    let options = ReadOptions {
        format: Some(Format::CSV),
        ..ReadOptions::default()
    };
    assert_eq!(read(root.join("told"), &options).unwrap().0.num_rows(), 1);
}

#[test]
fn json_lines_keep_what_is_asked_for_and_skip_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        "a.jsonl",
        "{\"n\":1,\"more\":{\"deep\":[1,{\"x\":null}]},\"s\":\"a\"}\n{\"n\":2}\n",
    );
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let mut options = ReadOptions {
        schema: Some(Arc::new(schema)),
        ..ReadOptions::default()
    };
    assert_eq!(fails(root.join("a.jsonl"), &options).code(), "FS0308");
    options.columns = Some(vec!["n".into()]);
    let (batch, _) = read(root.join("*.jsonl"), &options).unwrap();
    assert_eq!(
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec(),
        [1, 2]
    );
    // What is skipped is JSON all the same.
    write(root, "b.jsonl", "{\"n\":1,\"more\":{\"deep\":[1,}}\n");
    assert_eq!(fails(root.join("b.jsonl"), &options).code(), "FS0305");
}

#[test]
fn a_file_that_is_broken_in_the_middle_is_an_error_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.csv", "n\n1\n");
    write(root, "b.csv", "n\n1\n\"torn");
    let error = fails(root, &ReadOptions::default());
    assert_eq!(error.code(), "FS0305");
    assert!(error.message().contains("b.csv"), "{error}");
}
