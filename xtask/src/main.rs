//! The project's own checks and generators: `cargo run -p xtask -- <command>`.
#![expect(clippy::print_stdout, reason = "a command-line tool talks")]

mod builtin_kinds;
mod metadata;
mod peers;
mod schema;
mod speed;
mod tidy;
mod verify;

use std::{path::PathBuf, process::ExitCode};

const USAGE: &str = "\
Usage: cargo run -p xtask -- <command> [arguments]

Commands:
  tidy     crate direction, layers, file lengths, words that must not appear
  peers    build the originals (kustomize, helm, …) into target/peers, where Go is installed
  schema   make the table of merge keys of gitops-yaml
  corpus   compare target/release/gitops with kustomize's bytes  [options of check.py]
  speed    CPU time and memory of target/release/gitops beside kustomize's and helm's
              [--rounds N] [--only start,real,kubeflow,full-1000,trivial,podinfo,corpus] [--slow]
  builtin-kinds  rewrite the table of built-in kinds of gitops-apiserver  --openapi-v3 FILE
  real-input  reconcile public repositories, with gitops run and on a real kube-apiserver
              [options of rig up]
  scale    1000 Kustomizations from one source, beside a bare client
              [options of rig up] [-- --count N --flag KUSTOMIZE_CONTROLLER_FLAG]
  rig      recorded scenarios on a real kube-apiserver, or on the embedded server in its place
              [--embedded] [options of rig run]
";

fn main() -> anyhow::Result<ExitCode> {
    let command = std::env::args().nth(1).unwrap_or_default();
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    match command.as_str() {
        "tidy" => tidy::run(&root()),
        "peers" => peers::run(&root()),
        "corpus" => verify::corpus(&root(), &arguments),
        "speed" => speed::run(&root(), &arguments),
        "builtin-kinds" => builtin_kinds::run(&root(), &arguments),
        "rig" => verify::rig(&root(), &arguments),
        "real-input" => verify::real_input(&root(), &arguments),
        "scale" => verify::scale(&root(), &arguments),
        "schema" => schema::run(&root()),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            print!("unknown command '{other}'\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The workspace's root, wherever the command is called.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
