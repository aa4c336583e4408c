//! Every kind of error on every call, as it lies on the wire for clients that are not ours; tickets at their last moment.

use super::read::raw;
use super::*;
use arrow_flight::{Action, Criteria, FlightDescriptor, Ticket};
use flinkspark_model::{Error, Kind};
use flinkspark_proto::error::{ARROW_STATUS, code, from_status};
use std::sync::atomic::Ordering;
use tonic::Status;

const CALLS: [&str; 6] = [
    "GetFlightInfo",
    "GetSchema",
    "DoGet",
    "DoPut",
    "DoAction",
    "ListFlights",
];

/// How a call ends that has to look into the catalogue.
async fn end(bridge: &Bridge, call: &str, ticket: &Ticket) -> Status {
    let mut client = raw(bridge).await;
    let path = FlightDescriptor::new_path(vec!["a".into()]);
    match call {
        "GetFlightInfo" => client.get_flight_info(path).await.unwrap_err(),
        "GetSchema" => client.get_schema(path).await.unwrap_err(),
        "DoGet" => match client.do_get(ticket.clone()).await {
            Ok(answer) => answer.into_inner().message().await.unwrap_err(),
            Err(status) => status,
        },
        "DoPut" => {
            let first = encode::schema(&schema(), Some(path));
            match client.do_put(stream::iter([first])).await {
                Ok(answer) => answer.into_inner().message().await.unwrap_err(),
                Err(status) => status,
            }
        }
        "DoAction" => {
            let begin = Action::new("begin", "{\"dataset\": \"a\"}");
            client.do_action(begin).await.unwrap_err()
        }
        _ => {
            let answer = client.list_flights(Criteria::default()).await.unwrap();
            answer.into_inner().message().await.unwrap_err()
        }
    }
}

#[tokio::test]
async fn every_kind_is_whole_on_every_call() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let info = bridge.client.info(&whole("a")).await.unwrap();
    let ticket = Ticket {
        ticket: info.endpoints[0].ticket.clone(),
    };
    let mut seen = 0;
    for kind in Kind::ALL {
        let error = Error::new(kind, "FS0999", "caf\u{e9} is closed")
            .with_detail("line 1\nline 2")
            .with_hint("come again");
        *bridge.fake.fails.lock().unwrap() = Some(error.clone());
        for call in CALLS {
            let status = end(&bridge, call, &ticket).await;
            assert_eq!(status.code(), code(kind), "{call}: {status}");
            assert_eq!(status.message(), error.to_string(), "{call}");
            assert!(status.metadata().contains_key(ARROW_STATUS), "{call}");
            // What tonic hands out is the first value, as Arrow's C++ client does.
            let json: serde_json::Value = serde_json::from_slice(status.details()).unwrap();
            let expected = serde_json::json!({
                "kind": kind.name(), "code": "FS0999", "message": error.message(),
                "detail": error.detail(), "hint": error.hint(),
            });
            assert_eq!(json, expected, "{call}");
            seen += 1;
        }
    }
    assert_eq!(seen, 60);
}

/// How the ticket of the first endpoint of a command is redeemed.
async fn redeem(bridge: &Bridge, ticket: &bytes::Bytes) -> Result<()> {
    let ticket = Ticket {
        ticket: ticket.clone(),
    };
    let answer = raw(bridge).await.do_get(ticket).await;
    let mut messages = answer.map_err(|status| from_status(&status))?.into_inner();
    // The schema: a follower's stream has no end.
    let first = messages.message().await;
    first.map(drop).map_err(|status| from_status(&status))
}

#[tokio::test]
async fn a_ticket_of_any_kind_is_good_to_its_last_millisecond_and_can_be_renewed_after() {
    let bridge = bridge().await;
    bridge.fake.dataset_named("a", schema()).await;
    bridge.commit("a", &[rows(0, 4)]).await;
    let commands = [
        "{\"dataset\": \"a\"}",
        "{\"dataset\": \"a\", \"follow\": true}",
        "{\"query\": \"SELECT 1\"}",
    ];
    for command in commands {
        let asked = FlightDescriptor::new_cmd(command);
        let info = raw(&bridge).await.get_flight_info(asked).await.unwrap();
        let mut endpoints = info.into_inner().endpoint;
        let ticket = endpoints.remove(0).ticket.unwrap().ticket;
        redeem(&bridge, &ticket).await.unwrap();
        let now = &bridge.fake.clock.0;
        now.fetch_add(limits::TICKET_LIFE_MS - 1, Ordering::SeqCst);
        redeem(&bridge, &ticket).await.unwrap();
        now.fetch_add(1, Ordering::SeqCst);
        let error = redeem(&bridge, &ticket).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (Kind::Conflict, "FS0405"),
            "{command}"
        );
        let renewed = bridge.client.renew(&ticket).await.unwrap();
        redeem(&bridge, &renewed).await.unwrap();
        redeem(&bridge, &ticket).await.unwrap_err();
    }
}
