//! CPU time and memory of whole builds beside the original's, as a table.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

use crate::{peers, verify};

/// What measures; Python tells what a child process used, the standard library does not.
const SCRIPT: &str = include_str!("../python/speed.py");

pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = verify::shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    peers::run(root)?;
    let peer = root.join("target/peers/kustomize");
    if !peer.exists() {
        return Ok(ExitCode::SUCCESS);
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let status = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg("--gitops")
        .arg(target.join("release/gitops"))
        .arg("--peer")
        .arg(peer)
        .arg("--shared")
        .arg(shared)
        .arg("--work")
        .arg(target.join("speed"))
        .args(arguments)
        .status()
        .context("python3 did not start")?;
    Ok(verify::exit(status.success()))
}
