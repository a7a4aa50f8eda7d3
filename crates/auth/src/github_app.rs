//! A GitHub App: its key signs a request for a token of one of its installations.
//!
//! Follows GitHub's "Authenticating as a GitHub App installation" and, in what is accepted and said,
//! fluxcd/pkg `auth/githubapp`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gitops_core::{Clock, Secret, go_url_refusal, masked_url, quoted, truncate};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::{AuthError, CacheKey, HttpClient, Token, http::refused};

/// The user name that goes with an installation's token.
const USERNAME: &str = "x-access-token";
const PUBLIC_API: &str = "https://api.github.com/";
/// How much of what the API says of a refusal is told, in bytes.
const MAX_MESSAGE: usize = 256;

/// A GitHub App and which of its installations is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubApp {
    /// The app's id.
    pub id: u64,
    /// Which installation.
    pub installation: GitHubInstallation,
    /// The app's RSA key in PEM, PKCS#1 or PKCS#8.
    pub private_key: Secret,
    /// The API of a GitHub Enterprise Server; without one that of github.com.
    pub base_url: Option<String>,
}

/// An installation of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitHubInstallation {
    /// By its id.
    Id(u64),
    /// The one of an organization or a user.
    Owner(String),
}

impl GitHubApp {
    /// An app from the values that a Secret holds: `githubAppID`, `githubAppInstallationOwner` or
    /// `githubAppInstallationID`, `githubAppPrivateKey` and `githubAppBaseURL`.
    ///
    /// # Errors
    /// When one is missing or malformed, or when there are both owner and id.
    pub fn from_values<'v>(value: impl Fn(&str) -> Option<&'v [u8]>) -> Result<Self, AuthError> {
        let text = |key| value(key).map(|value| String::from_utf8_lossy(value).into_owned());
        let number = |key| text(key).and_then(|text| text.parse::<u64>().ok()).filter(|id| *id > 0);
        let missing = |what: &str| {
            AuthError::invalid(format!("{what} must be provided to use github app authentication"))
        };
        let id = number("githubAppID").ok_or_else(|| missing("app ID"))?;
        let owner = text("githubAppInstallationOwner").filter(|owner| !owner.is_empty());
        let installation = match (owner, number("githubAppInstallationID")) {
            (None, None) => return Err(missing("app installation owner or ID")),
            (Some(_), Some(_)) => return Err(missing("only one of app installation owner or ID")),
            (Some(owner), None) => GitHubInstallation::Owner(owner),
            (None, Some(id)) => GitHubInstallation::Id(id),
        };
        let private_key = value("githubAppPrivateKey").filter(|key| !key.is_empty());
        let private_key = Secret::new(private_key.ok_or_else(|| missing("private key"))?);
        let base_url = text("githubAppBaseURL").filter(|url| !url.is_empty());
        Ok(Self { id, installation, private_key, base_url })
    }

    /// What makes this app's token another app's.
    pub fn cache_key(&self) -> CacheKey {
        let (kind, installation) = match &self.installation {
            GitHubInstallation::Id(id) => ("id", id.to_string()),
            GitHubInstallation::Owner(owner) => ("owner", owner.clone()),
        };
        CacheKey::new("github-app")
            .with("app", self.id.to_string())
            .with(kind, installation)
            .with("url", self.base_url.as_deref().unwrap_or_default())
            .with("key", self.private_key.expose())
    }

    /// A new token, with the user name that Git wants. It lives an hour.
    ///
    /// # Errors
    /// When the key is malformed, or GitHub refuses.
    pub async fn token(&self, http: &HttpClient, clock: &dyn Clock) -> Result<Token, AuthError> {
        let assertion = self.assertion(clock.now())?;
        let api = self.api()?;
        let id = match &self.installation {
            GitHubInstallation::Id(id) => *id,
            GitHubInstallation::Owner(owner) => {
                Self::find_installation(http, &api, &assertion, owner).await?
            }
        };
        let url = below(&api, &["app", "installations", &id.to_string(), "access_tokens"]);
        let answer: AccessToken = ask(http, Method::POST, url, &assertion).await?;
        let expires_at = answer.expires_at.unwrap_or_else(|| clock.now());
        Ok(Token::new(Secret::from(answer.token), expires_at).with_username(USERNAME))
    }

    async fn find_installation(
        http: &HttpClient,
        api: &Url,
        assertion: &str,
        owner: &str,
    ) -> Result<u64, AuthError> {
        let (mut failures, mut unreached) = (Vec::new(), false);
        for (kind, what) in [
            ("orgs", "failed to find organization installation"),
            ("users", "failed to find user installation"),
        ] {
            let url = below(api, &[kind, owner, "installation"]);
            match ask::<Installation>(http, Method::GET, url, assertion).await {
                Ok(found) => return Ok(found.id),
                Err(error) => {
                    unreached |= matches!(error, AuthError::Network(_));
                    failures.push(format!("{what}: {error}"));
                }
            }
        }
        let failures = failures.join("\n").into();
        Err(if unreached { AuthError::Network(failures) } else { AuthError::Denied(failures) })
    }

    /// As in Flux, the URL is that of the API itself, e.g. `https://ghe.example.com/api/v3`.
    fn api(&self) -> Result<Url, AuthError> {
        let text = self.base_url.as_deref().unwrap_or(PUBLIC_API);
        if let Some(why) = go_url_refusal(&format!("{}/", masked_url(text).trim_end_matches('/'))) {
            return Err(AuthError::invalid(format!("invalid API URL: {why}")));
        }
        let url: Url = text
            .parse()
            .map_err(|error| AuthError::invalid(format!("invalid API URL: {error}")))?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(AuthError::invalid("invalid API URL: neither http nor https"));
        }
        Ok(url)
    }

    /// A JSON web token that says "I am this app" for two minutes, half a minute of which is
    /// allowance for clocks that differ.
    fn assertion(&self, now: Timestamp) -> Result<String, AuthError> {
        let bad = |why: &str| AuthError::invalid(format!("could not parse private key: {why}"));
        let malformed = || bad("key is not a valid RSA private key");
        let key = PrivateKeyDer::from_pem_slice(self.private_key.expose())
            .map_err(|_| bad("invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(malformed()),
        };
        let key = key.map_err(|_| malformed())?;
        let issued = now - SignedDuration::from_secs(30);
        let claims = serde_json::json!({
            "iat": issued.as_second(),
            "exp": issued.as_second() + 120,
            "iss": self.id.to_string(),
        });
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed =
            format!("{}.{}", encode(r#"{"alg":"RS256","typ":"JWT"}"#), encode(&claims.to_string()));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| malformed())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Asks the API; refusals and failures are told as Go's client of GitHub does.
async fn ask<T: DeserializeOwned>(
    http: &HttpClient,
    method: Method,
    url: Url,
    assertion: &str,
) -> Result<T, AuthError> {
    // A user in the URL may be a secret too.
    let mut plain = url.clone();
    let _ = (plain.set_username(""), plain.set_password(None));
    let shown = plain.to_string();
    let request = authorized(http.requests().request(method.clone(), url), assertion);
    let (status, body) = http.answer(request).await.map_err(|why| {
        let method = if method == Method::POST { "Post" } else { "Get" };
        AuthError::network(format!("{method} {}: {why}", quoted(&shown)))
    })?;
    if status.is_success() {
        // The answer holds the token: nothing of it may be told.
        return serde_json::from_slice(&body)
            .map_err(|_| AuthError::network(format!("{method} {shown}: malformed answer")));
    }
    let told = serde_json::from_slice::<Refusal>(&body).unwrap_or_default();
    let message = truncate(&told.message, MAX_MESSAGE);
    let text = format!("{method} {shown}: {} {message} []", status.as_u16());
    Err(refused(status, text))
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct AccessToken {
    token: String,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

fn authorized(request: reqwest::RequestBuilder, assertion: &str) -> reqwest::RequestBuilder {
    request
        .bearer_auth(assertion)
        .header("Accept", "application/vnd.github+json")
        .header("X-GitHub-Api-Version", "2022-11-28")
}

/// A URL below another; the parts are escaped, so that an owner's name cannot climb.
fn below(api: &Url, parts: &[&str]) -> Url {
    let mut url = api.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}
