//! Named writers over Flight.

use super::*;
use crate::flight::body::{self, Closing, WriterPutCommand};
use arrow_flight::{Action, FlightData, FlightDescriptor};
use serde_json::{Value, json};

/// Runs an action with JSON both ways; its error where it fails.
async fn act(bridge: &Bridge, action: &str, body: Value) -> std::result::Result<Value, String> {
    let action = Action::new(action, body.to_string());
    let mut client = read::raw(bridge).await;
    let answer = async {
        let mut results = client.do_action(action).await?.into_inner();
        results.message().await
    };
    match answer.await {
        Ok(Some(result)) => Ok(serde_json::from_slice(&result.body).unwrap()),
        Ok(None) => Err("no answer".into()),
        Err(status) => Err(flinkspark_proto::error::from_status(&status).code().into()),
    }
}

/// Puts rows under a writer; the receipt.
async fn put(bridge: &Bridge, writer: &str, partition: u32, batch: &RecordBatch) -> String {
    let command = WriterPutCommand {
        dataset: "d".into(),
        writer: writer.into(),
        partition,
        attempt: 0,
    };
    let descriptor = FlightDescriptor::new_cmd(body::write(&command).unwrap());
    let closing = Closing {
        rows: batch.num_rows() as u64,
        digest: None,
    };
    let messages = [
        encode::schema(&schema(), Some(descriptor)),
        Encoder::new().encode(batch).unwrap(),
        FlightData::new().with_app_metadata(body::write(&closing).unwrap()),
    ];
    let mut client = read::raw(bridge).await;
    let answers = client.do_put(stream::iter(messages)).await.unwrap();
    let mut answers = answers.into_inner();
    while let Some(answer) = answers.message().await.unwrap() {
        let ack: Value = serde_json::from_slice(&answer.app_metadata).unwrap();
        if let Some(receipt) = ack["receipt"].as_str() {
            assert!(receipt.len() <= 100, "{receipt}");
            return receipt.into();
        }
    }
    panic!("no receipt came");
}

fn opening(incarnation: &str, after: u64) -> Value {
    json!({"dataset": "d", "writer": "flink", "incarnation": incarnation, "after": after})
}

fn commit(n: u64, token: &str, receipts: &[String]) -> Value {
    json!({"dataset": "d", "writer": "flink", "generation": 1, "n": n, "token": token,
        "receipts": receipts, "watermark_ms": 5})
}

#[tokio::test]
async fn an_engine_commits_checkpoint_after_checkpoint_and_asks_again_what_became_of_them() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("d", schema()).await;
    let receipts = [
        put(&bridge, "flink", 0, &rows(0, 10)).await,
        put(&bridge, "flink", 1, &rows(10, 5)).await,
    ];
    let opened = act(&bridge, "open_writer", opening("a", 0)).await.unwrap();
    assert_eq!(
        (&opened["generation"], &opened["last_n"]),
        (&json!(1), &json!(0))
    );
    for replayed in [false, true] {
        let done = act(&bridge, "commit", commit(7, "t", &receipts))
            .await
            .unwrap();
        assert_eq!(
            (&done["rows"], &done["replayed"]),
            (&json!(15), &json!(replayed))
        );
    }
    let refused = act(&bridge, "commit", commit(7, "u", &receipts)).await;
    assert_eq!(refused.unwrap_err(), "FS0227");
    let status = json!({"dataset": "d", "writer": "flink"});
    let status = act(&bridge, "status", status).await.unwrap();
    assert_eq!(
        (&status["last_n"], &status["last_token"]),
        (&json!(7), &json!("t"))
    );
    // The catalogue knows of it.
    let found = bridge.client.info(&whole("d")).await.unwrap();
    assert_eq!(found.metadata.rows, 15);
    assert_eq!(found.metadata.watermark_ms, Some(5));
}

#[tokio::test]
async fn parts_and_releases_go_over_the_wire() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("d", schema()).await;
    act(&bridge, "open_writer", opening("a", 0)).await.unwrap();
    let kept = put(&bridge, "flink", 0, &rows(0, 10)).await;
    let gone = put(&bridge, "flink", 0, &rows(10, 10)).await;
    let part = json!({"dataset": "d", "writer": "flink", "key": "k", "receipts": [kept]});
    let stored = act(&bridge, "part", part).await.unwrap();
    assert_eq!(
        (&stored["segments"], &stored["rows"]),
        (&json!(1), &json!(10))
    );
    let release = json!({"dataset": "d", "writer": "flink", "receipts": [gone]});
    let released = act(&bridge, "abort", release).await.unwrap();
    assert_eq!(released, json!({"released": 1, "kept": 0}));
    let mut whole = commit(1, "t", &[gone]);
    assert_eq!(
        act(&bridge, "commit", whole.clone()).await.unwrap_err(),
        "FS1037"
    );
    whole["receipts"] = json!([]);
    whole["parts"] = json!(["k"]);
    assert_eq!(act(&bridge, "commit", whole).await.unwrap()["rows"], 10);
}

#[tokio::test]
async fn a_body_that_is_half_a_writers_is_refused() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("d", schema()).await;
    for (action, body, code) in [
        (
            "open_writer",
            json!({"dataset": "d", "writer": "w"}),
            "FS0411",
        ),
        (
            "open_writer",
            json!({"dataset": "d", "writer": "", "incarnation": "a"}),
            "FS1035",
        ),
        (
            "open_writer",
            json!({"dataset": "none", "writer": "w", "incarnation": "a"}),
            "FS0501",
        ),
        ("commit", json!({"txn": "x", "writer": "w"}), "FS0411"),
        ("status", json!({"dataset": "d", "writer": 7}), "FS0411"),
        (
            "part",
            json!({"dataset": "d", "writer": "w", "key": "k"}),
            "FS0411",
        ),
    ] {
        assert_eq!(
            act(&bridge, action, body.clone()).await.unwrap_err(),
            code,
            "{action} {body}"
        );
    }
}

#[tokio::test]
async fn the_rust_client_puts_and_commits_as_a_named_writer_and_what_it_repeats_stands() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("d", schema()).await;
    let client = &bridge.client;
    let mut receipts = Vec::new();
    for (partition, batch) in [(0, rows(0, 10)), (1, rows(10, 5)), (1, rows(15, 0))] {
        let command = WriterPutCommand {
            dataset: "d".into(),
            writer: "rust".into(),
            partition,
            attempt: 0,
        };
        let batches = stream::iter([Ok(batch)]).boxed();
        let receipt = client.put_as(&command, &schema(), batches, &|_| {}).await;
        receipts.push(receipt.unwrap());
    }
    let open = json!({"dataset": "d", "writer": "rust", "incarnation": "a"});
    let open = serde_json::from_value(open).unwrap();
    let commit = |generation: u64, n: u64, token: &str| {
        let request = json!({"dataset": "d", "writer": "rust", "generation": generation, "n": n,
            "token": token, "receipts": receipts});
        serde_json::from_value::<body::WriterCommitRequest>(request).unwrap()
    };
    let generation = client.open_writer(&open).await.unwrap().generation;
    assert!(client.open_writer(&open).await.unwrap().replayed);
    for replayed in [false, true] {
        let done = client.commit_as(&commit(generation, 3, "t")).await.unwrap();
        assert_eq!((done.rows, done.replayed), (15, replayed));
    }
    for (request, code) in [
        (commit(generation, 3, "u"), "FS0227"),
        (commit(generation + 1, 4, "t"), "FS0211"),
    ] {
        let refused = client.commit_as(&request).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let of = json!({"dataset": "d", "writer": "rust"});
    let of = serde_json::from_value(of).unwrap();
    let status = client.writer_status(&of).await.unwrap();
    assert_eq!((status.last_n, status.staged), (3, 0));
}
