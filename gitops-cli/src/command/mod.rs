//! One file for each command; each is arguments in, library calls, text out.

mod completion;
pub(crate) mod helm;
mod kustomize;
mod run;
mod version;

use std::process::ExitCode;

use crate::args::{Cli, Command, Kustomize};

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Kustomize(Kustomize::Build(args)) => kustomize::run(&args),
        Command::Helm(args) => helm::run(&args),
        Command::Completion { shell } => completion::run(shell),
        Command::Version(args) => version::run(&args),
    }
}
