//! CPU time and memory of whole builds beside the original's, as a table.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

use crate::{peers, verify};

/// What measures; Python tells what a child process used, the standard library does not. The original
/// of each table stands beside it.
const TABLES: &[(&str, &str)] = &[
    (
        "kustomize",
        concat!(include_str!("../python/measure.py"), include_str!("../python/speed.py")),
    ),
    (
        "helm",
        concat!(include_str!("../python/measure.py"), include_str!("../python/speed_helm.py")),
    ),
];

pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = verify::shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    peers::run(root)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let mut fine = true;
    for (name, script) in TABLES {
        let peer = root.join("target/peers").join(name);
        if !peer.exists() {
            continue;
        }
        let status = Command::new("python3")
            .args(["-c", script])
            .arg("--gitops")
            .arg(target.join("release/gitops"))
            .arg("--peer")
            .arg(peer)
            .arg("--shared")
            .arg(&shared)
            .arg("--work")
            .arg(target.join("speed"))
            .args(arguments)
            .status()
            .context("python3 did not start")?;
        fine &= status.success();
    }
    Ok(verify::exit(fine))
}
