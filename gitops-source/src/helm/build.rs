//! From a reference to the package of a chart.
//!
//! Follows Flux's `internal/helm/chart`: when a chart is taken as it is, when it is packaged anew,
//! and what its version is then.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::{Class, Classify, Scope, Tree, Version, VersionRange};
use gitops_helm::{Chart, ChartError, Compat, Dependency, LoadOptions};
use serde_json::{Map, Value};

use super::{
    entry::{ChartChoiceError, ChartVersion},
    package::{package, yaml},
};
use crate::SourceError;

/// How many dependencies are fetched at a time.
const PARALLEL: usize = 4;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Where charts can be had by name.
#[async_trait]
pub trait ChartRepository: Send + Sync {
    /// The version of a chart that a range asks for.
    ///
    /// # Errors
    /// When there is none, or the repository cannot be read.
    async fn find(
        &self,
        chart: &str,
        range: &str,
        scope: &Scope,
    ) -> Result<ChartVersion, FindChartError>;

    /// Checks who signed a version.
    ///
    /// # Errors
    /// When nobody did whom the repository was told to trust.
    async fn verify(&self, version: &ChartVersion, scope: &Scope) -> Result<(), SourceError>;

    /// Downloads the package of a version.
    ///
    /// # Errors
    /// When it cannot be had.
    async fn download(&self, version: &ChartVersion, scope: &Scope) -> Result<Bytes, SourceError>;
}

/// Why a chart was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindChartError {
    /// The repository has no such chart or version.
    #[error(transparent)]
    Choice(#[from] ChartChoiceError),
    /// The repository cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Gives the repository of a URL, for dependencies.
#[async_trait]
pub trait ChartRepositories: Send + Sync {
    /// The repository of a URL that was normalised.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn repository(&self, url: &str) -> Result<Arc<dyn ChartRepository>, Cause>;
}

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

/// Why a chart could not be built. The chain of causes, joined by `: `, is Flux's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartBuildError {
    /// There is no such chart.
    #[error("invalid chart reference")]
    Reference(#[source] Cause),
    /// It could not be had.
    #[error("chart pull error")]
    Pull(#[source] Cause),
    /// Its version cannot take the metadata.
    #[error("chart metadata patch error")]
    Metadata(#[source] Cause),
    /// The values files cannot be merged.
    #[error("values files merge error")]
    Values(#[source] Cause),
    /// What it depends on could not be had.
    #[error("dependency build error")]
    Dependencies(#[source] Cause),
    /// It could not be packaged.
    #[error("chart package error")]
    Package(#[source] Cause),
    /// It is not signed as it should be.
    #[error("chart verification error")]
    Verification(#[source] SourceError),
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] gitops_core::Cancelled),
}

impl ChartBuildError {
    /// The reason by which Flux tells it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Reference(_) => "InvalidChartReference",
            Self::Pull(_) => "ChartPullError",
            Self::Metadata(_) => "MetadataPatchError",
            Self::Values(_) => "ValuesFilesError",
            Self::Dependencies(_) => "DependencyBuildError",
            Self::Package(_) => "ChartPackageError",
            Self::Verification(_) => "ChartVerificationError",
            Self::Cancelled(_) => "Unknown",
        }
    }
}

impl Classify for ChartBuildError {
    fn class(&self) -> Class {
        match self {
            Self::Reference(_) | Self::Metadata(_) | Self::Values(_) => Class::Invalid,
            Self::Pull(_) | Self::Dependencies(_) | Self::Package(_) => Class::Transient,
            Self::Verification(_) => Class::Denied,
            Self::Cancelled(error) => error.class(),
        }
    }
}

/// Words in front of their cause.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
struct During {
    doing: String,
    source: Cause,
}

fn during(doing: impl Into<String>, source: impl Into<Cause>) -> Cause {
    Box::new(During { doing: doing.into(), source: source.into() })
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
    found(&built);
    let package = repository.download(&version, scope).await.map_err(|error| match error {
        SourceError::Cancelled(error) => error.into(),
        error => {
            ChartBuildError::Pull(during("failed to download chart for remote reference", error))
        }
    })?;
    let options = options.clone();
    blocking(move || repackage(built, package, &options)).await
}

/// Takes the package of a repository as it is, or with other values and another version.
fn repackage(
    mut built: BuiltChart,
    archive: Bytes,
    options: &ChartBuildOptions,
) -> Result<BuiltChart, ChartBuildError> {
    let loaded = Chart::from_archive(&archive, &options.load);
    if !built.packaged {
        let doing = "failed to load chart metadata from written chart";
        loaded.map_err(|error| ChartBuildError::Pull(during(doing, error)))?;
        built.package = Some(archive);
        return Ok(built);
    }
    let mut chart = loaded.map_err(|error| {
        ChartBuildError::Package(during("failed to load downloaded chart", error))
    })?;
    chart.metadata.version.clone_from(&built.version);
    let merge = |chart: &Chart| {
        let mut values = Map::new();
        let mut used = Vec::new();
        for path in &options.values_files {
            let name = clean(path);
            if name == "values.yaml" {
                gitops_helm::merge(&mut values, chart.values.clone().unwrap_or_default());
            } else if let Some(file) = chart.file(&name) {
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
    found(&built);
    if !built.packaged {
        built.package = archive;
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
        let path = confined(&local.path);
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
    blocking(move || {
        built.package = Some(packed(&chart)?);
        Ok(built)
    })
    .await
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
    let path = confined(&local.path);
    let reference = |error: Cause| ChartBuildError::Reference(error);
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
    let chart = chart.map_err(|error| match &error {
        ChartError::Document { file, .. }
            if file != "Chart.yaml" && file != "requirements.yaml" =>
        {
            ChartBuildError::Package(error.into())
        }
        ChartError::Invalid(_)
        | ChartError::Document { .. }
        | ChartError::NoMetadata
        | ChartError::NoVersion
        | ChartError::Undetected { .. }
        | ChartError::UnsupportedVersion
        | ChartError::Archive(_) => ChartBuildError::Reference(error.into()),
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

fn merge_local(
    local: &LocalChart,
    options: &ChartBuildOptions,
) -> Result<(Map<String, Value>, Vec<String>), Cause> {
    let mut values = Map::new();
    let mut used = Vec::new();
    for path in &options.values_files {
        let place = confined(path);
        match local.tree.read(&place) {
            Ok(data) => {
                merge_file(&mut values, path, &data)?;
                used.push(path.clone());
            }
            Err(error) if error.is_not_found() && options.ignore_missing => {}
            Err(_) => {
                let place = place.display();
                let why = format!("no values file found at path '/{place}' (reference '{path}')");
                return Err(why.into());
            }
        }
    }
    Ok((values, used))
}

fn merge_file(values: &mut Map<String, Value>, path: &str, data: &[u8]) -> Result<(), Cause> {
    let read = gitops_helm::read_values(data, Compat::Helm3);
    let read =
        read.map_err(|error| during(format!("unmarshaling values from '{path}' failed"), error))?;
    gitops_helm::merge(values, read);
    Ok(())
}

/// Puts merged values in place of `values.yaml`; false when that changes nothing.
fn overwrite_values(chart: &mut Chart, values: Map<String, Value>) -> Result<bool, Cause> {
    let text = if values.is_empty() {
        String::new()
    } else {
        let mut values = Value::Object(values.clone());
        integers(&mut values);
        yaml(values)?
    };
    let file = chart.raw.iter_mut().find(|file| file.name == "values.yaml");
    let file = file.ok_or("failed to locate values file: values.yaml")?;
    if file.data == text.as_bytes() {
        return Ok(false);
    }
    file.data = text.into();
    chart.values = Some(values);
    Ok(true)
}

/// Whole numbers print as such, as Go's JSON has them.
fn integers(value: &mut Value) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                #[allow(clippy::cast_possible_truncation, reason = "whole and small enough")]
                let whole = float as i64;
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integers),
        Value::Object(fields) => fields.values_mut().for_each(integers),
        _ => {}
    }
}

fn packed(chart: &Chart) -> Result<Bytes, ChartBuildError> {
    package(chart)
        .map_err(|error| ChartBuildError::Package(during("failed to package chart", error)))
}

/// The dependencies that are declared and not there, by the name under which the chart uses them.
fn missing(chart: &Chart) -> Vec<(String, Dependency)> {
    let wanted = match &chart.lock {
        Some(lock) => &lock.dependencies,
        None => &chart.metadata.dependencies,
    };
    if wanted.len() == chart.dependencies.len() {
        return Vec::new();
    }
    let mut missing: Vec<(String, Dependency)> = Vec::new();
    for dependency in wanted {
        let name = dependency.local_name();
        let is_there = chart.dependencies.iter().any(|own| own.name() == name);
        if !is_there && missing.iter().all(|(known, _)| known != name) {
            missing.push((name.to_owned(), dependency.clone()));
        }
    }
    missing
}

fn is_local(dependency: &Dependency) -> bool {
    dependency.repository.is_empty() || dependency.repository.starts_with("file://")
}

async fn fetch(
    local: &LocalChart,
    path: &Path,
    dependency: &Dependency,
    repositories: &dyn ChartRepositories,
    options: &ChartBuildOptions,
    scope: &Scope,
) -> Result<Chart, Cause> {
    let mut chart = if is_local(dependency) {
        let (local, path) = (local.clone(), path.to_owned());
        let (dependency, options) = (dependency.clone(), options.clone());
        let loaded =
            tokio::task::spawn_blocking(move || load_local(&local, &path, &dependency, &options));
        loaded.await.map_err(|_| gitops_core::Cancelled)??
    } else {
        load_remote(dependency, repositories, options, scope).await?
    };
    if !dependency.alias.is_empty() {
        chart.metadata.name.clone_from(&dependency.alias);
    }
    Ok(chart)
}

fn load_local(
    local: &LocalChart,
    path: &Path,
    dependency: &Dependency,
    options: &ChartBuildOptions,
) -> Result<Chart, Cause> {
    let repository = &dependency.repository;
    let place = match repository.strip_prefix("file://") {
        Some(relative) => path.join(relative.trim_start_matches('/')),
        None => path.join("charts").join(&dependency.name),
    };
    let place = confined(&place.display().to_string());
    if local.tree.stat(&place).is_err() {
        let place = place.display();
        return Err(format!("no chart found at '/{place}' (reference '{repository}')").into());
    }
    let range: VersionRange =
        dependency.version.parse().map_err(|error: gitops_core::VersionRangeError| {
            let wanted = &dependency.version;
            during(format!("invalid version/constraint format '{wanted}'"), error)
        })?;
    let chart = Chart::load(&*local.tree, &place, &options.load).map_err(|error| {
        let place = place.display();
        during(format!("failed to load chart from '/{place}' (reference '{repository}')"), error)
    })?;
    let version = Version::parse(&chart.metadata.version).ok_or("Invalid Semantic Version")?;
    if !range.contains(&version) {
        let wanted = &dependency.version;
        return Err(format!("can't get a valid version for constraint '{wanted}'").into());
    }
    Ok(chart)
}

async fn load_remote(
    dependency: &Dependency,
    repositories: &dyn ChartRepositories,
    options: &ChartBuildOptions,
    scope: &Scope,
) -> Result<Chart, Cause> {
    let (name, version, address) = (&dependency.name, &dependency.version, &dependency.repository);
    let url = normalize_url(address);
    if address.starts_with('@') {
        let why = format!("aliased repository dependency is not supported: {address}");
        return Err(why.into());
    }
    if !["oci://", "https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(format!("invalid dependency repository URL: {address}").into());
    }
    let repository = repositories.repository(&url).await.map_err(|error| {
        during(format!("failed to get chart repository for URL '{url}'"), error)
    })?;
    let found = repository.find(name, version, scope).await.map_err(|error| {
        during(format!("failed to get chart '{name}' version '{version}' from '{address}'"), error)
    })?;
    let archive = repository.download(&found, scope).await.map_err(|error| {
        during(format!("chart download of version '{}' failed", found.version), error)
    })?;
    let load = options.load.clone();
    let loaded = tokio::task::spawn_blocking(move || Chart::from_archive(&archive, &load)).await;
    loaded.map_err(|_| gitops_core::Cancelled)?.map_err(|error| {
        during(format!("failed to load downloaded archive of version '{}'", found.version), error)
    })
}

/// The URL of a repository in the one form in which URLs are compared: with a slash at its end,
/// or without one for a registry.
pub fn normalize_url(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<url::Url>() else {
        return url.to_owned();
    };
    let path = parsed.path().trim_end_matches('/').to_owned();
    if parsed.scheme() == "oci" {
        parsed.set_path(&path);
    } else {
        parsed.set_path(&format!("{path}/"));
    }
    parsed.to_string()
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
    confined(path).display().to_string()
}

/// A path that cannot climb: `..` at the root stays there, as Flux's secure join has it.
fn confined(path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => out.push(part),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChartBuildError> + Send + 'static,
) -> Result<T, ChartBuildError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ChartBuildError::Cancelled(gitops_core::Cancelled))?
}
