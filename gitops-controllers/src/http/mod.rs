//! The HTTP endpoints of a process.

mod probes;

use axum::Router;
use gitops_core::Scope;
use tokio::net::TcpListener;

pub use probes::{health_router, metrics_router};

use crate::wire::StartError;

/// Serves until the scope ends; requests in hand are finished.
pub async fn serve(listener: TcpListener, router: Router, scope: Scope) {
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { scope.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "HTTP server failed");
    }
}

/// Listens on an address in Go's form. Where the machine has no IPv6, `:port` is IPv4 only.
///
/// # Errors
/// When it is no address or cannot be had.
pub async fn listen(flag: &str, address: &str) -> Result<Option<TcpListener>, StartError> {
    let parsed = crate::args::listen_address(address)
        .map_err(|error| StartError::Flag(format!("{flag}: {error}")))?;
    let Some(full) = parsed else { return Ok(None) };
    let mut listener = TcpListener::bind(&full).await;
    if listener.is_err() && address.starts_with(':') {
        listener = TcpListener::bind(format!("0.0.0.0{address}")).await;
    }
    listener.map(Some).map_err(|error| StartError::io("listen on", address, error))
}
