//! Command lines as most are, read at once: to describe all flags, and to take the description apart,
//! is a sixth of what a small build costs.

use std::{ffi::OsString, path::PathBuf};

use super::args::Build;
use crate::command::report::{ErrorFormat, ExplainFormat};

/// The arguments of `gitops kustomize build`. `None` for any other command, and wherever a word is not
/// known here: it is rare, or wrong, or asks for help.
pub(crate) fn plain(words: &[OsString]) -> Option<Build> {
    let mut words = words.iter().map(|word| word.to_str());
    let _program = words.next();
    if words.next() != Some(Some("kustomize")) || words.next() != Some(Some("build")) {
        return None;
    }
    let mut build = defaults();
    let mut restrictor = None;
    while let Some(word) = words.next() {
        let word = word?;
        let (flag, mut value) = match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        let mut once = |place: &mut Option<String>| {
            let value = value.take().or_else(|| words.next().flatten());
            let value = value.filter(|value| !value.is_empty() && !value.starts_with('-'))?;
            place.replace(value.to_owned()).is_none().then_some(())
        };
        match flag {
            "--load-restrictor" => once(&mut restrictor)?,
            "--reorder" => once(&mut build.reorder)?,
            "-o" | "--output" => {
                let mut output = build.output.take().map(|_| String::new());
                once(&mut output)?;
                build.output = output.map(PathBuf::from);
            }
            "--enable-helm" if !build.enable_helm => build.enable_helm = true,
            "--no-remote-bases" if !build.no_remote_bases => build.no_remote_bases = true,
            directory if !directory.is_empty() && !directory.starts_with('-') => {
                build.directories.push(directory.into());
            }
            _ => return None,
        }
        // What a flag without a value was given is clap's to refuse.
        if value.is_some() {
            return None;
        }
    }
    if build.directories.is_empty() {
        build.directories.push(".".into());
    }
    if let Some(restrictor) = restrictor {
        build.load_restrictor = restrictor;
    }
    Some(build)
}

/// What clap makes of no arguments, but for the directory.
fn defaults() -> Build {
    Build {
        directories: Vec::new(),
        output: None,
        load_restrictor: "LoadRestrictionsRootOnly".to_owned(),
        reorder: None,
        enable_managedby_label: false,
        enable_helm: false,
        helm_command: "helm".to_owned(),
        helm_api_versions: Vec::new(),
        helm_kube_version: None,
        helm_debug: false,
        enable_alpha_plugins: false,
        enable_exec: false,
        network: false,
        network_name: "bridge".to_owned(),
        mount: Vec::new(),
        env: Vec::new(),
        as_current_user: false,
        stack_trace: false,
        no_remote_bases: false,
        explain: None,
        explain_format: ExplainFormat::Text,
        error_format: ErrorFormat::Auto,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{
        args::{Cli, Command},
        command::kustomize::Kustomize,
        deferred::Deferred,
    };

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(|word| if word == "''" { "" } else { word }.into()).collect()
    }

    #[test]
    fn clap_reads_the_same() {
        for line in [
            "gitops kustomize build",
            "gitops kustomize build a/b",
            "gitops kustomize build a b",
            "gitops kustomize build a=b",
            "gitops kustomize build https://host/a?ref=v1",
            "gitops kustomize build a --load-restrictor LoadRestrictionsNone",
            "gitops kustomize build --load-restrictor=LoadRestrictionsNone a -o out",
            "gitops kustomize build --enable-helm a --output=x=y --reorder none",
            "gitops kustomize build --no-remote-bases",
        ] {
            let own = plain(&words(line)).unwrap_or_else(|| panic!("{line} is plain"));
            let cli = Cli::try_parse_from(words(line)).unwrap();
            let Command::Kustomize(Deferred(Kustomize::Build(build))) = cli.command else {
                panic!("{line} is no build");
            };
            assert_eq!(format!("{own:?}"), format!("{build:?}"), "{line}");
        }
    }

    #[test]
    fn the_rest_is_left_to_clap() {
        for line in [
            "gitops",
            "gitops kustomize",
            "gitops kustomize edit",
            "gitops helm build a",
            "gitops kustomize build --help",
            "gitops kustomize build -h",
            "gitops kustomize build a --explain Deployment/web",
            "gitops kustomize build a --load-restrictor",
            "gitops kustomize build a --load-restrictor --enable-helm",
            "gitops kustomize build a --load-restrictor=x --load-restrictor=y",
            "gitops kustomize build a -o x -o y",
            "gitops kustomize build a --enable-helm=true",
            "gitops kustomize build a --enable-helm --enable-helm",
            "gitops kustomize build a --output=",
            "gitops kustomize build a -ox",
            "gitops kustomize build ''",
            "gitops kustomize build -- -a",
        ] {
            assert!(plain(&words(line)).is_none(), "{line}");
        }
    }
}
