//! `gitops`: the toolkit's command-line tool.

mod args;
mod artifact;
mod charts;
mod command;
mod deferred;
mod fetch;
mod repository;
mod session;
mod simulator;

use std::process::ExitCode;

use clap::Parser as _;

// The allocator is the system's: one that keeps a page for each size of what it gives out makes a small
// build touch half as many pages again, and no large one faster by as much.
fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(build) = command::kustomize::plain(&words) {
        return ended(command::kustomize::run(&build));
    }
    let words = match command::helm::arranged(words) {
        Ok(words) => words,
        Err(code) => return code,
    };
    let cli = match args::Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            let refused = artifact::refused(&error).or_else(|| command::kustomize::refused(&error));
            return refused.unwrap_or_else(|| error.exit());
        }
    };
    ended(command::run(cli))
}

/// The exit code, after a failure was told.
fn ended(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
