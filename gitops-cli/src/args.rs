//! The command line: what can be asked, and the texts that teach it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What the program was asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "gitops",
    about = "Renders and reconciles what a Git repository says of a cluster",
    version,
    disable_help_subcommand = true,
    after_help = EXAMPLES,
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  gitops kustomize build overlays/prod
  source <(gitops completion bash)";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Render kustomize overlays
    #[command(subcommand)]
    Kustomize(Kustomize),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// The shell that will read the script
        shell: clap_complete::Shell,
    },
    /// Print the version, and the versions that it is compatible with
    Version(Version),
}

const COMPLETION_EXAMPLES: &str = "Examples:
  source <(gitops completion bash)                       bash, for this session
  gitops completion zsh > \"${fpath[1]}/_gitops\"          zsh
  gitops completion fish > ~/.config/fish/completions/gitops.fish";

/// Arguments of `gitops version`.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// For machines instead of people
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

/// A format for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON document
    Json,
    /// One YAML document
    Yaml,
}

/// The commands below `gitops kustomize`.
#[derive(Debug, Subcommand)]
pub(crate) enum Kustomize {
    /// Print the objects that an overlay makes, as `kustomize build` does
    #[command(after_help = BUILD_EXAMPLES)]
    Build(Build),
}

const BUILD_EXAMPLES: &str = "Examples:
  gitops kustomize build overlays/prod
  gitops kustomize build overlays/prod -o prod.yaml
  gitops kustomize build overlays/prod -o out/           one file for each object
  gitops kustomize build . --load-restrictor LoadRestrictionsNone";

/// Arguments of `gitops kustomize build`: kustomize's flags.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The directory with the kustomization file
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,

    /// Write here instead of to stdout: a file, or an existing directory for one file per object
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Whether files may be loaded from outside the kustomization's own directory
    #[arg(long, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    pub(crate) load_restrictor: LoadRestrictor,

    /// The order of the objects: kustomize's legacy order by kind, or as they were read
    #[arg(long, value_name = "ORDER", default_value = "legacy")]
    pub(crate) reorder: Reorder,

    /// Add the label app.kubernetes.io/managed-by
    #[arg(long)]
    pub(crate) enable_managedby_label: bool,
}

/// `--load-restrictor`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum LoadRestrictor {
    /// Only files below the kustomization's directory
    LoadRestrictionsRootOnly,
    /// Any file
    LoadRestrictionsNone,
}

/// `--reorder`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reorder {
    /// Namespaces and definitions first, webhooks last
    Legacy,
    /// As they were read
    None,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
