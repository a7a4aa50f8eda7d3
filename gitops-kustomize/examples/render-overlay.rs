//! Builds an overlay on disk: `cargo run --example render-overlay -- build DIR [flags of kustomize build]`.

use std::{path::Path, process::ExitCode};

use gitops_core::{DiskTree, Scope};
use gitops_kustomize::{BuildOptions, Error, LoadRestriction, Rendered, Reorder, build};

fn render(arguments: &[String]) -> Result<Rendered, Box<dyn std::error::Error>> {
    let mut options = BuildOptions::default();
    let mut directory = None;
    let mut rest = arguments.iter().map(String::as_str).skip_while(|argument| *argument == "build");
    while let Some(argument) = rest.next() {
        match argument {
            "--load-restrictor" if rest.next() == Some("LoadRestrictionsNone") => {
                options.load_restriction = LoadRestriction::None;
            }
            "--reorder" if rest.next() == Some("none") => options.reorder = Reorder::None,
            "--enable-managedby-label" => options.enable_managed_by_label = true,
            argument if !argument.starts_with('-') => directory = Some(argument),
            _ => {}
        }
    }
    // Bases may stand anywhere, so the tree is the whole disk.
    let directory = Path::new(directory.ok_or("which directory?")?).canonicalize()?;
    let tree = DiskTree::open("/")?;
    Ok(build(&tree, &directory, &options, &Scope::background())?)
}

#[expect(clippy::print_stderr, reason = "a program prints")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match render(&arguments) {
        Ok(rendered) => {
            rendered.warnings.iter().for_each(|warning| eprintln!("# Warning: {warning}"));
            if rendered.manifests.write_yaml(std::io::stdout().lock()).is_err() {
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            match error.downcast_ref::<Error>() {
                Some(error) => eprintln!("Error: {error:#}"),
                None => eprintln!("Error: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}
