//! The reconcilers inside a program of your own, which sees all that happens:
//! `cargo run -p gitops-controllers --example embedded-controller`.
//!
//! They work in the cluster of `KUBECONFIG`; without one, in an API server inside the program.

use std::sync::Arc;

use gitops_apiserver::Server;
use gitops_controllers::{
    embed::{self, EmbeddedOptions},
    runtime::{Happening, Observer},
    wire::overlay_build,
};
use gitops_core::Scope;
use gitops_testenv::Cluster;
use kube::Client;

/// Prints how each turn ended.
#[derive(Debug)]
struct Printer;

impl Observer for Printer {
    #[expect(clippy::print_stdout, reason = "a program prints")]
    fn happened(&self, happening: Happening) {
        if let Happening::Settled { object, ready, message, .. } = happening {
            println!("{object} Ready={ready}: {message}");
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = match Client::try_default().await {
        Ok(client) => client,
        Err(_) => Client::new(Server::new().service(), "default"),
    };
    let cluster = Cluster::new(client).await?; // with our definitions
    let options =
        EmbeddedOptions { observer: Arc::new(Printer), ..EmbeddedOptions::new(overlay_build()) };
    let scope = Scope::background();
    tokio::select! {
        ended = embed::run(cluster.client(), options, scope.clone()) => ended?,
        stopped = tokio::signal::ctrl_c() => { scope.cancel(); stopped? }
    }
    Ok(())
}
