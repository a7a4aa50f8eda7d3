//! What `cargo metadata` tells of the workspace.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

/// A member of the workspace and what every build of it depends on directly.
#[derive(Debug)]
pub(crate) struct Member {
    /// The names of the dependencies.
    pub(crate) normal: Vec<String>,
}

/// The members by name.
pub(crate) fn members(root: &Path) -> anyhow::Result<BTreeMap<String, Member>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("metadata has no packages")?;
    packages.iter().map(member).collect()
}

fn member(package: &Value) -> anyhow::Result<(String, Member)> {
    let name = package["name"].as_str().context("package has no name")?;
    let mut normal = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let Some(name) = dependency["name"].as_str() else {
            continue;
        };
        if dependency["kind"].is_null() {
            normal.push(name.to_owned());
        }
    }
    Ok((name.to_owned(), Member { normal }))
}
