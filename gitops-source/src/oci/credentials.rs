//! Credentials as Docker's configuration file holds them.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_core::Secret;
use serde::Deserialize;

use crate::SourceError;

/// User names and passwords by registry.
#[derive(Clone, Default)]
pub struct DockerConfig {
    hosts: BTreeMap<String, (String, Secret)>,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hosts.keys()).finish()
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl DockerConfig {
    /// Reads the JSON of a `.dockerconfigjson`.
    ///
    /// # Errors
    /// When it is malformed; the text never shows what it holds.
    pub fn parse(json: &[u8]) -> Result<Self, SourceError> {
        let malformed = || SourceError::Invalid("malformed docker configuration".into());
        let file: File = serde_json::from_slice(json).map_err(|_| malformed())?;
        let mut hosts = BTreeMap::new();
        for (host, entry) in file.auths {
            let pair = match (entry.auth, entry.username) {
                (Some(auth), _) if !auth.is_empty() => {
                    let decoded = STANDARD.decode(auth.trim()).map_err(|_| malformed())?;
                    let text = String::from_utf8(decoded).map_err(|_| malformed())?;
                    let (username, password) = text.split_once(':').ok_or_else(malformed)?;
                    (username.to_owned(), Secret::from(password))
                }
                (_, Some(username)) => (username, Secret::from(entry.password.unwrap_or_default())),
                _ => continue,
            };
            hosts.insert(bare(&host).to_owned(), pair);
        }
        Ok(Self { hosts })
    }

    /// Adds those of another file; what is there already stays.
    pub fn merge(&mut self, other: Self) {
        for (host, pair) in other.hosts {
            self.hosts.entry(host).or_insert(pair);
        }
    }

    pub(super) fn of(&self, host: &str) -> Option<&(String, Secret)> {
        self.hosts.get(host)
    }
}

/// `https://index.docker.io/v1/` and the like are written in place of a host.
fn bare(host: &str) -> &str {
    let host =
        host.strip_prefix("https://").or_else(|| host.strip_prefix("http://")).unwrap_or(host);
    host.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_entries() {
        let json = br#"{"auths": {
            "a:5000": {"auth": "dTpwOnc="},
            "https://b/v1/": {"username": "u", "password": "p"},
            "c": {}
        }}"#;
        let config = DockerConfig::parse(json).unwrap();
        assert_eq!(config.of("a:5000"), Some(&("u".to_owned(), Secret::from("p:w"))));
        assert_eq!(config.of("b"), Some(&("u".to_owned(), Secret::from("p"))));
        assert!(config.of("c").is_none());
        assert!(!format!("{config:?}").contains('w'));
        for bad in [&b"x"[..], br#"{"auths": {"a": {"auth": "%"}}}"#] {
            assert!(DockerConfig::parse(bad).is_err());
        }
    }
}
