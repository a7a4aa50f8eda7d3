//! What this library asks of something that renders charts.

use std::{fmt::Debug, path::Path};

use bytes::Bytes;
use gitops_core::{Scope, Tree};

use crate::{error::Error, load::Remote};

/// Renders charts for `helmCharts`; the counterpart of the original's `--enable-helm`.
///
/// What it returns is read as untrusted, as any file of the build is.
pub trait HelmCharts: Debug + Send + Sync {
    /// Fetches a chart that the tree does not hold, as `helm pull` does.
    ///
    /// # Errors
    /// When the chart is refused or cannot be fetched; see [`Error::remote`].
    fn pull(&self, chart: &ChartReference, scope: &Scope) -> Result<Remote, Error>;

    /// Renders the chart in a directory, as `helm template` does.
    ///
    /// # Errors
    /// When the chart does not render; see [`Error::chart`].
    fn template(
        &self,
        tree: &dyn Tree,
        directory: &Path,
        release: &HelmRelease,
        scope: &Scope,
    ) -> Result<String, Error>;
}

/// A chart in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartReference {
    /// The address of the repository, `https://…` or `oci://…`.
    pub repository: String,
    /// The chart's name; behind an `oci://` address a part of the path.
    pub name: String,
    /// The version or range; empty for the newest.
    pub version: String,
    /// Whether development versions count.
    pub devel: bool,
}

/// A release to render: the flags of `helm template`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelmRelease {
    /// The release's name; one is generated where it is empty.
    pub name: String,
    /// `--name-template`; empty for none.
    pub name_template: String,
    /// `--namespace`; empty for the default.
    pub namespace: String,
    /// `--values`, in order: later files win.
    pub values: Vec<Bytes>,
    /// `--api-versions`
    pub api_versions: Vec<String>,
    /// `--kube-version`; empty for the default.
    pub kube_version: String,
    /// `--include-crds`
    pub include_crds: bool,
    /// `--skip-tests`
    pub skip_tests: bool,
    /// `--no-hooks`
    pub skip_hooks: bool,
    /// `--debug`
    pub debug: bool,
}

/// What charts are rendered with where the kustomization file does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelmDefaults {
    /// `--helm-api-versions`
    pub api_versions: Vec<String>,
    /// `--helm-kube-version`
    pub kube_version: String,
    /// `--helm-debug`
    pub debug: bool,
}
