//! `flinkspark.v1.Server`: what the server says of itself.
//!
//! Invariant: an address is the one that is listened on, a port that was chosen by the system too.

use crate::config::Resolved;
use flinkspark_model::Result;
use flinkspark_proto::v1;
use std::net::SocketAddr;
use tonic::{Request, Response, Status};

/// The service: its answer does not change while the server runs.
pub(super) struct Service {
    answer: v1::SettingsResponse,
}

impl Service {
    /// What these settings came to.
    pub(super) fn new(
        resolved: &Resolved,
        grpc: SocketAddr,
        http: SocketAddr,
        started_at_ms: u64,
    ) -> Result<Self> {
        let mut in_force = resolved.clone();
        (in_force.config.grpc, in_force.config.http) = (grpc, http);
        let wire = |setting: crate::config::Setting| v1::Setting {
            name: setting.name.into(),
            value: setting.value,
            source: setting.source.name().into(),
        };
        Ok(Self {
            answer: v1::SettingsResponse {
                settings: in_force.settings()?.into_iter().map(wire).collect(),
                version: env!("CARGO_PKG_VERSION").into(),
                started_at_ms,
            },
        })
    }
}

#[tonic::async_trait]
impl v1::server_server::Server for Service {
    async fn settings(
        &self,
        _: Request<v1::SettingsRequest>,
    ) -> std::result::Result<Response<v1::SettingsResponse>, Status> {
        Ok(Response::new(self.answer.clone()))
    }
}
