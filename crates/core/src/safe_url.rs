//! URLs that print without their secrets.

use std::{fmt, str::FromStr};

use url::Url;

/// A URL whose `Display` and `Debug` mask the password and every query value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// The URL with its secrets, for the one who connects.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl From<Url> for SafeUrl {
    fn from(url: Url) -> Self {
        Self(url)
    }
}

impl FromStr for SafeUrl {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, url::ParseError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        if url.password().is_some() {
            // Cannot fail: a URL that has a password has a host.
            let _ = url.set_password(Some("redacted"));
        }
        if url.query().is_some() {
            let keys: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
            url.query_pairs_mut().clear().extend_pairs(keys.iter().map(|key| (key, "redacted")));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafeUrl({self})")
    }
}

/// A URL, or what should be one, for messages: as it is but for the password, which becomes `***`,
/// as Go shows it. Beyond Go a user without a password does too, for forges take a token there;
/// `git` and the users of SSH stay.
pub fn masked_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let Some((user, _)) = authority.rsplit_once('@') else { return text.to_owned() };
    let shown = match user.split_once(':') {
        Some((user, _)) => format!("{user}:***"),
        None if matches!(user, "" | "git") || !scheme.starts_with("http") => user.to_owned(),
        None => "***".to_owned(),
    };
    format!("{scheme}://{shown}{}", &rest[user.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_in_urls_and_what_is_none() {
        for (text, shown) in [
            ("http://git:s3cret@host/r", "http://git:***@host/r"),
            ("http://git:s3@cret@host/r@b", "http://git:***@host/r@b"),
            ("https://t0ken@host/r", "https://***@host/r"),
            ("https://git@host/r", "https://git@host/r"),
            ("ssh://me@host/r", "ssh://me@host/r"),
            ("http://me:s3cret@[", "http://me:***@["),
            ("http://host/a?b=c@d", "http://host/a?b=c@d"),
            ("plain", "plain"),
        ] {
            assert_eq!(masked_url(text), shown);
        }
    }

    #[test]
    fn secrets_are_masked() {
        let url: SafeUrl = "https://git:s3cret@host/r.git?sig=t0ken&v=1".parse().unwrap();
        assert_eq!(url.to_string(), "https://git:redacted@host/r.git?sig=redacted&v=redacted");
        assert!(!format!("{url:?}").contains("s3cret"));
    }
}
