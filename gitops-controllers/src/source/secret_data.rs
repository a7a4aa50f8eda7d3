//! What Secrets hold for HTTP: a name and password, certificates.
//!
//! Follows fluxcd/pkg `runtime/secrets`.

use gitops_core::Secret;
use gitops_source::{BasicCredentials, Tls};

use super::credentials::Data;

fn value<'d>(data: &'d Data, names: [&str; 2]) -> Option<&'d Vec<u8>> {
    let found = names.into_iter().find_map(|name| data.get(name));
    found.filter(|value| !value.is_empty())
}

/// `username` and `password`, where the Secret `place` has them.
///
/// # Errors
/// When it has only one of them.
pub(super) fn basic(data: &Data, place: &str) -> Result<Option<BasicCredentials>, String> {
    let missing = |key: &str| Err(format!("secret {place}: key '{key}' not found"));
    match (data.get("username"), data.get("password")) {
        (None, None) => Ok(None),
        (Some(_), None) => missing("password"),
        (None, Some(_)) => missing("username"),
        (Some(username), Some(password)) => Ok(Some(BasicCredentials {
            username: String::from_utf8_lossy(username).into_owned(),
            password: Secret::new(password.clone()),
        })),
    }
}

/// `ca.crt`, and `tls.crt` with `tls.key`, or their old names, where the Secret `place` has them.
///
/// # Errors
/// When it has a certificate without its key, or a key without its certificate.
pub(super) fn tls(data: &Data, place: &str) -> Result<Option<Tls>, String> {
    let authorities = value(data, ["ca.crt", "caFile"]).cloned();
    let chain = value(data, ["tls.crt", "certFile"]);
    let key = value(data, ["tls.key", "keyFile"]);
    let identity = match (chain, key) {
        (Some(chain), Some(key)) => Some((chain.clone(), Secret::new(key.clone()))),
        (None, None) => None,
        _ => {
            return Err(format!(
                "secret {place}: 'tls.crt' and 'tls.key' must both be present, or neither"
            ));
        }
    };
    let any = authorities.is_some() || identity.is_some();
    Ok(any.then_some(Tls { authorities, identity, ..Tls::default() }))
}

/// [`tls`] of a Secret that is there for nothing else.
///
/// # Errors
/// As there, and when it has no certificate.
pub(super) fn required_tls(data: &Data, place: &str) -> Result<Tls, String> {
    tls(data, place)?.ok_or_else(|| {
        format!("secret {place} must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'")
    })
}
