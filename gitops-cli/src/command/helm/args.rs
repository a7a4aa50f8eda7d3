//! The command line of `gitops helm`.

use clap::{Args, Subcommand, ValueEnum};
use gitops_helm::Compat;

/// Arguments of `gitops helm`.
#[derive(Debug, Args)]
pub(crate) struct Helm {
    /// The version of Helm whose behaviour is wanted
    #[arg(long, global = true, value_enum, default_value = "4", value_name = "VERSION")]
    pub(super) helm_compat: HelmVersion,
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
    /// Show what a chart says of itself
    #[command(subcommand, visible_alias = "inspect")]
    Show(Show),
    /// Look at what a chart depends on
    #[command(subcommand, visible_aliases = ["dep", "dependencies"])]
    Dependency(Dependency),
}

/// Commands of `gitops helm show`.
#[derive(Debug, Subcommand)]
pub(super) enum Show {
    /// Everything
    All(ShowChart),
    /// Chart.yaml
    Chart(ShowChart),
    /// values.yaml
    Values(ShowChart),
    /// The readme
    Readme(ShowChart),
    /// The custom resource definitions
    Crds(ShowChart),
}

/// Arguments of the commands of `gitops helm show`.
#[derive(Debug, Args)]
pub(super) struct ShowChart {
    /// A directory or a .tgz file
    pub(super) chart: String,
}

/// Commands of `gitops helm dependency`.
#[derive(Debug, Subcommand)]
pub(super) enum Dependency {
    /// List the dependencies of a chart, and what of them is there
    #[command(visible_alias = "ls")]
    List {
        /// A directory or a .tgz file
        chart: Option<String>,
    },
}
