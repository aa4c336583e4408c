//! What is presented and is not the presenter's: forged, foreign, expired, revoked, stolen.

use super::Closed;
use flinkspark_bridge::client::{Client, answer};
use flinkspark_bridge::parts::connector::flight::body::{BeginRequest, PutCommand, ReadCommand};
use flinkspark_bridge::parts::model::port::Mode;
use flinkspark_bridge::parts::model::{Kind, Result};
use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::server::Server;
use flinkspark_proto::v1;
use futures::{StreamExt, TryStreamExt};
use std::time::Duration;

const BOTH: [(&str, &[&str]); 3] = [
    ("ann", &["web:read,write"]),
    ("bob", &["web:read,write"]),
    ("chief", &["web:admin"]),
];

fn clicks() -> ReadCommand {
    ReadCommand {
        dataset: "web.clicks".into(),
        ..ReadCommand::default()
    }
}

fn load(closed: &Closed) -> Step {
    let admin = closed.file("data/admin.token");
    let flights = crate::file("data/flights.parquet")?;
    let admin = admin.to_str().ok_or("the path is text")?;
    closed.server.must(&[
        "transfer",
        &flights,
        "dataset://web.clicks",
        "--token-file",
        admin,
    ])?;
    Ok(())
}

async fn read(
    client: &Client,
    info: &flinkspark_bridge::parts::connector::flight::client::Info,
) -> Result<usize> {
    let batches: Vec<_> = client.flight.get(info).try_collect().await?;
    Ok(batches
        .iter()
        .map(|batch: &arrow_array::RecordBatch| batch.num_rows())
        .sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_for_its_principal_and_only_as_it_was_made() -> Step {
    let closed = Closed::start(&BOTH)?;
    load(&closed)?;
    let ann = closed.client(Some("ann")).await?;
    let bob = closed.client(Some("bob")).await?;
    let info = ann.flight.info(&clicks()).await?;
    assert!(read(&ann, &info).await? > 100);
    let stolen = read(&bob, &info).await.unwrap_err();
    assert_eq!(
        (stolen.kind(), stolen.code()),
        (Kind::Forbidden, "FS1105"),
        "{stolen}"
    );
    let ticket = info.endpoints[0].ticket.clone();
    let renewed = bob.flight.renew(&ticket).await.unwrap_err();
    assert_eq!(renewed.code(), "FS1105", "{renewed}");
    ann.flight.renew(&ticket).await?;
    // Every byte of it counts; a forger does not come to what it says.
    for at in (0..ticket.len()).step_by(7) {
        let mut forged = info.clone();
        let mut bytes = ticket.to_vec();
        bytes[at] ^= 1;
        forged.endpoints[0].ticket = bytes.into();
        forged.endpoints.truncate(1);
        let error = read(&ann, &forged).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unauthorized, "FS0404"),
            "byte {at}: {error}"
        );
    }
    let elsewhere = Closed::start(&BOTH)?;
    let foreign = elsewhere.client(Some("ann")).await?;
    let error = read(&foreign, &info).await.unwrap_err();
    assert_eq!(error.code(), "FS0404", "{error}");
    let unknown = closed.client(None).await?;
    let error = read(&unknown, &info).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Unauthorized, "FS1102"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_and_its_receipts_are_its_principals_and_an_admins() -> Step {
    let closed = Closed::start(&BOTH)?;
    let ann = closed.client(Some("ann")).await?;
    let bob = closed.client(Some("bob")).await?;
    let chief = closed.client(Some("chief")).await?;
    let begin = |id: &str| BeginRequest {
        dataset: "web.clicks".into(),
        id: Some(id.into()),
        mode: Mode::Append,
    };
    let schema = ann.flight.info(&clicks()).await?.schema;
    let put = |client: Client, txn: String| {
        let schema = schema.clone();
        async move {
            let command = PutCommand {
                txn,
                partition: 0,
                attempt: 0,
            };
            let rows = futures::stream::empty().boxed();
            client.flight.put(&command, &schema, rows, &|_| {}).await
        }
    };
    let txn = ann.flight.begin(&begin("load")).await?.txn.to_string();
    let receipt = put(ann.clone(), txn.clone()).await?;
    let refused = [
        bob.flight.status(&txn).await.unwrap_err(),
        bob.flight.abort(&txn).await.unwrap_err(),
        bob.flight
            .commit(&txn, vec![receipt.clone()])
            .await
            .unwrap_err(),
        bob.flight.begin(&begin("load")).await.unwrap_err(),
        put(bob.clone(), txn.clone()).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Forbidden, "FS1105"),
            "{error}"
        );
    }
    let own = bob.flight.begin(&begin("own")).await?.txn.to_string();
    let stolen = bob
        .flight
        .commit(&own, vec![receipt.clone()])
        .await
        .unwrap_err();
    assert_eq!(stolen.code(), "FS1008", "{stolen}");
    chief.flight.status(&txn).await?;
    ann.flight.commit(&txn, vec![receipt]).await?;
    chief.flight.abort(&own).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_and_a_revoked_token_are_said_and_a_restart_changes_nothing() -> Step {
    let closed = Closed::start(&BOTH)?;
    closed.token("brief", &["web:read"], &["--expires", "1s"])?;
    let count = |principal: &'static str| {
        let at = closed.at(Some(principal));
        async move {
            let mut client = Client::connect(at).await?;
            answer(client.catalog.list(v1::ListRequest::default()).await).map(|_| ())
        }
    };
    count("ann").await?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let error = count("brief").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (Kind::Unauthorized, "FS1104"),
        "{error}"
    );
    let held = closed.client(Some("bob")).await?;
    let admin = closed.file("data/admin.token");
    let admin = admin.to_str().ok_or("the path is text")?;
    closed
        .server
        .must(&["token", "revoke", "bob", "--token-file", admin])?;
    let error = held.flight.info(&clicks()).await.unwrap_err();
    assert_eq!(
        error.code(),
        "FS1102",
        "on a connection that was open: {error}"
    );
    let Closed { server, dir } = closed;
    server.kill()?;
    let closed = Closed {
        server: Server::start(&dir.path().join("data"))?,
        dir,
    };
    let count = |principal: &'static str| {
        let at = closed.at(Some(principal));
        async move {
            let mut client = Client::connect(at).await?;
            answer(client.catalog.list(v1::ListRequest::default()).await).map(|_| ())
        }
    };
    count("ann").await?;
    count("admin").await?;
    assert_eq!(count("bob").await.unwrap_err().code(), "FS1102");
    assert_eq!(count("brief").await.unwrap_err().code(), "FS1104");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused_on_every_flight_call_though_the_ticket_is_good() -> Step {
    let closed = Closed::start(&BOTH)?;
    load(&closed)?;
    let ann = closed.client(Some("ann")).await?;
    let info = ann.flight.info(&clicks()).await?;
    // Another token of the same principal: the tickets that the first one was given are good for it.
    let secret = closed.token("ann", &["web:read,write"], &["--expires", "1s"])?;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let brief = closed.client(Some("ann")).await?;
    let begin = BeginRequest {
        dataset: "web.clicks".into(),
        id: None,
        mode: Mode::Append,
    };
    let command = PutCommand {
        txn: ann.flight.begin(&begin).await?.txn.to_string(),
        partition: 0,
        attempt: 0,
    };
    let rows = futures::stream::empty().boxed();
    let listed: Result<Vec<_>> = async { brief.flight.list("").await?.try_collect().await }.await;
    let refused = [
        ("GetFlightInfo", brief.flight.info(&clicks()).await.err()),
        ("DoGet", read(&brief, &info).await.err()),
        ("DoAction", brief.flight.begin(&begin).await.err()),
        (
            "DoPut",
            brief
                .flight
                .put(&command, &info.schema, rows, &|_| {})
                .await
                .err(),
        ),
        ("ListFlights", listed.err()),
    ];
    for (call, error) in refused {
        let error = error.ok_or(call)?;
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Unauthorized, "FS1104"),
            "{call}: {error}"
        );
        assert!(!error.to_string().contains(&secret), "{call}");
    }
    assert!(read(&ann, &info).await? > 100);
    Ok(())
}
