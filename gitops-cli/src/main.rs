//! `gitops`: the toolkit's command-line tool.

mod args;
mod command;
mod repository;
mod session;
mod simulator;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match command::run(args::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
