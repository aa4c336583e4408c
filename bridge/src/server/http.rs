//! The HTTP port: `/healthz`, `/readyz` and `/metrics`.
//!
//! Invariant: `/readyz` answers 200 only after every service was started, before the first is stopped, and
//! while every part takes writes; its body says in JSON why not, and what is damaged.
//! A route has a rule, by construction.

use super::entry::Entry;
use super::readiness::Readiness;
use crate::access::{Access, Rule, guard};
use crate::metrics::Metrics;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde_json::Value;
use std::sync::Arc;

/// What the handlers look at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) access: Arc<Access>,
}

/// The routes, each with what it needs.
fn routes() -> [(&'static str, Rule, MethodRouter<Health>); 3] {
    [
        ("/healthz", Rule::Public, get(async || "ok\n")),
        ("/readyz", Rule::Public, get(ready)),
        ("/metrics", Rule::Admin, get(metrics)),
    ]
}

/// The routes behind their door.
pub(super) fn router(health: Health, entry: &Entry) -> Router {
    let rules = routes().into_iter().map(|(path, rule, _)| (path, rule));
    let door = entry.http_door(rules.collect());
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, _, handler)| {
            router.route(path, handler)
        });
    router
        .with_state(health)
        .layer(axum::middleware::from_fn_with_state(door, guard))
}

/// Whoever has no token of an admin hears no names.
async fn ready(State(health): State<Health>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    let header = headers.get(header::AUTHORIZATION);
    let entered = health.access.enter(header.map(|value| value.as_bytes()));
    let all = entered.is_ok_and(|entered| entered.caller.administers().is_ok());
    let (ready, report) = health.readiness.report(all);
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
