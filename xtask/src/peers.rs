//! Builds the originals to compare with, from Go modules, into `target/peers`.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};

/// Name of the binary, module path of its command, version.
const PEERS: &[(&str, &str, &str)] = &[
    ("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "v5.8.2"),
    ("cosign", "github.com/sigstore/cosign/v3/cmd/cosign", "v3.0.2"),
    ("gofakes3", "github.com/johannesboyne/gofakes3/cmd/gofakes3", "v1.2.0"),
];

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    if Command::new("go").arg("version").output().is_err() {
        println!("peers: skipped, Go is not installed");
        return Ok(ExitCode::SUCCESS);
    }
    let directory = root.join("target/peers");
    fs::create_dir_all(&directory)?;
    for (name, module, version) in PEERS {
        let stamp = directory.join(format!("{name}-{version}"));
        if stamp.exists() {
            println!("peers: {name} {version} is there");
            continue;
        }
        println!("peers: building {name} {version}");
        let status = Command::new("go")
            .args(["install", &format!("{module}@{version}")])
            .env("GOBIN", &directory)
            .env("GOFLAGS", "-trimpath")
            .status()
            .context("go install")?;
        ensure!(status.success(), "go could not build {name} {version}");
        fs::write(stamp, "")?;
    }
    Ok(ExitCode::SUCCESS)
}
