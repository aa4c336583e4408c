//! `flinkspark.v1.Tokens`: makes, lists and takes away tokens.
//!
//! The gate lets only admins here. Invariant: a secret leaves in the answer to `Create` alone.

use crate::access::{Access, Token};
use flinkspark_model::access::{Grant, Principal};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use flinkspark_proto::v1;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct Service {
    pub(super) access: Arc<Access>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

impl Service {
    /// Carries a change out on a thread that may wait for the disk, and to its end, whoever leaves.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Access) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Status> {
        let access = Arc::clone(&self.access);
        let changed = tokio::task::spawn_blocking(move || change(&access)).await;
        let changed = changed.unwrap_or_else(|cause| {
            let what = "a service ended without an answer";
            Err(Error::new(Kind::Internal, "FS0018", what).with_source(cause))
        });
        changed.map_err(|error| to_status(&error))
    }
}

#[tonic::async_trait]
impl v1::tokens_server::Tokens for Service {
    async fn create(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Answer<v1::CreateTokenResponse> {
        let request = request.into_inner();
        let create = move |access: &Access| {
            let principal = Principal::new(&request.principal)?;
            let grants = request.grants.iter().map(|grant| grant.parse::<Grant>());
            access.create(principal, grants.collect::<Result<_>>()?, request.life_ms)
        };
        let (secret, token) = self.change(create).await?;
        tracing::info!(id = %token.id, principal = %token.principal, "made a token");
        Ok(Response::new(v1::CreateTokenResponse {
            token: Some(wire(&token)),
            secret: secret.expose().into(),
        }))
    }

    async fn list(&self, _: Request<v1::ListTokensRequest>) -> Answer<v1::ListTokensResponse> {
        let tokens = self.access.tokens().iter().map(wire).collect();
        Ok(Response::new(v1::ListTokensResponse { tokens }))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeTokensRequest>,
    ) -> Answer<v1::RevokeTokensResponse> {
        let reference = request.into_inner().reference;
        let gone = self.change(move |access| access.revoke(&reference)).await?;
        for token in &gone {
            tracing::info!(id = %token.id, principal = %token.principal, "took a token away");
        }
        let tokens = gone.iter().map(wire).collect();
        Ok(Response::new(v1::RevokeTokensResponse { tokens }))
    }
}

fn wire(token: &Token) -> v1::Token {
    v1::Token {
        id: token.id.clone(),
        principal: token.principal.to_string(),
        grants: token.grants.iter().map(Grant::to_string).collect(),
        created_at_ms: token.created_at_ms,
        expires_at_ms: token.expires_at_ms,
    }
}
