//! What every format promises.

use super::*;
use proptest::prelude::*;

#[test]
fn the_hurting_dataset_survives_every_format() {
    let batch = hurting();
    let batches = [batch.clone(), batch.slice(3, 4), batch.slice(0, 1)];
    for (format, _) in formats() {
        let bytes = written(format, &batches, &WriteOptions::default()).unwrap();
        let options = ReadOptions {
            schema: Some(batch.schema()),
            ..ReadOptions::default()
        };
        let back = read(format, bytes, &options).unwrap();
        assert_eq!(
            digest_of(&batch.schema(), &back),
            digest_of(&batch.schema(), &batches),
            "{format}"
        );
        assert_eq!(
            back[0].schema(),
            stored_schema(&batch.schema()).unwrap(),
            "{format}"
        );
    }
}

#[test]
fn nested_columns_survive_where_the_format_holds_them() {
    for (format, _) in formats() {
        let batch = nested_for(format);
        match written(
            format,
            std::slice::from_ref(&batch),
            &WriteOptions::default(),
        ) {
            Ok(bytes) => {
                let schema = batch.schema();
                let options = ReadOptions {
                    schema: Some(Arc::clone(&schema)),
                    ..ReadOptions::default()
                };
                let back = read(format, bytes, &options).unwrap();
                assert_eq!(
                    digest_of(&schema, &back),
                    digest_of(&schema, std::slice::from_ref(&batch)),
                    "{format}"
                );
                assert_eq!(
                    back[0].schema(),
                    stored_schema(&schema).unwrap(),
                    "{format}"
                );
            }
            Err(error) => {
                assert_eq!((format, error.code()), (Format::CSV, "FS0306"));
                assert!(error.message().contains("\"list\""), "{error}");
            }
        }
    }
}

#[test]
fn nested_columns_survive_over_many_pages() {
    // The pages of Parquet end after 20,000 rows, and a column that repeats is looked ahead in.
    for (format, _) in formats().filter(|(format, _)| *format != Format::CSV) {
        let batch = nested_for(format);
        let (schema, copies) = (batch.schema(), vec![batch; 7_000]);
        let batch = arrow_select::concat::concat_batches(&schema, &copies).unwrap();
        let write = WriteOptions::default();
        let bytes = written(format, std::slice::from_ref(&batch), &write).unwrap();
        let schema = batch.schema();
        let options = ReadOptions {
            schema: Some(Arc::clone(&schema)),
            ..ReadOptions::default()
        };
        let back = read(format, bytes, &options).unwrap();
        assert_eq!(
            digest_of(&schema, &back),
            digest_of(&schema, std::slice::from_ref(&batch)),
            "{format}"
        );
    }
}

#[test]
fn a_file_without_rows_keeps_its_schema() {
    let empty = RecordBatch::new_empty(hurting().schema());
    for (format, _) in formats() {
        let bytes = written(
            format,
            std::slice::from_ref(&empty),
            &WriteOptions::default(),
        )
        .unwrap();
        let options = ReadOptions {
            schema: Some(empty.schema()),
            ..ReadOptions::default()
        };
        let mut reader = format
            .read(Box::new(Cursor::new(bytes)), "test", &options)
            .unwrap();
        assert_eq!(
            reader.schema(),
            stored_schema(&empty.schema()).unwrap(),
            "{format}"
        );
        assert!(reader.next().is_none(), "{format}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_survives(
        cuts in prop::collection::vec((0usize..12, 0usize..12), 1..6), rows in 1usize..9, bytes in 1usize..2000,
    ) {
        let batch = hurting();
        let batches: Vec<_> =
            cuts.iter().map(|(first, length)| batch.slice(*first, (*length).min(batch.num_rows() - first))).collect();
        for (format, _) in formats() {
            let write = WriteOptions { batch_rows: rows, batch_bytes: bytes, ..WriteOptions::default() };
            let options = ReadOptions {
                batch_rows: 10 - rows, batch_bytes: bytes, schema: Some(batch.schema()), ..ReadOptions::default()
            };
            let back = read(format, written(format, &batches, &write).unwrap(), &options).unwrap();
            prop_assert_eq!(digest_of(&batch.schema(), &back), digest_of(&batch.schema(), &batches), "{}", format);
            prop_assert!(back.iter().all(|batch| batch.num_rows() <= 10 - rows));
        }
    }
}
