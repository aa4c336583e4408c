//! The command line's connection to a bridge.
//!
//! Invariant: every failure, the transport's included, leaves as one `flinkspark_model::Error`.

use flinkspark_connector::flight::client::connect;
use flinkspark_connector::flight::{Client as Flight, limits};
use flinkspark_model::Result;
use flinkspark_model::port::Reference;
use flinkspark_proto::error::from_status;
use flinkspark_proto::v1;
use flinkspark_proto::v1::catalog_client::CatalogClient;
use flinkspark_proto::v1::jobs_client::JobsClient;
use flinkspark_proto::v1::server_client::ServerClient;
use tonic::transport::Channel;

/// A connection; clones share it.
#[derive(Clone)]
pub struct Client {
    /// Datasets.
    pub catalog: CatalogClient<Channel>,
    /// Jobs.
    pub jobs: JobsClient<Channel>,
    /// The server itself.
    pub server: ServerClient<Channel>,
    /// Rows.
    pub flight: Flight,
}

impl Client {
    /// Connects to `http://HOST:PORT`. `FS0401` is `Unavailable`: nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        let channel = connect(url).await?;
        Ok(Self {
            catalog: CatalogClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            jobs: JobsClient::new(channel.clone())
                .max_decoding_message_size(limits::MESSAGE_BYTES_MAX),
            server: ServerClient::new(channel.clone()),
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

/// The dataset behind an id, a name or a handle, with what its log holds.
pub async fn look_up(client: &mut Client, reference: &str) -> Result<v1::DatasetView> {
    let reference = v1::Reference::from(&reference.parse::<Reference>()?);
    let request = v1::LookupRequest {
        reference: Some(reference),
    };
    answer(client.catalog.lookup(request).await)
}
