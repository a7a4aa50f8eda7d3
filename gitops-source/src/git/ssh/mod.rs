//! Git over SSH: the client in the process, keys and known hosts in memory.
//!
//! A host whose key is not in `known_hosts` is refused; nothing is trusted on first use.

mod known_hosts;
mod link;
mod tunnel;

use std::{fmt, path::PathBuf, sync::Arc};

use gitops_core::{SafeUrl, Secret};
use russh::{
    Preferred, compression, kex,
    keys::{Algorithm, PrivateKey, decode_secret_key, ssh_key::HashAlg},
};

use crate::SourceError;
use known_hosts::KnownHosts;

pub(crate) use link::{Conversation, SshLink};

/// Who logs in to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SshIdentity {
    /// With a private key: `OpenSSH`'s format, PKCS#1, PKCS#8 or SEC1, in PEM.
    Key {
        /// The key.
        pem: Secret,
        /// What it is encrypted with.
        passphrase: Option<Secret>,
    },
    /// With the keys of an agent, at this socket.
    Agent(PathBuf),
}

/// Which algorithms are offered; those that are good where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshAlgorithms {
    key_exchanges: Vec<kex::Name>,
    host_keys: Vec<Algorithm>,
}

impl SshAlgorithms {
    /// From their names, the best first; an empty list means all good ones.
    ///
    /// # Errors
    /// Names one that is not known.
    pub fn parse<S: AsRef<str>>(key_exchanges: &[S], host_keys: &[S]) -> Result<Self, SourceError> {
        let unknown = |what: &str, name: &str| {
            SourceError::Invalid(format!("unknown SSH {what} algorithm '{name}'").into())
        };
        let key_exchanges = key_exchanges.iter().map(|name| {
            let name = name.as_ref().trim();
            kex::Name::try_from(name).map_err(|()| unknown("key exchange", name))
        });
        let host_keys = host_keys.iter().map(|name| {
            let name = name.as_ref().trim();
            match name.parse() {
                Ok(Algorithm::Other(_)) | Err(_) => Err(unknown("host key", name)),
                Ok(algorithm) => Ok(algorithm),
            }
        });
        Ok(Self {
            key_exchanges: key_exchanges.collect::<Result<_, _>>()?,
            host_keys: host_keys.collect::<Result<_, _>>()?,
        })
    }

    /// For a host of which these kinds of keys are known.
    fn preferred(&self, known: Vec<Algorithm>) -> Preferred {
        let mut preferred = Preferred::default();
        if !self.key_exchanges.is_empty() {
            // These are no key exchanges, but belong into the list for what they protect from.
            let protections =
                [kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];
            let names = self.key_exchanges.iter().copied().chain(protections);
            preferred.kex = names.collect::<Vec<_>>().into();
        }
        let keys = if self.host_keys.is_empty() { known } else { self.host_keys.clone() };
        if !keys.is_empty() {
            preferred.key = keys.into();
        }
        // Packs are compressed already.
        preferred.compression = vec![compression::NONE].into();
        preferred
    }
}

/// How to reach a Git server with SSH. Cheap to clone.
#[derive(Clone)]
pub struct SshTransport {
    login: Login,
    known_hosts: Arc<KnownHosts>,
    algorithms: SshAlgorithms,
    proxy: Option<SafeUrl>,
}

#[derive(Clone)]
enum Login {
    Key(Arc<PrivateKey>),
    Agent(PathBuf),
}

impl fmt::Debug for SshTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshTransport").field("proxy", &self.proxy).finish_non_exhaustive()
    }
}

impl SshTransport {
    /// A way with an identity to hosts that a `known_hosts` file names.
    ///
    /// # Errors
    /// When the key or the file cannot be read; [`SourceError::Encrypted`] for a key that is
    /// encrypted when there is no passphrase.
    pub fn new(identity: &SshIdentity, known_hosts: &[u8]) -> Result<Self, SourceError> {
        let login = match identity {
            SshIdentity::Agent(socket) => Login::Agent(socket.clone()),
            SshIdentity::Key { pem, passphrase } => Login::Key(Arc::new(read_key(
                pem,
                passphrase.as_ref().filter(|text| !text.is_empty()),
            )?)),
        };
        let known_hosts =
            KnownHosts::parse(known_hosts).map_err(|why| SourceError::Invalid(why.into()))?;
        Ok(Self {
            login,
            known_hosts: Arc::new(known_hosts),
            algorithms: SshAlgorithms::default(),
            proxy: None,
        })
    }

    /// With these algorithms only.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: SshAlgorithms) -> Self {
        self.algorithms = algorithms;
        self
    }

    /// Through a proxy: `socks5`, or `http` for one that can CONNECT.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<SafeUrl>) -> Self {
        self.proxy = proxy;
        self
    }
}

pub(super) fn read_key(
    pem: &Secret,
    passphrase: Option<&Secret>,
) -> Result<PrivateKey, SourceError> {
    let malformed = |why: &str| SourceError::Invalid(format!("ssh: {why}").into());
    let text = pem.expose_str().ok_or_else(|| malformed("no key found"))?;
    let password = match passphrase {
        Some(passphrase) => {
            Some(passphrase.expose_str().ok_or_else(|| malformed("passphrase is no text"))?)
        }
        None => None,
    };
    let key = decode_secret_key(text, password).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => SourceError::Encrypted,
        // Nothing of the key may be told, and its libraries do not promise that.
        _ if password.is_some() => {
            SourceError::Invalid("x509: decryption password incorrect".into())
        }
        _ => malformed("no key found"),
    })?;
    if key.is_encrypted() {
        return Err(SourceError::Encrypted);
    }
    if let Some(rsa) = key.public_key().key_data().rsa()
        && rsa.key_size() < 1024
    {
        return Err(malformed("RSA key is too short"));
    }
    Ok(key)
}

/// With what an RSA key signs, in the order in which it is tried.
const RSA_HASHES: [Option<HashAlg>; 2] = [Some(HashAlg::Sha512), Some(HashAlg::Sha256)];
