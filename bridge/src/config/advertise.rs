//! The address that clients are told.
//!
//! Invariant: what is advertised is an address that a Flight client can connect to.

use axum::http::Uri;
use flinkspark_model::{Error, Kind, Result};

/// An address in the two ways in which it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// As Flight's endpoints have it: `grpc+tls://HOST:PORT` or `grpc://HOST:PORT`.
    pub(crate) location: String,
    /// The host alone.
    pub(crate) host: String,
}

/// What `--advertise` says; `None` of nothing.
pub(crate) fn parse(text: &str) -> Result<Option<Advertised>> {
    if text.is_empty() {
        return Ok(None);
    }
    let refuse = |why: &str| {
        let what = format!("--advertise \"{}\" is not an address", text.escape_debug());
        Error::new(Kind::Invalid, "FS1116", what)
            .with_detail(why)
            .with_hint("write https://HOST:PORT, for example https://bridge.example.org:7070")
    };
    let uri: Uri = text.parse().map_err(|_| refuse("it cannot be read"))?;
    let scheme = match uri.scheme_str() {
        Some("https" | "grpc+tls") => "grpc+tls",
        Some("http" | "grpc" | "grpc+tcp") => "grpc",
        _ => return Err(refuse("it does not begin with https:// or http://")),
    };
    let host = uri.host().filter(|host| !host.is_empty());
    let (Some(host), Some(port)) = (host, uri.port_u16()) else {
        return Err(refuse("it lacks a host or a port"));
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('@') {
        return Err(refuse("it has more than a host and a port"));
    }
    Ok(Some(Advertised {
        location: format!("{scheme}://{host}:{port}"),
        host: host.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_a_location_and_anything_else_is_refused() {
        for (text, location) in [
            ("https://b.example:7070", "grpc+tls://b.example:7070"),
            ("https://b.example:7070/", "grpc+tls://b.example:7070"),
            ("grpc+tls://10.0.0.1:1", "grpc+tls://10.0.0.1:1"),
            ("http://[::1]:7070", "grpc://[::1]:7070"),
        ] {
            assert_eq!(parse(text).unwrap().unwrap().location, location);
        }
        for bad in [
            "b.example:7070",
            "https://b.example",
            "ftp://b:1",
            "https://b:1/x",
            "https://b:1?q",
            "https://u:p@b:1",
            "https://:1",
            "x",
            " ",
            "https://b:70000",
        ] {
            assert_eq!(parse(bad).unwrap_err().code(), "FS1116", "{bad}");
        }
        assert_eq!(parse("").unwrap(), None);
    }
}
