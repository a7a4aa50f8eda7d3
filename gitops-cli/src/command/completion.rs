//! `gitops completion`

use std::{io::Write as _, process::ExitCode};

use clap::CommandFactory as _;

use crate::args::Cli;

pub(crate) fn run(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gitops", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
