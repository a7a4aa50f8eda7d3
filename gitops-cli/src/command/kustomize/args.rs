//! The flags of `gitops kustomize build`: kustomize's own, and a few more.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the texts of --help"
)]

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::command::report::{ErrorFormat, ExplainFormat};

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
  gitops kustomize build 'https://github.com/org/repo//overlays/prod?ref=v1'
  gitops kustomize build . --load-restrictor LoadRestrictionsNone
  gitops kustomize build . --error-format json           failures for machines
  gitops kustomize build . --explain Deployment/web.spec.replicas

Exit codes are kustomize's: 0, and 1 for everything that fails.";

/// Arguments of `gitops kustomize build`: kustomize's flags.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The directory with the kustomization file, or the address of a Git repository:
    /// https://host/org/repo//path?ref=v1, git@host:org/repo.git, ssh://…, file://…
    #[arg(value_name = "DIR|URL", default_value = ".")]
    pub(crate) directories: Vec<PathBuf>,

    /// Write here instead of to stdout: a file, or an existing directory for one file per object
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,

    /// LoadRestrictionsNone lets kustomizations load files from outside of their directory
    #[arg(long, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    pub(crate) load_restrictor: String,

    /// The order of the objects: kustomize's legacy order by kind, or none. Deprecated: use the field
    /// sortOptions
    #[arg(long, value_name = "ORDER")]
    pub(crate) reorder: Option<String>,

    /// Add the label app.kubernetes.io/managed-by. Deprecated: use the field buildMetadata
    #[arg(long)]
    pub(crate) enable_managedby_label: bool,

    /// Render the charts of helmCharts
    #[arg(long)]
    pub(crate) enable_helm: bool,

    /// Accepted and not used: charts are rendered in this process
    #[arg(long, value_name = "PROGRAM", default_value = "helm")]
    pub(crate) helm_command: String,

    /// A version of an API that charts may ask for; can be given several times
    #[arg(long, value_name = "VERSION")]
    pub(crate) helm_api_versions: Vec<String>,

    /// The version of Kubernetes that charts are rendered for
    #[arg(long, value_name = "VERSION")]
    pub(crate) helm_kube_version: Option<String>,

    /// Render charts with --debug
    #[arg(long)]
    pub(crate) helm_debug: bool,

    /// Refused where a plugin would run: builtin plugins need no flag, others are never run
    #[arg(long)]
    pub(crate) enable_alpha_plugins: bool,

    /// As --enable-alpha-plugins
    #[arg(long)]
    pub(crate) enable_exec: bool,

    /// For functions, none of which is run
    #[arg(long, hide = true)]
    pub(crate) network: bool,

    /// For functions, none of which is run
    #[arg(long, hide = true, value_name = "NAME", default_value = "bridge")]
    pub(crate) network_name: String,

    /// For functions, none of which is run
    #[arg(long, hide = true, value_name = "MOUNT")]
    pub(crate) mount: Vec<String>,

    /// For functions, none of which is run
    #[arg(short, long, hide = true, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,

    /// For functions, none of which is run
    #[arg(long, hide = true)]
    pub(crate) as_current_user: bool,

    /// Accepted; failures tell the chain of kustomizations anyway
    #[arg(long, hide = true)]
    pub(crate) stack_trace: bool,

    /// Refuse bases and files that would have to be fetched
    #[arg(long)]
    pub(crate) no_remote_bases: bool,

    /// Instead of the objects, print where a field comes from: the file, the patches and the
    /// transformers that set it, with their lines. OBJECT is Kind/name or Kind/namespace/name as it is
    /// put out, FIELD such as spec.template.spec.containers[name=app].image
    #[arg(long, value_name = "OBJECT.FIELD", conflicts_with = "output")]
    pub(crate) explain: Option<String>,

    /// The form of what --explain prints
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "explain")]
    pub(crate) explain_format: ExplainFormat,

    /// How a failure is told on stderr
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) error_format: ErrorFormat,
}

/// A wrong command line, with the exit code of kustomize and helm; `None` for others, and where help
/// was asked for.
pub(crate) fn refused(error: &clap::Error) -> Option<ExitCode> {
    let ours =
        std::env::args().nth(1).is_some_and(|command| matches!(&*command, "kustomize" | "helm"));
    if !ours || !error.use_stderr() {
        return None;
    }
    anstream::eprint!("{error}");
    Some(ExitCode::FAILURE)
}
