//! How a registry is asked and what it answers: redirects, errors, bounds.

use std::fmt;

use futures::StreamExt as _;
use gitops_core::SafeUrl;
use reqwest::{
    Client, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, LINK, LOCATION},
};
use serde::Deserialize;
use url::Url;

use crate::{SourceError, go, overload::AskedPause};

const MAX_ERROR: u64 = 4 << 10;
const MAX_REDIRECTS: usize = 10;

/// Sends a request and follows where it is sent to, without credentials for another host, and
/// never from TLS to without. What has a body is not sent elsewhere.
pub(super) async fn follow(
    client: &Client,
    mut request: Request,
    proxy: Option<&SafeUrl>,
) -> Result<(Response, Url), SourceError> {
    for _ in 0..=MAX_REDIRECTS {
        let url = request.url().clone();
        let method = request.method().clone();
        let again = matches!(method, Method::GET | Method::HEAD).then(|| request.try_clone());
        let sent = client.execute(request).await;
        let response = sent.map_err(|error| failed(&method, &url, &error, proxy))?;
        let redirected = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let (true, Some(Some(mut again))) = (redirected, again) else { return Ok((response, url)) };
        let target = response.headers().get(LOCATION).and_then(|target| target.to_str().ok());
        let Some(next) = target.and_then(|target| url.join(target).ok()) else {
            return Ok((response, url));
        };
        let allowed = match next.scheme() {
            "https" => true,
            "http" => url.scheme() == "http",
            _ => false,
        };
        if !allowed {
            let scheme = next.scheme();
            let shown = go::quoted(&shown(&url));
            return Err(SourceError::Denied(
                format!("Get {shown}: refusing redirect to a URL with scheme '{scheme}'").into(),
            ));
        }
        if !same_host(&url, &next) {
            again.headers_mut().remove(AUTHORIZATION);
        }
        *again.url_mut() = next;
        request = again;
    }
    Err(SourceError::network("stopped after 10 redirects"))
}

pub(super) fn same_host(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port_or_known_default() == other.port_or_known_default()
}

/// `…/v2/`, wherever the greeting ended.
pub(super) fn base_of(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// The next page of a list, if there is one; a page elsewhere would get our credentials.
pub(super) fn next_page(headers: &HeaderMap, url: &Url) -> Option<Url> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, rest) = link.split_once('<')?.1.split_once('>')?;
    let relation = rest.replace([' ', '"'], "");
    let next = url.join(target).ok()?;
    (relation.contains("rel=next") && next.origin() == url.origin() && next != *url).then_some(next)
}

/// A URL for people: without passwords, and without what a signed query holds.
fn shown(url: &Url) -> String {
    let signed = url.query_pairs().any(|(key, _)| {
        let key = key.to_ascii_lowercase();
        ["sig", "token", "credential", "key", "secret", "password"]
            .iter()
            .any(|word| key.contains(word))
    });
    if signed { SafeUrl::from(url.clone()).to_string() } else { go::masked(url) }
}

pub(super) fn failed(
    method: &Method,
    url: &Url,
    error: &reqwest::Error,
    proxy: Option<&SafeUrl>,
) -> SourceError {
    let verb = method.as_str();
    let (first, rest) = verb.split_at(1);
    let shown = go::quoted(&shown(url));
    let why = go::proxied_failure(error, proxy);
    SourceError::network(format!("{first}{} {shown}: {why}", rest.to_ascii_lowercase()))
}

/// The answer, or what it says is wrong.
pub(super) async fn accepted(
    response: Response,
    method: &str,
    url: &Url,
) -> Result<Response, SourceError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let pause = AskedPause::of(&response);
    let body = limited(response, MAX_ERROR).await.unwrap_or_default();
    let why = match serde_json::from_slice::<Errors>(&body) {
        Ok(errors) if !errors.errors.is_empty() => {
            let texts = errors.errors.iter().map(ToString::to_string);
            let many = if errors.errors.len() > 1 { "multiple errors returned: " } else { "" };
            format!("{many}{}", texts.collect::<Vec<_>>().join("; "))
        }
        _ => {
            let body = String::from_utf8_lossy(&body);
            let colon = if body.is_empty() { "" } else { ": " };
            format!("unexpected status code {status}{colon}{body}")
        }
    };
    let text = format!("{method} {}: {why}", shown(url)).into_boxed_str();
    Err(match status {
        StatusCode::NOT_FOUND => SourceError::NotFound(text),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SourceError::Denied(text),
        _ => pause.error(text),
    })
}

pub(super) async fn limited(response: Response, max: u64) -> Result<Vec<u8>, SourceError> {
    let mut all = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| SourceError::network(go::request_failure(&error, None)))?;
        if (all.len() + piece.len()) as u64 > max {
            return Err(SourceError::content(format!("answer is larger than {max} bytes")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Diagnostic>,
}

#[derive(Deserialize)]
struct Diagnostic {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: serde_json::Value,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if self.detail.is_null() {
            return Ok(());
        }
        write!(f, "; {}", go::value(&self.detail))
    }
}
