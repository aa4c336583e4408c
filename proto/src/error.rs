//! Errors on the wire: the one function that maps kinds to gRPC codes, and the one back.
//!
//! Every service of the bridge answers with [`to_status`] and every client reads with
//! [`from_status`]. The status message holds the three parts as people read them, which is what a
//! client without FlinkSpark shows; the trailer `x-flinkspark-error-bin` holds the whole error as
//! JSON, and the trailers of [`foreign`] hold it where clients of others look. Invariant: kind and
//! code always survive the way there and back, and a status never outgrows [`STATUS_BYTES_MAX`],
//! because gRPC's C++ clients drop a call whose trailers do.

mod foreign;

use flinkspark_model::{Error, Kind};
pub use foreign::{ARROW_STATUS, DETAILS};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// The trailer with the error as JSON: `{"kind", "code", "message", "detail", "hint"}`.
pub const TRAILER: &str = "x-flinkspark-error-bin";

/// The most bytes of trailers that one error becomes, as they are encoded; gRPC's C++ default limit is
/// 8 KiB, and their names and what every answer has besides take some.
pub const STATUS_BYTES_MAX: usize = 7 << 10;

/// The longest message, detail and hint that are sent before anything has to shrink, in bytes.
const PART_BYTES_MAX: usize = 2 << 10;

/// The longest code that is believed, in bytes.
const CODE_BYTES_MAX: usize = 16;

/// The code of a failure that a server without FlinkSpark's errors, or the transport, reported.
const FOREIGN_CODE: &str = "FS0400";

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    kind: Kind,
    code: Cow<'a, str>,
    message: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'a, str>>,
}

impl<'a> Wire<'a> {
    fn of(error: &'a Error, part_bytes_max: usize) -> Self {
        Self {
            kind: error.kind(),
            code: shorten(error.code(), CODE_BYTES_MAX),
            message: shorten(error.message(), part_bytes_max),
            detail: error.detail().map(|text| shorten(text, part_bytes_max)),
            hint: error.hint().map(|text| shorten(text, part_bytes_max)),
        }
    }

    fn into_error(self) -> Error {
        let mut error = Error::from_wire(self.kind, self.code.into_owned(), self.message);
        if let Some(detail) = self.detail {
            error = error.with_detail(detail);
        }
        if let Some(hint) = self.hint {
            error = error.with_hint(hint);
        }
        error
    }
}

/// The gRPC code of a kind.
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Unavailable => Code::Unavailable,
        Kind::Conflict => Code::Aborted,
        Kind::Fenced => Code::FailedPrecondition,
        Kind::InDoubt => Code::Unknown,
        Kind::Data => Code::DataLoss,
        Kind::Unauthorized => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::Internal => Code::Internal,
    }
}

/// The status that a service answers with; parts that are too long end in an ellipsis.
pub fn to_status(error: &Error) -> Status {
    let mut part_bytes_max = PART_BYTES_MAX;
    loop {
        let wire = Wire::of(error, part_bytes_max);
        // Only strings and an enum: this cannot fail, and without the trailer the text remains.
        let json = serde_json::to_vec(&wire).unwrap_or_default();
        let error = wire.into_error();
        let text = error.to_string();
        // The JSON goes twice: as our trailer, and as the first of the details.
        let most = STATUS_BYTES_MAX
            .checked_sub(percent_encoded_bytes(&text) + 2 * base64_bytes(json.len()));
        part_bytes_max /= 2;
        if most.is_none() && part_bytes_max > 0 {
            continue;
        }
        let mut metadata = MetadataMap::new();
        metadata.insert_bin(TRAILER, MetadataValue::from_bytes(&json));
        foreign::add(
            &mut metadata,
            &error,
            &text,
            &json,
            most.unwrap_or_default(),
        );
        return Status::with_metadata(code(error.kind()), text, metadata);
    }
}

/// The error that a status stands for; a status of another server's making is `FS0400`.
pub fn from_status(status: &Status) -> Error {
    let bytes = status
        .metadata()
        .get_bin(TRAILER)
        .and_then(|value| value.to_bytes().ok());
    let wire = bytes
        .as_deref()
        .and_then(|json| serde_json::from_slice::<Wire<'_>>(json).ok());
    if let Some(wire) = wire {
        return wire.into_error();
    }
    let kind = match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => Kind::Unavailable,
        // Whether the request took effect before the stream broke is not known.
        Code::Unknown | Code::Cancelled | Code::Ok => Kind::InDoubt,
        Code::Aborted | Code::AlreadyExists => Kind::Conflict,
        Code::FailedPrecondition => Kind::Fenced,
        Code::DataLoss => Kind::Data,
        Code::Unauthenticated => Kind::Unauthorized,
        Code::PermissionDenied => Kind::Forbidden,
        Code::NotFound => Kind::NotFound,
        Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => Kind::Invalid,
        Code::Internal => Kind::Internal,
    };
    let hint = match kind {
        Kind::InDoubt => "it may have taken effect: repeat it with the same id, which is safe",
        _ => "check the address, and that `flinkspark serve` of the same version runs there",
    };
    let mut why = format!("{}: {}", status.code().description(), status.message());
    let mut cause = std::error::Error::source(status);
    while let Some(under) = cause {
        let text = under.to_string();
        // A cause that says the same once more says nothing.
        if !why.ends_with(&text) {
            why.push_str(": ");
            why.push_str(&text);
        }
        cause = under.source();
    }
    Error::from_wire(
        kind,
        FOREIGN_CODE,
        "the call failed before the bridge answered",
    )
    .with_detail(why)
    .with_hint(hint)
}

/// At most `bytes_max` bytes of `text`, cut at a character.
fn shorten(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return text.into();
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default()).into()
}

/// The bytes that so many become in a binary trailer.
fn base64_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn percent_encoded_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| {
            if matches!(byte, b' '..=b'~') && byte != b'%' {
                1
            } else {
                3
            }
        })
        .sum()
}

#[cfg(test)]
mod tests;
