//! Revisions: what a source calls a state of its content.
//!
//! Follows Flux's RFC-0005: `name@algo:hash`, `algo:hash`, or a bare name such as a chart version.
//! The older forms `name/hash` and a bare Git hash still parse.

use std::{fmt, str::FromStr};

/// A revision such as `main@sha1:<hex>`, `sha256:<hex>` or `1.2.3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision {
    name: Option<String>,
    /// Algorithm and hash.
    hash: Option<(String, String)>,
}

impl Revision {
    /// `name@algorithm:hash`, or `algorithm:hash` without a name.
    pub fn new(name: Option<&str>, algorithm: &str, hash: &str) -> Self {
        Self { name: name.map(str::to_owned), hash: Some((algorithm.to_owned(), hash.to_owned())) }
    }

    /// A revision that is only a name, such as a chart version.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), hash: None }
    }

    /// The branch, tag or reference, where there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The hash without its algorithm, where there is one.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_ref().map(|(_, hash)| hash.as_str())
    }

    /// The algorithm of the hash: `sha1`, `sha256`, …
    pub fn algorithm(&self) -> Option<&str> {
        self.hash.as_ref().map(|(algorithm, _)| algorithm.as_str())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            f.write_str(name)?;
        }
        if let Some((algorithm, hash)) = &self.hash {
            let at = if self.name.is_some() { "@" } else { "" };
            write!(f, "{at}{algorithm}:{hash}")?;
        }
        Ok(())
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        if text.is_empty() {
            return Err(RevisionError);
        }
        let (name, rest) = match text.rsplit_once('@') {
            Some((name, rest)) => (Some(name), rest),
            None => (None, text),
        };
        if let Some((algorithm, hash)) = rest.split_once(':')
            && !algorithm.is_empty()
            && is_hex(hash)
        {
            let name = name.filter(|name| !name.is_empty());
            return Ok(Self::new(name, algorithm, hash));
        }
        if is_git_hash(text) {
            return Ok(Self::new(None, git_algorithm(text), text));
        }
        if let Some((name, hash)) = text.rsplit_once('/')
            && is_git_hash(hash)
        {
            return Ok(Self::new(Some(name), git_algorithm(hash), hash));
        }
        Ok(Self::named(text))
    }
}

/// An empty text is no revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision is empty")]
pub struct RevisionError;

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_git_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && is_hex(text)
}

fn git_algorithm(hash: &str) -> &'static str {
    if hash.len() == 40 { "sha1" } else { "sha256" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let hex = "8f5c0dcee7db53fd69db16ac54c3fea893204bd3";
        for (text, name, hash, shown) in [
            (format!("main@sha1:{hex}"), Some("main"), Some(hex), format!("main@sha1:{hex}")),
            (format!("main/{hex}"), Some("main"), Some(hex), format!("main@sha1:{hex}")),
            (hex.to_owned(), None, Some(hex), format!("sha1:{hex}")),
            (format!("sha1:{hex}"), None, Some(hex), format!("sha1:{hex}")),
            (
                format!("refs/pull/1/head@sha1:{hex}"),
                Some("refs/pull/1/head"),
                Some(hex),
                format!("refs/pull/1/head@sha1:{hex}"),
            ),
            ("1.2.3+1".to_owned(), Some("1.2.3+1"), None, "1.2.3+1".to_owned()),
        ] {
            let revision: Revision = text.parse().unwrap();
            assert_eq!(revision.name(), name, "{text}");
            assert_eq!(revision.hash(), hash, "{text}");
            assert_eq!(revision.to_string(), shown, "{text}");
        }
        assert!("".parse::<Revision>().is_err());
    }
}
