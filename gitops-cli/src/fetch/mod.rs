//! `gitops fetch`: any source to a directory or an archive, as source-controller would store it.

pub(crate) mod args;
mod bucket;
mod git;
mod helm;
mod oci;
mod output;
mod progress;

use std::{process::ExitCode, sync::Arc};

use gitops_core::Scope;

pub(crate) use args::FetchCommand;

/// What stands at the top of the help.
pub(crate) const ABOUT: &str = args::ABOUT;

/// Does what was asked.
pub(crate) fn run(command: FetchCommand) -> anyhow::Result<ExitCode> {
    // Only fails when it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bar = progress::Bar::new();
    let scope = Scope::background().with_progress(Arc::clone(&bar) as _);
    runtime.block_on(async {
        let work = async {
            match command {
                FetchCommand::Git(args) => git::run(args, &scope).await,
                FetchCommand::Oci(args) => oci::run(args, &scope).await,
                FetchCommand::Bucket(args) => bucket::run(args, &scope).await,
                FetchCommand::Helm(args) => helm::run(args, &scope).await,
            }
        };
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        }
    })?;
    bar.clear();
    Ok(ExitCode::SUCCESS)
}
