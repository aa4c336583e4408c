//! Writing, inside transactions and without.

use super::read::raw;
use super::*;
use crate::flight::body::{Ack, Closing};
use crate::flight::encode::{self, Encoder};
use arrow_flight::{Action, FlightData, FlightDescriptor};
use flinkspark_model::digest::digest;
use flinkspark_model::{Error, Kind};
use flinkspark_proto::error::from_status;
use futures::Stream;
use tonic::{Request, Status};

fn messages(descriptor: FlightDescriptor, batches: &[RecordBatch]) -> Vec<FlightData> {
    let mut encoder = Encoder::new();
    let schema = encode::schema(batches[0].schema_ref(), Some(descriptor));
    std::iter::once(schema)
        .chain(batches.iter().map(|batch| encoder.encode(batch).unwrap()))
        .collect()
}

fn closing(rows: u64) -> FlightData {
    let body = serde_json::to_vec(&Closing { rows, digest: None }).unwrap();
    FlightData::new().with_app_metadata(body)
}

fn command(txn: &str) -> FlightDescriptor {
    FlightDescriptor::new_cmd(format!(
        "{{\"txn\":\"{txn}\",\"partition\":0,\"attempt\":0}}"
    ))
}

fn path(name: &str) -> FlightDescriptor {
    FlightDescriptor::new_path(vec![name.into()])
}

/// The last acknowledgement of a put by a client that is not ours.
async fn foreign(
    bridge: &Bridge,
    messages: Vec<FlightData>,
    headers: &[(&'static str, &str)],
) -> Result<Ack> {
    send(bridge, stream::iter(messages), headers).await
}

async fn send(
    bridge: &Bridge,
    messages: impl Stream<Item = FlightData> + Send + 'static,
    headers: &[(&'static str, &str)],
) -> Result<Ack> {
    let mut request = Request::new(messages);
    for (name, value) in headers {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let mut last = None;
    let mut results = raw(bridge)
        .await
        .do_put(request)
        .await
        .map_err(|s| from_status(&s))?
        .into_inner();
    while let Some(result) = results
        .message()
        .await
        .map_err(|s: Status| from_status(&s))?
    {
        last = Some(serde_json::from_slice(&result.app_metadata).unwrap());
    }
    Ok(last.unwrap())
}

#[tokio::test]
async fn a_transaction_of_four_puts_commits_once() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let puts = (0..4).map(|p| bridge.put(&txn, p, vec![Ok(rows(i64::from(p) * 100, 100))]));
    let receipts: Vec<Receipt> = futures::future::try_join_all(puts).await.unwrap();
    assert_eq!(
        bridge.fake.totals(&dataset).await.0,
        0,
        "nothing is visible before the commit"
    );
    let committed = bridge.client.commit(&txn, receipts.clone()).await.unwrap();
    let again = bridge.client.commit(&txn, receipts).await.unwrap();
    assert_eq!(
        (committed.state, committed.replayed, again.replayed),
        (again.state, false, true)
    );
    assert_eq!(
        bridge.fake.totals(&dataset).await,
        (400, digest(&schema(), [&rows(0, 400)]).unwrap())
    );
    assert_eq!(
        bridge.fake.advanced.lock().unwrap().last().unwrap().2,
        400,
        "the catalogue knows"
    );
}

#[tokio::test]
async fn acknowledgements_are_cumulative_and_end_with_the_receipt() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let acks = std::sync::Mutex::new(vec![]);
    let batches = stream::iter((0..5).map(|n| Ok(rows(n * 10, 10)))).boxed();
    let put = PutCommand {
        txn,
        partition: 3,
        attempt: 2,
    };
    let receipt = bridge
        .client
        .put(&put, &schema(), batches, &|rows| {
            acks.lock().unwrap().push(rows)
        })
        .await
        .unwrap();
    assert_eq!(
        (
            receipt.segment.partition,
            receipt.segment.attempt,
            receipt.segment.rows
        ),
        (3, 2, 50)
    );
    let acks = acks.into_inner().unwrap();
    assert!(acks.is_sorted() && acks.last() == Some(&50), "{acks:?}");
}

#[tokio::test]
async fn a_producer_that_fails_half_way_publishes_nothing() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let failure = Error::new(Kind::Data, "FS0301", "the file is torn");
    let error = bridge
        .put(&txn, 0, vec![Ok(rows(0, 10)), Err(failure.clone())])
        .await
        .unwrap_err();
    assert_eq!(error, failure, "the producer's own error is what is seen");
    assert_eq!(bridge.fake.totals(&dataset).await.0, 0);
    let receipt = bridge.put(&txn, 0, vec![Ok(rows(0, 10))]).await.unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
    assert_eq!(
        bridge.fake.totals(&dataset).await.0,
        10,
        "the transaction was still good"
    );
}

#[tokio::test]
async fn end_of_stream_never_gives_a_receipt() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let error = foreign(&bridge, messages(command(&txn), &[rows(0, 10)]), &[])
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0414"));
}

#[tokio::test]
async fn a_closing_message_that_disagrees_is_refused() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let mut short = messages(command(&txn), &[rows(0, 10)]);
    short.push(closing(11));
    assert_eq!(
        foreign(&bridge, short, &[]).await.unwrap_err().code(),
        "FS0410"
    );
    let mut altered = messages(command(&txn), &[rows(0, 10)]);
    let other = digest(&schema(), [&rows(1, 10)]).unwrap();
    let body = serde_json::to_vec(&Closing {
        rows: 10,
        digest: Some(other),
    })
    .unwrap();
    altered.push(FlightData::new().with_app_metadata(body));
    assert_eq!(
        foreign(&bridge, altered, &[]).await.unwrap_err().code(),
        "FS0410"
    );
}

#[tokio::test]
async fn a_plain_put_commits_at_half_close() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let ack = foreign(
        &bridge,
        messages(path("a"), &[rows(0, 10), rows(10, 5)]),
        &[],
    )
    .await
    .unwrap();
    assert!(ack.committed.is_some());
    assert_eq!(bridge.fake.totals(&dataset).await.0, 15);
}

#[tokio::test]
async fn a_plain_put_that_states_its_rows_cannot_publish_a_prefix() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let prefix = messages(path("a"), &[rows(0, 10)]);
    let error = foreign(&bridge, prefix, &[("x-flinkspark-rows", "20")])
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0410"));
    assert_eq!(
        (
            bridge.fake.totals(&dataset).await.0,
            bridge.fake.open_transactions(&dataset).await
        ),
        (0, 0)
    );
    let error = foreign(
        &bridge,
        messages(path("a"), &[rows(0, 1)]),
        &[("x-flinkspark-rows", "ten")],
    )
    .await;
    assert_eq!(error.unwrap_err().code(), "FS0411");
}

#[tokio::test]
async fn a_repeated_idempotency_key_doubles_nothing() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let key = [("x-flinkspark-idempotency-key", "run-7")];
    for replayed in [false, true] {
        let ack = foreign(&bridge, messages(path("a"), &[rows(0, 10)]), &key)
            .await
            .unwrap();
        let committed = ack.committed.unwrap();
        assert_eq!(
            (committed.replayed, committed.same_rows),
            (replayed, replayed.then_some(true))
        );
        assert_eq!(bridge.fake.totals(&dataset).await.0, 10);
    }
    // More rows, as many others, and none.
    for other in [rows(0, 11), rows(1, 10), rows(0, 0)] {
        let sent = digest(&schema(), [&other]).unwrap().to_string();
        let error = foreign(&bridge, messages(path("a"), &[other]), &key)
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Conflict, "FS0420"));
        let there = digest(&schema(), [&rows(0, 10)]).unwrap().to_string();
        let said = error.to_string();
        assert!(said.contains(&sent) && said.contains(&there), "{said}");
    }
    let stated = [key[0], ("x-flinkspark-rows", "11")];
    let error = foreign(&bridge, messages(path("a"), &[rows(0, 10)]), &stated).await;
    assert_eq!(error.unwrap_err().code(), "FS0410");
    assert_eq!(bridge.fake.totals(&dataset).await.0, 10);
}

#[tokio::test]
async fn a_key_that_is_empty_or_given_twice_is_refused_before_anything_is_written() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let name = "x-flinkspark-idempotency-key";
    let long = "k".repeat(2000);
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[(name, "")], "FS0441"),
        (&[(name, "  ")], "FS0441"),
        (&[(name, &long)], "FS0442"),
        (&[(name, "a"), (name, "b")], "FS0411"),
        (&[("x-flinkspark-rows", "")], "FS0411"),
    ];
    for (headers, code) in cases {
        let headers: Vec<(&'static str, &str)> = headers
            .iter()
            .map(|(key, value)| {
                let known = [name, "x-flinkspark-rows"].into_iter().find(|n| n == key);
                (known.unwrap(), *value)
            })
            .collect();
        for _ in 0..2 {
            let put = foreign(&bridge, messages(path("a"), &[rows(0, 10)]), &headers);
            let error = put.await.unwrap_err();
            assert_eq!(
                (error.kind(), error.code()),
                (Kind::Invalid, code),
                "{headers:?}"
            );
        }
    }
    for id in ["", " ", "\u{200b}"] {
        let request = BeginRequest {
            dataset: "a".into(),
            id: Some(id.into()),
            mode: Mode::Append,
        };
        assert_eq!(
            bridge.client.begin(&request).await.unwrap_err().code(),
            "FS0441"
        );
    }
    let log = bridge
        .fake
        .logs
        .open_dataset(dataset.id, schema())
        .await
        .unwrap();
    assert_eq!(
        flinkspark_model::port::Log::refresh(&log)
            .await
            .unwrap()
            .head(),
        0
    );
}

#[tokio::test]
async fn keys_that_differ_in_one_byte_are_two_puts() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let name = "x-flinkspark-idempotency-key";
    let keys: [&[u8]; 6] = [
        b"k\xff",
        b"k\xfe",
        b"k",
        b"K",
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
    ];
    for (count, key) in (1..).zip(keys) {
        let mut request = Request::new(stream::iter(messages(path("a"), &[rows(0, 10)])));
        let value = tonic::metadata::AsciiMetadataValue::try_from(key).unwrap();
        request.metadata_mut().insert(name, value);
        let mut results = raw(&bridge)
            .await
            .do_put(request)
            .await
            .unwrap()
            .into_inner();
        while results.message().await.unwrap().is_some() {}
        assert_eq!(bridge.fake.totals(&dataset).await.0, count * 10, "{key:?}");
    }
}

#[tokio::test]
async fn a_commit_whose_client_has_left_reaches_the_catalogue() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let receipt = bridge.put(&txn, 0, vec![Ok(rows(0, 10))]).await.unwrap();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *bridge.fake.held.lock().unwrap() = Some(Arc::clone(&gate));
    let (client, id) = (bridge.client.clone(), txn.clone());
    let call = tokio::spawn(async move { client.commit(&id, vec![receipt]).await });
    // The slot is there, the catalogue is not told yet; then the client goes.
    while matches!(
        bridge.client.status(&txn).await.unwrap().state,
        flinkspark_model::port::State::Open { .. }
    ) {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    gate.add_permits(1);
    let told = async {
        while bridge.fake.advanced.lock().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, told).await.unwrap();
    assert_eq!(bridge.fake.advanced.lock().unwrap()[0].2, 10);
}

#[tokio::test]
async fn a_dataset_that_was_dropped_takes_no_commit() {
    use flinkspark_model::port::Catalog;
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let receipt = bridge.put(&txn, 0, vec![Ok(rows(0, 10))]).await.unwrap();
    bridge.fake.drop_dataset(dataset.id, 1).await.unwrap();
    let error = bridge.client.commit(&txn, vec![receipt]).await.unwrap_err();
    assert_eq!(error.code(), "FS0501");
    assert_eq!(bridge.fake.totals(&dataset).await.0, 0);
}

#[tokio::test]
async fn open_transactions_are_listed() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    assert_eq!(bridge.client.transactions("a").await.unwrap(), []);
    let (first, second) = (bridge.begin("a").await, bridge.begin("a").await);
    bridge.put(&second, 3, vec![Ok(rows(0, 10))]).await.unwrap();
    let open = bridge.client.transactions("a").await.unwrap();
    let seen: Vec<_> = open
        .iter()
        .map(|open| (open.txn.to_string(), open.segments, open.rows))
        .collect();
    assert_eq!(seen, [(first.clone(), 0, Some(0)), (second, 1, Some(10))]);
    bridge.client.abort(&first).await.unwrap();
    assert_eq!(bridge.client.transactions("a").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_publishes_nothing() {
    let bridge = Arc::new(bridge().await);
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let cut = stream::iter(messages(path("a"), &[rows(0, 10)])).chain(stream::pending());
    let client = Arc::clone(&bridge);
    // A client with a runtime of its own, whose end closes its sockets.
    let cut = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let patience = std::time::Duration::from_millis(300);
        let put = runtime
            .block_on(async { tokio::time::timeout(patience, send(&client, cut, &[])).await });
        runtime.shutdown_background();
        put.is_err()
    });
    assert!(
        cut.await.unwrap(),
        "the put was still going on when it was cut"
    );
    for _ in 0..100 {
        if bridge.fake.open_transactions(&dataset).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(
        (
            bridge.fake.totals(&dataset).await.0,
            bridge.fake.open_transactions(&dataset).await
        ),
        (0, 0)
    );
}

#[tokio::test]
async fn a_schema_that_differs_is_refused_before_anything_is_staged() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let batch = |fields: Vec<Field>| RecordBatch::new_empty(Arc::new(Schema::new(fields)));
    let n = || Field::new("n", DataType::Int64, false);
    let cases = [
        (batch(vec![n()]), "column \"text\" is missing"),
        (
            batch(vec![n(), Field::new("txt", DataType::Utf8, true)]),
            "column 2 is named \"txt\"",
        ),
        (
            batch(vec![n(), Field::new("text", DataType::Int32, true)]),
            "column \"text\" has another type",
        ),
        (
            batch(vec![
                n(),
                Field::new("text", DataType::Utf8, true),
                Field::new("more", DataType::Utf8, true),
            ]),
            "column \"more\" is not in the dataset",
        ),
    ];
    for (batch, message) in cases {
        let error = foreign(&bridge, messages(path("a"), &[batch]), &[])
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.message()),
            (Kind::Invalid, "FS0408", message)
        );
        assert!(error.detail().unwrap().contains("dataset a"), "{error}");
    }
    assert_eq!(bridge.fake.open_transactions(&dataset).await, 0);
}

#[tokio::test]
async fn wider_offsets_are_the_same_type_and_a_null_where_none_may_be_is_not() {
    let bridge = bridge().await;
    let dataset = bridge.fake.dataset_named("a", schema()).await;
    let wide = Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("text", DataType::LargeUtf8, true),
    ]));
    let text: arrow_array::LargeStringArray = [Some("x"), None].into_iter().collect();
    let good: Int64Array = [1, 2].into_iter().collect();
    let batch =
        RecordBatch::try_new(wide.clone(), vec![Arc::new(good), Arc::new(text.clone())]).unwrap();
    foreign(&bridge, messages(path("a"), &[batch]), &[])
        .await
        .unwrap();
    let holes: Int64Array = [Some(1), None].into_iter().collect();
    let batch = RecordBatch::try_new(wide, vec![Arc::new(holes), Arc::new(text)]).unwrap();
    let error = foreign(&bridge, messages(path("a"), &[batch]), &[])
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS0409"));
    assert_eq!(bridge.fake.totals(&dataset).await.0, 2);
}

#[tokio::test]
async fn puts_to_nowhere_are_refused_by_name() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let cases = [
        (path("a..b"), "FS0101"),
        (path("nothing"), "FS0501"),
        (
            FlightDescriptor::new_path(vec!["a".into(), "b".into()]),
            "FS0403",
        ),
        (FlightDescriptor::new_cmd("{\"txn\":\"nope\"}"), "FS1013"),
        (
            FlightDescriptor::new_cmd("{\"transaction\":\"x\"}"),
            "FS0411",
        ),
        (FlightDescriptor::new_cmd("nonsense"), "FS0411"),
    ];
    for (descriptor, code) in cases {
        let error = foreign(&bridge, messages(descriptor.clone(), &[rows(0, 1)]), &[])
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{descriptor}");
    }
}

#[tokio::test]
async fn actions_refuse_what_they_do_not_know() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let mut client = raw(&bridge).await;
    let cases = [
        ("begin", "{}", "FS0411"),
        (
            "begin",
            "{\"dataset\":\"a\",\"mdoe\":\"replace\"}",
            "FS0411",
        ),
        ("begin", "{\"dataset\":\"nothing\"}", "FS0501"),
        ("commit", "{\"txn\":\"nope\",\"receipts\":[]}", "FS1013"),
        ("renew", "{\"ticket\":\"%\"}", "FS0411"),
        ("renew", "{\"ticket\":\"AAAA\"}", "FS0404"),
        ("RenewFlightEndpoint", "", "FS0402"),
    ];
    for (name, body, code) in cases {
        let status = client.do_action(Action::new(name, body)).await.unwrap_err();
        assert_eq!(from_status(&status).code(), code, "{name} {body}");
    }
}

#[tokio::test]
async fn two_receipts_of_one_partition_are_refused() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    let first = bridge.put(&txn, 0, vec![Ok(rows(0, 1))]).await.unwrap();
    let second = bridge.put(&txn, 0, vec![Ok(rows(0, 1))]).await.unwrap();
    let error = bridge
        .client
        .commit(&txn, vec![first, second])
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Invalid, "FS1015"));
}

#[tokio::test]
async fn an_aborted_transaction_takes_no_put() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let txn = bridge.begin("a").await;
    bridge.client.abort(&txn).await.unwrap();
    assert_eq!(
        bridge
            .put(&txn, 0, vec![Ok(rows(0, 1))])
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
}
