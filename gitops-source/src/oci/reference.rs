//! Names of repositories and of what is in them.

use std::{fmt, net::IpAddr, str::FromStr};

use gitops_core::{Digest, go_url_refusal};
use url::Url;

use crate::{SourceError, go};

const SCHEME: &str = "oci://";
const FORM: &str = "URL must be in format 'oci://<domain>/<org>/<repo>'";

/// Of which the path of a repository is made.
const CHARACTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-./";

/// A repository of a registry: `<registry>/<repository>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OciRepositoryName {
    host: String,
    path: String,
}

fn refused(url: &str, why: &str) -> SourceError {
    SourceError::Invalid(format!("URL validation failed for '{url}': {why}").into())
}

impl fmt::Display for OciRepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl OciRepositoryName {
    /// Reads `oci://<registry>/<repository>`.
    ///
    /// # Errors
    /// [`SourceError::Invalid`] with Flux's text, also when there is a tag or digest.
    pub fn parse(url: &str) -> Result<Self, SourceError> {
        let rest = url.strip_prefix(SCHEME);
        let (_, path) =
            rest.and_then(|rest| rest.split_once('/')).ok_or_else(|| refused(url, FORM))?;
        Self::below(url, rest.unwrap_or_default(), path, 1)
    }

    /// Reads what [`parse`](Self::parse) reads as Docker does: a first part that cannot be a host
    /// (it has neither dot nor colon) belongs to a repository of Docker's Hub; a name of one letter
    /// is none.
    ///
    /// # Errors
    /// As those of [`parse`](Self::parse).
    pub fn parse_like_docker(url: &str) -> Result<Self, SourceError> {
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| refused(url, FORM))?;
        if rest.is_empty() {
            return Err(refused(url, "a repository name must be specified"));
        }
        match rest.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                Self::below(url, rest, path, 2)
            }
            Some(_) => Self::below(url, &format!("index.docker.io/{rest}"), rest, 2),
            None => Self::below(url, &format!("index.docker.io/library/{rest}"), rest, 2),
        }
    }

    /// A repository by its name, whose path a message shows as `path`.
    fn below(url: &str, name: &str, path: &str, shortest: usize) -> Result<Self, SourceError> {
        let invalid = |why: &str| refused(url, why);
        if !(shortest..=255).contains(&path.len()) {
            let why = "repository must be between 2 and 255 characters in length";
            return Err(invalid(&format!("{why}: {path}")));
        }
        let known = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        if !path.chars().all(known) {
            let why = format!("repository can only contain the characters `{CHARACTERS}`");
            return Err(invalid(&format!("{why}: {path}")));
        }
        let host = name.split_once('/').map_or(name, |(host, _)| host);
        if go_url_refusal(&format!("//{host}")).is_some() || !host.chars().all(is_of_host) {
            let why = "registries must be valid RFC 3986 URI authorities";
            return Err(invalid(&format!("{why}: {host}")));
        }
        Self::checked(name).ok_or_else(|| invalid(FORM))
    }

    fn checked(name: &str) -> Option<Self> {
        let (host, path) = name.split_once('/')?;
        let plain = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/')
        };
        // Parts without a letter are as good as any; these two would lead elsewhere.
        let named = path.split('/').all(|part| part != "." && part != "..");
        let brackets = host.starts_with('[') || !host.contains(['[', ']']);
        let good = !host.is_empty() && host.chars().all(is_of_host) && brackets && named;
        (good && path.chars().all(plain) && name.len() <= 512)
            .then(|| Self { host: host.to_owned(), path: path.to_owned() })
    }

    /// The registry: host and port.
    pub fn registry(&self) -> &str {
        &self.host
    }

    /// The repository's path in its registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the registry is spoken to: Docker Hub's API has a name of its own.
    pub(crate) fn endpoint(&self) -> &str {
        match self.host.as_str() {
            "docker.io" => "index.docker.io",
            host => host,
        }
    }

    /// Whether nobody expects TLS there: this machine and private networks.
    pub(crate) fn is_local(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        match name.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback(),
            Err(_) => name == "localhost" || name.rsplit('.').next() == Some("local"),
        }
    }
}

/// One artifact of a repository, by tag or digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciName {
    /// The repository.
    pub repository: OciRepositoryName,
    /// The tag; with a digest beside it, it says nothing.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

impl fmt::Display for OciName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for OciName {
    type Err = SourceError;

    /// Reads `[oci://]<registry>/<repository>[:<tag>][@<digest>]`.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let invalid =
            |why: &str| SourceError::Invalid(format!("invalid URL '{text}': {why}").into());
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse().map_err(|_| invalid("malformed digest"))?;
                (rest, Some(digest))
            }
            None => (rest, None),
        };
        let slash = rest.find('/').ok_or_else(|| invalid(FORM))?;
        let (name, tag) = match rest[slash..].split_once(':') {
            Some((path, tag)) => (&rest[..slash + path.len()], Some(tag)),
            None => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(invalid("malformed tag"));
        }
        let repository = OciRepositoryName::checked(name).ok_or_else(|| invalid(FORM))?;
        Ok(Self { repository, tag: tag.map(str::to_owned), digest })
    }
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']')
}

/// A tag or digest as a part of a path, whatever it holds; `None` for what would lead elsewhere.
fn path_part(reference: &str) -> Option<String> {
    let leads_elsewhere = reference.is_empty() || matches!(reference, "." | "..");
    (!leads_elsewhere).then(|| go::escaped(reference, "$&+=:@"))
}

/// A tag or a digest as a part of a path. What can be neither is asked for all the same: what the
/// registry says of it is what people know.
pub(super) fn checked_reference(reference: &str) -> Result<String, SourceError> {
    path_part(reference)
        .ok_or_else(|| SourceError::Invalid(format!("invalid reference '{reference}'").into()))
}

/// A failure to get what a reference names, with the reference in the URL as Go shows it.
pub(super) fn as_written(error: SourceError, url: &Url, reference: &str) -> SourceError {
    let Some(sent) = path_part(reference).filter(|_| reference.contains('/')) else {
        return error;
    };
    let sent = url.as_str().strip_suffix(&sent).map(|start| (format!("{start}{sent}"), start));
    let Some((sent, start)) = sent else { return error };
    let shown = format!("{start}{}", go::escaped(reference, "$&+=:@/"));
    error.replace(&sent, &shown)
}

/// Whether a text can be a tag: then it is also safe as a part of a path.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// What is wrong with a digest, in the words of Go's registry library.
pub(super) fn hash_problem(text: &str, error: &gitops_core::DigestError) -> String {
    let quoted = crate::go::quoted;
    let (algorithm, hex) = match text.split_once(':') {
        Some((algorithm, hex)) if !algorithm.is_empty() && !hex.is_empty() => (algorithm, hex),
        _ => return format!("cannot parse hash: {}", quoted(text)),
    };
    let misplaced = |c: &char| !matches!(c, '0'..='9' | 'a'..='f');
    if let Some(misplaced) = hex.chars().find(misplaced) {
        return format!("found non-hex character in hash: {misplaced}");
    }
    let wanted = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return format!("unsupported hash: {}", quoted(algorithm)),
    };
    if hex.len() != wanted {
        return format!("wrong number of hex digits for {algorithm}: {hex}");
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        let repository = OciRepositoryName::parse("oci://127.0.0.1:5000/org/app").unwrap();
        assert_eq!(repository.to_string(), "127.0.0.1:5000/org/app");
        assert!(repository.is_local());
        assert!(!OciRepositoryName::parse("oci://ghcr.io/o/r").unwrap().is_local());
        for (url, why) in [
            ("oci://h/o/r:1.0", "`abcdefghijklmnopqrstuvwxyz0123456789_-./`: o/r:1.0"),
            ("oci://h/o/r@sha256:ab", "repository can only contain the characters"),
            ("oci://h", "URL must be in format"),
            ("http://h/r", "URL must be in format"),
            ("oci://h/o/../r", "URL must be in format"),
            ("oci://h/O?x=1", "can only contain the characters"),
            ("oci://h/", "between 2 and 255 characters in length: "),
            ("oci://h:abc/o/r", "registries must be valid RFC 3986 URI authorities: h:abc"),
            ("oci://u:p@h/o/r", "registries must be valid RFC 3986 URI authorities: u:p@h"),
            ("oci://h\r\nx: y/o", "registries must be valid RFC 3986 URI authorities"),
        ] {
            let error = OciRepositoryName::parse(url).map(|name| name.to_string());
            let error = error.map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(why)), "{url}: {error:?}");
        }
    }

    #[test]
    fn repositories_as_docker_reads_them() {
        for (url, name) in [
            ("oci://ghcr.io/o/r", "ghcr.io/o/r"),
            ("oci://localhost/o/r", "localhost/o/r"),
            ("oci://org/app", "index.docker.io/org/app"),
            ("oci://app", "index.docker.io/library/app"),
            ("oci:///app", "index.docker.io//app"),
            ("oci://ghcr.io/o/r/", "ghcr.io/o/r/"),
        ] {
            let repository = OciRepositoryName::parse_like_docker(url).unwrap();
            assert_eq!(repository.to_string(), name);
        }
        let error = OciRepositoryName::parse_like_docker("oci://h.io/a").unwrap_err().to_string();
        assert!(error.ends_with("between 2 and 255 characters in length: a"), "{error}");
        let error = OciRepositoryName::parse_like_docker("oci://127.0.0.1:5000").unwrap_err();
        let why =
            "repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`";
        let start = "URL validation failed for 'oci://127.0.0.1:5000'";
        assert_eq!(error.to_string(), format!("{start}: {why}: 127.0.0.1:5000"));
    }

    #[test]
    fn what_is_wrong_with_digests() {
        for (text, why) in [
            ("sha256", "cannot parse hash: \"sha256\""),
            ("sha256:zz", "found non-hex character in hash: z"),
            ("md5:ab", "unsupported hash: \"md5\""),
            ("sha256:ab", "wrong number of hex digits for sha256: ab"),
        ] {
            let error = text.parse::<Digest>().unwrap_err();
            assert_eq!(hash_problem(text, &error), why);
        }
    }

    #[test]
    fn names() {
        let digest = Digest::sha256(b"").to_string();
        for text in ["h:5000/o/r", "h/r:v1.0", &format!("h/r@{digest}"), &format!("h/r:t@{digest}")]
        {
            let name: OciName = text.parse().unwrap();
            assert_eq!(name.to_string(), *text);
            assert_eq!(format!("oci://{text}").parse::<OciName>().unwrap(), name);
        }
        for bad in ["h", "h/r:", "h/r:-x", "h/r:a b", "h/r@sha256:1", "h/../r", "h/r:a:b"] {
            assert!(bad.parse::<OciName>().is_err(), "{bad}");
        }
    }
}
