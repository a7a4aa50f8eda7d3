//! What clippy cannot see: which crate may know which, and how long a file may be.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;

use crate::metadata::{self, Member};

/// The layers of ARCHITECTURE.md: a crate may use every lower layer, and within its own layer only
/// what its row names.
const LAYERS: &[Layer] = &[
    Layer { name: "gitops-core", level: 0, beside: &[] },
    Layer { name: "gitops-yaml", level: 0, beside: &["gitops-core"] },
    Layer { name: "gitops-kustomize", level: 1, beside: &[] },
    Layer { name: "gitops-auth", level: 2, beside: &[] },
    Layer { name: "gitops-source", level: 2, beside: &["gitops-auth"] },
    Layer { name: "gitops-api", level: 3, beside: &[] },
    Layer { name: "gitops-apply", level: 3, beside: &[] },
    Layer { name: "gitops-controllers", level: 4, beside: &[] },
    Layer { name: "gitops-cli", level: 5, beside: &[] },
];

struct Layer {
    name: &'static str,
    level: u8,
    beside: &'static [&'static str],
}

/// Stands aside of the layers: an API server knows the words and nothing else.
const ASIDE: &[(&str, &[&str])] = &[("gitops-apiserver", &["gitops-core", "gitops-yaml"])];

/// Used by tests, benches and the programs that drive them, by nothing that ships.
const NOT_SHIPPED: &[&str] = &["gitops-testenv", "xtask", "gitops-benches"];

/// Crates that open sockets or run tasks: only from layer 2 on.
const RUNTIMES: &[&str] =
    &["tokio", "reqwest", "hyper", "hyper-util", "axum", "gix", "tower-http", "tempfile", "notify"];

/// Crates that know a cluster: only from layer 3 on.
const CLUSTER: &[&str] = &["kube", "k8s-openapi", "gitops-api"];

/// Never, anywhere: a second TLS stack, or a YAML crate that is not kept.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "serde_yaml"];

const LONGEST_FILE: usize = 500;

/// One idea each: tables, and lexers or parsers that a split would only scatter.
const MAY_BE_LONGER: usize = 900;

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let members = metadata::members(root)?;
    for (name, member) in &members {
        direction(name, member, &mut findings);
        layers(name, member, &mut findings);
    }
    lock_file(root, &mut findings)?;
    let files = tracked(root)?;
    for file in &files {
        source_file(root, file, &mut findings)?;
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} crates, {} files, {} findings", members.len(), files.len(), findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn direction(name: &str, member: &Member, findings: &mut Vec<String>) {
    if let Some((_, allowed)) = ASIDE.iter().find(|(aside, _)| *aside == name) {
        for dependency in ours(&member.normal) {
            if !allowed.contains(&dependency) {
                findings.push(format!("{name} stands aside and may not use {dependency}"));
            }
        }
        return;
    }
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        return;
    };
    for dependency in ours(&member.normal) {
        if NOT_SHIPPED.contains(&dependency) {
            findings.push(format!("{name} may use {dependency} only in its tests"));
        } else if let Some(other) = LAYERS.iter().find(|other| other.name == dependency)
            && other.level >= layer.level
            && !layer.beside.contains(&dependency)
        {
            findings.push(format!("{name} may not use {dependency}: wrong direction"));
        }
    }
}

fn ours(dependencies: &[String]) -> impl Iterator<Item = &str> {
    dependencies.iter().map(String::as_str).filter(|name| name.starts_with("gitops-"))
}

fn layers(name: &str, member: &Member, findings: &mut Vec<String>) {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        return;
    };
    for dependency in &member.normal {
        let dependency = dependency.as_str();
        if layer.level < 2 && RUNTIMES.contains(&dependency) {
            findings.push(format!("{name} is pure and may not use {dependency}"));
        }
        if layer.level < 3 && CLUSTER.contains(&dependency) {
            findings.push(format!("{name} stands below the cluster and may not use {dependency}"));
        }
    }
}

fn lock_file(root: &Path, findings: &mut Vec<String>) -> anyhow::Result<()> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
    for banned in BANNED {
        if lock.contains(&format!("name = \"{banned}\"\n")) {
            findings.push(format!("Cargo.lock: {banned} must not be in the tree"));
        }
    }
    Ok(())
}

fn tracked(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git").arg("ls-files").current_dir(root).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}

fn source_file(root: &Path, file: &Path, findings: &mut Vec<String>) -> anyhow::Result<()> {
    if file.extension().is_none_or(|extension| extension != "rs") {
        return Ok(());
    }
    let text = fs::read_to_string(root.join(file))?;
    let shown = file.display();
    let is_test = file.components().any(|part| part.as_os_str() == "tests");
    let code = text.lines().take_while(|line| !line.starts_with("mod tests {")).count();
    let limit = if text.contains("// One idea: ") { MAY_BE_LONGER } else { LONGEST_FILE };
    if code > limit && !is_test {
        findings.push(format!("{shown}: {code} lines before its tests, over {limit}"));
    }
    if !text.starts_with("//!") && !is_test && !file.ends_with("main.rs") {
        findings.push(format!("{shown}: does not begin by saying what it is for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, normal: &[&str]) -> Vec<String> {
        let normal = normal.iter().map(|&name| name.to_owned()).collect();
        let member = Member { normal };
        let mut findings = Vec::new();
        direction(name, &member, &mut findings);
        layers(name, &member, &mut findings);
        findings
    }

    #[test]
    fn directions_are_checked() {
        assert!(findings("gitops-kustomize", &["gitops-core", "gitops-yaml", "regex"]).is_empty());
        assert!(findings("gitops-yaml", &["gitops-core"]).is_empty());
        for (name, dependency) in [
            ("gitops-core", "gitops-yaml"),
            ("gitops-kustomize", "tokio"),
            ("gitops-source", "kube"),
            ("gitops-source", "gitops-kustomize-x"),
            ("gitops-apply", "gitops-controllers"),
            ("gitops-apiserver", "gitops-apply"),
            ("gitops-controllers", "gitops-testenv"),
        ] {
            let expected = usize::from(dependency != "gitops-kustomize-x");
            assert_eq!(findings(name, &[dependency]).len(), expected, "{name} → {dependency}");
        }
    }
}
