//! Credentials as Docker's configuration file holds them.
//!
//! Follows the keyring of Kubernetes, which pull secrets are read with: an entry may name a host, a
//! host with a path, or hosts by a pattern, and the most specific one that fits is taken.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use gitops_core::Secret;
use serde::Deserialize;

use super::reference::OciRepositoryName;
use crate::SourceError;

/// How to prove to a registry who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryCredential {
    /// User name and password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An `OAuth2` refresh token, for which the registry's token service gives a token.
    Identity(Secret),
    /// A bearer token for the registry itself.
    Bearer(Secret),
    /// None: who should have lent one would not, and why. It matters when the registry was reached
    /// and a request is to be authorized.
    Refused(Box<str>),
}

/// Credentials by registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DockerConfig {
    /// Most specific first.
    entries: Vec<(Place, RegistryCredential)>,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.iter().map(|(place, _)| &place.0)).finish()
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
    #[serde(rename = "identitytoken")]
    identity_token: Option<String>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<String>,
}

impl DockerConfig {
    /// Reads the JSON of a `.dockerconfigjson`, or of Docker's `config.json`.
    ///
    /// # Errors
    /// When it is malformed; the text never shows what it holds.
    pub fn parse(json: &[u8]) -> Result<Self, SourceError> {
        let file: File = serde_json::from_slice(json).map_err(|_| malformed())?;
        Self::of_entries(file.auths)
    }

    /// Reads the JSON of a `.dockercfg`, the form of old: the entries alone.
    ///
    /// # Errors
    /// When it is malformed; the text never shows what it holds.
    pub fn parse_legacy(json: &[u8]) -> Result<Self, SourceError> {
        Self::of_entries(serde_json::from_slice(json).map_err(|_| malformed())?)
    }

    /// One credential, for a registry by host and port.
    pub fn single(registry: &str, credential: RegistryCredential) -> Self {
        Self { entries: vec![(Place::parse(registry), credential)] }
    }

    fn of_entries(all: BTreeMap<String, Entry>) -> Result<Self, SourceError> {
        let mut entries = Vec::new();
        for (place, entry) in all {
            if let Some(credential) = entry.credential()? {
                entries.push((Place::parse(&place), credential));
            }
        }
        // Of two that fit, the longer name says more.
        entries.sort_by(|(a, _), (b, _)| b.cmp(a));
        Ok(Self { entries })
    }

    /// Adds those of another file; what is there already stays.
    pub fn merge(&mut self, other: Self) {
        for (place, credential) in other.entries {
            if self.entries.iter().all(|(own, _)| *own != place) {
                self.entries.push((place, credential));
            }
        }
        self.entries.sort_by(|(a, _), (b, _)| b.cmp(a));
    }

    /// The credential for a repository.
    pub fn of(&self, repository: &OciRepositoryName) -> Option<&RegistryCredential> {
        let fits = |(place, _): &&(Place, RegistryCredential)| place.covers(repository);
        self.entries.iter().find(fits).map(|(_, credential)| credential)
    }
}

impl Entry {
    fn credential(self) -> Result<Option<RegistryCredential>, SourceError> {
        let set = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = set(self.identity_token) {
            return Ok(Some(RegistryCredential::Identity(token.into())));
        }
        if let Some(token) = set(self.registry_token) {
            return Ok(Some(RegistryCredential::Bearer(token.into())));
        }
        if let Some(auth) = set(self.auth) {
            let auth = auth.trim();
            // Padding may be there or not.
            let decoded = STANDARD_NO_PAD.decode(auth.trim_end_matches('='));
            let decoded = decoded.map_err(|_| {
                let alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
                let at = auth.bytes().position(|b| !alphabet(&b)).unwrap_or(auth.len());
                undecodable(&format!("illegal base64 data at input byte {at}"))
            })?;
            let text = String::from_utf8(decoded).map_err(|_| malformed())?;
            let (username, password) = text
                .split_once(':')
                .ok_or_else(|| undecodable("must be formatted as base64(username:password)"))?;
            // Docker pads with zeros on some systems.
            let password = password.trim_end_matches('\0').into();
            return Ok(Some(RegistryCredential::Basic { username: username.to_owned(), password }));
        }
        let password = self.password.unwrap_or_default().into();
        Ok(set(self.username).map(|username| RegistryCredential::Basic { username, password }))
    }
}

fn undecodable(why: &str) -> SourceError {
    SourceError::Invalid(format!("unable to decode auth field: {why}").into())
}

fn malformed() -> SourceError {
    SourceError::Invalid("malformed docker configuration".into())
}

/// What an entry is for: `<host>[:<port>][/<path>]`, where a part of the host may be a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(String);

impl Place {
    fn parse(text: &str) -> Self {
        let text =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        // `https://index.docker.io/v1/` and the like name an API, not a repository.
        let path = match path.trim_end_matches('/') {
            "v1" | "v2" => "",
            path => path.strip_prefix("v1/").or_else(|| path.strip_prefix("v2/")).unwrap_or(path),
        };
        let host = match host {
            "docker.io" | "registry-1.docker.io" => "index.docker.io",
            host => host,
        };
        Self(if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") })
    }

    fn covers(&self, repository: &OciRepositoryName) -> bool {
        let (host, path) = self.0.split_once('/').unwrap_or((&self.0, ""));
        let (host, port) = split_port(host);
        let (other, other_port) = split_port(repository.endpoint());
        let (parts, others) = (host.split('.'), other.split('.'));
        port == other_port
            && parts.clone().count() == others.clone().count()
            && parts.zip(others).all(|(pattern, part)| matches(pattern, part))
            && repository.path().starts_with(path)
    }
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Whether a part of a host is what a pattern with `*` and `?` says.
fn matches(pattern: &str, part: &str) -> bool {
    let (pattern, part) = (pattern.as_bytes(), part.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on from when the last `*` must take one more.
    let mut retry: Option<(usize, usize)> = None;
    while seen < part.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == part[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (at, seen) = (after, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'c>(config: &'c DockerConfig, name: &str) -> Option<&'c RegistryCredential> {
        config.of(&OciRepositoryName::parse(&format!("oci://{name}")).unwrap())
    }

    fn basic(username: &str, password: &str) -> RegistryCredential {
        RegistryCredential::Basic { username: username.into(), password: password.into() }
    }

    #[test]
    fn forms_of_entries() {
        let json = br#"{"auths": {
            "a:5000": {"auth": "dTpwOnc="},
            "https://b/v1/": {"username": "u", "password": "p"},
            "c": {},
            "d": {"identitytoken": "it", "auth": "dTpwOnc="},
            "e": {"registrytoken": "rt"},
            "https://index.docker.io/v1/": {"username": "hub", "password": "p"}
        }}"#;
        let config = DockerConfig::parse(json).unwrap();
        assert_eq!(of(&config, "a:5000/r"), Some(&basic("u", "p:w")));
        assert_eq!(of(&config, "b/r"), Some(&basic("u", "p")));
        assert_eq!(of(&config, "a/r"), None, "another port");
        assert_eq!(of(&config, "c/r"), None);
        assert_eq!(of(&config, "d/r"), Some(&RegistryCredential::Identity("it".into())));
        assert_eq!(of(&config, "e/r"), Some(&RegistryCredential::Bearer("rt".into())));
        assert_eq!(of(&config, "docker.io/o/r"), Some(&basic("hub", "p")));
        let shown = format!("{config:?} {:?}", of(&config, "b/r"));
        assert!(!shown.contains("\"p\"") && !shown.contains("it\""), "{shown}");
        for bad in [&b"x"[..], br#"{"auths": {"a": {"auth": "%"}}}"#] {
            assert!(DockerConfig::parse(bad).is_err());
        }
        let legacy = DockerConfig::parse_legacy(br#"{"a": {"auth": "dTpw"}}"#).unwrap();
        assert_eq!(of(&legacy, "a/r"), Some(&basic("u", "p")));
    }

    #[test]
    fn the_most_specific_entry_is_taken() {
        let json = br#"{"auths": {
            "*.example.com": {"username": "any", "password": "p"},
            "r.example.com": {"username": "host", "password": "p"},
            "r.example.com/team": {"username": "team", "password": "p"},
            "r.example.com/team/app": {"username": "app", "password": "p"}
        }}"#;
        let config = DockerConfig::parse(json).unwrap();
        for (name, user) in [
            ("x.example.com/r", "any"),
            ("r.example.com/r", "host"),
            ("r.example.com/team/x", "team"),
            ("r.example.com/team/app", "app"),
        ] {
            assert_eq!(of(&config, name), Some(&basic(user, "p")), "{name}");
        }
        for name in ["example.com/r", "a.b.example.com/r", "x.example.com:1/r", "x.example.org/r"] {
            assert_eq!(of(&config, name), None, "{name}");
        }
        assert!(matches("a*c?", "abbcd") && matches("*", "") && !matches("a?", "a"));
        assert!(!matches(&"*a".repeat(200), &"a".repeat(100)), "and ends soon");
    }
}
