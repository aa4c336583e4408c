//! What stands before the services: the door, TLS, and what clients are told of where the bridge is.
//!
//! Invariant: an address that others can reach is served exactly with TLS and at least one token.

use super::connections::Port;
use super::wire::Wired;
use crate::access::{Access, HttpDoor, Rule};
use crate::config::Config;
use crate::config::advertise::{self, Advertised};
use crate::damage::Damage;
use crate::tls::{self, Tls};
use flinkspark_model::Result;
use flinkspark_model::port::{Clock, Entropy};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The entry of one server.
pub(super) struct Entry {
    pub(super) access: Arc<Access>,
    pub(super) tls: Option<Tls>,
    advertised: Option<Advertised>,
}

impl Entry {
    /// What a configuration and a data directory come to.
    ///
    /// Errors: `Invalid` (`FS0006`) for an address that others can reach before a token was made, `FS1111`, `FS1107`.
    pub(super) fn open(
        config: &Config,
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        damage: Damage,
    ) -> Result<Self> {
        let access = Access::open(data_dir, clock, entropy, damage)?;
        if access.is_open() {
            config.check_addresses(
                "no token exists, so anybody on the network could read and write",
            )?;
        }
        Ok(Self {
            access: Arc::new(access),
            tls: Tls::open(config)?,
            advertised: advertise::parse(&config.advertise)?,
        })
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Where clients read: what is advertised, or what is listened on.
    pub(super) fn location(&self, grpc: SocketAddr) -> String {
        match (&self.advertised, &self.tls) {
            (Some(advertised), _) => advertised.location.clone(),
            (None, Some(_)) => format!("grpc+tls://{grpc}"),
            (None, None) => format!("grpc://{grpc}"),
        }
    }

    /// Where endpoints say that they are; nowhere unless it was advertised.
    pub(super) fn advertised(&self) -> Option<String> {
        self.advertised
            .as_ref()
            .map(|advertised| advertised.location.clone())
    }

    /// The gRPC port's connections.
    pub(super) fn grpc(&self, port: Port) -> Wired {
        self.wired(port, tls::GRPC)
    }

    /// The HTTP port's connections.
    pub(super) fn http(&self, port: Port) -> Wired {
        self.wired(port, tls::HTTP)
    }

    fn wired(&self, port: Port, protocols: &'static [&'static [u8]]) -> Wired {
        Wired {
            port,
            tls: self.tls.clone(),
            protocols,
        }
    }

    /// What guards these HTTP routes.
    pub(super) fn http_door(&self, rules: Vec<(&'static str, Rule)>) -> HttpDoor {
        HttpDoor {
            access: Arc::clone(&self.access),
            advertised: self
                .advertised
                .as_ref()
                .map(|advertised| advertised.host.as_str().into()),
            rules: rules.into(),
        }
    }
}
