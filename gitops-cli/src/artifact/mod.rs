//! Artifacts in registries from the command line: what `flux push|pull|tag|list|diff artifact` do,
//! with the same flags, output and exit codes.

mod access;
pub(crate) mod args;
mod commands;
mod content;
mod refused;

use std::process::ExitCode;

pub(crate) use args::{DiffCommand, ListCommand, PullCommand, PushCommand, TagCommand};
pub(crate) use content::write;
pub(crate) use refused::refused;

/// A line about what is done, or was.
pub(crate) fn say(mark: char, text: &str) {
    anstream::eprintln!("{mark} {text}");
}

/// One of the commands.
#[derive(Debug)]
pub(crate) enum Command {
    Push(args::Push),
    Pull(args::Pull),
    Tag(args::Tag),
    List(args::List),
    Diff(args::Diff),
}

/// Does what was asked; an error is told here, in Flux's way.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    // Only fails when it was done before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let timeout = match &command {
        Command::Push(args) => args.access.timeout,
        Command::Pull(args) => args.access.timeout,
        Command::Tag(args) => args.access.timeout,
        Command::List(args) => args.access.timeout,
        Command::Diff(args) => args.access.timeout,
    };
    let work = async {
        match command {
            Command::Push(args) => commands::push(args).await,
            Command::Pull(args) => commands::pull(args).await,
            Command::Tag(args) => commands::tag(args).await,
            Command::List(args) => commands::list(args).await,
            Command::Diff(args) => commands::diff(args).await,
        }
    };
    let done = runtime.block_on(async {
        match tokio::time::timeout(timeout, work).await {
            Ok(done) => done,
            Err(_) => Err(anyhow::anyhow!("context deadline exceeded")),
        }
    });
    Ok(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say('✗', &format!("{error:#}"));
            ExitCode::FAILURE
        }
    })
}
