//! What crosses the wire, case by case; what is generated is tested by property.

use super::*;

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
