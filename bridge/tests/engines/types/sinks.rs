//! Into a dataset that has the very type.

use super::samples::every_type;
use super::{Cell, each, expected, rows, stored, within};
use crate::fixture::How;
use arrow_array::{Array, cast::AsArray};
use arrow_schema::{DataType, Field, Schema};
use flinkspark_adapter::front::flink::arrow_type;
use flinkspark_adapter::plan::Home;
use flinkspark_model::schema::type_name;
use std::sync::Arc;

/// The type with other names inside of it, where there are any.
fn renamed(data_type: &DataType) -> DataType {
    let field = |field: &Field, name: &str| {
        Arc::new(Field::new(
            name,
            renamed(field.data_type()),
            field.is_nullable(),
        ))
    };
    match data_type {
        DataType::List(item) => DataType::List(field(item, "of")),
        DataType::LargeList(item) => DataType::LargeList(field(item, "of")),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(field(item, "of"), *length)
        }
        DataType::Map(entries, sorted) => {
            let pair = match entries.data_type() {
                DataType::Struct(pair) => vec![field(&pair[0], "k"), field(&pair[1], "v")],
                other => unreachable!("entries are {other}"),
            };
            let entries = Field::new("pairs", DataType::Struct(pair.into()), false);
            DataType::Map(Arc::new(entries), *sorted)
        }
        DataType::Struct(fields) => {
            let own = fields.iter().map(|inner| field(inner, inner.name()));
            DataType::Struct(own.collect())
        }
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_into_a_dataset_of_the_type_that_they_came_from_whatever_its_parts_are_called() {
    each(every_type(), |samples| async move {
        let mut wrong = Vec::new();
        let name = type_name(samples.data_type());
        let rows = rows(23);
        let fixture = stored(&rows, 4, &[("x", &samples)]).await;
        for wanted in [samples.data_type().clone(), renamed(samples.data_type())] {
            let id = Field::new("n", DataType::Int64, true);
            let schema = Schema::new(vec![id, Field::new("z", wanted.clone(), true)]);
            let job = fixture
                .bind("SELECT id, x FROM t", Home::FlinkBatch)
                .unwrap();
            let job = match job.into_columns(&schema, arrow_type) {
                Ok(job) => job,
                Err(why) => {
                    wrong.push(format!("{name}: {why}"));
                    continue;
                }
            };
            if job.columns[1].ty.root.arrow() != wanted {
                wrong.push(format!("{name} goes in as {}", job.columns[1].ty));
                continue;
            }
            let row =
                |row: &super::Row| vec![Cell::Number(Some(row.id)), Cell::Sample(Some(row.x))];
            let answer = within(&samples, rows.iter().map(row).collect());
            let digest = expected(&samples, &answer);
            let how = How {
                home: Home::FlinkBatch,
                ..How::at(2)
            };
            let given = [
                ("batch", fixture.batch_job(&job, how).await),
                ("stream", fixture.stream_job(&job, how).await),
            ];
            for (engine, given) in given {
                match given {
                    Ok(given) if given.digest == digest => {}
                    Ok(given) => wrong.push(format!("{name}, {engine}: {}", given.digest)),
                    Err(error) => wrong.push(format!("{name}, {engine}: {error}")),
                }
            }
        }
        wrong
    })
    .await;
}

#[tokio::test]
async fn a_column_that_is_not_listed_is_null_whatever_its_type() {
    for samples in every_type() {
        let fixture = stored(&rows(3), 3, &[("x", &samples)]).await;
        let mut job = fixture.bind("SELECT id FROM t", Home::FlinkBatch).unwrap();
        job.sink_columns = vec!["n".into()];
        let id = Field::new("n", DataType::Int64, true);
        let z = Field::new("z", samples.data_type().clone(), true);
        let job = job
            .into_columns(&Schema::new(vec![z, id]), arrow_type)
            .unwrap();
        let how = How::at(1);
        for engine in ["batch", "stream"] {
            let given = match engine {
                "batch" => fixture.batch_job(&job, how).await,
                _ => fixture.stream_job(&job, how).await,
            };
            let name = type_name(samples.data_type());
            given.unwrap_or_else(|error| panic!("{name}, {engine}: {error}"));
            let mut ids = 0;
            for batch in fixture.latest(&job).await.unwrap() {
                assert_eq!(batch.column(0).data_type(), samples.data_type());
                assert_eq!(batch.column(0).logical_null_count(), batch.num_rows());
                let own = batch
                    .column(1)
                    .as_primitive::<arrow_array::types::Int64Type>();
                ids += own.values().iter().sum::<i64>();
            }
            assert_eq!(ids, 3, "{name}, {engine}");
        }
    }
}
