//! Reconciles Kustomizations: builds and applies them, prunes, and judges health.

use clap::Parser;
use gitops_controllers::{args::KustomizeArgs, process, wire};
use gitops_core::Scope;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// The work waits for others most of the time, and each thread keeps memory of its own.
#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args = KustomizeArgs::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    process::start_log(&args.common);
    let scope = Scope::background();
    process::stop_on_signals(&scope)?;
    #[allow(clippy::disallowed_methods, reason = "the one variable that Flux reads in main")]
    let host = std::env::var("SOURCE_CONTROLLER_LOCALHOST").ok();
    let build = wire::overlay_build();
    Ok(process::kustomize(args, build, host, scope).await?)
}
