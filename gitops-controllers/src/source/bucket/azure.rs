//! What a Secret says of who reads a container of Azure.

use gitops_auth::AzureCertificate;
use gitops_core::{go_url, go_url_refusal};
use gitops_source::{Ambient, AzureCredentials};

use super::{
    super::credentials::Data,
    access::{text, value},
};

/// Whom a Secret names.
pub(super) enum Named {
    /// Somebody who can be asked for at once.
    Credentials(AzureCredentials),
    /// An application with a certificate.
    Certificate(AzureCertificate),
}

impl Named {
    /// Whether a token is sent, which Azure's client does over TLS only.
    pub(super) fn sends_token(&self) -> bool {
        match self {
            Self::Certificate(_) => true,
            Self::Credentials(known) => !matches!(
                known,
                AzureCredentials::AccountKey(_) | AzureCredentials::SharedAccess(_)
            ),
        }
    }
}

/// A Secret of a Bucket of Azure.
pub(super) struct AzureSecret<'s> {
    pub(super) data: &'s Data,
    pub(super) name: &'s str,
    /// Where the container is.
    pub(super) endpoint: &'s str,
    /// Whether authorities may be without TLS.
    pub(super) emulated: bool,
}

impl AzureSecret<'_> {
    /// Follows Flux's `azure.ValidateSecret`, and the order in which `azure.NewClient` takes what a
    /// Secret holds.
    pub(super) fn named(&self, ambient: &Ambient) -> Result<Named, String> {
        let data = self.data;
        let credentials = |known| Ok(Named::Credentials(known));
        let set = |key: &str| value(data, key).filter(|value| !value.expose().is_empty());
        let (tenant, id) = (text(data, "tenantId"), text(data, "clientId"));
        if let (Some(tenant), Some(id)) = (tenant, &id) {
            let authority = text(data, "authorityHost").filter(|host| !host.is_empty());
            let (secret, certificate) = (set("clientSecret"), set("clientCertificate"));
            if let Some(secret) = secret {
                self.check_application(&tenant, authority.as_deref())?;
                let id = id.clone();
                return credentials(AzureCredentials::Client { tenant, id, secret, authority });
            }
            if let Some(certificate) = certificate {
                let send_chain = text(data, "clientCertificateSendChain");
                let own = AzureCertificate {
                    tenant,
                    client: id.clone(),
                    certificate,
                    password: value(data, "clientCertificatePassword"),
                    send_chain: send_chain
                        .is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true")),
                    authority,
                };
                if let Some(why) = own.refusal() {
                    return Err(self.no_token(&why));
                }
                self.check_application(&own.tenant, own.authority.as_deref())?;
                return Ok(Named::Certificate(own));
            }
        }
        let ambient = |client_id| AzureCredentials::Ambient { ambient: ambient.clone(), client_id };
        if id.is_some() {
            return credentials(ambient(id));
        }
        if let Some(key) = value(data, "accountKey") {
            self.check_account()?;
            let known = AzureCredentials::AccountKey(key);
            known.check().map_err(|error| error.to_string())?;
            return credentials(known);
        }
        if let Some(query) = value(data, "sasKey") {
            let known = AzureCredentials::SharedAccess(query);
            known.check().map_err(|error| error.to_string())?;
            if let Some(why) = go_url_refusal(self.endpoint) {
                return Err(format!("unable to parse endpoint URL: {why}"));
            }
            return credentials(known);
        }
        if data.contains_key("authorityHost") {
            return credentials(ambient(None));
        }
        Err(format!(
            "invalid '{}' secret data: requires a 'clientId' or 'accountKey' field, a combination \
             of 'tenantId', 'clientId' and 'clientSecret', or 'tenantId', 'clientId' and \
             'clientCertificate'",
            self.name
        ))
    }

    fn no_token(&self, why: &str) -> String {
        format!("failed to create token credential from '{}' Secret: {why}", self.name)
    }

    /// Follows azidentity's checks of a tenant and an authority.
    fn check_application(&self, tenant: &str, authority: Option<&str>) -> Result<(), String> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if tenant.is_empty() || !tenant.chars().all(known) {
            return Err(self.no_token(
                "invalid tenantID. You can locate your tenantID by following the instructions \
                 listed here: https://learn.microsoft.com/partner-center/find-ids-and-domain-names",
            ));
        }
        let Some(authority) = authority else { return Ok(()) };
        if let Some(why) = go_url_refusal(authority) {
            return Err(self.no_token(&why));
        }
        match go_url(authority).map(|url| url.scheme().to_owned()) {
            Ok(scheme) if scheme == "https" || self.emulated => Ok(()),
            _ => Err(self.no_token("cannot use an authority host without https")),
        }
    }

    /// The account is the first part of the endpoint's host, which must have more than two.
    fn check_account(&self) -> Result<(), String> {
        let fail = |why: String| {
            let doing = format!("failed to create shared credential from '{}' Secret", self.name);
            Err(format!("{doing} data: failed to extract account name from endpoint: {why}"))
        };
        if let Some(why) = go_url_refusal(self.endpoint) {
            return fail(why);
        }
        let host = go_url(self.endpoint).ok();
        let host = host.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        if host.split('.').count() <= 2 && !self.emulated {
            return fail(format!("expected '{host}' to be a subdomain"));
        }
        Ok(())
    }
}

/// What Azure's client says of a token that would go over the wire as it is.
pub(super) const NEEDS_TLS: &str =
    "authenticated requests are not permitted for non TLS protected (https) endpoints";

/// Whether an endpoint is reached by TLS.
pub(super) fn has_tls(endpoint: &str) -> bool {
    endpoint.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(endpoint: &str, data: &[(&str, &str)]) -> Result<Named, String> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        let data = data.iter().map(own).collect();
        let secret = AzureSecret { data: &data, name: "s", endpoint, emulated: false };
        secret.named(&Ambient::default())
    }

    #[test]
    fn refuses_what_azure_refuses() {
        let endpoint = "https://account.blob.example.com";
        let token = "failed to create token credential from 's' Secret";
        let application = [("tenantId", "t"), ("clientId", "c"), ("clientSecret", "s")];
        let with = |extra: (&'static str, &'static str)| {
            let mut all = application.to_vec();
            all.retain(|(key, _)| *key != extra.0);
            all.push(extra);
            all
        };
        for (data, why) in [
            (vec![], "invalid 's' secret data: requires a 'clientId' or 'accountKey' field"),
            (with(("tenantId", "a/b")), &format!("{token}: invalid tenantID. You can locate")),
            (with(("tenantId", "")), &format!("{token}: invalid tenantID.")),
            (
                with(("authorityHost", "http://h")),
                &format!("{token}: cannot use an authority host without https"),
            ),
            (
                with(("authorityHost", "::x")),
                &format!("{token}: parse \"::x\": missing protocol scheme"),
            ),
            (
                vec![("tenantId", "t"), ("clientId", "c"), ("clientCertificate", "nocert")],
                &format!(
                    "{token}: failed to parse client certificates: pkcs12: error reading P12 data"
                ),
            ),
            (
                vec![("accountKey", "notbase64!")],
                "decode account key: illegal base64 data at input byte 9",
            ),
            (vec![("sasKey", "?a=%zz")], "unable to parse SAS token: invalid URL escape \"%zz\""),
            (
                vec![("sasKey", "a;b")],
                "unable to parse SAS token: invalid semicolon separator in query",
            ),
        ] {
            let told = named(endpoint, &data).err().unwrap();
            assert!(told.starts_with(why), "{told}");
        }
        let told = named("http://account.local", &[("accountKey", "a2V5")]).err().unwrap();
        assert!(told.ends_with("expected 'account.local' to be a subdomain"), "{told}");
        let told = named("127.0.0.1:1/x", &[("sasKey", "a=b")]).err().unwrap();
        assert!(
            told.starts_with("unable to parse endpoint URL: parse \"127.0.0.1:1/x\""),
            "{told}"
        );
    }

    #[test]
    fn takes_applications_first_then_keys_then_signatures() {
        let all = [
            ("sasKey", "a=b"),
            ("accountKey", "a2V5"),
            ("clientId", "c"),
            ("tenantId", "t"),
            ("clientSecret", "s"),
        ];
        let kinds = ["SharedAccess", "AccountKey", "Ambient", "Ambient", "Client"];
        for (count, kind) in kinds.iter().enumerate() {
            let found = named("https://account.blob.example.com", &all[..=count]);
            let Ok(Named::Credentials(found)) = found else { panic!("{kind}") };
            assert_eq!(format!("{found:?}"), *kind);
        }
    }
}
