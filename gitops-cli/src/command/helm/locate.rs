//! From the name of a chart on the command line to the chart.
//!
//! Follows `LocateChart` of helm pkg/action/install.go; differs in: the index of a repository is
//! asked for, not taken from a cache.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::Args;
use gitops_core::{Clock as _, Scope, Secret, SystemClock, one_line, quoted};
use gitops_helm::{Chart, LoadOptions};
use gitops_source::{
    BasicCredentials, ChartRepository, ChartVersion, DockerConfig, GitCredentials,
    HelmRepositories, HelmRepository, HttpFiles, IndexedCharts, OciCharts, OciRepositoryName,
    Registries, RegistryCredential, RegistryOptions, Tls,
};
use url::Url;

use super::settings::{NamedRepository, Settings};
use crate::repository::take_credentials;

/// As large as source-controller allows.
const INDEX_MAX: u64 = 50 << 20;
const CHART_MAX: u64 = 10 << 20;
const FILE_MAX: usize = 10 << 20;

/// How long something may take to be fetched.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a chart that is not on this machine is found.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ChartArgs {
    /// The address of the repository that has the chart
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// The version of the chart, or a range of versions; without it the latest one
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Versions under development too
    #[arg(long)]
    devel: bool,
    #[command(flatten)]
    access: AccessArgs,
}

/// Who asks a repository, and whom they trust.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct AccessArgs {
    /// The name by which the repository knows you
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Your password there
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Hand name and password to all hosts that the index names
    #[arg(long)]
    pass_credentials: bool,
    /// Authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Your certificate
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<String>,
    /// Ask the registry without TLS
    #[arg(long)]
    plain_http: bool,
    /// Refuse a chart that nobody in the keyring has signed
    #[arg(long)]
    verify: bool,
    /// The file with the public keys of whom you trust
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
}

/// The repository at an address, with the means that its entry among the named ones has.
pub(super) fn repository(
    url: &str,
    chart: &str,
    args: &AccessArgs,
    settings: &Settings,
) -> anyhow::Result<Box<dyn ChartRepository>> {
    if url.starts_with("oci://") {
        return registry(url, chart, args, settings);
    }
    indexed(url, args, &settings.repository_at(url).unwrap_or_default())
}

/// Loads the chart of a name: a directory, an archive, `repository/chart`, a URL, or with `--repo`
/// the name of a chart.
pub(super) fn chart(
    name: &str,
    args: &ChartArgs,
    settings: &Settings,
    options: &LoadOptions,
) -> anyhow::Result<Chart> {
    let is_local = args.repo.is_none() && (Path::new(name).exists() || is_path(name));
    if is_local {
        if args.access.verify && Path::new(name).exists() {
            let archive = fs::read(name)?;
            let prov = fs::read_to_string(format!("{name}.prov"))
                .map_err(|error| anyhow!("open {name}.prov: {}", super::reason(&error)))?;
            verify(Path::new(name), &archive, &prov, &args.access)?;
        }
        return super::load_chart(name, options);
    }
    let archive = fetched(async { fetch(name, args, settings).await })?;
    let chart = Chart::from_archive(&archive, options)?;
    super::warn_of(&chart, options.compat);
    Ok(chart)
}

fn is_path(name: &str) -> bool {
    Path::new(name).is_absolute() || name.starts_with('.')
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

pub(super) fn fetched<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, work).await })
        .context("it took too long to be fetched")?
}

async fn fetch(name: &str, args: &ChartArgs, settings: &Settings) -> anyhow::Result<Vec<u8>> {
    let scope = Scope::background();
    let access = &args.access;
    let range = match (args.version.as_deref().map(str::trim), args.devel) {
        (Some(version), _) if !version.is_empty() => version,
        (_, true) => ">0.0.0-0",
        (_, false) => "*",
    };
    let (repository, chart): (Box<dyn ChartRepository>, String) = if let Some(url) = &args.repo {
        (indexed(url, access, &NamedRepository::default())?, name.to_owned())
    } else if let Some(path) = name.strip_prefix("oci://") {
        let (parent, chart) = path.rsplit_once('/').context("the address names no chart")?;
        // A version may stand behind the name as a tag.
        let (chart, tag) = chart.split_once(':').map_or((chart, None), |(c, tag)| (c, Some(tag)));
        let charts = registry(&format!("oci://{parent}"), chart, access, settings)?;
        let range = tag.unwrap_or(range);
        let version = charts.find(chart, range, &scope).await?;
        return checked(&*charts, &version, access, &scope).await;
    } else if name.starts_with("http://") || name.starts_with("https://") {
        let url = Url::parse(name).context("the address of the chart is malformed")?;
        let parent = url.join(".").context("the address of the chart is malformed")?;
        let charts = plain(parent.as_str(), access, &NamedRepository::default())?;
        let repositories = HelmRepositories::new(INDEX_MAX, CHART_MAX);
        let version = ChartVersion::new("", "", &[name], "");
        return Ok(repositories.download(&charts, &version, &scope).await?.to_vec());
    } else {
        let (repository, chart) = name.split_once('/').ok_or_else(|| {
            anyhow!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {name}")
        })?;
        let named = settings.repository(repository)?;
        if named.url.starts_with("oci://") {
            (registry(&named.url, chart, access, settings)?, chart.to_owned())
        } else {
            (indexed(&named.url, access, &named)?, chart.to_owned())
        }
    };
    let version = repository.find(&chart, range, &scope).await.map_err(|error| {
        let place = args.repo.as_deref().unwrap_or(name);
        anyhow!("chart {} not found in {place}: {}", quoted(&chart), one_line(&error))
    })?;
    checked(&*repository, &version, access, &scope).await
}

pub(super) async fn checked(
    repository: &dyn ChartRepository,
    version: &ChartVersion,
    args: &AccessArgs,
    scope: &Scope,
) -> anyhow::Result<Vec<u8>> {
    let archive = repository.download(version, scope).await?.to_vec();
    if args.verify {
        let url = version.urls.first().context("the index names no package")?;
        let prov =
            ChartVersion::new(&version.name, &version.version, &[&format!("{url}.prov")], "");
        let prov = repository.download(&prov, scope).await.map_err(|error| {
            anyhow!("failed to fetch provenance {url}.prov: {}", one_line(&error))
        })?;
        let name = url.rsplit('/').next().unwrap_or(url);
        verify(Path::new(name), &archive, &String::from_utf8_lossy(&prov), args)?;
    }
    Ok(archive)
}

fn verify(file: &Path, archive: &[u8], prov: &str, args: &AccessArgs) -> anyhow::Result<()> {
    let path = args.keyring.as_deref().context("--keyring is required for --verify")?;
    let ring = fs::read(path).map_err(|error| anyhow!("open {path}: {}", super::reason(&error)))?;
    let keyring = gitops_helm::Keyring::read(&ring)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    keyring.verify(archive, prov, &name, SystemClock.now())?;
    Ok(())
}

fn tls(args: &AccessArgs, named: &NamedRepository) -> anyhow::Result<Tls> {
    let read = |own: &Option<String>, named: &str| -> anyhow::Result<Option<Vec<u8>>> {
        let path = own.as_deref().unwrap_or(named);
        if path.is_empty() {
            return Ok(None);
        }
        let read = fs::read(path);
        Ok(Some(read.map_err(|error| anyhow!("open {path}: {}", super::reason(&error)))?))
    };
    let certificate = read(&args.cert_file, &named.certificate)?;
    let key = read(&args.key_file, &named.key)?;
    Ok(Tls {
        authorities: read(&args.ca_file, &named.authorities)?,
        identity: certificate.zip(key.map(Secret::new)),
    })
}

fn plain(url: &str, args: &AccessArgs, named: &NamedRepository) -> anyhow::Result<HelmRepository> {
    // The text may hold a password, so it is not repeated.
    let mut url = Url::parse(url).context("the address of the repository is malformed")?;
    let or = |own: &Option<String>, named: &str| own.clone().unwrap_or_else(|| named.to_owned());
    let (username, password) =
        (or(&args.username, &named.username), or(&args.password, &named.password));
    let credentials = match take_credentials(&mut url)? {
        _ if !username.is_empty() => {
            Some(BasicCredentials { username, password: password.as_str().into() })
        }
        GitCredentials::Basic { username, password } => {
            Some(BasicCredentials { username, password })
        }
        _ => None,
    };
    Ok(HelmRepository::new(url, tls(args, named)?)
        .with_credentials(credentials)
        .with_pass_credentials(args.pass_credentials || named.pass_credentials))
}

fn indexed(
    url: &str,
    args: &AccessArgs,
    named: &NamedRepository,
) -> anyhow::Result<Box<dyn ChartRepository>> {
    let repositories = Arc::new(HelmRepositories::new(INDEX_MAX, CHART_MAX));
    Ok(Box::new(IndexedCharts::new(repositories, plain(url, args, named)?)))
}

fn registry(
    url: &str,
    chart: &str,
    args: &AccessArgs,
    settings: &Settings,
) -> anyhow::Result<Box<dyn ChartRepository>> {
    let name = OciRepositoryName::parse(&format!("{}/{chart}", url.trim_end_matches('/')))?;
    let credentials = match (&args.username, &args.password) {
        (Some(username), password) => {
            let password = password.clone().unwrap_or_default();
            let credential = RegistryCredential::Basic {
                username: username.clone(),
                password: password.as_str().into(),
            };
            DockerConfig::single(name.registry(), credential)
        }
        _ => settings.logins(),
    };
    let options = RegistryOptions {
        credentials,
        tls: tls(args, &NamedRepository::default())?,
        insecure: args.plain_http,
        ..RegistryOptions::default()
    };
    Ok(Box::new(OciCharts::new(url, Registries::new(), options).with_limit(CHART_MAX)))
}
