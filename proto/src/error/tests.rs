//! What crosses the wire, case by case; what is generated is tested by property.

use super::foreign::{ErrorInfo, RpcStatus};
use super::*;
use prost::Message;

mod property;

#[test]
fn a_client_without_flinkspark_sees_the_three_parts() {
    let error = Error::new(Kind::Invalid, "FS0101", "\"a..b\" is not a dataset name")
        .with_detail("part 2 is empty")
        .with_hint("use letters");
    let status = to_status(&error);
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), error.to_string());
}

#[test]
fn every_kind_has_a_grpc_code_of_its_own() {
    let mut codes: Vec<i32> = Kind::ALL
        .into_iter()
        .map(|kind| code(kind) as i32)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Kind::ALL.len());
}

#[test]
fn every_kind_comes_back_even_without_the_trailer() {
    for kind in Kind::ALL {
        assert_eq!(from_status(&Status::new(code(kind), "cut")).kind(), kind);
    }
}

#[test]
fn a_foreign_status_is_named_as_such() {
    let error = from_status(&Status::unavailable("connection refused"));
    assert_eq!((error.kind(), error.code()), (Kind::Unavailable, "FS0400"));
    assert!(error.detail().unwrap().contains("connection refused"));
}

#[test]
fn a_transport_that_broke_says_why() {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let said = reset.to_string();
    let broke = std::io::Error::other(reset);
    let error = from_status(&Status::from_error(Box::new(broke)));
    let detail = error.detail().unwrap();
    assert!(detail.ends_with(&said), "{detail}");
    assert_eq!(detail.matches(&said).count(), 1, "{detail}");
}

#[test]
fn a_trailer_that_is_not_ours_is_ignored() {
    let mut metadata = MetadataMap::new();
    metadata.insert_bin(
        TRAILER,
        MetadataValue::from_bytes(b"{\"kind\":\"made_up\"}"),
    );
    let status = Status::with_metadata(Code::DataLoss, "torn", metadata);
    assert_eq!(from_status(&status).code(), "FS0400");
}

/// The values of the details, as they arrive.
fn details(status: &Status) -> Vec<Vec<u8>> {
    let values = status.metadata().get_all_bin(DETAILS).iter();
    values
        .map(|value| value.to_bytes().unwrap().to_vec())
        .collect()
}

#[test]
fn arrows_clients_find_the_json_first_and_googles_their_own_last() {
    for kind in Kind::ALL {
        let error = Error::new(kind, "FS0440", "caf\u{e9} {\"kind\"}")
            .with_detail("50 %\nof it")
            .with_hint("read again");
        let status = to_status(&error);
        let [json, google] = details(&status).try_into().unwrap();
        let ours = status.metadata().get_bin(TRAILER).unwrap().to_bytes();
        assert_eq!(json, ours.unwrap());
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(read["kind"], kind.name());
        assert_eq!(read["detail"], "50 %\nof it");
        let google = RpcStatus::decode(&*google).unwrap();
        assert_eq!(google.code, i32::from(status.code()));
        assert_eq!(google.message, status.message());
        let info: ErrorInfo = google.details[0].to_msg().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("FS0440", "flinkspark"));
        assert_eq!(info.metadata["kind"], kind.name());
    }
}

#[test]
fn arrows_status_is_what_its_client_makes_of_the_grpc_code() {
    for (kind, number) in [
        (Kind::Invalid, "4"),
        (Kind::NotFound, "2"),
        (Kind::Fenced, "4"),
        (Kind::Conflict, "5"),
        (Kind::Internal, "5"),
    ] {
        let status = to_status(&Error::new(kind, "FS0001", "x"));
        assert_eq!(status.metadata().get(ARROW_STATUS).unwrap(), number);
    }
}

#[test]
fn an_error_is_not_cut_for_the_second_of_its_details() {
    let error =
        |bytes: usize| Error::new(Kind::Invalid, "FS0408", "m").with_detail("d".repeat(bytes));
    for (bytes, with_text) in [(1_300, true), (1_600, false), (1_800, false)] {
        let status = to_status(&error(bytes));
        let [_, google] = details(&status).try_into().unwrap();
        let google = RpcStatus::decode(&*google).unwrap();
        assert_eq!(!google.message.is_empty(), with_text, "{bytes}");
        assert_eq!(from_status(&status), error(bytes));
    }
    let cut = to_status(&error(2_100));
    assert_eq!(from_status(&cut).detail().unwrap().len(), 1_024);
    assert_eq!(details(&cut).len(), 2);
}
