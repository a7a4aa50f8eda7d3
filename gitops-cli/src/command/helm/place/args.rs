//! How a chart that is not on this machine is found, who asks for it, and whom they trust.
#![allow(clippy::doc_markdown, reason = "the comments are the texts of --help")]

use anyhow::anyhow;
use clap::Args;
use gitops_core::{Secret, quoted};
use gitops_helm::Compat;
use gitops_source::{DockerConfig, RegistryCredential, RegistryOptions, Tls};

use super::{NamedRepository, Settings, open};
use crate::charts::Access;

/// Where a chart is.
#[derive(Clone, Debug, Default, Args)]
pub(in super::super) struct ChartArgs {
    /// The address of the repository that has the chart
    #[arg(long, value_name = "URL")]
    pub(super) repo: Option<String>,
    /// The version of the chart, or a range of versions; without it the latest one
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Versions under development too
    #[arg(long)]
    pub(super) devel: bool,
    /// Hand name and password to all hosts that the index names
    #[arg(long)]
    pub(super) pass_credentials: bool,
    #[command(flatten)]
    pub(in super::super) access: AccessArgs,
    #[command(flatten)]
    pub(in super::super) verify: VerifyArgs,
}

/// Who asks a repository.
#[derive(Clone, Debug, Default, Args)]
pub(in super::super) struct AccessArgs {
    /// The name by which the repository knows you
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Your password there
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Authorities to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Your certificate
    #[arg(long, value_name = "FILE")]
    cert_file: Option<String>,
    /// Its key
    #[arg(long, value_name = "FILE")]
    key_file: Option<String>,
    /// Trust any certificate
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Ask the registry without TLS
    #[arg(long)]
    plain_http: bool,
}

/// Whether signatures count.
#[derive(Clone, Debug, Default, Args)]
pub(in super::super) struct VerifyArgs {
    /// Refuse a chart that nobody in the keyring has signed
    #[arg(long)]
    pub(super) verify: bool,
    /// The file with the public keys of whom you trust; without it GnuPG's
    #[arg(long, value_name = "FILE")]
    pub(super) keyring: Option<String>,
}

impl AccessArgs {
    /// Refuses files that cannot be read before they are needed, as Helm does.
    pub(in super::super) fn check(&self, compat: Compat) -> anyhow::Result<()> {
        let told = |why: String| {
            anyhow!("missing registry client: can't create TLS config for client: {why}")
        };
        let why = |path: &str| open(path).err().map(|error| error.to_string());
        if let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) {
            for (what, path) in [("cert", certificate), ("key", key)] {
                let Some(why) = why(path) else { continue };
                return Err(told(match compat {
                    Compat::Helm4 => format!("unable to read {what} file: {}: {why}", quoted(path)),
                    Compat::Helm3 => {
                        format!("can't load key pair from cert {certificate} and key {key}: {why}")
                    }
                }));
            }
        }
        if let Some(path) = &self.ca_file
            && let Some(why) = why(path)
        {
            return Err(told(match compat {
                Compat::Helm4 => format!("can't read CA file: {}: {why}", quoted(path)),
                Compat::Helm3 => format!("can't read CA file: {path}"),
            }));
        }
        Ok(())
    }

    /// The means for a repository; what flags do not say, its entry among the named ones does.
    pub(super) fn access(
        &self,
        named: &NamedRepository,
        pass_credentials: bool,
        settings: &Settings,
        registry: &str,
    ) -> anyhow::Result<Access> {
        let or =
            |own: &Option<String>, named: &str| own.clone().unwrap_or_else(|| named.to_owned());
        let (username, password) =
            (or(&self.username, &named.username), or(&self.password, &named.password));
        let tls = self.tls(named)?;
        let credentials = match &self.username {
            Some(username) => {
                let credential = RegistryCredential::Basic {
                    username: username.clone(),
                    password: password.as_str().into(),
                };
                DockerConfig::single(registry, credential)
            }
            None => settings.logins(),
        };
        Ok(Access {
            basic: (!username.is_empty()).then(|| (username, Secret::from(password.as_str()))),
            pass_credentials,
            registry: RegistryOptions {
                credentials,
                tls: tls.clone(),
                insecure: self.plain_http,
                ..RegistryOptions::default()
            },
            tls,
            timeout: None,
        })
    }

    fn tls(&self, named: &NamedRepository) -> anyhow::Result<Tls> {
        let read = |own: &Option<String>, named: &str| -> anyhow::Result<Option<Vec<u8>>> {
            match own.as_deref().unwrap_or(named) {
                "" => Ok(None),
                path => open(path).map(Some),
            }
        };
        let certificate = read(&self.cert_file, &named.certificate)?;
        let key = read(&self.key_file, &named.key)?;
        Ok(Tls {
            authorities: read(&self.ca_file, &named.authorities)?,
            identity: certificate.zip(key.map(Secret::new)),
            unverified: self.insecure_skip_tls_verify || named.unverified,
        })
    }
}
