//! The command line: what can be asked, and the texts that teach it.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What the program was asked to do.
#[derive(Debug, Parser)]
#[command(
    name = "gitops",
    about = "Turns a Git repository into a reconciled cluster",
    long_about = "Turns a Git repository into a reconciled cluster, on your machine.\n\n\
        `gitops run` starts a Kubernetes API server inside this process, the same reconcilers that \
        run in a cluster, and a stand-in for the kubelet; it needs no cluster, no container runtime \
        and no network.",
    version,
    disable_help_subcommand = true,
    after_help = EXAMPLES,
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  gitops run .                       see the repository you stand in become a cluster
  gitops run . --once                for CI: exit 0 when all is ready, 1 with the causes when not
  gitops kustomize build overlays/prod
  source <(gitops completion bash)";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reconcile a repository and watch it become ready
    Run(Box<Run>),
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

/// Arguments of `gitops run`.
#[derive(Debug, Args)]
#[command(
    long_about = RUN_ABOUT,
    after_long_help = RUN_EXAMPLES,
    after_help = "See `gitops run --help` for what it does and for examples."
)]
pub(crate) struct Run {
    /// A directory, or the URL of a Git repository
    #[arg(value_name = "PATH|URL", default_value = ".")]
    pub(crate) target: String,

    /// The cluster's directory, where the repository holds several
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,

    /// End when everything has settled: exit 0 when all is ready, 1 when something is not
    #[arg(long)]
    pub(crate) once: bool,

    /// For machines: one report at the end (needs --once)
    #[arg(short, long, value_name = "FORMAT", requires = "once")]
    pub(crate) output: Option<Format>,

    /// Save the applied objects as YAML files below this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,

    /// With --once, how long to wait until everything has settled
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Show every object, not only those that are not ready
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Do not play the kubelet's part: workloads stay as they were applied
    #[arg(long)]
    pub(crate) no_simulate: bool,

    /// With a URL, the branch to clone instead of the remote's default
    #[arg(long, value_name = "NAME")]
    pub(crate) branch: Option<String>,

    /// What the reconcilers log, on stderr: error, warn, info, debug or a tracing filter
    #[arg(long, value_name = "FILTER", env = "GITOPS_LOG", hide_env = true)]
    pub(crate) log: Option<String>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Which cluster to use instead of the embedded one.
#[derive(Debug, Args)]
#[command(next_help_heading = "A real cluster instead of the embedded one")]
pub(crate) struct ClusterArgs {
    /// A kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// A context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// Install the custom resource definitions where the cluster lacks them
    #[arg(long)]
    pub(crate) install_crds: bool,

    /// Do it although Flux's controllers run there, and would reconcile the same objects
    #[arg(long)]
    pub(crate) force: bool,
}

impl ClusterArgs {
    /// Whether a real cluster was asked for.
    pub(crate) fn is_real(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some()
    }
}

const RUN_ABOUT: &str =
    "Reconcile a repository and watch it become ready.

Starts a Kubernetes API server inside this process, the source and kustomize reconcilers, and a \
simulator that plays the kubelet's part. Applies the repository's own sync objects (GitRepository \
and Kustomization, as `flux bootstrap` wrote them) and shows a live tree of what they bring about.

Files are taken from the working tree, uncommitted edits included, for every GitRepository whose \
URL is the repository's own; deploy keys are not needed for those. Files that .gitignore excludes \
are left out. Saving a file reconciles it within a second and prints what changed in the cluster.

Nothing is written to the directory, and nothing is left behind.";

const RUN_EXAMPLES: &str = "Examples:
  gitops run .                          the repository you stand in
  gitops run . --path clusters/prod     one of several clusters
  gitops run . --once                   for CI: ends when everything has settled
  gitops run . --once -o json           the same, as one JSON document on stdout
  gitops run . --once --write out/      save the objects as they were applied
  gitops run https://github.com/fluxcd/flux2-kustomize-helm-example --path clusters/staging
  gitops run . --context kind-dev --install-crds

Exit codes:
  0  everything is ready (--once), or the run was ended with Ctrl-C
  1  something is not ready; the causes stand at the end of the output
  2  the command line is wrong";

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

/// A duration as Go writes it: `90s`, `5m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is not a duration such as 90s, 5m or 1h30m");
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
        let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(bad()),
        };
        total += Duration::try_from_secs_f64(number * unit).map_err(|_| bad())?;
        rest = &rest[letters..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "5", "m", "-1s", "5 m", "1d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_report_for_machines_needs_an_end() {
        let error = Cli::try_parse_from(["gitops", "run", ".", "-o", "json"]).unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::MissingRequiredArgument);
    }
}
