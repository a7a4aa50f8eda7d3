//! Where Helm keeps what it knows: its repositories, logins and plugins.

use std::{fs, path::PathBuf};

use anyhow::anyhow;
use clap::Args;
use gitops_source::DockerConfig;
use gitops_yaml::Node;

/// Helm's files on this machine.
#[derive(Clone, Debug, Default, Args)]
pub(in super::super) struct Settings {
    /// The file with the names and addresses of repositories
    #[arg(long, global = true, env = "HELM_REPOSITORY_CONFIG", value_name = "FILE", hide = true)]
    repository_config: Option<PathBuf>,
    /// The file with the logins at registries
    #[arg(long, global = true, env = "HELM_REGISTRY_CONFIG", value_name = "FILE", hide = true)]
    registry_config: Option<PathBuf>,
    #[arg(long, global = true, env = "HELM_PLUGINS", hide = true)]
    plugins: Option<std::ffi::OsString>,
    #[arg(long, global = true, env = "HELM_CONFIG_HOME", hide = true)]
    helm_config_home: Option<PathBuf>,
    #[arg(long, global = true, env = "HELM_DATA_HOME", hide = true)]
    helm_data_home: Option<PathBuf>,
    #[arg(long, global = true, env = "XDG_CONFIG_HOME", hide = true)]
    config_home: Option<PathBuf>,
    #[arg(long, global = true, env = "XDG_DATA_HOME", hide = true)]
    data_home: Option<PathBuf>,
    #[arg(long, global = true, env = "HOME", hide = true)]
    user_home: Option<PathBuf>,
    #[arg(long, global = true, env = "GNUPGHOME", hide = true)]
    gnupg_home: Option<PathBuf>,
}

/// A repository that has a name.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct NamedRepository {
    pub(in super::super) name: String,
    pub(in super::super) url: String,
    pub(in super::super) username: String,
    pub(in super::super) password: String,
    pub(in super::super) authorities: String,
    pub(in super::super) certificate: String,
    pub(in super::super) key: String,
    pub(in super::super) pass_credentials: bool,
    pub(in super::super) unverified: bool,
}

impl NamedRepository {
    fn read(entry: &Node) -> Self {
        let text = |key: &str| entry.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let is_on = |key: &str| entry.get(key).and_then(Node::as_bool) == Some(true);
        Self {
            name: text("name"),
            url: text("url"),
            username: text("username"),
            password: text("password"),
            authorities: text("caFile"),
            certificate: text("certFile"),
            key: text("keyFile"),
            pass_credentials: is_on("pass_credentials_all"),
            unverified: is_on("insecure_skip_tls_verify"),
        }
    }
}

impl Settings {
    fn config(&self) -> Option<PathBuf> {
        let xdg = || Some(self.config_home.as_ref()?.join("helm"));
        let own = || Some(self.user_home.as_ref()?.join(".config/helm"));
        self.helm_config_home.clone().or_else(xdg).or_else(own)
    }

    /// The directories in which plugins stand.
    pub(in super::super) fn plugins(&self) -> Vec<PathBuf> {
        if let Some(list) = self.plugins.as_ref().filter(|list| !list.is_empty()) {
            return std::env::split_paths(list).collect();
        }
        let xdg = || Some(self.data_home.as_ref()?.join("helm"));
        let own = || Some(self.user_home.as_ref()?.join(".local/share/helm"));
        let data = self.helm_data_home.clone().or_else(xdg).or_else(own);
        data.map(|data| data.join("plugins")).into_iter().collect()
    }

    /// The repository of a name.
    pub(in super::super) fn repository(&self, name: &str) -> anyhow::Result<NamedRepository> {
        let found = self.repositories()?.into_iter().find(|found| found.name == name);
        found.ok_or_else(|| anyhow!("repo {name} not found"))
    }

    /// The repository at an address, if it has a name.
    pub(in super::super) fn repository_at(&self, url: &str) -> Option<NamedRepository> {
        let same =
            |found: &NamedRepository| found.url.trim_end_matches('/') == url.trim_end_matches('/');
        self.repositories().ok()?.into_iter().find(same)
    }

    /// The repository below whose address a URL is, if it has a name.
    pub(in super::super) fn repository_of(&self, url: &str) -> Option<NamedRepository> {
        let holds = |found: &NamedRepository| {
            let parent = found.url.trim_end_matches('/');
            !parent.is_empty() && url.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
        };
        self.repositories().ok()?.into_iter().find(holds)
    }

    /// The file with the keys of those whom `gpg` trusts.
    pub(in super::super) fn keyring(&self) -> String {
        let own = || Some(self.user_home.as_ref()?.join(".gnupg"));
        let directory = self.gnupg_home.clone().or_else(own).unwrap_or_default();
        directory.join("pubring.gpg").display().to_string()
    }

    fn repositories(&self) -> anyhow::Result<Vec<NamedRepository>> {
        let own = || Some(self.config()?.join("repositories.yaml"));
        let Some(file) = self.repository_config.clone().or_else(own) else { return Ok(Vec::new()) };
        let Ok(text) = fs::read(&file) else { return Ok(Vec::new()) };
        let node = gitops_yaml::read(&text).map_err(|error| {
            anyhow!("couldn't load repositories file ({}): {error}", file.display())
        })?;
        let repositories = node.get("repositories").and_then(Node::as_sequence).unwrap_or_default();
        Ok(repositories.iter().map(NamedRepository::read).collect())
    }

    /// The logins at registries: Helm's own, and those of Docker.
    pub(in super::super) fn logins(&self) -> DockerConfig {
        let own = || Some(self.config()?.join("registry/config.json"));
        let docker = self.user_home.as_ref().map(|home| home.join(".docker/config.json"));
        let files = [docker, self.registry_config.clone().or_else(own)];
        let mut logins = DockerConfig::default();
        for file in files.into_iter().flatten() {
            if let Some(found) =
                fs::read(file).ok().and_then(|json| DockerConfig::parse(&json).ok())
            {
                logins.merge(found);
            }
        }
        logins
    }
}
