//! The command line's connection to a bridge.
//!
//! Invariant: every failure, the transport's included, leaves as one `flinkspark_model::Error`.

use flinkspark_connector::flight::{Client as Flight, limits};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::from_status;
use flinkspark_proto::v1::catalog_client::CatalogClient;
use flinkspark_proto::v1::jobs_client::JobsClient;
use tonic::transport::{Channel, Endpoint};

/// A connection; clones share it.
#[derive(Clone)]
pub struct Client {
    /// Datasets.
    pub catalog: CatalogClient<Channel>,
    /// Jobs.
    pub jobs: JobsClient<Channel>,
    /// Rows.
    pub flight: Flight,
}

impl Client {
    /// Connects to `http://HOST:PORT`. `FS0401` is `Unavailable`: nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(String::from(url)).map_err(|cause| {
            Error::new(
                Kind::Invalid,
                "FS0423",
                format!("\"{}\" is not the address of a bridge", url.escape_debug()),
            )
            .with_source(cause)
            .with_hint("write http://HOST:PORT, for example http://127.0.0.1:7070")
        })?;
        let channel = limits::endpoint(endpoint)
            .connect()
            .await
            .map_err(|cause| {
                Error::new(
                    Kind::Unavailable,
                    "FS0401",
                    format!("no bridge answers at {url}"),
                )
                .with_detail(chain(&cause))
                .with_hint(
                    "start one with `flinkspark serve`, or name another by --url or FLINKSPARK_URL",
                )
            })?;
        Ok(Self {
            catalog: CatalogClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            jobs: JobsClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            flight: Flight::over(channel),
        })
    }
}

/// The answer of a call, or its error.
pub fn answer<T>(result: std::result::Result<tonic::Response<T>, tonic::Status>) -> Result<T> {
    result
        .map(tonic::Response::into_inner)
        .map_err(|status| from_status(&status))
}

fn chain(cause: &(dyn std::error::Error + 'static)) -> String {
    let texts = std::iter::successors(Some(cause), |cause| cause.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}
