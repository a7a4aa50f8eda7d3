//! Charts: what they are made of, and from where they are loaded.

mod archive;
mod dir;
mod error;
mod files;
mod ignore;
mod lock;
mod metadata;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use gitops_core::{Tree, TreeError, TreeErrorKind, quoted};
use serde_json::{Map, Value};

use crate::{Compat, decode::read_value};
use archive::Budget;

pub use error::{ChartError, ValuesFileError};
pub use files::File;
pub use ignore::IgnoreRules;
pub(crate) use ignore::match_path;
pub use lock::Lock;
pub use metadata::{Dependency, Maintainer, Metadata};

/// A chart with everything below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What Chart.yaml says, and for charts of version `v1` requirements.yaml.
    pub metadata: Metadata,
    /// Chart.lock or requirements.lock.
    pub lock: Option<Lock>,
    /// The files below `templates/`.
    pub templates: Vec<File>,
    /// The values of values.yaml, every number a float; `None` when there is no such file.
    pub values: Option<Map<String, Value>>,
    /// values.schema.json.
    pub schema: Option<Bytes>,
    /// All files that have no other place, those of `crds/` included.
    pub files: Vec<File>,
    /// The charts below `charts/`.
    pub dependencies: Vec<Self>,
    /// The name that the paths of the charts below it have for it, where that is not its own.
    pub(crate) known_below_as: Option<String>,
    /// Every file as it was loaded, for `show` and `package`; nothing else reads them.
    pub raw: Vec<File>,
    /// What Helm would have warned of while loading this chart, its dependencies left out.
    pub warnings: Vec<ChartWarning>,
}

/// A manifest of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// Its path with that of its chart: `parent/charts/child/crds/a.yaml`.
    pub path: String,
    /// Its path below its chart.
    pub name: String,
    /// Its content.
    pub data: Bytes,
}

/// Something about a chart that should be otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChartWarning {
    /// requirements.yaml in a chart of version `v2`.
    RequirementsFile,
    /// requirements.lock in a chart of version `v2`.
    RequirementsLock,
}

impl std::fmt::Display for ChartWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RequirementsFile => {
                "Warning: Dependencies are handled in Chart.yaml since apiVersion \"v2\". We \
                 recommend migrating dependencies to Chart.yaml."
            }
            Self::RequirementsLock => {
                "Warning: Dependency locking is handled in Chart.lock since apiVersion \"v2\". We \
                 recommend migrating to Chart.lock."
            }
        })
    }
}

impl ChartWarning {
    /// The line that Helm writes to standard error.
    pub fn log_line(self, compat: Compat) -> String {
        match (compat, self) {
            (Compat::Helm3, Self::RequirementsFile) => format!("load.go:120: {self}"),
            (Compat::Helm3, Self::RequirementsLock) => format!("load.go:138: {self}"),
            (Compat::Helm4, _) => format!("level=INFO msg={}", quoted(&self.to_string())),
        }
    }
}

/// What is too much. The defaults of archive and file are Helm's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChartLimits {
    /// The largest archive when unpacked: 100 MiB.
    pub archive_bytes: u64,
    /// The largest file: 5 MiB.
    pub file_bytes: u64,
    /// All files of a chart and of the archives nested in it together: 256 MiB.
    pub total_bytes: u64,
    /// The number of those files: 100 000.
    pub files: usize,
    /// How deep charts may be nested: 32.
    pub depth: usize,
    /// How deep directories may be nested: 100.
    pub path_depth: usize,
}

impl Default for ChartLimits {
    fn default() -> Self {
        Self {
            archive_bytes: 100 << 20,
            file_bytes: 5 << 20,
            total_bytes: 256 << 20,
            files: 100_000,
            depth: 32,
            path_depth: 100,
        }
    }
}

/// How charts are loaded.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whose rules apply.
    pub compat: Compat,
    /// What is too much.
    pub limits: ChartLimits,
    /// Whether the version of the format is left alone, which Helm 4 looks at first of all, but
    /// not where it only shows a chart.
    pub any_version: bool,
}

impl LoadOptions {
    /// The default limits with these rules.
    pub fn new(compat: Compat) -> Self {
        Self { compat, ..Self::default() }
    }
}

impl Chart {
    /// Loads a directory or a `.tgz` file of a tree, as Helm would.
    ///
    /// # Errors
    /// [`ChartError`], in Helm's words.
    pub fn load(tree: &dyn Tree, path: &Path, options: &LoadOptions) -> Result<Self, ChartError> {
        if tree.stat(path)?.is_dir() {
            Self::load_directory(tree, path, options)
        } else {
            let archive = tree.read(path)?;
            check_archive(&path.display().to_string(), &archive)?;
            Self::from_archive(&archive, options)
        }
    }

    /// Loads a directory of a tree, files that .helmignore names left out.
    ///
    /// # Errors
    /// [`ChartError`], in Helm's words.
    pub fn load_directory(
        tree: &dyn Tree,
        path: &Path,
        options: &LoadOptions,
    ) -> Result<Self, ChartError> {
        if options.compat == Compat::Helm4 && !options.any_version {
            let name: PathBuf = path.join("Chart.yaml");
            let metadata = tree.read(&name).map_err(|error| match error.kind {
                TreeErrorKind::NotFound => ChartError::Undetected { path: name },
                kind => ChartError::Tree(TreeError::new(name, kind)),
            })?;
            check_version(&metadata)?;
        }
        let mut budget = Budget::new(&options.limits);
        let files = dir::read(tree, path, &mut budget)?;
        files::load(files, options.compat, &mut budget)
    }

    /// Loads a `.tgz`.
    ///
    /// # Errors
    /// [`ChartError`], in Helm's words.
    pub fn from_archive(archive: &[u8], options: &LoadOptions) -> Result<Self, ChartError> {
        let mut budget = Budget::new(&options.limits);
        let files = budget.read_archive(archive)?;
        if options.compat == Compat::Helm4 && !options.any_version {
            let metadata = files.iter().find(|file| file.name == "Chart.yaml");
            check_version(&metadata.ok_or(ChartError::NoVersion)?.data)?;
        }
        files::load(files, options.compat, &mut budget)
    }

    /// The files of a `.tgz`, without the directory in which they stand.
    ///
    /// # Errors
    /// [`ChartError`], in Helm's words.
    pub fn unpack(archive: &[u8], options: &LoadOptions) -> Result<Vec<File>, ChartError> {
        Budget::new(&options.limits).read_archive(archive)
    }

    /// Makes a chart of files that are in memory.
    ///
    /// # Errors
    /// [`ChartError`], in Helm's words.
    pub fn from_files(files: Vec<File>, options: &LoadOptions) -> Result<Self, ChartError> {
        let mut budget = Budget::new(&options.limits);
        for file in &files {
            budget.take(file.data.len() as u64)?;
        }
        files::load(files, options.compat, &mut budget)
    }

    /// The name that Chart.yaml gives, or the alias that the parent uses.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// A file that has no other place, such as README.md.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The manifests of `crds/` of this chart and of all below it, parents first.
    pub fn crds(&self) -> Vec<Crd> {
        let mut crds = Vec::new();
        self.collect_crds("", &mut crds);
        crds
    }

    fn collect_crds(&self, prefix: &str, crds: &mut Vec<Crd>) {
        let path = format!("{prefix}{}", self.name());
        for file in &self.files {
            if file.name.starts_with("crds/") && is_manifest(&file.name) {
                crds.push(Crd {
                    path: format!("{path}/{}", file.name),
                    name: file.name.clone(),
                    data: file.data.clone(),
                });
            }
        }
        let below = match &self.known_below_as {
            Some(name) if !prefix.is_empty() => format!("{prefix}{name}"),
            _ => path,
        };
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{below}/charts/"), crds);
        }
    }

    /// The warnings of this chart and of all below it, in the order in which loading meets them.
    pub fn all_warnings(&self) -> Vec<ChartWarning> {
        let below = self.dependencies.iter().flat_map(Self::all_warnings);
        self.warnings.iter().copied().chain(below).collect()
    }
}

/// Refuses what is no gzip stream, in the words that Helm has for a file of this name.
///
/// # Errors
/// [`ChartError::Archive`].
pub fn check_archive(name: &str, data: &[u8]) -> Result<(), ChartError> {
    if archive::is_gzip(data) {
        return Ok(());
    }
    let yaml = Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    Err(ChartError::Archive(if yaml {
        format!("file '{name}' seems to be a YAML file, but expected a gzipped archive")
    } else {
        let kind = archive::content_type(data);
        format!("file '{name}' does not appear to be a gzipped archive; got '{kind}'")
    }))
}

/// Helm 4 looks at the version of the format before anything else.
fn check_version(metadata: &[u8]) -> Result<(), ChartError> {
    let value =
        read_value(metadata).map_err(|source| ChartError::document("Chart.yaml", source))?;
    let mut version = Metadata::default();
    if let Some(field) = value.get("apiVersion") {
        let object = Value::Object(Map::from_iter([("apiVersion".to_owned(), field.clone())]));
        version.decode(&object).map_err(|source| ChartError::document("Chart.yaml", source))?;
    }
    match version.api_version.as_str() {
        "" | "v1" | "v2" | "v3" => Ok(()),
        _ => Err(ChartError::UnsupportedVersion),
    }
}

fn is_manifest(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}
