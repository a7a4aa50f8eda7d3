//! The command line of `gitops helm`.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the texts of --help"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gitops_helm::Compat;

use super::place::{AccessArgs, ChartArgs, Settings, VerifyArgs};
use crate::command::report::{ErrorFormat, ExplainFormat};
use crate::deferred::Deferred;

/// Arguments of `gitops helm`.
#[derive(Debug, Args)]
pub(crate) struct Helm {
    /// The version of Helm whose behaviour is wanted
    #[arg(long, global = true, value_enum, default_value = "4", value_name = "VERSION")]
    pub(super) helm_compat: HelmVersion,
    /// How a failure is told on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto")]
    pub(super) error_format: ErrorFormat,
    /// The namespace of releases
    #[arg(short, long, global = true, default_value = "default", env = "HELM_NAMESPACE")]
    pub(super) namespace: String,
    /// Print what was rendered although it is no YAML
    #[arg(long, global = true)]
    pub(super) debug: bool,
    #[command(flatten)]
    pub(super) settings: Settings,
    #[command(subcommand)]
    pub(super) command: HelmCommand,
}

/// A version of Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HelmVersion {
    /// Helm 4
    #[value(name = "4")]
    Four,
    /// Helm 3
    #[value(name = "3")]
    Three,
}

impl From<HelmVersion> for Compat {
    fn from(version: HelmVersion) -> Self {
        match version {
            HelmVersion::Four => Self::Helm4,
            HelmVersion::Three => Self::Helm3,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum HelmCommand {
    /// Render a chart's templates, without a cluster
    #[command(after_help = TEMPLATE_EXAMPLES)]
    Template(Deferred<Box<Template>>),
    /// Look for what is wrong with charts
    Lint(Deferred<Box<Lint>>),
    /// Show what a chart says of itself
    #[command(subcommand, visible_alias = "inspect")]
    Show(Deferred<Show>),
    /// Pack charts as .tgz files, always with the same bytes
    Package(Deferred<Package>),
    /// Look at what a chart depends on
    #[command(subcommand, visible_aliases = ["dep", "dependencies"])]
    Dependency(Deferred<Dependency>),
}

const TEMPLATE_EXAMPLES: &str = "Examples:
  gitops helm template ./chart
  gitops helm template web ./chart-1.2.3.tgz -f production.yaml --set image.tag=v2
  gitops helm template ./chart --show-only templates/deployment.yaml
  gitops helm template ./chart --kube-version 1.33 --helm-compat 3
  gitops helm template web podinfo --repo https://charts.example.com --version '6.x'
  gitops helm template ./chart --explain Deployment/web.spec.replicas
  gitops helm template ./chart --error-format json        failures for machines";

/// Where the values of a release come from; the later in this list win.
#[derive(Debug, Args)]
pub(super) struct ValuesArgs {
    /// A file of values, its http or https URL, or - for standard input; can be given several times
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    pub(super) files: Vec<String>,

    /// Set values from JSON: key=JSON,key=JSON, or one object
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(super) set_json: Vec<String>,

    /// Set values: a.b=1,list[0]=x,other={a,b}
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub(super) set: Vec<String>,

    /// Set values that are strings
    #[arg(long, value_name = "KEY=TEXT", allow_hyphen_values = true)]
    pub(super) set_string: Vec<String>,

    /// Set values to the content of files: key=path
    #[arg(long, value_name = "KEY=FILE", allow_hyphen_values = true)]
    pub(super) set_file: Vec<String>,

    /// Set one value to the text as it stands
    #[arg(long, value_name = "KEY=TEXT", allow_hyphen_values = true)]
    pub(super) set_literal: Vec<String>,
}

/// Arguments of `gitops helm template`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
pub(super) struct Template {
    /// The name of the release, and the chart: a directory, a .tgz file, repository/chart,
    /// oci://host/path/chart, an http or https URL, or with --repo the name of a chart
    #[arg(value_name = "[NAME] CHART", required = true, num_args = 1..)]
    pub(super) words: Vec<String>,

    #[command(flatten)]
    pub(super) place: ChartArgs,

    #[command(flatten)]
    pub(super) values: ValuesArgs,

    /// The version of Kubernetes that templates see
    #[arg(long, value_name = "VERSION")]
    pub(super) kube_version: Option<String>,

    /// More API versions that templates see: apps/v1, apps/v1/Deployment
    #[arg(short, long, value_name = "VERSION")]
    pub(super) api_versions: Vec<String>,

    /// Only what these templates give: paths below the chart, also with * and ?
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(super) show_only: Vec<String>,

    /// With the custom resource definitions of the chart
    #[arg(long)]
    pub(super) include_crds: bool,

    /// Leave them out, which is the default
    #[arg(long, hide = true)]
    pub(super) skip_crds: bool,

    /// Without tests
    #[arg(long)]
    pub(super) skip_tests: bool,

    /// Without hooks
    #[arg(long)]
    pub(super) no_hooks: bool,

    /// As for an upgrade: .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    pub(super) is_upgrade: bool,

    /// Do not check values by values.schema.json
    #[arg(long)]
    pub(super) skip_schema_validation: bool,

    /// Write one file for each template to this directory
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,

    /// With --output-dir, put the files below the release's name
    #[arg(long)]
    pub(super) release_name: bool,

    /// A Go template for the name of the release
    #[arg(long, value_name = "TEMPLATE")]
    pub(super) name_template: Option<String>,

    /// Make up the name of the release
    #[arg(short, long)]
    pub(super) generate_name: bool,

    /// Instead of the manifests, print where lines come from: the action of a template, what called
    /// it, the values that it read, and who set those. Kind/name.field or Kind/namespace/name.field of
    /// an object, path:line of what --output-dir writes for a template, or a line of the output
    #[arg(long, value_name = "QUESTION", conflicts_with = "output_dir")]
    pub(super) explain: Option<String>,

    /// The form of what --explain prints
    #[arg(long, value_name = "FORMAT", default_value = "text", requires = "explain")]
    pub(super) explain_format: ExplainFormat,

    /// Change the manifests: a plugin of type postrenderer/v1, or with --helm-compat 3 a program
    #[arg(long, value_name = "NAME|PROGRAM")]
    pub(super) post_renderer: Vec<String>,

    /// An argument of the post-renderer; can be given several times
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(super) post_renderer_args: Vec<String>,

    /// Let templates look up host names
    #[arg(long)]
    pub(super) enable_dns: bool,

    /// Fetch the dependencies to charts/ if some are missing there
    #[arg(long)]
    pub(super) dependency_update: bool,

    /// Without a cluster, which is the default and the only way here
    #[arg(long, value_name = "client", hide = true)]
    pub(super) dry_run: Option<String>,

    /// As --dry-run=server, which there is not
    #[arg(long, hide = true)]
    pub(super) validate: bool,
}

/// Arguments of `gitops helm lint`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
pub(super) struct Lint {
    /// Directories and .tgz files
    #[arg(value_name = "PATH")]
    pub(super) charts: Vec<String>,
    /// Fail on warnings
    #[arg(long)]
    pub(super) strict: bool,
    /// Look at the charts below charts/ too
    #[arg(long)]
    pub(super) with_subcharts: bool,
    /// Print warnings and errors only
    #[arg(long)]
    pub(super) quiet: bool,
    /// Leave values.schema.json alone
    #[arg(long)]
    pub(super) skip_schema_validation: bool,
    /// The version of Kubernetes that templates see and that tells what is deprecated
    #[arg(long, value_name = "VERSION")]
    pub(super) kube_version: Option<String>,
    #[command(flatten)]
    pub(super) values: ValuesArgs,
}

/// Commands of `gitops helm show`.
#[derive(Debug, Subcommand)]
pub(super) enum Show {
    /// Everything
    All(ShowChart),
    /// Chart.yaml
    Chart(ShowChart),
    /// values.yaml
    Values(ShowValues),
    /// The readme
    Readme(ShowChart),
    /// The custom resource definitions
    Crds(ShowChart),
}

/// Arguments of the commands of `gitops helm show`.
#[derive(Debug, Args)]
pub(super) struct ShowChart {
    /// A directory, a .tgz file, repository/chart, oci://host/path/chart, an http or https URL, or
    /// with --repo the name of a chart
    pub(super) chart: String,
    #[command(flatten)]
    pub(super) place: ChartArgs,
}

/// Arguments of `gitops helm show values`.
#[derive(Debug, Args)]
pub(super) struct ShowValues {
    #[command(flatten)]
    pub(super) of: ShowChart,
    /// What of the values to print, as a JSONPath of Kubernetes: {.image.tag}
    #[arg(long, value_name = "PATH")]
    pub(super) jsonpath: Option<String>,
}

/// Arguments of `gitops helm package`.
#[derive(Debug, Args)]
pub(super) struct Package {
    /// Directories
    #[arg(value_name = "CHART")]
    pub(super) charts: Vec<String>,
    /// Fetch the dependencies to charts/ first, as dependency update does
    #[arg(short = 'u', long)]
    pub(super) dependency_update: bool,
    /// Instead of the version in Chart.yaml
    #[arg(long)]
    pub(super) version: Option<String>,
    /// Instead of the version of what is installed in Chart.yaml
    #[arg(long)]
    pub(super) app_version: Option<String>,
    /// The directory to write to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(super) destination: String,
    /// Sign the package: writes a .prov file beside it
    #[arg(long)]
    pub(super) sign: bool,
    /// The name of the key, or a part of it
    #[arg(long, value_name = "NAME")]
    pub(super) key: Option<String>,
    /// The file with the secret keys, as gpg --export-secret-keys writes it
    #[arg(long, value_name = "FILE")]
    pub(super) keyring: Option<String>,
    /// A file with the passphrase of the key in its first line
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<String>,
    /// The time of the files in the package, in seconds since 1970
    #[arg(long, env = "SOURCE_DATE_EPOCH", hide = true)]
    pub(super) source_date_epoch: Option<u64>,
    #[command(flatten)]
    pub(super) access: AccessArgs,
}

/// Commands of `gitops helm dependency`.
#[derive(Debug, Subcommand)]
pub(super) enum Dependency {
    /// List the dependencies of a chart, and what of them is there
    #[command(visible_alias = "ls")]
    List {
        /// A directory or a .tgz file
        chart: Option<String>,
        /// How wide a column may be
        #[arg(long, value_name = "COUNT", default_value_t = 80)]
        max_col_width: u64,
    },
    /// Fetch the newest versions that Chart.yaml allows to charts/, and write Chart.lock
    #[command(visible_alias = "up")]
    Update(Dependencies),
    /// Fetch the versions of Chart.lock to charts/
    Build(Dependencies),
}

/// Arguments of `gitops helm dependency update` and `build`.
#[derive(Debug, Args)]
pub(super) struct Dependencies {
    /// A directory
    #[arg(default_value = ".")]
    pub(super) chart: String,
    /// Accepted and without effect: there is no copy of an index to refresh
    #[arg(long, hide = true)]
    pub(super) skip_refresh: bool,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    #[command(flatten)]
    pub(super) verify: VerifyArgs,
}
