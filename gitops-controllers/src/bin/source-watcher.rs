//! Reconciles `ArtifactGenerator` objects: composes artifacts, and stores and serves them.

use clap::Parser;
use gitops_controllers::{args::WatcherArgs, process};
use gitops_core::Scope;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = WatcherArgs::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    process::start_log(&args.common);
    let scope = Scope::background();
    process::stop_on_signals(&scope)?;
    #[allow(clippy::disallowed_methods, reason = "the one variable that Flux reads in main")]
    let host = std::env::var("SOURCE_CONTROLLER_LOCALHOST").ok();
    #[allow(clippy::disallowed_methods, reason = "clouds tell a process who it is by variables")]
    let ambient = std::env::vars().collect();
    Ok(process::watcher(args, host, ambient, scope).await?)
}
