//! From a reference to the package of a chart.
//!
//! Follows Flux's `internal/helm/chart`: when a chart is taken as it is, when it is packaged anew,
//! and what its version is then.

mod dependencies;
mod error;
mod repositories;
mod values;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::{Scope, Tree, Version, confined_path};
use gitops_helm::{Chart, ChartError, LoadOptions};
use serde_json::{Map, Value};

use super::entry::{ChartChoiceError, ChartVersion};
use crate::SourceError;
use dependencies::{fetch, is_local, missing};
use error::during;
use values::{merge_file, merge_local, overwrite_values};

pub use dependencies::normalize_url;
pub use error::ChartBuildError;
pub use repositories::{ChartRepositories, ChartRepository, FindChartError};

/// How many dependencies are fetched at a time.
const PARALLEL: usize = 4;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How a chart is built.
#[derive(Clone, Debug, Default)]
pub struct ChartBuildOptions {
    /// Build metadata that the version gets, without the `+`.
    pub version_metadata: Option<String>,
    /// Files whose merged content replaces `values.yaml`.
    pub values_files: Vec<String>,
    /// Whether such files may be missing.
    pub ignore_missing: bool,
    /// The chart that is stored already; absent, it is built whatever its version is.
    pub stored: Option<StoredChart>,
    /// Whether a signature is wanted.
    pub verify: bool,
    /// How charts are read.
    pub load: LoadOptions,
}

/// A chart that is stored already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredChart {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The files that were merged into its values, where that was noted.
    pub values_files: Vec<String>,
}

impl ChartBuildOptions {
    fn has_values_files(&self) -> bool {
        match &self.values_files[..] {
            [] => false,
            [only] => clean(only) != "values.yaml",
            _ => true,
        }
    }

    /// What is told of the values files of a chart that is stored already.
    fn told_values_files(&self, stored: &StoredChart) -> Vec<String> {
        if !stored.values_files.is_empty() {
            stored.values_files.clone()
        } else if self.has_values_files() {
            self.values_files.clone()
        } else {
            Vec::new()
        }
    }
}

/// A chart that was built, or found to be stored already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltChart {
    /// Its name.
    pub name: String,
    /// Its version, with the metadata.
    pub version: String,
    /// The files that were merged into its values.
    pub values_files: Vec<String>,
    /// How many dependencies were fetched for it.
    pub dependencies: usize,
    /// Whether it was packaged here; otherwise it is as it was found.
    pub packaged: bool,
    /// Whether its signature was checked.
    pub verified: bool,
    /// The package; absent when it is the stored one.
    pub package: Option<Bytes>,
}

impl BuiltChart {
    /// What was done, in a sentence; before it was done, when it is not `complete`.
    pub fn summary(&self, complete: bool) -> String {
        let action = match (complete, self.packaged) {
            (false, _) => "new",
            (true, false) => "pulled",
            (true, true) => "packaged",
        };
        let mut text = format!("{action} '{}' chart with version '{}'", self.name, self.version);
        if !self.values_files.is_empty() {
            text.extend([" and merged values files [", &self.values_files.join(" "), "]"]);
        }
        text
    }
}

/// A chart of a repository.
///
/// # Errors
/// [`ChartBuildError`], in Flux's words.
pub async fn build_remote(
    repository: &dyn ChartRepository,
    chart: &str,
    range: &str,
    options: &ChartBuildOptions,
    scope: &Scope,
    found: &mut (dyn FnMut(&BuiltChart) + Send),
) -> Result<BuiltChart, ChartBuildError> {
    check_name(chart)?;
    let version = repository.find(chart, range, scope).await.map_err(|error| {
        let doing = "failed to get chart version for remote reference";
        match error {
            FindChartError::Choice(_) => ChartBuildError::Reference(during(doing, error)),
            FindChartError::Source(SourceError::Cancelled(error)) => error.into(),
            FindChartError::Source(_) => ChartBuildError::Pull(during(doing, error)),
        }
    })?;
    if options.verify {
        let verified = repository.verify(&version, scope).await;
        verified.map_err(ChartBuildError::Verification)?;
    }
    let mut built = BuiltChart {
        name: version.name.clone(),
        version: with_metadata(&version.version, options.version_metadata.as_deref())?,
        packaged: options.has_values_files() || options.version_metadata.is_some(),
        verified: options.verify,
        ..BuiltChart::default()
    };
    if take_stored(&mut built, options) {
        return Ok(built);
    }
    let package = repository.download(&version, scope).await.map_err(|error| match error {
        SourceError::Cancelled(error) => error.into(),
        error => {
            ChartBuildError::Pull(during("failed to download chart for remote reference", error))
        }
    })?;
    let options = options.clone();
    let built = blocking(move || repackage(built, package, &options)).await?;
    found(&built);
    Ok(built)
}

/// Takes the package of a repository as it is, or with other values and another version.
fn repackage(
    mut built: BuiltChart,
    archive: Bytes,
    options: &ChartBuildOptions,
) -> Result<BuiltChart, ChartBuildError> {
    if !built.packaged {
        check_metadata(&archive, options).map_err(ChartBuildError::Pull)?;
        built.package = Some(archive);
        return Ok(built);
    }
    let mut chart = Chart::from_archive(&archive, &options.load).map_err(|error| {
        ChartBuildError::Package(during("failed to load downloaded chart", error))
    })?;
    chart.metadata.version.clone_from(&built.version);
    let merge = |chart: &Chart| {
        let mut values = Map::new();
        let mut used = Vec::new();
        for path in &options.values_files {
            let name = clean(path);
            // Above a chart there is nothing.
            let within = !path.split('/').any(|part| part == "..") && !path.starts_with('/');
            if within && name == "values.yaml" {
                gitops_helm::merge(&mut values, chart.values.clone().unwrap_or_default());
            } else if let Some(file) = chart.file(&name).filter(|_| within) {
                merge_file(&mut values, path, &file.data)?;
            } else if options.ignore_missing {
                continue;
            } else {
                return Err(format!("no values file found at path '{path}'").into());
            }
            used.push(path.clone());
        }
        Ok((values, used))
    };
    let (values, used) = merge(&chart).map_err(|error: Cause| {
        ChartBuildError::Values(during("failed to merge chart values", error))
    })?;
    if overwrite_values(&mut chart, values).map_err(ChartBuildError::Values)? {
        built.values_files = used;
    }
    built.package = Some(packed(&chart)?);
    Ok(built)
}

/// Looks at what a package says of itself, and at nothing else in it. Follows Flux's
/// `LoadChartMetadataFromArchive`.
fn check_metadata(archive: &[u8], options: &ChartBuildOptions) -> Result<(), Cause> {
    let loading = |error: Cause| during("failed to load chart metadata from written chart", error);
    if archive.is_empty() {
        return Err(loading("EOF".into()));
    }
    let files = Chart::unpack(archive, &options.load).map_err(|error| loading(error.into()))?;
    let told = |name: &str| matches!(name, "Chart.yaml" | "requirements.yaml");
    let files: Vec<_> = files.into_iter().filter(|file| told(&file.name)).collect();
    if files.is_empty() {
        return Err(loading("no 'Chart.yaml' found".into()));
    }
    match Chart::from_files(files, &options.load) {
        Ok(_) | Err(ChartError::NoMetadata) => Ok(()),
        Err(ChartError::Document { file, source }) => {
            Err(loading(during(format!("cannot load '{file}'"), source)))
        }
        Err(error @ ChartError::Invalid(_)) => {
            Err(during("failed to validate metadata of written chart", error))
        }
        Err(error) => Err(loading(error.into())),
    }
}

/// A chart in the files of a source.
#[derive(Clone, Debug)]
pub struct LocalChart {
    /// The files.
    pub tree: Arc<dyn Tree>,
    /// The chart's directory or package among them.
    pub path: String,
    /// Where the files stand, as messages name it.
    pub root: String,
}

impl LocalChart {
    /// The path below the root, as messages name it.
    fn shown(&self, path: &Path) -> String {
        let path = path.display().to_string();
        format!("{}/{path}", self.root).trim_end_matches('/').to_owned()
    }
}

/// A chart in the files of a source. What it depends on and does not bring along is fetched.
///
/// # Errors
/// [`ChartBuildError`], in Flux's words.
pub async fn build_local(
    local: &LocalChart,
    repositories: &dyn ChartRepositories,
    options: &ChartBuildOptions,
    scope: &Scope,
    found: &mut (dyn FnMut(&BuiltChart) + Send),
) -> Result<BuiltChart, ChartBuildError> {
    let own = (local.clone(), options.clone());
    let (mut built, loaded) = blocking(move || load(&own.0, &own.1)).await?;
    let Some(Loaded { mut chart, archive, values }) = loaded else {
        return Ok(built);
    };
    if !built.packaged {
        built.package = archive;
        found(&built);
        return Ok(built);
    }
    chart.metadata.version.clone_from(&built.version);
    if let Some((values, used)) = values
        && overwrite_values(&mut chart, values).map_err(ChartBuildError::Values)?
    {
        built.values_files = used;
    }
    if archive.is_none() {
        let missing = missing(&chart);
        built.dependencies = missing.len();
        let path = confined_path(&local.path);
        let fetched: Vec<Chart> = futures::stream::iter(missing)
            .map(|(name, dependency)| {
                let path = &path;
                async move {
                    let found = fetch(local, path, &dependency, repositories, options, scope).await;
                    let kind = if is_local(&dependency) { "local" } else { "remote" };
                    found.map_err(|error| {
                        let doing = format!("failed to add {kind} dependency '{name}'");
                        ChartBuildError::Dependencies(during(doing, error))
                    })
                }
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        chart.dependencies.extend(fetched);
    }
    let built = blocking(move || {
        built.package = Some(packed(&chart)?);
        Ok(built)
    });
    let built = built.await?;
    found(&built);
    Ok(built)
}

struct Loaded {
    chart: Chart,
    /// The package, where the chart is one.
    archive: Option<Bytes>,
    /// The merged values, and of which files.
    values: Option<(Map<String, Value>, Vec<String>)>,
}

fn load(
    local: &LocalChart,
    options: &ChartBuildOptions,
) -> Result<(BuiltChart, Option<Loaded>), ChartBuildError> {
    let path = confined_path(&local.path);
    let reference = |error: Cause| ChartBuildError::Reference(error);
    if local.path.starts_with('/') {
        let why = "local chart reference path is expected to be relative";
        return Err(reference(why.into()));
    }
    let entry = local.tree.stat(&path).map_err(|error| {
        if error.is_not_found() {
            let shown = local.shown(&path);
            return reference(format!("stat {shown}: no such file or directory").into());
        }
        reference(error.into())
    })?;
    let archive = if entry.is_dir() {
        let file = path.join("Chart.yaml");
        if local.tree.stat(&file).is_err() {
            let shown = local.shown(&file);
            return Err(reference(format!("open {shown}: no such file or directory").into()));
        }
        None
    } else {
        Some(local.tree.read(&path).map_err(|error| reference(error.into()))?)
    };
    let chart = match &archive {
        Some(archive) => Chart::from_archive(archive, &options.load),
        None => Chart::load_directory(&*local.tree, &path, &options.load),
    };
    let chart = chart.map_err(|error| match error {
        ChartError::Document { file, source }
            if file == "Chart.yaml" || file == "requirements.yaml" =>
        {
            reference(during(format!("cannot load '{file}'"), source))
        }
        ChartError::Invalid(_)
        | ChartError::NoMetadata
        | ChartError::NoVersion
        | ChartError::Undetected { .. }
        | ChartError::UnsupportedVersion
        | ChartError::Archive(_) => ChartBuildError::Reference(error.into()),
        _ if entry.is_dir() => {
            let doing = format!("failed to load chart from /{}/", path.display());
            ChartBuildError::Package(during(doing, error))
        }
        _ => ChartBuildError::Package(error.into()),
    })?;
    let metadata = options.version_metadata.as_deref();
    let mut built = BuiltChart {
        name: chart.metadata.name.clone(),
        version: with_metadata(&chart.metadata.version, metadata)?,
        packaged: archive.is_none() || metadata.is_some() || options.has_values_files(),
        ..BuiltChart::default()
    };
    if take_stored(&mut built, options) {
        return Ok((built, None));
    }
    let values = if options.has_values_files() {
        Some(merge_local(local, options).map_err(ChartBuildError::Values)?)
    } else {
        None
    };
    Ok((built, Some(Loaded { chart, archive, values })))
}

/// Takes the chart that is stored, if it is the one that would be built.
fn take_stored(built: &mut BuiltChart, options: &ChartBuildOptions) -> bool {
    match &options.stored {
        Some(stored) if stored.name == built.name && stored.version == built.version => {
            built.values_files = options.told_values_files(stored);
            true
        }
        _ => false,
    }
}

fn packed(chart: &Chart) -> Result<Bytes, ChartBuildError> {
    // Without times, the same chart gives the same bytes.
    let archive = chart.to_archive(0);
    let archive = archive
        .map_err(|error| ChartBuildError::Package(during("failed to package chart", error)))?;
    Ok(archive.into())
}

/// A version with other build metadata; without any, as it is.
fn with_metadata(version: &str, metadata: Option<&str>) -> Result<String, ChartBuildError> {
    let Some(metadata) = metadata else {
        return Ok(version.to_owned());
    };
    let parsed = Version::parse(version).ok_or_else(|| {
        let doing = "failed to parse version from chart metadata as SemVer";
        ChartBuildError::Metadata(during(doing, "invalid semantic version"))
    })?;
    let valid = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !metadata.split('.').all(valid) {
        let doing = "failed to set SemVer metadata on chart version";
        return Err(ChartBuildError::Metadata(during(doing, "invalid metadata string")));
    }
    let [major, minor, patch] = parsed.numbers();
    let plain = version.split_once('+').map_or(version, |(plain, _)| plain);
    let pre = plain.split_once('-').map_or(String::new(), |(_, pre)| format!("-{pre}"));
    Ok(format!("{major}.{minor}.{patch}{pre}+{metadata}"))
}

fn check_name(chart: &str) -> Result<(), ChartBuildError> {
    if chart.is_empty() {
        return Err(ChartBuildError::Reference("no name set for remote chart reference".into()));
    }
    // Flux: `^([-a-z0-9]+/?\.?)+$`
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let bytes = chart.as_bytes();
    let follows = |at: usize| match bytes[at] {
        b'/' => at > 0 && plain(bytes[at - 1]),
        b'.' => at > 0 && (plain(bytes[at - 1]) || bytes[at - 1] == b'/'),
        b => plain(b),
    };
    if (0..bytes.len()).all(follows) && plain(bytes[0]) {
        return Ok(());
    }
    let why = format!(
        "invalid chart name '{chart}': a valid name must be lower case letters and numbers and \
         MAY be separated with dashes (-), slashes (/) or periods (.)"
    );
    Err(ChartBuildError::Reference(why.into()))
}

/// A path as Go's `filepath.Clean` leaves it.
fn clean(path: &str) -> String {
    confined_path(path).display().to_string()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChartBuildError> + Send + 'static,
) -> Result<T, ChartBuildError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ChartBuildError::Cancelled(gitops_core::Cancelled))?
}
