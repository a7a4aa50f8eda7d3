//! From the name of a chart on the command line to the chart.
//!
//! Follows `LocateChart` of helm pkg/action/install.go; differs in: the index of a repository is
//! asked for, not taken from a cache.

mod args;
mod settings;
mod verify;

use std::{fs, path::Path};

use anyhow::{anyhow, bail};
use gitops_core::{Scope, one_line, quoted};
use gitops_helm::{Chart, Compat, LoadOptions, check_archive};
use gitops_source::{ChartRepository, FindChartError, HttpFiles};
use url::Url;

pub(super) use args::{AccessArgs, ChartArgs, VerifyArgs};
pub(super) use settings::{NamedRepository, Settings};
pub(super) use verify::{checked, verify_file};

use crate::charts::{fetched, range};

const FILE_MAX: usize = 10 << 20;

/// A chart that was found and is not yet read.
pub(super) enum Located {
    /// A directory or an archive of this machine, by the path that was given.
    Here(String),
    /// An archive from elsewhere.
    Fetched(Vec<u8>),
}

impl Located {
    /// The path of a chart of this machine.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Here(path) => Some(path),
            Self::Fetched(_) => None,
        }
    }

    /// Reads the chart. Both versions name archives by their full path.
    pub(super) fn load(&self, options: &LoadOptions) -> anyhow::Result<Chart> {
        match self {
            Self::Here(path) => super::load_chart(path, options),
            Self::Fetched(archive) => {
                check_archive("", archive)?;
                let chart = Chart::from_archive(archive, options)?;
                super::warn_of(&chart, options.compat);
                Ok(chart)
            }
        }
    }
}

/// Finds the chart of a name: a directory, an archive, `repository/chart`, a URL, or with `--repo`
/// the name of a chart.
pub(super) fn locate(
    name: &str,
    args: &ChartArgs,
    settings: &Settings,
    compat: Compat,
) -> anyhow::Result<Located> {
    let name = name.trim();
    let repo = args.repo.as_deref().unwrap_or_default();
    if repo.is_empty() || compat == Compat::Helm3 {
        if !name.is_empty() && Path::new(name).exists() {
            if !repo.is_empty() {
                anstream::eprintln!(
                    "WARN local chart found in current working directory. repository url ignored \
                     chart={name} repository={repo}"
                );
            }
            if args.verify.verify {
                verify_file(&super::absolute(name)?, &args.verify, settings)?;
            }
            return Ok(Located::Here(name.to_owned()));
        }
        if Path::new(name).is_absolute() || name.starts_with('.') {
            bail!("path {} not found", quoted(name));
        }
    }
    fetched(async {
        match repo {
            "" => fetch(name, args, settings).await,
            repo => from_index(name, repo, args, settings).await,
        }
    })
    .map(Located::Fetched)
}

/// The content of a file of values at an address.
pub(super) fn values_file(url: &Url) -> anyhow::Result<Vec<u8>> {
    fetched(async {
        let files = HttpFiles::new(FILE_MAX)?;
        let content = files.get(url, &Scope::background()).await;
        Ok(content
            .map_err(|error| anyhow!("failed to fetch {url} : {}", one_line(&error)))?
            .to_vec())
    })
}

/// The repository at an address, with the means that its entry among the named ones has.
pub(super) fn repository(
    url: &str,
    chart: &str,
    args: &AccessArgs,
    settings: &Settings,
) -> anyhow::Result<Box<dyn ChartRepository>> {
    let named = settings.repository_at(url).unwrap_or_default();
    args.access(&named, named.pass_credentials, settings, host_of(url))?.open(url, chart)
}

/// A chart by its name in the repository of `--repo`.
async fn from_index(
    name: &str,
    repo: &str,
    args: &ChartArgs,
    settings: &Settings,
) -> anyhow::Result<Vec<u8>> {
    let scheme = Url::parse(repo).map_or_else(|_| String::new(), |url| url.scheme().to_owned());
    if !matches!(&*scheme, "http" | "https") {
        bail!("could not find protocol handler for: {scheme}");
    }
    let access = args.access.access(
        &NamedRepository::default(),
        args.pass_credentials,
        settings,
        host_of(repo),
    )?;
    let charts = access.open(repo, name)?;
    let scope = Scope::background();
    let version = args.version.as_deref().unwrap_or_default().trim();
    let found = charts.find(name, range(version, args.devel), &scope).await;
    let found = found.map_err(|error| match error {
        FindChartError::Choice(_) => {
            let version = match (version, args.devel) {
                ("", false) => String::new(),
                (version, devel) => format!(" version {}", quoted(range(version, devel))),
            };
            anyhow!("chart {}{version} not found in {repo} repository", quoted(name))
        }
        error => anyhow!(
            "looks like {} is not a valid chart repository or cannot be reached: {}",
            quoted(repo),
            root(&error)
        ),
    })?;
    checked(&*charts, &found, &args.verify, settings, &scope).await
}

/// The host of an address, with its port.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// What failed at the bottom.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

async fn fetch(name: &str, args: &ChartArgs, settings: &Settings) -> anyhow::Result<Vec<u8>> {
    let scope = Scope::background();
    let version = args.version.as_deref().unwrap_or_default().trim();
    let wanted = range(version, args.devel);
    let shape = |shown: &str| {
        anyhow!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {shown}")
    };
    let with = |named: &NamedRepository| {
        let host = host_of(if named.url.is_empty() { name } else { &named.url });
        let pass_credentials = args.pass_credentials || named.pass_credentials;
        args.access.access(named, pass_credentials, settings, host)
    };
    if let Some((scheme, path)) = name.split_once("://") {
        if path.is_empty() {
            return Err(shape(&format!("{scheme}:")));
        }
        let nameless = NamedRepository::default();
        return match scheme {
            "oci" => {
                let (parent, chart) = path
                    .rsplit_once('/')
                    .ok_or_else(|| anyhow!("invalid reference: missing registry or repository"))?;
                // A version may stand behind the name as a tag.
                let (chart, tag) = match chart.split_once(':') {
                    Some((chart, tag)) => (chart, Some(tag)),
                    None => (chart, None),
                };
                if let Some(tag) = tag.filter(|tag| !version.is_empty() && *tag != version) {
                    bail!("chart reference and version mismatch: {version} is not {tag}");
                }
                let charts = with(&nameless)?.open(&format!("oci://{parent}"), chart)?;
                let found = charts.find(chart, tag.unwrap_or(wanted), &scope).await?;
                checked(&*charts, &found, &args.verify, settings, &scope).await
            }
            "http" | "https" => {
                let named = settings.repository_of(name).unwrap_or_default();
                let archive = with(&named)?.file(name, &scope).await?;
                if args.verify.verify {
                    let prov = with(&named)?.file(&format!("{name}.prov"), &scope).await.map_err(
                        |_| {
                            anyhow!(
                                "failed to fetch provenance {}",
                                quoted(&format!("{name}.prov"))
                            )
                        },
                    )?;
                    let file = name.rsplit('/').next().unwrap_or(name);
                    verify::verify(file, &archive, &prov, &args.verify, settings)?;
                }
                Ok(archive)
            }
            other => bail!("scheme {} not supported", quoted(other)),
        };
    }
    let (repository, chart) = name.split_once('/').ok_or_else(|| shape(name))?;
    let named = settings.repository(repository)?;
    let charts = with(&named)?.open(&named.url, chart)?;
    let found = charts.find(chart, wanted, &scope).await.map_err(|error| match error {
        FindChartError::Choice(_) => anyhow!(
            "chart {} matching {version} not found in {repository} index. (try 'helm repo update'): {}",
            quoted(chart),
            one_line(&error)
        ),
        error => anyhow!(
            "looks like {} is not a valid chart repository or cannot be reached: {}",
            quoted(&named.url),
            root(&error)
        ),
    })?;
    checked(&*charts, &found, &args.verify, settings, &scope).await
}

/// Opens a file, with Go's words for why it cannot be.
fn open(path: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(path).map_err(|error| anyhow!("open {path}: {}", super::reason(&error)))
}
