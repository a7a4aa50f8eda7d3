//! Passwords for Git repositories of CodeCommit: a signature that is good for a quarter of an hour.
//!
//! Follows git-remote-codecommit and fluxcd/pkg `auth/aws`.

use std::time::Duration;

use gitops_core::{Clock, Secret};
use jiff::Timestamp;
use url::Url;

use super::{
    AwsCredentials, AwsSigner, Payload,
    sign::{authority, stamp},
};
use crate::{AuthError, Token};

const VALIDITY: Duration = Duration::from_mins(15);

/// The region of a repository's URL.
///
/// # Errors
/// When it is no repository of CodeCommit.
pub fn code_commit_region(url: &Url) -> Result<&str, AuthError> {
    if url.scheme() != "https" {
        return Err(AuthError::invalid("AWS CodeCommit authentication requires an HTTPS Git URL"));
    }
    let host = url.host_str().unwrap_or_default();
    let mut labels = host.split('.');
    let first = labels.next();
    let region = labels.next();
    let domain = labels.collect::<Vec<_>>().join(".");
    match region {
        Some(region)
            if matches!(first, Some("git-codecommit" | "git-codecommit-fips"))
                && !region.is_empty()
                && matches!(domain.as_str(), "amazonaws.com" | "amazonaws.com.cn") =>
        {
            Ok(region)
        }
        _ => {
            let host = authority(url);
            Err(AuthError::invalid(format!("invalid AWS CodeCommit Git URL: {host}")))
        }
    }
}

/// User name and password for a repository.
///
/// # Errors
/// As [`code_commit_region`].
pub fn code_commit_credentials(
    url: &Url,
    credentials: &AwsCredentials,
    clock: &dyn Clock,
) -> Result<Token, AuthError> {
    let region = code_commit_region(url)?;
    let signer = AwsSigner { credentials, region, service: "codecommit" };
    let now = clock.now();
    let date = stamp(now);
    let headers = [("host".to_owned(), authority(url))];
    let mut bare = url.clone();
    bare.set_query(None);
    let signature = signer.sign("GIT", &bare, &headers, Payload::Absent, &date);
    let username = match &credentials.session_token {
        Some(token) => {
            format!("{}%{}", credentials.access_key, token.expose_str().unwrap_or_default())
        }
        None => credentials.access_key.clone(),
    };
    let end = now.saturating_add(VALIDITY).unwrap_or(Timestamp::MAX);
    let expires_at = credentials.expires_at.map_or(end, |at| at.min(end));
    let password = Secret::from(format!("{date}Z{signature}"));
    Ok(Token::new(password, expires_at).with_username(username))
}

#[cfg(test)]
mod tests {
    use gitops_core::FixedClock;

    use super::*;

    #[test]
    fn only_repositories_of_codecommit() {
        for (url, region) in [
            ("https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/r", Some("eu-west-1")),
            ("https://git-codecommit-fips.us-east-1.amazonaws.com/v1/repos/r", Some("us-east-1")),
            ("https://git-codecommit.cn-north-1.amazonaws.com.cn/r", Some("cn-north-1")),
            ("http://git-codecommit.eu-west-1.amazonaws.com/r", None),
            ("https://git-codecommit.eu-west-1.amazonaws.com.evil.example/r", None),
            ("https://evil.example/git-codecommit.eu-west-1.amazonaws.com", None),
        ] {
            assert_eq!(code_commit_region(&url.parse().unwrap()).ok(), region, "{url}");
        }
    }

    /// The expected signature was computed with the algorithm of git-remote-codecommit 1.17.
    #[test]
    fn the_signature_is_that_of_git_remote_codecommit() {
        let credentials = AwsCredentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Some(Secret::from("session")),
            expires_at: Some("2026-01-02T03:10:00Z".parse().unwrap()),
        };
        let url = "https://git-codecommit.us-east-1.amazonaws.com/v1/repos/demo".parse().unwrap();
        let clock = FixedClock::new("2026-01-02T03:04:05Z".parse().unwrap());
        let token = code_commit_credentials(&url, &credentials, &clock).unwrap();
        assert_eq!(token.username.as_deref(), Some("AKIDEXAMPLE%session"));
        assert_eq!(token.expires_at, credentials.expires_at.unwrap());
        assert_eq!(
            token.secret.expose_str().unwrap(),
            "20260102T030405Z0237f56e26cca4e0c0579ac8faf272c774b09c73438097f1db5db17986237f17"
        );
    }
}
