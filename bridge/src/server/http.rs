//! The HTTP port: `/healthz`, `/readyz` and `/metrics`.
//!
//! Invariant: `/readyz` answers 200 only after every service was started, before the first is stopped, and
//! while every part takes writes; its body says in JSON why not, and what is damaged.

use super::readiness::Readiness;
use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use std::sync::Arc;

/// What the handlers look at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
}

/// The routes.
pub(super) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (ready, report) = health.readiness.report();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(report))
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(cause) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{cause}\n")).into_response(),
    }
}
