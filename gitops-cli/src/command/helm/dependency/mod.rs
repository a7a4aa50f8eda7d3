//! `gitops helm dependency update` and `build`.
//!
//! Follows helm pkg/downloader/manager.go; differs in: nothing is written before all charts are there,
//! and the index of a repository is asked for once, not taken from a cache.

mod list;

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Component, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{anyhow, bail};
use gitops_core::{Clock as _, DiskTree, Scope, SystemClock, Version, VersionRange, one_line};
use gitops_helm::{
    Chart, Compat, Dependency, LoadOptions, Lock, PackageOptions, resolve_dependencies,
};
use gitops_source::{ChartVersion, FindChartError};
use gitops_yaml::Node;

use super::{
    args::Dependencies,
    package,
    place::{self, AccessArgs, Settings, VerifyArgs},
    reason,
};
use crate::charts::fetched;
pub(super) use list::list;

/// Which versions are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The newest that Chart.yaml allows.
    Newest,
    /// Those of the lock, if there is one.
    Locked,
}

pub(super) fn run(
    args: &Dependencies,
    wanted: Wanted,
    settings: &Settings,
    compat: Compat,
) -> anyhow::Result<ExitCode> {
    let means = Means { access: &args.access, verify: &args.verify, settings };
    let told = fetch(&args.chart, wanted, means, compat)?;
    std::io::stdout().write_all(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// How repositories are asked.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) access: &'a AccessArgs,
    pub(super) verify: &'a VerifyArgs,
    pub(super) settings: &'a Settings,
}

/// A dependency with what was found of it.
enum Found {
    /// It lies in `charts/`.
    Own,
    /// A directory of this machine.
    Local(Box<Chart>),
    /// A version of a repository.
    Remote(ChartVersion),
}

/// Fetches dependencies to `charts/`; gives what Helm tells of it.
pub(super) fn fetch(
    path: &str,
    wanted: Wanted,
    means: Means<'_>,
    compat: Compat,
) -> anyhow::Result<String> {
    means.access.check(compat)?;
    let chart = load(path, compat)?;
    let declared = named(&chart.metadata.dependencies, means.settings)?;
    if declared.is_empty() {
        return Ok(String::new());
    }
    let old = chart.lock.as_ref();
    let is_v1 = chart.metadata.api_version == "v1";
    let locked = old.filter(|_| wanted == Wanted::Locked);
    if let Some(lock) = locked {
        let mut metadata = chart.metadata.clone();
        metadata.dependencies.clone_from(&declared);
        if !lock.is_in_sync(&metadata) && is_v1 {
            bail!(
                "the lock file (requirements.lock) is out of sync with the dependencies file \
                 (requirements.yaml). Please update the dependencies"
            );
        } else if !lock.is_in_sync(&metadata) {
            let advice = match compat {
                Compat::Helm4 => " with 'helm dependency update'",
                Compat::Helm3 => "",
            };
            bail!(
                "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). \
                 Please update the dependencies{advice}"
            );
        }
    }
    let sought = locked.map_or(&declared, |lock| &lock.dependencies);
    let mut told = String::new();
    let mut found = find(path, sought, means, &mut told)?;
    let now = SystemClock.now().to_string();
    let mut versions = |dependency: &Dependency| {
        Ok(match found.get(&key(dependency)) {
            Some(Found::Local(chart)) => vec![chart.metadata.version.clone()],
            Some(Found::Remote(version)) => vec![version.version.clone()],
            Some(Found::Own) | None => Vec::new(),
        })
    };
    let lock = resolve_dependencies(sought, &now, &mut versions)?;
    let archives = archives(path, &lock, sought, &mut found, means, &mut told)?;
    place(path, &archives, &lock, &mut told)?;
    // What was locked is there now; and the same answer needs no new lock.
    if locked.is_none() && old.is_none_or(|old| old.digest != lock.digest) {
        write_lock(path, &lock, is_v1)?;
    }
    Ok(told)
}

fn key(dependency: &Dependency) -> (String, String, String) {
    (dependency.name.clone(), dependency.repository.clone(), dependency.version.clone())
}

fn load(path: &str, compat: Compat) -> anyhow::Result<Chart> {
    let full = std::path::absolute(path)?;
    match fs::metadata(&full) {
        Err(error) => bail!("could not find {path}: stat {path}: {}", reason(&error)),
        Ok(metadata) if !metadata.is_dir() => bail!("only unpacked charts can be updated"),
        Ok(_) => {}
    }
    let mut options = LoadOptions::new(compat);
    options.any_version = true;
    Ok(Chart::load_directory(&DiskTree::open("/")?, &full, &options)?)
}

/// The dependencies, with addresses instead of `@name` and `alias:name`.
fn named(dependencies: &[Dependency], settings: &Settings) -> anyhow::Result<Vec<Dependency>> {
    let mut named = dependencies.to_vec();
    for dependency in &mut named {
        let repository = &dependency.repository;
        let alias = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
        if let Some(alias) = alias {
            dependency.repository = settings
                .repository(alias)
                .map_err(|_| {
                    anyhow!(
                        "no repository definition for {repository}. Please add them via 'helm repo add'"
                    )
                })?
                .url;
        }
    }
    Ok(named)
}

fn find(
    path: &str,
    dependencies: &[Dependency],
    means: Means<'_>,
    told: &mut String,
) -> anyhow::Result<HashMap<(String, String, String), Found>> {
    let mut found = HashMap::new();
    let (mut asked, mut named_told, mut unnamed) = (Vec::new(), String::new(), String::new());
    for dependency in dependencies {
        let Dependency { name, version, repository, .. } = dependency;
        if repository.is_empty() {
            found.insert(key(dependency), Found::Own);
            continue;
        }
        if let Some(place) = repository.strip_prefix("file://") {
            let place = cleaned(&Path::new(path).join(place));
            if !place.exists() {
                bail!("directory {} not found", place.display());
            }
            let chart = load(&place.display().to_string(), Compat::Helm4)?;
            found.insert(key(dependency), Found::Local(Box::new(chart)));
            continue;
        }
        let version = fetched(async {
            let charts = place::repository(repository, name, means.access, means.settings)?;
            match charts.find(name, version, &Scope::background()).await {
                Ok(version) => Ok(Some(version)),
                // It is named together with all others that are missing.
                Err(FindChartError::Choice(_)) => Ok(None),
                Err(error) => {
                    Err(anyhow!("cannot ask {repository} for {name}: {}", one_line(&error)))
                }
            }
        })?;
        found.extend(version.map(|version| (key(dependency), Found::Remote(version))));
        if !repository.starts_with("oci://") && !asked.contains(repository) {
            asked.push(repository.clone());
            // Writing to a String cannot fail.
            let _ = match means.settings.repository_at(repository) {
                Some(known) => writeln!(
                    named_told,
                    "...Successfully got an update from the \"{}\" chart repository",
                    known.name
                ),
                None => writeln!(
                    unnamed,
                    "...Successfully got an update from the \"{repository}\" chart repository"
                ),
            };
        }
    }
    if !unnamed.is_empty() {
        told.extend(["Getting updates for unmanaged Helm repositories...\n", &unnamed]);
    }
    if !named_told.is_empty() {
        told.extend([
            "Hang tight while we grab the latest from your chart repositories...\n",
            &named_told,
            "Update Complete. ⎈Happy Helming!⎈\n",
        ]);
    }
    Ok(found)
}

/// A path without `.` and with as few `..` as can be, as Go's `filepath.Clean` has it.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(clean.components().next_back(), Some(Component::Normal(_))) =>
            {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// The archives of all dependencies, by the names of their files.
fn archives(
    path: &str,
    lock: &Lock,
    sought: &[Dependency],
    found: &mut HashMap<(String, String, String), Found>,
    means: Means<'_>,
    told: &mut String,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let _ = writeln!(told, "Saving {} charts", lock.dependencies.len());
    let mut archives: Vec<(String, Vec<u8>)> = Vec::new();
    for dependency in sought {
        let Dependency { name, repository, .. } = dependency;
        match found.get(&key(dependency)) {
            Some(Found::Local(chart)) => {
                let package = chart.package(&PackageOptions::default())?;
                archives.push((package.file_name, package.archive));
            }
            Some(Found::Remote(version)) => {
                let file = format!("{}-{}.tgz", version.name, version.version);
                if archives.iter().any(|(known, _)| *known == file) {
                    let _ = writeln!(told, "Already downloaded {name} from repo {repository}");
                    continue;
                }
                let _ = writeln!(told, "Downloading {name} from repo {repository}");
                let archive = fetched(async {
                    let charts = place::repository(repository, name, means.access, means.settings)?;
                    let Means { verify, settings, .. } = means;
                    place::checked(&*charts, version, verify, settings, &Scope::background()).await
                })
                .map_err(|error| anyhow!("could not download {name}: {error:#}"))?;
                archives.push((file, archive));
            }
            Some(Found::Own) | None => {
                let _ = writeln!(
                    told,
                    "Dependency {name} did not declare a repository. Assuming it exists in the \
                     charts directory"
                );
                own(path, dependency)?;
            }
        }
    }
    Ok(archives)
}

/// Refuses a dependency in `charts/` that is of another version.
fn own(path: &str, dependency: &Dependency) -> anyhow::Result<()> {
    let place = Path::new(path).join("charts").join(&dependency.name);
    if !place.exists() {
        bail!("directory {} not found", place.display());
    }
    let chart = load(&place.display().to_string(), Compat::Helm4)
        .map_err(|error| anyhow!("unable to load chart '{}': {error}", place.display()))?;
    let range: VersionRange = dependency.version.parse()?;
    let version = &chart.metadata.version;
    if !Version::parse(version).is_some_and(|version| range.contains(&version)) {
        bail!(
            "dependency {} at version {version} does not satisfy the constraint {}",
            dependency.name,
            dependency.version
        );
    }
    Ok(())
}

/// Writes the archives to `charts/` and takes other archives away that are charts.
fn place(
    path: &str,
    archives: &[(String, Vec<u8>)],
    lock: &Lock,
    told: &mut String,
) -> anyhow::Result<()> {
    let directory = Path::new(path).join("charts");
    fs::create_dir_all(&directory)
        .map_err(|_| anyhow!("\"{}\" is not a directory", directory.display()))?;
    for (name, archive) in archives {
        package::write(&directory.join(name), archive)?;
    }
    told.push_str("Deleting outdated charts\n");
    let own = |name: &str| {
        let mut own = lock.dependencies.iter().filter(|found| found.repository.is_empty());
        own.any(|found| found.name == name)
    };
    for entry in fs::read_dir(&directory)?.flatten() {
        let (file, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_new = archives.iter().any(|(known, _)| *known == name);
        if is_new || !file.is_file() {
            continue;
        }
        let archive = fs::read(&file)?;
        match Chart::from_archive(&archive, &LoadOptions::default()) {
            Ok(chart) if own(chart.name()) => {}
            Ok(_) => fs::remove_file(&file)?,
            Err(error) => {
                let place: PathBuf = directory.join(&name);
                let _ = writeln!(
                    told,
                    "Could not verify {} for deletion: {} (Skipping)",
                    place.display(),
                    one_line(&error)
                );
            }
        }
    }
    Ok(())
}

fn write_lock(path: &str, lock: &Lock, is_v1: bool) -> anyhow::Result<()> {
    let name = if is_v1 { "requirements.lock" } else { "Chart.lock" };
    let file = Path::new(path).join(name);
    if let Ok(target) = fs::read_link(&file) {
        bail!("the {name} file is a symlink to \"{}\"", target.display());
    }
    let mut node = Node::from_json(lock.to_json());
    if let Some(mapping) = node.as_mapping_mut() {
        mapping.sort();
    }
    package::write(&file, gitops_yaml::to_yaml(&node)?.as_bytes())
}
