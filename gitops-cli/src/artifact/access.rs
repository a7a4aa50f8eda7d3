//! The way to a registry from the command line.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow, bail};
use gitops_auth::{
    CloudContext, Environment, HttpClient, HttpOptions, RegistryCloud, registry_login,
};
use gitops_core::SystemClock;
use gitops_source::{
    DockerConfig, OciName, OciRepositoryName, RegistryCredential, RegistryOptions,
};

use super::{
    args::{Access, Provider},
    say,
};

/// Reads `oci://…`; `None` is the missing argument.
pub(super) fn name(url: Option<&str>) -> anyhow::Result<OciName> {
    let url = url.context("artifact URL is required")?;
    if !url.starts_with("oci://") {
        bail!("URL must be in format 'oci://<domain>/<org>/<repo>'");
    }
    url.parse().map_err(|_| {
        let named = url.trim_start_matches("oci://");
        anyhow!("'{url}' invalid URL: could not parse reference: {named}")
    })
}

/// Who this machine or person is for a cloud becomes a login at its registry.
async fn login(
    repository: &OciRepositoryName,
    cloud: RegistryCloud,
) -> anyhow::Result<DockerConfig> {
    say('►', "logging in to registry with provider credentials");
    let context = CloudContext {
        http: HttpClient::new(&HttpOptions::default())?,
        clock: Arc::new(SystemClock),
        environment: Environment::new(|name| std::env::var_os(name)?.into_string().ok()),
        account: None,
    };
    let registry = repository.registry();
    let login = registry_login(&context, cloud, registry).await;
    let login = login.context("error during login with provider")?;
    let credential = RegistryCredential::Basic {
        username: login.username.unwrap_or_default(),
        password: login.secret,
    };
    Ok(DockerConfig::single(registry, credential))
}

impl Access {
    /// How the registry of a repository is reached.
    pub(crate) async fn options(
        &self,
        repository: &OciRepositoryName,
        insecure: bool,
    ) -> anyhow::Result<RegistryOptions> {
        let credentials = match (&self.creds, self.provider) {
            (_, Provider::Aws) => login(repository, RegistryCloud::Aws).await?,
            (_, Provider::Azure) => login(repository, RegistryCloud::Azure).await?,
            (_, Provider::Gcp) => login(repository, RegistryCloud::Gcp).await?,
            (Some(creds), Provider::Generic) => {
                say('►', "logging in to registry with credentials");
                let (username, password) = creds.split_once(':').unwrap_or((creds.as_str(), ""));
                let credential = RegistryCredential::Basic {
                    username: username.to_owned(),
                    password: password.into(),
                };
                DockerConfig::single(repository.registry(), credential)
            }
            (None, Provider::Generic) => self.docker_config()?,
        };
        Ok(RegistryOptions { credentials, insecure, ..RegistryOptions::default() })
    }

    fn docker_config(&self) -> anyhow::Result<DockerConfig> {
        let own = self.home.as_ref().map(|home| home.join(".docker"));
        let directory: Option<PathBuf> = self.docker_config.clone().or(own);
        let Some(file) = directory.map(|directory| directory.join("config.json")) else {
            return Ok(DockerConfig::default());
        };
        match fs::read(&file) {
            Ok(json) => DockerConfig::parse(&json)
                .with_context(|| format!("cannot use '{}'", file.display())),
            Err(_) => Ok(DockerConfig::default()),
        }
    }
}
