//! Who the user is to hosts that are reached with SSH: as `ssh` itself finds out, without its
//! configuration file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use gitops_core::Secret;
use gitops_source::{SourceError, SshIdentity, SshTransport};

/// The keys that `ssh` looks for.
const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// Where identity and known hosts are.
#[derive(Clone, Debug, Default)]
pub(crate) struct SshPlaces {
    /// A private key, before all others.
    pub(crate) identity: Option<PathBuf>,
    /// Known hosts, in place of the user's and the machine's.
    pub(crate) known_hosts: Option<PathBuf>,
    /// The socket of an agent.
    pub(crate) agent: Option<PathBuf>,
    /// The user's home.
    pub(crate) home: Option<PathBuf>,
}

impl SshPlaces {
    /// The way to SSH hosts: with the named key, else with an agent's keys, else with the user's
    /// first.
    ///
    /// # Errors
    /// When there is no key, or it is encrypted, or no host is known.
    pub(crate) fn transport(&self) -> anyhow::Result<SshTransport> {
        let known_hosts = self.known_hosts()?;
        let own = |name: &&str| {
            let path = self.home.as_ref()?.join(".ssh").join(name);
            path.is_file().then_some(path)
        };
        let file = match (&self.identity, &self.agent) {
            (Some(identity), _) => identity.clone(),
            (None, Some(agent)) => {
                return Ok(SshTransport::new(&SshIdentity::Agent(agent.clone()), &known_hosts)?);
            }
            (None, None) => match KEYS.iter().find_map(own) {
                Some(file) => file,
                None => bail!("no SSH key: start an agent, or name a key with --identity"),
            },
        };
        let identity = SshIdentity::Key { pem: Secret::new(read(&file)?), passphrase: None };
        match SshTransport::new(&identity, &known_hosts) {
            Err(SourceError::Encrypted) => bail!(
                "the SSH key '{}' is encrypted: add it to an agent with ssh-add",
                file.display()
            ),
            made => made.with_context(|| format!("cannot use the SSH key '{}'", file.display())),
        }
    }

    fn known_hosts(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(file) = &self.known_hosts {
            return read(file);
        }
        let own = self.home.as_ref().map(|home| home.join(".ssh/known_hosts"));
        let mut all = Vec::new();
        for file in own.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]) {
            if let Ok(content) = fs::read(file) {
                all.extend(content);
                all.push(b'\n');
            }
        }
        if all.is_empty() {
            bail!("no host is known: connect once with ssh, or name a file with --known-hosts");
        }
        Ok(all)
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read '{}'", file.display()))
}
