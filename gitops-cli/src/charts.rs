//! The way to repositories of charts, the same for every command.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use gitops_core::Secret;
use gitops_source::{
    BasicCredentials, ChartRepository, GitCredentials, HelmRepositories, HelmRepository,
    IndexedCharts, OciCharts, OciRepositoryName, Registries, RegistryOptions, Tls,
};
use url::Url;

use crate::repository::take_credentials;

/// As large as source-controller allows.
const INDEX_MAX: u64 = 50 << 20;
const CHART_MAX: u64 = 10 << 20;

/// How long something may take to be fetched, if nobody says.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who asks a repository, and whom they trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// For a repository with an index: name and password, instead of those in its address.
    pub(crate) basic: Option<(String, Secret)>,
    /// Hand them to all hosts that the index names.
    pub(crate) pass_credentials: bool,
    /// For a repository with an index.
    pub(crate) tls: Tls,
    /// For a registry.
    pub(crate) registry: RegistryOptions,
    /// How long one answer may take.
    pub(crate) timeout: Option<Duration>,
}

impl Access {
    /// The repository at an address, `oci://` or with an index, for one of its charts.
    pub(crate) fn open(&self, url: &str, chart: &str) -> anyhow::Result<Box<dyn ChartRepository>> {
        if !url.starts_with("oci://") {
            let repositories = Arc::new(HelmRepositories::new(INDEX_MAX, CHART_MAX));
            return Ok(Box::new(IndexedCharts::new(repositories, self.indexed(url)?)));
        }
        OciRepositoryName::parse(&format!("{}/{chart}", url.trim_end_matches('/')))?;
        let charts = OciCharts::new(url, Registries::new(), self.registry.clone());
        let charts = match self.timeout {
            Some(timeout) => charts.with_timeout(timeout),
            None => charts,
        };
        Ok(Box::new(charts.with_limit(CHART_MAX)))
    }

    /// A file that a repository with an index may have, whatever its index says.
    pub(crate) async fn file(
        &self,
        url: &str,
        scope: &gitops_core::Scope,
    ) -> anyhow::Result<Vec<u8>> {
        let parent = Url::parse(url).and_then(|url| url.join("."));
        let parent = parent.context("the address of the chart is malformed")?;
        let version = gitops_source::ChartVersion::new("", "", &[url], "");
        let repositories = HelmRepositories::new(INDEX_MAX, CHART_MAX);
        let repository = self.indexed(parent.as_str())?;
        Ok(repositories.download(&repository, &version, scope).await?.to_vec())
    }

    fn indexed(&self, url: &str) -> anyhow::Result<HelmRepository> {
        // The text may hold a password, so it is not repeated.
        let mut url = Url::parse(url).context("the address of the repository is malformed")?;
        let credentials = match (&self.basic, take_credentials(&mut url)?) {
            (Some((username, password)), _) => {
                Some(BasicCredentials { username: username.clone(), password: password.clone() })
            }
            (None, GitCredentials::Basic { username, password }) => {
                Some(BasicCredentials { username, password })
            }
            _ => None,
        };
        let repository = HelmRepository::new(url, self.tls.clone())
            .with_credentials(credentials)
            .with_pass_credentials(self.pass_credentials);
        Ok(match self.timeout {
            Some(timeout) => repository.with_timeout(timeout.min(Duration::from_mins(10))),
            None => repository,
        })
    }
}

/// The range of versions that is meant by a version, or by none.
pub(crate) fn range(version: &str, devel: bool) -> &str {
    match (version.trim(), devel) {
        ("", false) => "*",
        ("", true) => ">0.0.0-0",
        (version, _) => version,
    }
}

/// Runs what fetches, for at most two minutes.
pub(crate) fn fetched<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, work).await })
        .context("it took too long to be fetched")?
}
