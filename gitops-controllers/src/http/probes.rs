//! Health and metrics.

use std::sync::Arc;

use axum::{Router, routing::get};
use http::header::CONTENT_TYPE;

use crate::runtime::Metrics;

/// `/healthz` and `/readyz`.
pub fn health_router() -> Router {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(|| async { "ok" }))
}

/// `/metrics` in the Prometheus text format.
pub fn metrics_router(metrics: Arc<Metrics>) -> Router {
    let handler = move || async move {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
    };
    Router::new().route("/metrics", get(handler))
}
