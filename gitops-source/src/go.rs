//! Texts in Go's manner, where messages must read as Flux's do.

use std::{error::Error, io, net::IpAddr};

use gitops_core::SafeUrl;
use url::Url;

pub(crate) use gitops_core::quoted;

/// A JSON value as Go's `%v` shows it.
pub(crate) fn value(value: &serde_json::Value) -> String {
    use serde_json::Value;
    let list = |items: Vec<String>| items.join(" ");
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", list(items.iter().map(self::value).collect())),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let shown = |(key, field): (&String, &Value)| format!("{key}:{}", self::value(field));
            format!("map[{}]", list(fields.into_iter().map(shown).collect()))
        }
    }
}

/// A URL as Go's `net/http` names it in errors.
pub(crate) fn masked(url: &Url) -> String {
    gitops_core::masked_url(url.as_str())
}

/// [`request_failure`] of a request by way of a proxy, where there is one.
pub(crate) fn proxied_failure(error: &reqwest::Error, proxy: Option<&SafeUrl>) -> String {
    let chain = chain(error);
    let is_plain = |tls: &rustls::Error| matches!(tls, rustls::Error::InvalidMessage(_));
    if proxy.is_some_and(|proxy| proxy.expose().scheme() == "https")
        && chain.iter().filter_map(|cause| tls_error(*cause)).any(is_plain)
    {
        return "proxyconnect tcp: tls: first record does not look like a TLS handshake".to_owned();
    }
    let unreached = proxy.filter(|_| error.is_connect() && !error.is_timeout()).and_then(|proxy| {
        let proxy = proxy.expose();
        unreached(&chain, proxy.host_str().unwrap_or_default(), || dialled(proxy))
    });
    match unreached {
        Some(what) => format!("proxyconnect tcp: {what}"),
        None => request_failure(error, None),
    }
}

/// What Go's `encoding/base64` says of a text that is none.
pub(crate) fn base64_refusal(text: &str) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let kept: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if STANDARD.decode(&kept).is_ok() {
        return None;
    }
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let strange = |byte: u8| !alphabet(&byte) && !matches!(byte, b'\r' | b'\n');
    // Without a strange byte, the last group is too short.
    let whole = kept.len() / 4 * 4;
    let at = text.bytes().position(strange).unwrap_or(whole);
    Some(format!("illegal base64 data at input byte {at}"))
}

/// What Go's `url.ParseQuery` says of a text that is none.
pub(crate) fn query_refusal(text: &str) -> Option<String> {
    text.split('&').find_map(|part| {
        if part.contains(';') {
            return Some("invalid semicolon separator in query".to_owned());
        }
        gitops_core::go_escape_refusal(part)
    })
}

/// A text in the escapes that it needs in a URL: all but letters, digits, `-._~` and what `plain`
/// names.
pub(crate) fn escaped(text: &str, plain: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) {
            out.push(c);
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}

/// A part of a URL without its escapes.
pub(crate) fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What a failed request says, as Go's `net/http` would: `dial tcp 127.0.0.1:1: connect:
/// connection refused`, `context deadline exceeded`, …
///
/// `address` is the peer that was dialled, where it is known.
pub(crate) fn request_failure(error: &reqwest::Error, address: Option<&str>) -> String {
    if error.is_timeout() {
        return "context deadline exceeded".to_owned();
    }
    if error.is_builder() {
        // The only value of a header that comes from outside.
        return "net/http: invalid header field value for \"Authorization\"".to_owned();
    }
    let chain = chain(error);
    if let Some(tls) = chain.iter().find_map(|cause| tls_error(*cause)) {
        return tls_failure(tls);
    }
    let host = error.url().and_then(|url| url.host_str()).unwrap_or_default();
    let address = || match address {
        Some(address) => address.to_owned(),
        None => error.url().map(dialled).unwrap_or_default(),
    };
    if error.is_connect()
        && let Some(what) = unreached(&chain, host, address)
    {
        return what;
    }
    match io_error(&chain).map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => return "unexpected EOF".to_owned(),
        Some(io::ErrorKind::ConnectionReset) => return "connection reset by peer".to_owned(),
        Some(io::ErrorKind::BrokenPipe) => return "write: broken pipe".to_owned(),
        _ => {}
    }
    let texts: Vec<String> = chain.iter().map(ToString::to_string).collect();
    if texts.iter().any(|text| text.contains("connection closed before message completed")) {
        return "EOF".to_owned();
    }
    // The deepest cause says most, and names no URL, which might hold secrets.
    texts.last().cloned().unwrap_or_else(|| "request failed".to_owned())
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error);
        next = match error.downcast_ref::<io::Error>() {
            // An io::Error hides the error it was made of from `source`.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    chain
}

fn io_error<'e>(chain: &[&'e (dyn Error + 'static)]) -> Option<&'e io::Error> {
    chain.iter().find_map(|cause| cause.downcast_ref())
}

/// Why there is no connection to a host, or to the address that it has.
fn unreached(
    chain: &[&(dyn Error + 'static)],
    host: &str,
    address: impl FnOnce() -> String,
) -> Option<String> {
    if chain.iter().any(|cause| cause.to_string().starts_with("dns error")) {
        return Some(format!("dial tcp: lookup {host}: no such host"));
    }
    let what = io_error(chain).and_then(|error| dial_failure(error.kind()));
    let what = what.or_else(|| chain.iter().find_map(|cause| behind_socks(*cause)))?;
    Some(format!("dial tcp {}: connect: {what}", address()))
}

fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref::<rustls::Error>()
}

fn tls_failure(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => {
            let why = match bad {
                Bad::UnknownIssuer => "x509: certificate signed by unknown authority".to_owned(),
                Bad::Expired
                | Bad::ExpiredContext { .. }
                | Bad::NotValidYet
                | Bad::NotValidYetContext { .. } => {
                    "x509: certificate has expired or is not yet valid".to_owned()
                }
                other => other.to_string(),
            };
            format!("tls: failed to verify certificate: {why}")
        }
        rustls::Error::AlertReceived(alert) => {
            format!("remote error: tls: {}", words(&format!("{alert:?}")))
        }
        rustls::Error::InvalidMessage(_) => {
            "http: server gave HTTP response to HTTPS client".to_owned()
        }
        other => other.to_string(),
    }
}

/// `BadCertificate` as `bad certificate`.
fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Why a SOCKS proxy was not reached. The library's error tells its cause to `Debug` alone.
fn behind_socks(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if !error.to_string().starts_with("SOCKS error") {
        return None;
    }
    let shown = format!("{error:?}");
    let kinds = [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
        io::ErrorKind::TimedOut,
    ];
    let kind = kinds.into_iter().find(|kind| shown.contains(&format!("kind: {kind:?}")))?;
    dial_failure(kind)
}

/// What Go says of a connection that could not be made.
pub(crate) fn dial_failure(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::HostUnreachable => "no route to host",
        io::ErrorKind::NetworkUnreachable => "network is unreachable",
        io::ErrorKind::TimedOut => "connection timed out",
        io::ErrorKind::ConnectionReset => "connection reset by peer",
        _ => return None,
    })
}

fn dialled(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => format!("[{v6}]:{port}"),
        // Go names the address that it dialled; of this one it is known without asking.
        Err(_) if host == "localhost" => format!("127.0.0.1:{port}"),
        _ => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quoted("a\"b\\c\n\x01é"), r#""a\"b\\c\n\x01é""#);
    }

    #[tokio::test]
    async fn a_proxy_that_is_not_there_is_named() {
        rustls::crypto::ring::default_provider().install_default().ok();
        // Nobody listens where a listener was closed.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        for scheme in ["http", "socks5"] {
            let proxy: Url = format!("{scheme}://{address}").parse().unwrap();
            let all = reqwest::Proxy::all(proxy.clone()).unwrap();
            let client = reqwest::Client::builder().proxy(all).build().unwrap();
            for target in ["http://127.0.0.1:2/v2/", "https://127.0.0.1:2/v2/"] {
                let error = client.get(target).send().await.unwrap_err();
                let expected =
                    format!("proxyconnect tcp: dial tcp {address}: connect: connection refused");
                let proxy = SafeUrl::from(proxy.clone());
                assert_eq!(proxied_failure(&error, Some(&proxy)), expected, "{scheme} {target}");
            }
        }
    }

    #[test]
    fn values_as_go_shows_them() {
        let json = serde_json::json!({"b": [1, null, "x"], "a": {"c": true}});
        assert_eq!(value(&json), "map[a:map[c:true] b:[1 <nil> x]]");
    }
}
