//! The command line: what can be asked, and the texts that teach it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    artifact::{DiffCommand, ListCommand, PullCommand, PushCommand, TagCommand},
    deferred::Deferred,
    fetch::FetchCommand,
};

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
  gitops run . --once
  gitops kustomize build overlays/prod
  gitops helm template ./chart -f values.yaml
  source <(gitops completion bash)";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reconcile a working tree and watch it become ready, without a cluster
    // The variant's own text would win over that of the arguments.
    #[command(long_about = RUN_ABOUT)]
    Run(Deferred<Run>),
    /// Render kustomize overlays
    #[command(subcommand)]
    Kustomize(Deferred<crate::command::kustomize::Kustomize>),
    /// Render, show and check Helm charts
    Helm(Deferred<Box<crate::command::helm::Helm>>),
    /// Fetch a source and package it, as source-controller does
    #[command(subcommand, long_about = crate::fetch::ABOUT)]
    Fetch(Deferred<FetchCommand>),
    /// Push an artifact to a registry
    #[command(subcommand)]
    Push(Deferred<PushCommand>),
    /// Pull an artifact from a registry
    #[command(subcommand)]
    Pull(Deferred<PullCommand>),
    /// Tag an artifact in a registry
    #[command(subcommand)]
    Tag(Deferred<TagCommand>),
    /// List the artifacts of a repository
    #[command(subcommand)]
    List(Deferred<ListCommand>),
    /// Compare an artifact with local files
    #[command(subcommand)]
    Diff(Deferred<DiffCommand>),
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

/// Arguments of `gitops run`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
#[command(after_long_help = RUN_EXAMPLES)]
pub(crate) struct Run {
    /// The repository: its directory, or a URL with an optional ?ref=BRANCH|TAG|COMMIT
    #[arg(value_name = "PATH|URL", default_value = ".")]
    pub(crate) target: String,

    /// For ssh:// and git@host:path, a private key; without it an agent's or the user's
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// For ssh:// and git@host:path, the known hosts; without it the user's and the machine's
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// The socket of an SSH agent
    #[arg(long, value_name = "FILE", env = "SSH_AUTH_SOCK", hide = true)]
    pub(crate) agent: Option<PathBuf>,

    /// The user's home
    #[arg(long, value_name = "DIR", env = "HOME", hide = true)]
    pub(crate) home: Option<PathBuf>,

    /// The cluster's directory, where the repository holds several
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,

    /// End when everything has settled: exit 0 when all is ready, 1 when something is not
    #[arg(long)]
    pub(crate) once: bool,

    /// For machines: one report at the end
    #[arg(short, long, value_name = "FORMAT", requires = "once")]
    pub(crate) output: Option<Format>,

    /// Write the objects that were applied to this directory when the run ends, one file each; the
    /// values of Secrets are masked
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,

    /// With --write, write the values of Secrets too
    #[arg(long, requires = "write")]
    pub(crate) show_secrets: bool,

    /// With --once, how many seconds to wait until everything has settled
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u64,

    /// Run in the cluster of this kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// A context of the kubeconfig: run in that cluster. Without it and --kubeconfig nothing but
    /// this process is needed, and nothing outside of it is changed
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// Leave workloads as they were applied. Otherwise a run inside the process lets Deployments,
    /// Jobs and claims become ready, as after a good rollout
    #[arg(long)]
    pub(crate) no_simulate: bool,

    /// With --context or --kubeconfig, also write the statuses of workloads, as after a good
    /// rollout: only for a test cluster without kubelets
    #[arg(long, conflicts_with = "no_simulate")]
    pub(crate) simulate: bool,

    /// Install the custom resource definitions that the cluster lacks
    #[arg(long)]
    pub(crate) install_crds: bool,

    /// Do it although Flux's controllers run there, and would reconcile the same objects
    #[arg(long)]
    pub(crate) force: bool,
}

const RUN_ABOUT: &str = "Reconcile a working tree and watch it become ready.

Runs the source and kustomize reconcilers in this process, against a Kubernetes API in this process: \
no cluster is needed. Applies the repository's own sync objects (GitRepository and Kustomization, as \
`flux bootstrap` wrote them), and serves PATH, uncommitted edits included, in place of the repository's \
remotes, or of the sync's own URL where that is none of them; deploy keys are not needed for it. Other \
sources are fetched. What .gitignore excludes is \
left out. A saved edit is reconciled within a second, and what it changed is shown as a diff. A URL is \
fetched once, and served in the same way.

With --context or --kubeconfig the same happens in a cluster, and the objects stay there when the run \
ends.";

const RUN_EXAMPLES: &str = "Examples:
  gitops run .                                            everything in this process
  gitops run . --path clusters/prod                       one of several clusters
  gitops run . --once                                     for CI: ends when everything has settled
  gitops run . --once -o json                             the report described below
  gitops run . --once --write out                         see what would be in the cluster
  gitops run 'https://git.example.com/fleet.git?ref=v1'   a repository that is not here
  gitops run . --context kind-dev --install-crds          in a cluster

Report (-o json|yaml):
  ready      whether everything is ready
  settled    whether nothing more would have happened; false when time was up
  unhealthy  objects that are not as they should be: Kind/namespace/name to the reason
  items      sources and Kustomizations, each with
    object, state (ready|suspended|progressing|waiting|failed), reason, message, revision,
    source, dependsOn, objects (what it applied), holdsBack (what waits for it)

Exit codes:
  0  everything is ready (--once), or the run was ended with Ctrl-C
  1  something is not ready; the causes stand at the end of the output
  2  the command line is wrong";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_teaches() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        for part in ["uncommitted edits included", "Examples:", "Exit codes:", "holdsBack"] {
            assert!(help.contains(part), "{part} is not in {help}");
        }
    }
}
