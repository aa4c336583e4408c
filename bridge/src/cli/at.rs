//! Where the bridge is, and what is presented there: what every client's command takes.

use crate::client::Address;
use crate::config::URL_DEFAULT;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct At {
    /// Where the bridge is: http://HOST:PORT, https://HOST:PORT, or HOST:PORT
    #[arg(long, global = true, env = "FLINKSPARK_URL", default_value = URL_DEFAULT)]
    pub url: String,
    /// A file with the token to present; FLINKSPARK_TOKEN is the token itself
    #[arg(
        long,
        global = true,
        env = "FLINKSPARK_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
    /// The certificates in PEM that the server's must be signed by, for https
    #[arg(long, global = true, env = "FLINKSPARK_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// This client's certificate and key in one PEM file, where the server asks for one
    #[arg(
        long,
        global = true,
        env = "FLINKSPARK_TLS_IDENTITY",
        value_name = "FILE"
    )]
    pub tls_identity: Option<PathBuf>,
}

impl From<&At> for Address {
    fn from(at: &At) -> Self {
        Self {
            url: at.url.clone(),
            token_file: at.token_file.clone(),
            tls_ca: at.tls_ca.clone(),
            tls_identity: at.tls_identity.clone(),
            looks_around: true,
        }
    }
}
