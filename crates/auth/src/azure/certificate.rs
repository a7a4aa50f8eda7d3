//! Applications that prove themselves with a certificate.
//!
//! Follows azidentity's `ClientCertificateCredential`: the certificate and its key in PEM, or as a
//! PKCS #12 archive under a password.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gitops_core::Secret;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::json;

use super::{ask, token_url};
use crate::{AuthError, CacheKey, CloudContext, Token, asn1::not_a_sequence, jwt};

const LIFETIME: Duration = Duration::from_mins(10);
const DOING: &str = "failed to parse client certificates";

/// An application with its certificate.
#[derive(Clone, Debug)]
pub struct AzureCertificate {
    /// The tenant.
    pub tenant: String,
    /// The id of the application.
    pub client: String,
    /// The certificates, that of the application among them, and its RSA key: in PEM, or as PKCS #12.
    pub certificate: Secret,
    /// The password of the archive; what is in PEM must not be encrypted.
    pub password: Option<Secret>,
    /// Whether all certificates are shown, so that the authority may know the application by its
    /// name and issuer.
    pub send_chain: bool,
    /// Another authority than the public one.
    pub authority: Option<String>,
}

/// The certificate, what stands above it, and its key.
struct Pair {
    certificates: Vec<Vec<u8>>,
    key: PrivateKeyDer<'static>,
}

/// A token for a scope, as an application that proves itself with a certificate.
///
/// # Errors
/// When certificate and key cannot be used, or Entra refuses.
pub async fn azure_certificate_token(
    context: &CloudContext,
    own: &AzureCertificate,
    scope: &str,
) -> Result<Token, AuthError> {
    let url = token_url(own.authority.as_deref(), &own.tenant)?;
    let unusable = |why: String| AuthError::invalid(format!("{DOING}: {why}"));
    let pair = Pair::read(own).map_err(unusable)?;
    let leaf = pair.certificates.first();
    let leaf = leaf.ok_or_else(|| unusable("found no certificate".to_owned()))?;
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, leaf);
    let mut header = json!({
        "alg": "RS256", "typ": "JWT", "x5t": URL_SAFE_NO_PAD.encode(thumbprint),
    });
    if own.send_chain {
        let chain = pair.certificates.iter().map(|der| STANDARD.encode(der));
        header["x5c"] = chain.collect::<Vec<_>>().into();
    }
    let mut id = [0_u8; 16];
    SystemRandom::new().fill(&mut id).map_err(|_| AuthError::invalid("no random numbers"))?;
    let now = context.clock.now().as_second();
    let ends = now.saturating_add(i64::try_from(LIFETIME.as_secs()).unwrap_or_default());
    let claims = json!({
        "aud": url.as_str(), "iss": own.client, "sub": own.client, "jti": hex::encode(id),
        "nbf": now, "iat": now, "exp": ends,
    });
    let proof = jwt::rs256(&pair.key, &header, &claims)
        .ok_or_else(|| unusable("the key is no RSA key".to_owned()))?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", own.client.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", proof.as_str()),
        ("scope", scope),
    ];
    ask(context, url, &form).await
}

impl AzureCertificate {
    /// Why certificate and key cannot be used, mostly in the words of azidentity's
    /// `ParseCertificates`.
    pub fn refusal(&self) -> Option<String> {
        Pair::read(self).err().map(|why| format!("{DOING}: {why}"))
    }

    /// What makes the token another: application, certificate, authority and scope.
    pub fn cache_key(&self, scope: &str) -> CacheKey {
        CacheKey::new("azure-certificate")
            .with("tenant", &self.tenant)
            .with("client", &self.client)
            .with("certificate", hex::encode(digest(&SHA256, self.certificate.expose())))
            .with("authority", self.authority.as_deref().unwrap_or_default())
            .with("scope", scope)
    }
}

impl Pair {
    fn read(own: &AzureCertificate) -> Result<Self, String> {
        let bytes = own.certificate.expose();
        if bytes.windows(10).any(|text| text == b"-----BEGIN") {
            return Self::from_pem(bytes);
        }
        if let Some(why) = not_a_sequence(bytes, "pfxPdu") {
            return Err(format!("pkcs12: error reading P12 data: {why}"));
        }
        let password = own.password.as_ref().and_then(Secret::expose_str).unwrap_or_default();
        let archive = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict);
        // Its error may show what the archive holds.
        let archive = archive.map_err(|_| "pkcs12: decryption password incorrect".to_owned())?;
        let (_, chain) = archive.private_key_chain().ok_or("found no private key")?;
        Ok(Self {
            certificates: chain.certs().iter().map(|one| one.as_der().to_vec()).collect(),
            key: PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into(),
        })
    }

    fn from_pem(bytes: &[u8]) -> Result<Self, String> {
        let mut certificates = Vec::new();
        for der in CertificateDer::pem_slice_iter(bytes) {
            let der = der.map_err(|_| "x509: malformed certificate")?;
            if not_a_sequence(&der, "certificate").is_some() {
                return Err("x509: malformed certificate".to_owned());
            }
            certificates.push(der.to_vec());
        }
        let key = PrivateKeyDer::from_pem_slice(bytes);
        if let Ok(key) = &key
            && let Some(why) = not_a_sequence(key.secret_der(), "pkcs1PrivateKey")
        {
            return Err(why);
        }
        if certificates.is_empty() {
            return Err("found no certificate".to_owned());
        }
        Ok(Self { certificates, key: key.map_err(|_| "found no private key")? })
    }
}
