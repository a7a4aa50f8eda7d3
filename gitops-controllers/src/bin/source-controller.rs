//! Reconciles sources: fetches them, and stores and serves their artifacts.

use clap::Parser;
use gitops_controllers::{args::SourceArgs, process};
use gitops_core::Scope;

// The work waits for others most of the time, and each thread keeps memory of its own.
#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args = SourceArgs::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    process::start_log(&args.common);
    let scope = Scope::background();
    process::stop_on_signals(&scope)?;
    #[allow(clippy::disallowed_methods, reason = "clouds tell a process who it is by variables")]
    let ambient = std::env::vars().collect();
    Ok(process::source(args, ambient, scope).await?)
}
