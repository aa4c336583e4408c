//! TLS for the server's ports: certificates from files, loaded again when these change.
//!
//! A connection goes on with what it began with. Invariant: files that are no certificate and its key change
//! nothing but what is said of them: the pair from before stays in use.

use crate::config::Config;
use crate::damage::{Damage, Object};
use flinkspark_model::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The protocols that a port speaks, as TLS names them.
pub(crate) const GRPC: &[&[u8]] = &[b"h2"];
/// The same of the HTTP port.
pub(crate) const HTTP: &[&[u8]] = &[b"http/1.1"];

/// The certificate in use. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) struct Tls {
    files: Arc<Files>,
    current: Arc<RwLock<ServerConfig>>,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

/// What tells that a file has changed: its time and its size.
type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Tls {
    /// What the configuration names; `None` where it names no certificate.
    ///
    /// Errors: `Invalid` (`FS1111`) where the files are no certificate and its key.
    pub(crate) fn open(config: &Config) -> Result<Option<Self>> {
        if !config.has_tls() {
            return Ok(None);
        }
        let client_ca = config.tls_client_ca.clone();
        let files = Files {
            cert: config.tls_cert.clone(),
            key: config.tls_key.clone(),
            client_ca: (!client_ca.as_os_str().is_empty()).then_some(client_ca),
        };
        let current = files.load()?;
        Ok(Some(Self {
            files: Arc::new(files),
            current: Arc::new(RwLock::new(current)),
        }))
    }

    /// What takes the next connection of a port that speaks these protocols.
    pub(crate) fn acceptor(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let mut config = current.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Loads the files again whenever they change, until the server closes.
    pub(crate) async fn follow(
        self,
        damage: Damage,
        mut closing: watch::Receiver<bool>,
    ) -> Result<()> {
        let looks = async {
            let mut loaded = self.files.stamp();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let now = self.files.stamp();
                if now != loaded {
                    loaded = now;
                    self.load_again(&damage);
                }
            }
        };
        tokio::select! {
            // An error means that the server is gone, which is a close as well.
            _ = closing.wait_for(|closing| *closing) => Ok(()),
            () = looks => Ok(()),
        }
    }

    fn load_again(&self, damage: &Damage) {
        match self.files.load() {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                damage.clear(&Object::Tls);
                tracing::info!(cert = %self.files.cert.display(), "took a new certificate");
            }
            Err(error) => damage.note(Object::Tls, &error),
        }
    }
}

impl Files {
    fn stamp(&self) -> Stamp {
        let of = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let files = [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()];
        files.into_iter().flatten().map(|path| of(path)).collect()
    }

    fn load(&self) -> Result<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let certs = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|cause| unusable(&self.key, cause.to_string()))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| unusable(&self.cert, cause.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for cert in certificates(path)? {
                    roots
                        .add(cert)
                        .map_err(|cause| unusable(path, cause.to_string()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|cause| unusable(path, cause.to_string()))?,
                )
            }
        };
        builder
            .with_single_cert(certs, key)
            .map_err(|cause| unusable(&self.cert, cause.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certs = CertificateDer::pem_file_iter(path)
        .and_then(|certs| certs.collect::<std::result::Result<Vec<_>, _>>())
        .map_err(|cause| unusable(path, cause.to_string()))?;
    match certs.is_empty() {
        true => Err(unusable(path, "it holds no certificate".into())),
        false => Ok(certs),
    }
}

fn unusable(path: &Path, why: String) -> Error {
    let what = format!("{} cannot be used for TLS", path.display());
    Error::new(Kind::Invalid, "FS1111", what)
        .with_detail(why)
        .with_hint("give a certificate and its key in PEM; one that was in use before stays in use")
}
