//! What clients that are not ours read of an error: Arrow's status, and Google's.
//!
//! Two conventions meet in the trailer [`DETAILS`]. Arrow's C++ client, and pyarrow with it, hands out the first
//! value as `FlightError.extra_info`, if [`ARROW_STATUS`] is there too; Google's convention is a
//! [`google.rpc.Status`](https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto), of which
//! Java reads the last value. So the JSON comes first and the message of Google's last. It reads nothing back.
//! Invariant: where `ARROW_STATUS` is, the first of the details is the error's JSON.

use super::{base64_bytes, code};
use flinkspark_model::{Error, Kind};
use prost::Message;
use std::collections::BTreeMap;
use tonic::metadata::{MetadataMap, MetadataValue};

/// The trailer with the number of Arrow's `StatusCode`.
pub const ARROW_STATUS: &str = "x-arrow-status";

/// The trailer with the error's JSON and, as its last value, a `google.rpc.Status`.
pub const DETAILS: &str = "grpc-status-details-bin";

/// Who defines the reasons, as `google.rpc.ErrorInfo` asks for it.
const DOMAIN: &str = "flinkspark";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    /// As in `grpc-message`: some clients refuse one that differs.
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<prost_types::Any>,
}

/// `google.rpc.ErrorInfo`: the code of the error as its reason, and its kind.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) metadata: BTreeMap<String, String>,
}

impl prost::Name for ErrorInfo {
    const NAME: &'static str = "ErrorInfo";
    const PACKAGE: &'static str = "google.rpc";

    fn type_url() -> String {
        "type.googleapis.com/google.rpc.ErrorInfo".into()
    }
}

/// Adds both to what a status carries. The `google.rpc.Status` takes at most `bytes_max` bytes: it goes without the
/// text that it repeats, or not at all, before anything of the error is cut for it.
pub(super) fn add(
    metadata: &mut MetadataMap,
    error: &Error,
    text: &str,
    json: &[u8],
    bytes_max: usize,
) {
    metadata.insert(ARROW_STATUS, arrow_status(error.kind()));
    metadata.append_bin(DETAILS, MetadataValue::from_bytes(json));
    let mut statuses = [text, ""]
        .into_iter()
        .map(|text| rpc_status(error, text).encode_to_vec());
    if let Some(status) = statuses.find(|status| base64_bytes(status.len()) <= bytes_max) {
        metadata.append_bin(DETAILS, MetadataValue::from_bytes(&status));
    }
}

/// Arrow's `StatusCode` of a kind. It decides what pyarrow raises where it has no room for details, as in
/// `get_schema`: `ArrowKeyError`, `ArrowInvalid` or `OSError`, which is also what it makes of each gRPC code.
fn arrow_status(kind: Kind) -> MetadataValue<tonic::metadata::Ascii> {
    const KEY_ERROR: &str = "2";
    const INVALID: &str = "4";
    const IO_ERROR: &str = "5";
    MetadataValue::from_static(match kind {
        Kind::NotFound => KEY_ERROR,
        Kind::Invalid | Kind::Fenced => INVALID,
        Kind::Unavailable
        | Kind::Conflict
        | Kind::InDoubt
        | Kind::Data
        | Kind::Unauthorized
        | Kind::Forbidden
        | Kind::Internal => IO_ERROR,
    })
}

fn rpc_status(error: &Error, text: &str) -> RpcStatus {
    let info = ErrorInfo {
        reason: error.code().into(),
        domain: DOMAIN.into(),
        metadata: BTreeMap::from([("kind".into(), error.kind().name().into())]),
    };
    RpcStatus {
        code: code(error.kind()).into(),
        message: text.into(),
        // A message of strings is always encoded.
        details: prost_types::Any::from_msg(&info).into_iter().collect(),
    }
}
