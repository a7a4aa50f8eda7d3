//! One file for each command; each is arguments in, library calls, text out.

mod completion;
pub(crate) mod helm;
pub(crate) mod kustomize;
mod report;
mod run;
mod version;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    artifact::{self, DiffCommand, ListCommand, PullCommand, PushCommand, TagCommand},
    deferred::Deferred,
    fetch,
};

use kustomize::Kustomize;

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Run(Deferred(args)) => run::run(&args),
        Command::Kustomize(Deferred(Kustomize::Build(args))) => kustomize::run(&args),
        Command::Helm(Deferred(args)) => Ok(helm::run(&args)),
        Command::Fetch(Deferred(command)) => fetch::run(command),
        Command::Push(Deferred(PushCommand::Artifact(args))) => {
            artifact::run(artifact::Command::Push(args))
        }
        Command::Pull(Deferred(PullCommand::Artifact(args))) => {
            artifact::run(artifact::Command::Pull(args))
        }
        Command::Tag(Deferred(TagCommand::Artifact(args))) => {
            artifact::run(artifact::Command::Tag(args))
        }
        Command::List(Deferred(ListCommand::Artifacts(args))) => {
            artifact::run(artifact::Command::List(args))
        }
        Command::Diff(Deferred(DiffCommand::Artifact(args))) => {
            artifact::run(artifact::Command::Diff(args))
        }
        Command::Completion { shell } => completion::run(shell),
        Command::Version(args) => version::run(&args),
    }
}
