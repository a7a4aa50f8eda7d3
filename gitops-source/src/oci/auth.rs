//! What a registry wants to see before it answers.
//!
//! Follows the distribution specification's token flow and, where registries differ, what
//! go-containerregistry does; differs in that tokens are kept for as long as they are said to hold.

use std::{collections::BTreeMap, time::Duration};

use gitops_core::Secret;
use parking_lot::Mutex;
use reqwest::{RequestBuilder, Response, StatusCode, header::WWW_AUTHENTICATE};
use serde::Deserialize;
use tokio::time::Instant;
use url::{Host, Url};

use super::credentials::RegistryCredential;
use crate::SourceError;

/// What a token holds for when nobody says.
const DEFAULT_LIFE: Duration = Duration::from_mins(1);

/// A challenge of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// None, or of a kind that user name and password answer.
    Basic,
    /// A token of a service.
    Bearer { realm: Url, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// The challenge of an answer, of several the first that can be met; `None` when it has none.
    pub(super) fn of(response: &Response, base: &Url) -> Result<Option<Self>, SourceError> {
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        for header in headers.iter().filter_map(|header| header.to_str().ok()) {
            let (scheme, parameters) = header.split_once(' ').unwrap_or((header, ""));
            if scheme.eq_ignore_ascii_case("basic") {
                return Ok(Some(Self::Basic));
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                return Self::bearer(parameters, base).map(Some);
            }
        }
        Ok(Some(Self::Basic))
    }

    fn bearer(parameters: &str, base: &Url) -> Result<Self, SourceError> {
        let mut parameters = parameters_of(parameters);
        let realm = parameters
            .remove("realm")
            .ok_or_else(|| SourceError::content("malformed www-authenticate, missing realm"))?;
        let invalid = |why: String| {
            SourceError::Denied(format!("invalid realm in www-authenticate: {why}").into())
        };
        let realm: Url = realm.parse().map_err(|_| invalid("malformed URL".into()))?;
        check_realm(&realm, base).map_err(invalid)?;
        let scope = parameters.remove("scope");
        Ok(Self::Bearer { realm, service: parameters.remove("service"), scope })
    }
}

/// A registry must not lead our credentials, or us, to places that only this machine reaches.
fn check_realm(realm: &Url, base: &Url) -> Result<(), String> {
    match realm.scheme() {
        "https" => {}
        "http" if base.scheme() == "http" => {}
        "http" => {
            return Err("realm scheme \"http\" not allowed for a secure registry; use https".into());
        }
        other => return Err(format!("realm scheme \"{other}\" not allowed")),
    }
    let own = realm.host() == base.host()
        && realm.port_or_known_default() == base.port_or_known_default();
    let private = match realm.host() {
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || ip.is_unicast_link_local()
                || ip.is_unique_local()
                || ip.is_unspecified()
                || ip.to_ipv4_mapped().is_some()
        }
        Some(Host::Domain(_)) => false,
        None => true,
    };
    if private && !own {
        let host = realm.host_str().unwrap_or_default();
        return Err(format!("realm host \"{host}\" is a private or link-local address"));
    }
    Ok(())
}

/// `a="b",c=d` as a map; what is malformed is left out.
fn parameters_of(mut text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_start_matches([',', ' ']).trim().to_ascii_lowercase();
        let value = if let Some(rest) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut characters = rest.char_indices();
            text = "";
            while let Some((at, c)) = characters.next() {
                match c {
                    '\\' => value.extend(characters.next().map(|(_, c)| c)),
                    '"' => {
                        text = &rest[at + 1..];
                        break;
                    }
                    c => value.push(c),
                }
            }
            value
        } else {
            let (value, after) = rest.split_once(',').unwrap_or((rest, ""));
            text = after;
            value.trim().to_owned()
        };
        all.insert(name, value);
    }
    all
}

/// Tokens of one registry, by what they allow.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    known: Mutex<BTreeMap<String, (Secret, Instant)>>,
}

impl Tokens {
    pub(super) fn get(&self, scope: &str) -> Option<Secret> {
        let known = self.known.lock();
        let (token, until) = known.get(scope)?;
        (Instant::now() < *until).then(|| token.clone())
    }

    pub(super) fn put(&self, scope: &str, token: Secret, life: Duration) {
        let now = Instant::now();
        let mut known = self.known.lock();
        known.retain(|_, (_, until)| now < *until);
        // Ends early, so that no request is under way when the token's time is up.
        known.insert(scope.to_owned(), (token, now + life.mul_f32(0.8)));
    }

    pub(super) fn forget(&self, scope: &str) {
        self.known.lock().remove(scope);
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// The token in the answer of a token service, and how long it holds.
pub(super) fn parse_token(body: &[u8]) -> Result<(Secret, Duration), SourceError> {
    let answer: TokenAnswer =
        serde_json::from_slice(body).map_err(|_| SourceError::content("malformed token"))?;
    let set = |text: Option<String>| text.filter(|text| !text.is_empty());
    let token = set(answer.access_token).or_else(|| set(answer.token));
    // The answer itself is not shown: it is from where secrets are.
    let token = token.ok_or_else(|| SourceError::content("no token in bearer response"))?;
    let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
    Ok((token.into(), life.min(Duration::from_hours(24))))
}

/// How a token is asked for.
pub(super) enum TokenRequest {
    Get(Url),
    Post(Url, String),
}

/// The request for a token: by `OAuth2` where there is a refresh token, else by `GET`.
pub(super) fn token_request(
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    credential: Option<&RegistryCredential>,
) -> TokenRequest {
    if let Some(RegistryCredential::Identity(token)) = credential {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token").append_pair("client_id", "gitops");
        form.append_pair("scope", scope);
        if let Some(service) = service {
            form.append_pair("service", service);
        }
        // Sent to the token service, whose secret it is.
        form.append_pair("refresh_token", token.expose_str().unwrap_or_default());
        return TokenRequest::Post(realm.clone(), form.finish());
    }
    let mut url = realm.clone();
    url.query_pairs_mut().append_pair("scope", scope);
    if let Some(service) = service {
        url.query_pairs_mut().append_pair("service", service);
    }
    TokenRequest::Get(url)
}

/// Adds user name and password.
pub(super) fn basic(
    request: RequestBuilder,
    credential: Option<&RegistryCredential>,
) -> RequestBuilder {
    match credential {
        Some(RegistryCredential::Basic { username, password }) => {
            request.basic_auth(username, password.expose_str())
        }
        _ => request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let all = parameters_of(r#"realm="https://a/t?x=1,2",service=reg, scope="a \"b\"""#);
        assert_eq!(all["realm"], "https://a/t?x=1,2");
        assert_eq!(all["service"], "reg");
        assert_eq!(all["scope"], "a \"b\"");
        assert_eq!(parameters_of("nothing").len(), 0);
        assert_eq!(parameters_of("a=\"open")["a"], "open");
    }

    #[test]
    fn realms_lead_nowhere_private() {
        let check =
            |realm: &str, base: &str| check_realm(&realm.parse().unwrap(), &base.parse().unwrap());
        assert!(check("https://auth.example.com/t", "https://r.example.com/v2/").is_ok());
        assert!(check("http://127.0.0.1:5000/t", "http://127.0.0.1:5000/v2/").is_ok());
        for (realm, base) in [
            ("http://auth.example.com/t", "https://r.example.com/v2/"),
            ("https://169.254.169.254/t", "https://r.example.com/v2/"),
            ("https://[fd00:ec2::254]/t", "https://r.example.com/v2/"),
            ("https://[::ffff:127.0.0.1]/t", "https://r.example.com/v2/"),
            ("https://10.0.0.1/t", "https://r.example.com/v2/"),
            ("http://127.0.0.1:1/t", "http://127.0.0.1:5000/v2/"),
            ("file:///etc/passwd", "http://127.0.0.1:5000/v2/"),
        ] {
            assert!(check(realm, base).is_err(), "{realm}");
        }
    }

    #[test]
    fn tokens_hold_for_a_while() {
        let (token, life) = parse_token(br#"{"token": "t", "expires_in": 300}"#).unwrap();
        assert_eq!((token.expose_str(), life.as_secs()), (Some("t"), 300));
        assert!(parse_token(b"{}").is_err() && parse_token(b"x").is_err());
        let tokens = Tokens::default();
        tokens.put("s", "t".into(), Duration::from_mins(1));
        assert!(tokens.get("s").is_some() && tokens.get("o").is_none());
        tokens.put("s", "t".into(), Duration::ZERO);
        assert!(tokens.get("s").is_none());
    }
}
