//! What Secrets hold for HTTP: a name and password, certificates, a proxy.
//!
//! Follows fluxcd/pkg `runtime/secrets`, in its words too.

use gitops_core::{Secret, go_url_refusal};
use gitops_source::{BasicCredentials, Tls};
use rustls::{
    RootCertStore,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use url::Url;

use super::credentials::Data;

/// The longest address of a proxy, in bytes.
const LONGEST_PROXY: usize = 2048;

fn value<'d>(data: &'d Data, names: [&str; 2]) -> Option<&'d Vec<u8>> {
    let found = names.into_iter().find_map(|name| data.get(name));
    found.filter(|value| !value.is_empty())
}

/// `username` and `password`, where the Secret `place` has them.
///
/// # Errors
/// When it has only one of them.
pub(super) fn basic(data: &Data, place: &str) -> Result<Option<BasicCredentials>, String> {
    let half = |has: &str, wants: &str| {
        Err(format!("secret {place}: malformed basic auth - has '{has}' but missing '{wants}'"))
    };
    match (data.get("username"), data.get("password")) {
        (None, None) => Ok(None),
        (Some(_), None) => half("username", "password"),
        (None, Some(_)) => half("password", "username"),
        (Some(username), Some(password)) => Ok(Some(BasicCredentials {
            username: String::from_utf8_lossy(username).into_owned(),
            password: Secret::new(password.clone()),
        })),
    }
}

/// `ca.crt`, and `tls.crt` with `tls.key`, or their old names, where a Secret that is there for
/// more has them; a certificate without its key, or a key without its certificate, is nothing.
///
/// # Errors
/// When what it has is no certificate, or no key.
pub(super) fn tls(data: &Data) -> Result<Option<Tls>, String> {
    if parts(data, "").is_err() {
        return Ok(None);
    }
    required_tls(data, "").map(Some)
}

/// The certificates of the Secret `place`, which is there for nothing else.
///
/// # Errors
/// When it has none, or one without the other, or what it has is no certificate or no key.
pub(super) fn required_tls(data: &Data, place: &str) -> Result<Tls, String> {
    let tls = parts(data, place)?;
    if let Some((chain, key)) = &tls.identity {
        check_pair(chain, key)
            .map_err(|why| format!("failed to parse TLS certificate and key: tls: {why}"))?;
    }
    if let Some(authorities) = &tls.authorities {
        let mut store = RootCertStore::empty();
        let mut found = CertificateDer::pem_slice_iter(authorities).filter_map(Result::ok);
        if !found.any(|authority| store.add(authority).is_ok()) {
            return Err("failed to parse CA certificate".to_owned());
        }
    }
    Ok(tls)
}

fn parts(data: &Data, place: &str) -> Result<Tls, String> {
    let authorities = value(data, ["ca.crt", "caFile"]).cloned();
    let chain = value(data, ["tls.crt", "certFile"]);
    let key = value(data, ["tls.key", "keyFile"]);
    let half = |has: &str, wants: &str| {
        Err(format!("secret {place} contains '{has}' but missing '{wants}'"))
    };
    let identity = match (chain, key) {
        (Some(chain), Some(key)) => Some((chain.clone(), Secret::new(key.clone()))),
        (Some(_), None) => return half("tls.crt", "tls.key"),
        (None, Some(_)) => return half("tls.key", "tls.crt"),
        (None, None) => None,
    };
    if authorities.is_none() && identity.is_none() {
        return Err(format!(
            "secret {place} must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
        ));
    }
    Ok(Tls { authorities, identity, ..Tls::default() })
}

/// Whether a certificate and a key, both in PEM, belong together.
pub(super) fn check_pair(chain: &[u8], key: &Secret) -> Result<(), &'static str> {
    let no_data = |what| match what {
        "key" => "failed to find any PEM data in key input",
        _ => "failed to find any PEM data in certificate input",
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).filter_map(Result::ok).collect();
    if chain.is_empty() {
        return Err(no_data("certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|_| no_data("key"))?;
    let key = any_supported_type(&key).map_err(|_| "failed to parse private key")?;
    match CertifiedKey::new(chain, key).keys_match() {
        // The key's kind does not tell what its public half is.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(()),
        Err(_) => Err("private key does not match public key"),
    }
}

/// The proxy that the Secret `place` names.
///
/// # Errors
/// When it names none, or something else.
pub(super) fn proxy(data: &Data, place: &str) -> Result<Url, String> {
    let text = |key: &str| data.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
    let wrong = |why: String| format!("secret {place}: {why}");
    let address = text("address").ok_or_else(|| wrong("key 'address' not found".to_owned()))?;
    if address.is_empty() {
        return Err(wrong("proxy address is empty".to_owned()));
    }
    if address.len() > LONGEST_PROXY {
        let why = format!("proxy URL exceeds maximum length of {LONGEST_PROXY} characters");
        return Err(wrong(why));
    }
    let unsupported = |scheme: &str| {
        let schemes = "http, https, socks5";
        let why = "proxy URL must use one of the supported schemes";
        wrong(format!("{why} ({schemes}), got '{scheme}'"))
    };
    // Where there may be a password, nobody can tell what of a text that does not parse is one.
    if !address.contains('@')
        && let Some(why) = go_url_refusal(&address)
    {
        return Err(wrong(format!("failed to parse proxy address '{address}': {why}")));
    }
    let mut url: Url = match address.parse() {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return Err(unsupported("")),
        // Flux shows the address.
        Err(error) => return Err(wrong(format!("failed to parse proxy address: {error}"))),
    };
    if !matches!(url.scheme(), "http" | "https" | "socks5") {
        return Err(unsupported(url.scheme()));
    }
    if let Some(username) = text("username") {
        // Fails only for a URL without a host, which is no proxy either.
        let _ = url.set_username(&username);
        let _ = url.set_password(text("password").as_deref());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(entries: &[(&str, &str)]) -> Data {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        entries.iter().map(own).collect()
    }

    #[test]
    fn half_of_what_is_needed_is_told() {
        for (entries, text) in [
            (&[][..], "secret 'n/s' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"),
            (&[("tls.crt", "x")], "secret 'n/s' contains 'tls.crt' but missing 'tls.key'"),
            (&[("keyFile", "x")], "secret 'n/s' contains 'tls.key' but missing 'tls.crt'"),
            (&[("ca.crt", "x")], "failed to parse CA certificate"),
            (
                &[("tls.crt", "x"), ("tls.key", "x")],
                "failed to parse TLS certificate and key: tls: failed to find any PEM data in \
                 certificate input",
            ),
        ] {
            assert_eq!(required_tls(&of(entries), "'n/s'").unwrap_err(), text);
        }
        for (entry, text) in [
            (
                "username",
                "secret 'n/s': malformed basic auth - has 'username' but missing 'password'",
            ),
            (
                "password",
                "secret 'n/s': malformed basic auth - has 'password' but missing 'username'",
            ),
        ] {
            assert_eq!(basic(&of(&[(entry, "x")]), "'n/s'").unwrap_err(), text);
        }
    }

    #[test]
    fn a_secret_for_more_may_have_no_certificates() {
        for entries in [&[("username", "x")][..], &[("tls.crt", "x")], &[("tls.key", "x")]] {
            assert_eq!(tls(&of(entries)), Ok(None));
        }
        assert_eq!(tls(&of(&[("ca.crt", "x")])).unwrap_err(), "failed to parse CA certificate");
    }

    #[test]
    fn proxies() {
        let long = format!("http://{}", "x".repeat(LONGEST_PROXY));
        for (entries, text) in [
            (&[][..], "secret 'n/s': key 'address' not found"),
            (&[("address", "")], "secret 'n/s': proxy address is empty"),
            (
                &[("address", &long)],
                "secret 'n/s': proxy URL exceeds maximum length of 2048 characters",
            ),
            (
                &[("address", "ftp://h")],
                "secret 'n/s': proxy URL must use one of the supported schemes (http, https, \
                 socks5), got 'ftp'",
            ),
            (
                &[("address", "nonsense")],
                "secret 'n/s': proxy URL must use one of the supported schemes (http, https, \
                 socks5), got ''",
            ),
        ] {
            assert_eq!(proxy(&of(entries), "'n/s'").unwrap_err(), text);
        }
        let own = [("address", "http://h:1"), ("password", "p")];
        assert_eq!(proxy(&of(&own), "").unwrap().as_str(), "http://h:1/");
        let own = [("address", "http://h:1"), ("username", "u"), ("password", "p")];
        assert_eq!(proxy(&of(&own), "").unwrap().as_str(), "http://u:p@h:1/");
    }
}
