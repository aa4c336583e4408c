//! How a client reaches a bridge: its address, what it trusts there and what it presents.
//!
//! Invariant: a token goes into no log, and never unencrypted to another machine.

use crate::flight::limits;
use flinkspark_model::{Error, Kind, Result};
use std::net::IpAddr;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// A channel that presents a token with each call; clones share it.
pub type Connection = InterceptedService<Channel, Bearer>;

/// Where a bridge is, and how it is spoken to.
#[derive(Clone, Default)]
pub struct Target {
    /// `http://HOST:PORT`, `https://HOST:PORT` or `HOST:PORT`.
    pub url: String,
    /// The token to present, if any.
    pub token: Option<String>,
    /// Certificates in PEM that the server's must be signed by; needed for `https`.
    pub ca_pem: Option<Vec<u8>>,
    /// The client's own certificate and key in PEM, for a server that asks for one.
    pub identity_pem: Option<Vec<u8>>,
}

impl From<&str> for Target {
    fn from(url: &str) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }
}

/// Puts the token into each call.
#[derive(Clone, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Bearer"
        } else {
            "no token"
        })
    }
}

impl Bearer {
    /// Presents this token.
    ///
    /// Errors: `Invalid` (`FS1113`) where it cannot be sent as a header; the text is not in the error.
    pub fn new(token: &str) -> Result<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().map_err(|_| {
            Error::new(Kind::Invalid, "FS1113", "the token cannot be sent")
                .with_detail("it holds characters that no token has")
                .with_hint("give the line that `flinkspark token create` printed, and nothing else")
        })?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A connection to the bridge, within this protocol's limits.
///
/// Errors: `Invalid` where that is no address (`FS0423`), the token would go in clear to another machine
/// (`FS1112`) or the certificates are none (`FS1111`); `Unavailable` (`FS0401`) where nothing answers.
pub async fn connect(target: impl Into<Target>) -> Result<Connection> {
    let target = target.into();
    let url = target.url.as_str();
    let whole = match url.contains("://") {
        true => String::from(url),
        false => format!("http://{url}"),
    };
    let transport = Endpoint::from_shared(whole).map_err(|cause| no_address(url, cause))?;
    let uri = transport.uri().clone();
    let bearer = match &target.token {
        Some(_) if uri.scheme_str() != Some("https") && !is_local(uri.host()) => {
            return Err(in_clear(url));
        }
        Some(token) => Bearer::new(token)?,
        None => Bearer::default(),
    };
    let transport = limits::endpoint(transport);
    let transport = match uri.scheme_str() {
        Some("https") => transport
            .tls_config(tls(url, &target)?)
            .map_err(|cause| untrusted(url, &cause.to_string()))?,
        _ => transport,
    };
    let channel = transport.connect().await;
    let channel = channel.map_err(|cause| unreachable(url, &cause))?;
    Ok(InterceptedService::new(channel, bearer))
}

/// What a client trusts and shows.
fn tls(url: &str, target: &Target) -> Result<ClientTlsConfig> {
    let Some(ca) = &target.ca_pem else {
        return Err(untrusted(url, "nothing says which certificates to trust"));
    };
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    Ok(match &target.identity_pem {
        Some(pem) => tls.identity(Identity::from_pem(pem, pem)),
        None => tls,
    })
}

fn is_local(host: Option<&str>) -> bool {
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    loopback || host.eq_ignore_ascii_case("localhost")
}

fn no_address(url: &str, cause: tonic::transport::Error) -> Error {
    let what = format!("\"{}\" is not the address of a bridge", url.escape_debug());
    Error::new(Kind::Invalid, "FS0423", what)
        .with_source(cause)
        .with_hint("write http://HOST:PORT, for example http://127.0.0.1:7070")
}

fn in_clear(url: &str) -> Error {
    let what = format!("a token is not sent unencrypted to {url}");
    Error::new(Kind::Invalid, "FS1112", what)
        .with_detail("whoever is on the way could read it and use it")
        .with_hint("use https:// and --tls-ca FILE, or leave the token out")
}

fn untrusted(url: &str, why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1111",
        format!("{url} cannot be spoken to over TLS"),
    )
    .with_detail(why)
    .with_hint("give --tls-ca FILE: the certificates in PEM that signed the server's")
}

fn unreachable(url: &str, cause: &tonic::transport::Error) -> Error {
    let mut why = cause.to_string();
    let mut source = std::error::Error::source(cause);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    Error::new(
        Kind::Unavailable,
        "FS0401",
        format!("no bridge answers at {url}"),
    )
    .with_detail(why)
    .with_hint("start one with `flinkspark serve`, or name another by --url or FLINKSPARK_URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_does_not_leave_the_machine_unencrypted_and_is_in_no_error() {
        let secret = "fst_canary";
        for (url, code) in [
            ("http://10.0.0.1:7070", "FS1112"),
            ("bridge.example:7070", "FS1112"),
            ("http://127.0.0.1.example:7070", "FS1112"),
            ("http://localhost.example:7070", "FS1112"),
            ("https://10.0.0.1:7070", "FS1111"),
            ("http://127.0.0.1:1", "FS0401"),
            ("http://[::1]:1", "FS0401"),
            ("localhost:1", "FS0401"),
        ] {
            let target = Target {
                token: Some(secret.into()),
                ..Target::from(url)
            };
            let error = connect(target).await.map(|_| ()).unwrap_err();
            assert_eq!(error.code(), code, "{url}: {error}");
            assert!(!format!("{error:?}").contains(secret), "{error}");
        }
        let error = Bearer::new("fst_canary\n").unwrap_err();
        assert_eq!(error.code(), "FS1113");
        assert!(!format!("{error:?} {:?}", Bearer::new(secret)).contains(secret));
    }
}
