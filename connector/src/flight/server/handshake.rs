//! `Handshake`: the basic one of Arrow Flight, user and password for a bearer token.
//!
//! The user is the principal and the password its token; who presents them was asked at the door, before this
//! is called. Invariant: nothing is given out but what the caller has sent.

use super::{Answer, Answers, left_out};
use arrow_flight::HandshakeResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flinkspark_model::access::{Caller, unknown_caller};
use flinkspark_proto::error::to_status;
use futures::stream::{self, StreamExt};
use tonic::Response;
use tonic::metadata::{MetadataMap, MetadataValue};

/// The header that proves who calls, both ways.
const AUTHORIZATION: &str = "authorization";

/// `Handshake`.
pub(super) fn answer(caller: &Caller, headers: &MetadataMap) -> Answer<Answers<HandshakeResponse>> {
    if caller.is_open() {
        return Err(left_out(
            "Handshake",
            "it asks for no credentials as long as no token exists",
            "connect without authenticating",
        ));
    }
    let bearer =
        password(headers).and_then(|token| MetadataValue::try_from(format!("Bearer {token}")).ok());
    let Some(mut bearer) = bearer else {
        let error = unknown_caller("the handshake has no header \"authorization: Basic ...\"");
        return Err(to_status(&error));
    };
    bearer.set_sensitive(true);
    let answers = stream::iter([Ok(HandshakeResponse::default())]);
    let mut response = Response::new(answers.boxed());
    response.metadata_mut().insert(AUTHORIZATION, bearer);
    Ok(response)
}

/// The password of basic credentials.
fn password(headers: &MetadataMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let basic = text.strip_prefix("Basic ")?.trim();
    let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.into())
}
