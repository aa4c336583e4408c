//! Filters over the wire: what comes, what is counted, what is handed back.

use super::*;
use crate::flight::body::{BatchMetadata, SplitBy, Splits};
use crate::flight::client::Followed;
use arrow_array::Float64Array;
use arrow_select::concat::concat_batches;
use flinkspark_model::filter::Filter;
use flinkspark_model::port::Extent;
use futures::TryStreamExt;
use serde_json::json;

fn filter(json: serde_json::Value) -> Option<Filter> {
    Some(serde_json::from_value(json).unwrap())
}

fn asked(dataset: &str, json: serde_json::Value) -> ReadCommand {
    ReadCommand {
        filter: filter(json),
        ..whole(dataset)
    }
}

/// The rows of all endpoints, and the metadata of each message, endpoint by endpoint.
async fn read(bridge: &Bridge, command: &ReadCommand) -> (RecordBatch, Vec<Vec<BatchMetadata>>) {
    let info = bridge.client.info(command).await.unwrap();
    let (mut rows, mut metadata) = (Vec::new(), Vec::new());
    for endpoint in &info.endpoints {
        let messages = bridge.client.read(endpoint).await.unwrap();
        let messages: Vec<_> = messages.try_collect().await.unwrap();
        let counted: u64 = messages.iter().map(|(_, metadata)| metadata.rows).sum();
        let last = messages.last().map_or(0, |(_, metadata)| metadata.row);
        assert_eq!(
            (counted, last),
            (endpoint.metadata.rows, endpoint.metadata.rows)
        );
        metadata.push(messages.iter().map(|(_, metadata)| *metadata).collect());
        rows.extend(messages.into_iter().map(|(batch, _)| batch));
    }
    (concat_batches(&info.schema, &rows).unwrap(), metadata)
}

fn total(metadata: &[Vec<BatchMetadata>]) -> (Extent, Extent) {
    let (mut read, mut skipped) = (Extent::default(), Extent::default());
    for last in metadata.iter().filter_map(|messages| messages.last()) {
        read += last.read.unwrap();
        skipped += last.skipped.unwrap();
    }
    (read, skipped)
}

#[tokio::test]
async fn one_row_in_a_hundred_costs_less_than_one_byte_in_ten() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    for first in [0, 400_000] {
        bridge
            .commit("a", &[rows(first, 200_000), rows(first + 200_000, 200_000)])
            .await;
    }
    let between = json!({"and": [{"ge": {"column": "n", "value": 410_000}}, {"lt": {"column": "n", "value": 418_000}}]});
    let (found, metadata) = read(&bridge, &asked("a", between)).await;
    assert_eq!(found, rows(410_000, 8_000));
    let (read, skipped) = total(&metadata);
    assert_eq!(read.rows + skipped.rows, 800_000);
    let bytes = bridge
        .client
        .info(&whole("a"))
        .await
        .unwrap()
        .metadata
        .bytes;
    assert!(
        10 * read.bytes < bytes && read.bytes + skipped.bytes <= bytes,
        "{read:?} of {bytes}"
    );
    assert!(
        skipped.blocks == 15 && read.blocks == 1,
        "{read:?} {skipped:?}"
    );
}

#[tokio::test]
async fn rows_that_do_not_match_are_counted_and_not_sent() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 100_000)]).await;
    for (wanted, expected) in [
        (json!({"eq": {"column": "text", "value": "row 70000"}}), 1),
        (
            json!({"in": {"column": "n", "values": [0, 99_999, 99_999, -1]}}),
            2,
        ),
        (json!({"not": {"is_null": {"column": "text"}}}), 66_666),
        (json!({"is_null": {"column": "text"}}), 33_334),
        (
            json!({"prefix": {"column": "text", "value": "row 9999"}}),
            6,
        ),
        (json!({"eq": {"column": "n", "value": null}}), 0),
        (json!({"lt": {"column": "n", "value": 0}}), 0),
    ] {
        let text = wanted.to_string();
        let (found, metadata) = read(&bridge, &asked("a", wanted)).await;
        assert_eq!(found.num_rows(), expected, "{text}");
        let (read, skipped) = total(&metadata);
        assert_eq!(read.rows + skipped.rows, 100_000, "{text}");
    }
}

#[tokio::test]
async fn a_column_that_only_the_filter_needs_is_not_sent() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 1_000)]).await;
    let mut command = asked("a", json!({"ge": {"column": "n", "value": 990}}));
    command.columns = Some(vec!["text".into()]);
    let (found, _) = read(&bridge, &command).await;
    assert_eq!(found, rows(990, 10).project(&[1]).unwrap());
    command.columns = Some(vec!["text".into(), "n".into()]);
    let (found, _) = read(&bridge, &command).await;
    assert_eq!(found, rows(990, 10).project(&[1, 0]).unwrap());
}

#[tokio::test]
async fn what_is_not_answered_is_handed_back_and_its_rows_come() {
    let bridge = bridge().await;
    let schema = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
    ]));
    bridge.fake.dataset_named("a", Arc::clone(&schema)).await;
    let exact = json!({"gt": {"column": "n", "value": 5}});
    let float = json!({"eq": {"column": "x", "value": "NaN"}});
    let info = bridge
        .client
        .info(&asked("a", json!({"and": [exact, float]})))
        .await
        .unwrap();
    let split = info.metadata.filter.unwrap();
    assert_eq!(
        (split.answered, split.residual),
        (filter(exact), filter(float))
    );
    assert_eq!(
        bridge
            .client
            .info(&whole("a"))
            .await
            .unwrap()
            .metadata
            .filter,
        None
    );
}

#[tokio::test]
async fn a_filter_that_does_not_fit_is_refused_before_anything_is_read() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    for (wanted, code) in [
        (json!({"is_null": {"column": "N"}}), "FS0461"),
        (json!({"eq": {"column": "n", "value": "one"}}), "FS0462"),
        (json!({"or": []}), "FS0464"),
        (
            json!({"eq": {"column": "text", "value": "x".repeat(1 << 16)}}),
            "FS0460",
        ),
    ] {
        let refused = bridge.client.info(&asked("a", wanted)).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_reader_that_stalls_loses_no_row_and_doubles_none() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("slow", schema()).await;
    bridge.commit("slow", &[rows(0, 300_000)]).await;
    let info = bridge
        .client
        .info(&asked("slow", json!({"is_null": {"column": "text"}})))
        .await
        .unwrap();
    let ticket = &info.endpoints[0].ticket;
    let mut answers = crate::flight::server::get_directly(&bridge.components, ticket)
        .await
        .unwrap();
    let (mut counted, mut sent, mut messages) = (0, 0, 0);
    while let Some(message) = answers.try_next().await.unwrap() {
        if message.app_metadata.is_empty() {
            continue;
        }
        messages += 1;
        if messages % 4 == 1 {
            tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        }
        let metadata: BatchMetadata = serde_json::from_slice(&message.app_metadata).unwrap();
        counted += metadata.rows;
        sent += arrow_ipc::root_as_message(&message.data_header)
            .unwrap()
            .header_as_record_batch()
            .unwrap()
            .length();
        assert_eq!(metadata.row, counted);
    }
    assert_eq!((counted, sent), (300_000, 100_000));
    assert!(messages > 8, "{messages}");
}

#[tokio::test]
async fn where_nothing_matches_for_long_an_empty_batch_says_how_far_it_is() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let batches = (0..6)
        .map(|part| Ok(rows(part * 200_000, 200_000)))
        .collect();
    let receipt = bridge.put(&txn, 0, batches).await.unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
    // Statistics rule the first one out; the second lies within those of some blocks.
    for absent in ["zero", "row 5.5"] {
        let wanted = json!({"eq": {"column": "text", "value": absent}});
        let command = ReadCommand {
            splits: Some(Splits {
                by: SplitBy::Partition,
                ..Splits::default()
            }),
            ..asked("a", wanted)
        };
        let (found, metadata) = read(&bridge, &command).await;
        let [endpoint] = metadata.as_slice() else {
            panic!("{metadata:?}")
        };
        let rows: Vec<u64> = endpoint.iter().map(|message| message.rows).collect();
        assert_eq!((found.num_rows(), rows.len()), (0, 2), "{absent}: {rows:?}");
        let (read, _) = total(&metadata);
        assert_eq!(read.blocks > 0, absent != "zero");
    }
}

#[tokio::test]
async fn a_limit_is_of_the_rows_that_match_and_the_reader_knows_where_they_end() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge
        .commit("a", &[rows(0, 50_000), rows(50_000, 50_000)])
        .await;
    for (limit, position) in [
        (0, None),
        (1, Some(1)),
        (7, Some(19)),
        (16_667, Some(50_000)),
    ] {
        let command = ReadCommand {
            limit: Some(limit),
            ..asked("a", json!({"is_null": {"column": "text"}}))
        };
        let info = bridge.client.info(&command).await.unwrap();
        let messages = bridge.client.read(&info.endpoints[0]).await.unwrap();
        let messages: Vec<_> = messages.try_collect().await.unwrap();
        let sent: usize = messages.iter().map(|(batch, _)| batch.num_rows()).sum();
        let last = messages.last().unwrap().1.position;
        assert_eq!(sent as u64, limit);
        assert_eq!(last.map(|place| place.0.row), position, "{limit}");
    }
}

#[tokio::test]
async fn a_limit_beside_a_residual_takes_no_row_that_may_be_wanted() {
    let bridge = bridge().await;
    let fields = vec![Field::new("x", DataType::Float64, true)];
    let schema = Arc::new(Schema::new(fields));
    bridge.fake.dataset_named("a", Arc::clone(&schema)).await;
    let x: Float64Array = [1.0, f64::NAN, 3.0].into_iter().collect();
    let batch = RecordBatch::try_new(schema, vec![Arc::new(x)]).unwrap();
    bridge.commit("a", &[batch]).await;
    let exact = json!({"not": {"is_null": {"column": "x"}}});
    let float = json!({"gt": {"column": "x", "value": 2}});
    for (wanted, expected) in [(json!({"and": [exact, float]}), 3), (float, 3), (exact, 1)] {
        let command = ReadCommand {
            limit: Some(1),
            ..asked("a", wanted)
        };
        let info = bridge.client.info(&command).await.unwrap();
        let messages = bridge.client.read(&info.endpoints[0]).await.unwrap();
        let messages: Vec<_> = messages.try_collect().await.unwrap();
        let sent: usize = messages.iter().map(|(batch, _)| batch.num_rows()).sum();
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn a_follower_gets_what_matches_and_stands_behind_what_does_not() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let command = ReadCommand {
        follow: true,
        partition: Some(0),
        ..asked("a", json!({"ge": {"column": "n", "value": 4}}))
    };
    let endpoint = bridge.client.ticket(&command).await.unwrap();
    let mut stream = bridge.client.follow(&endpoint).await.unwrap();
    let mut found = Vec::new();
    for first in [0, 3, 6] {
        bridge.commit("a", &[rows(first, 3)]).await;
    }
    let mut borders = 0;
    while found.len() < 5 || borders < 6 {
        match stream.try_next().await.unwrap().unwrap() {
            Followed::Rows(batch, _) => found.extend(super::splits::numbers(&batch)),
            Followed::Border(_) => borders += 1,
            Followed::Idle(_) => {}
        }
    }
    assert_eq!(found, [4, 5, 6, 7, 8]);
}
