//! The same door for the HTTP port, and the check of `Host`.
//!
//! A page of another site that has its name point at this machine reaches the port with that name: it is refused.
//! Invariant: a request is answered only under an address, `localhost`, or the host that was advertised.

use super::routes::Rule;
use super::{Access, Entered};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flinkspark_model::{Error, Kind};
use std::net::IpAddr;
use std::sync::Arc;

/// What guards the routes.
#[derive(Clone)]
pub(crate) struct HttpDoor {
    /// Who is let in.
    pub(crate) access: Arc<Access>,
    /// The host of `--advertise`, where there is one.
    pub(crate) advertised: Option<Arc<str>>,
    /// What each path needs; one that is not here is nobody's.
    pub(crate) rules: Arc<[(&'static str, Rule)]>,
}

/// Lets a request through to its handler, or answers with why not.
pub(crate) async fn guard(State(door): State<HttpDoor>, request: Request, next: Next) -> Response {
    match door.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => answer(&error),
    }
}

impl HttpDoor {
    fn check(&self, request: &Request) -> Result<(), Error> {
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !self.is_ours(host) {
            return Err(misdirected(host));
        }
        let path = request.uri().path();
        let rule = self.rules.iter().find(|(of, _)| *of == path);
        if matches!(rule, Some((_, Rule::Public))) {
            return Ok(());
        }
        let header = request.headers().get(header::AUTHORIZATION);
        let Entered { caller, .. } = self.access.enter(header.map(|value| value.as_bytes()))?;
        match rule {
            Some((_, Rule::Known)) => Ok(()),
            _ => caller.administers(),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host);
        name.eq_ignore_ascii_case("localhost")
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
            || self
                .advertised
                .as_deref()
                .is_some_and(|ours| name.eq_ignore_ascii_case(ours))
    }
}

/// The host of `HOST:PORT`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

fn misdirected(host: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1114",
        format!(
            "no \"{}\" is served here",
            host.chars().take(64).collect::<String>().escape_debug()
        ),
    )
    .with_detail("a request's Host is an address, localhost, or the host of --advertise")
    .with_hint(
        "ask by the address that the server prints, or start it with --advertise https://NAME:PORT",
    )
}

fn answer(error: &Error) -> Response {
    let status = match error.kind() {
        Kind::Unauthorized => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::MISDIRECTED_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = format!("{error}\n");
    match status {
        StatusCode::UNAUTHORIZED => {
            (status, [(header::WWW_AUTHENTICATE, "Bearer, Basic")], text).into_response()
        }
        _ => (status, text).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_part_of_a_host() {
        for (host, name) in [
            ("localhost:7071", "localhost"),
            ("localhost", "localhost"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:7071", "[::1]"),
            ("[::1]", "[::1]"),
            ("evil.example:7071", "evil.example"),
            ("", ""),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(host), name, "{host}");
        }
    }
}
