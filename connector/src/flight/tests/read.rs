//! Reading: flights, tickets, ranges, refusals.

use super::fake::Damage;
use super::*;
use crate::flight::body::Slots;
use arrow_select::concat::concat_batches;
use flinkspark_model::Kind;
use flinkspark_model::digest::{Digest, digest};
use flinkspark_model::profile::Profile;
use futures::TryStreamExt;
use std::sync::atomic::Ordering;

async fn read(bridge: &Bridge, command: &ReadCommand) -> RecordBatch {
    let info = bridge.client.info(command).await.unwrap();
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    concat_batches(&info.schema, &batches).unwrap()
}

#[tokio::test]
async fn what_was_put_is_what_is_got() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a.b", schema()).await;
    bridge.commit("a.b", &[rows(0, 10), rows(10, 5)]).await;
    bridge.commit("a.b", &[rows(15, 1)]).await;
    let info = bridge.client.info(&whole("a.b")).await.unwrap();
    assert_eq!(info.endpoints.len(), 2, "one endpoint per partition");
    assert_eq!(info.metadata.rows, 16);
    assert_eq!(
        info.metadata.digest,
        Some(digest(&schema(), [&rows(0, 16)]).unwrap())
    );
    let expected = [rows(0, 10), rows(15, 1), rows(10, 5)];
    let got = read(&bridge, &whole("a.b")).await;
    assert_eq!(got, concat_batches(&schema(), &expected).unwrap());
}

#[tokio::test]
async fn a_flight_is_pinned_when_it_is_asked_for() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    bridge.commit("a", &[rows(4, 4)]).await;
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    assert_eq!(batches, [rows(0, 4)]);
}

#[tokio::test]
async fn columns_come_in_the_order_that_was_asked_for() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let command = ReadCommand {
        columns: Some(vec!["text".into(), "n".into()]),
        ..whole("a")
    };
    assert_eq!(
        read(&bridge, &command).await,
        rows(0, 4).project(&[1, 0]).unwrap()
    );
    let command = ReadCommand {
        columns: Some(vec!["text".into()]),
        ..whole("a")
    };
    assert_eq!(
        read(&bridge, &command).await,
        rows(0, 4).project(&[1]).unwrap()
    );
}

#[tokio::test]
async fn a_range_of_slots_is_read_alone() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let head = bridge.client.info(&whole("a")).await.unwrap().metadata.head;
    bridge.commit("a", &[rows(4, 2)]).await;
    let command = ReadCommand {
        slots: Some(Slots {
            first: head + 1,
            last: head + 2,
        }),
        ..whole("a")
    };
    assert_eq!(read(&bridge, &command).await, rows(4, 2));
}

#[tokio::test]
async fn an_empty_dataset_has_a_schema_and_no_endpoint() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    assert_eq!((info.schema, info.endpoints.len()), (schema(), 0));
    assert_eq!(
        (info.metadata.slots, info.metadata.digest),
        (None, Some(Digest::EMPTY))
    );
}

#[tokio::test]
async fn wrong_reads_are_refused_with_what_to_do() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let slots = |first, last| ReadCommand {
        slots: Some(Slots { first, last }),
        ..whole("a")
    };
    let columns = |names: &[&str]| {
        let columns = Some(names.iter().map(|name| name.to_string()).collect());
        ReadCommand {
            columns,
            ..whole("a")
        }
    };
    let cases = [
        (whole("a..b"), Kind::Invalid, "FS0101"),
        (whole("nothing"), Kind::NotFound, "FS0501"),
        (whole("hive:a.b.c"), Kind::Invalid, "FS0102"),
        (slots(0, 1), Kind::Invalid, "FS0417"),
        (slots(2, 1), Kind::Invalid, "FS0417"),
        (slots(1, 99), Kind::Invalid, "FS0417"),
        (columns(&["missing"]), Kind::Invalid, "FS0416"),
        (columns(&["n", "n"]), Kind::Invalid, "FS0416"),
    ];
    for (command, kind, code) in cases {
        let error = bridge.client.info(&command).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code), "{command:?}");
        assert!(!error.message().is_empty());
    }
}

#[tokio::test]
async fn an_expired_ticket_is_refused_and_renewed_by_the_client() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    bridge
        .fake
        .clock
        .0
        .fetch_add(limits::TICKET_LIFE_MS, Ordering::SeqCst);
    let mut raw = raw(&bridge).await;
    let status = raw
        .do_get(arrow_flight::Ticket {
            ticket: info.endpoints[0].ticket.clone(),
        })
        .await
        .unwrap_err();
    assert_eq!(
        flinkspark_proto::error::from_status(&status).code(),
        "FS0405"
    );
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    assert_eq!(batches, [rows(0, 4)]);
}

#[tokio::test]
async fn a_flight_is_read_to_its_end_though_its_rows_were_replaced() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let request = BeginRequest {
        dataset: "a".into(),
        id: None,
        mode: Mode::Replace,
    };
    let txn = bridge.client.begin(&request).await.unwrap().txn.to_string();
    let receipt = bridge.put(&txn, 0, vec![Ok(rows(9, 1))]).await.unwrap();
    bridge.client.commit(&txn, vec![receipt]).await.unwrap();
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    assert_eq!(batches, [rows(0, 4)], "as pinned");
    assert_eq!(read(&bridge, &whole("a")).await, rows(9, 1), "as it is now");
    let then = ReadCommand {
        slots: Some(Slots { first: 1, last: 2 }),
        ..whole("a")
    };
    assert_eq!(read(&bridge, &then).await, rows(0, 4), "as it was");
}

#[tokio::test]
async fn a_segment_that_fell_short_is_an_error_not_an_end() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    *bridge.fake.damage.lock().unwrap() = Some(Damage::Short);
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let error = bridge
        .client
        .get(&info)
        .try_collect::<Vec<_>>()
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Data, "FS0419"));
}

#[tokio::test]
async fn a_profile_casts_or_refuses_by_column() {
    let bridge = bridge().await;
    let unsigned = Schema::new(vec![Field::new("u", DataType::UInt64, true)]);
    bridge
        .fake
        .dataset_named("u", Arc::new(unsigned.clone()))
        .await;
    let command = ReadCommand {
        profile: Profile::Spark4,
        ..whole("u")
    };
    match bridge.client.info(&command).await {
        Ok(info) => assert_ne!(*info.schema, unsigned),
        Err(error) => assert!(error.message().contains("\"u\""), "{error}"),
    }
}

#[tokio::test]
async fn listing_goes_through_every_page() {
    let bridge = bridge().await;
    for index in 0..limits::LIST_PAGE + 3 {
        bridge
            .fake
            .dataset_named(&format!("d.{index:04}"), schema())
            .await;
    }
    bridge.fake.dataset_named("other", schema()).await;
    let listed: Vec<_> = bridge
        .client
        .list("d.")
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed.len(), limits::LIST_PAGE + 3);
    assert!(listed.is_sorted_by(|a, b| a.name < b.name));
}

#[tokio::test]
async fn large_batches_are_sent_in_bounded_messages() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 150_000)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let batches: Vec<RecordBatch> = bridge.client.get(&info).try_collect().await.unwrap();
    assert!(
        batches
            .iter()
            .all(|batch| batch.num_rows() <= limits::GET_ROWS_MAX)
    );
    assert_eq!(
        concat_batches(&schema(), &batches).unwrap(),
        rows(0, 150_000)
    );
}

/// A client that is not ours.
pub(super) async fn raw(
    bridge: &Bridge,
) -> arrow_flight::flight_service_client::FlightServiceClient<tonic::transport::Channel> {
    let transport = tonic::transport::Endpoint::from_shared(bridge.url.clone()).unwrap();
    arrow_flight::flight_service_client::FlightServiceClient::new(
        transport.connect().await.unwrap(),
    )
}
