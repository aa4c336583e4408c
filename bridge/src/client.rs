//! The command line's connection to a bridge.
//!
//! Invariant: every failure, the transport's included, leaves as one `flinkspark_model::Error`.

use crate::access::{Secret, local};
use crate::config;
use flinkspark_connector::flight::client::{Connection, Target, connect};
use flinkspark_connector::flight::{Client as Flight, limits};
use flinkspark_model::port::Reference;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use flinkspark_proto::v1;
use flinkspark_proto::v1::catalog_client::CatalogClient;
use flinkspark_proto::v1::jobs_client::JobsClient;
use flinkspark_proto::v1::server_client::ServerClient;
use flinkspark_proto::v1::tokens_client::TokensClient;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a bridge is, and where what is presented there is read from.
///
/// Files are read anew for each connection, so that a client that goes on follows a token that was replaced.
#[derive(Debug, Clone, Default)]
pub struct Address {
    /// `http://HOST:PORT`, `https://HOST:PORT` or `HOST:PORT`.
    pub url: String,
    /// A file with the token; without it the environment's, or the local server's own, is presented.
    pub token_file: Option<PathBuf>,
    /// A file with the certificates that the server's must be signed by, in PEM.
    pub tls_ca: Option<PathBuf>,
    /// A file with the client's own certificate and key, in PEM.
    pub tls_identity: Option<PathBuf>,
    /// Whether the environment and the data directory are looked at for a token.
    pub looks_around: bool,
}

impl From<&str> for Address {
    /// An address alone: nothing is presented there.
    fn from(url: &str) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }
}

impl From<&Address> for Address {
    fn from(at: &Address) -> Self {
        at.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Address {
    fn target(&self) -> Result<Target> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(read).transpose();
        Ok(Target {
            url: self.url.clone(),
            token: self.token()?.map(|secret| secret.expose().into()),
            ca_pem: read(&self.tls_ca)?,
            identity_pem: read(&self.tls_identity)?,
        })
    }

    /// The token of the file, else of the environment, else of the server beside us.
    fn token(&self) -> Result<Option<Secret>> {
        let parse = |text: &str, from: &str| {
            Secret::parse(text.trim()).ok_or_else(|| {
                Error::new(Kind::Invalid, "FS1113", format!("{from} holds no token"))
                    .with_detail("a token is `fst_` and 43 letters, digits, '-' and '_'")
                    .with_hint("put the line there that `flinkspark token create` printed")
            })
        };
        if let Some(path) = &self.token_file {
            let text = read(path)?;
            let text = String::from_utf8_lossy(&text);
            return parse(&text, &path.display().to_string()).map(Some);
        }
        if !self.looks_around {
            return Ok(None);
        }
        match config::token() {
            Some(text) => parse(&text, "FLINKSPARK_TOKEN").map(Some),
            None => Ok(local::admin_token(&config::data_dir(), &self.url)),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| {
        let what = format!("{} cannot be read", path.display());
        Error::new(Kind::Invalid, "FS1113", what)
            .with_source(cause)
            .with_hint("name a file that this user may read")
    })
}

/// A connection; clones share it.
#[derive(Clone)]
pub struct Client {
    /// Datasets.
    pub catalog: CatalogClient<Connection>,
    /// Jobs.
    pub jobs: JobsClient<Connection>,
    /// The server itself.
    pub server: ServerClient<Connection>,
    /// Who may call it.
    pub tokens: TokensClient<Connection>,
    /// Rows.
    pub flight: Flight,
}

impl Client {
    /// Connects to a bridge. `FS0401` is `Unavailable`: nothing answers there.
    pub async fn connect(at: impl Into<Address>) -> Result<Self> {
        let channel = connect(at.into().target()?).await?;
        Ok(Self {
            catalog: CatalogClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            jobs: JobsClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            server: ServerClient::new(channel.clone()),
            tokens: TokensClient::new(channel.clone()),
            flight: Flight::through(channel),
        })
    }
}

/// The answer of a call, or its error.
pub fn answer<T>(result: std::result::Result<tonic::Response<T>, tonic::Status>) -> Result<T> {
    result
        .map(tonic::Response::into_inner)
        .map_err(|status| from_status(&status))
}

/// The dataset behind an id, a name or a handle, with what its log holds.
pub async fn look_up(client: &mut Client, reference: &str) -> Result<v1::DatasetView> {
    let reference = v1::Reference::from(&reference.parse::<Reference>()?);
    let request = v1::LookupRequest {
        reference: Some(reference),
    };
    answer(client.catalog.lookup(request).await)
}
