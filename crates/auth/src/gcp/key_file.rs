//! Files that Google makes for those who are not on one of its machines: keys of service accounts,
//! what a user agreed to, and descriptions of who else may ask.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_core::{Secret, go_json_refusal, json_kind, quoted};
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::from_file;
use crate::{AuthError, CacheKey, CloudContext, Token, asn1::not_a_sequence};

/// A file of Google's credentials.
#[derive(Clone, Debug)]
pub struct GoogleKeyFile(Secret);

/// The library of Google's that reads a file in Flux, and so what it says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoogleLibrary {
    /// `cloud.google.com/go/auth`.
    Auth,
    /// `golang.org/x/oauth2`, which is used by way of a proxy.
    OAuth2,
}

impl GoogleKeyFile {
    /// The file with this content, whatever it is.
    pub fn new(json: Secret) -> Self {
        Self(json)
    }

    /// Why the library would not take the file.
    pub fn refusal(&self, library: GoogleLibrary) -> Option<String> {
        let text = String::from_utf8_lossy(self.0.expose());
        if text.is_empty() && library == GoogleLibrary::Auth {
            return Some(
                "credentials: could not find default credentials. See \
                 https://cloud.google.com/docs/authentication/external/set-up-adc for more \
                 information"
                    .to_owned(),
            );
        }
        if let Some(why) = go_json_refusal(&text) {
            return Some(why);
        }
        let file: Value = serde_json::from_str(&text).ok()?;
        let (whole, field) = match library {
            GoogleLibrary::Auth => ("credsfile.fileTypeChecker", "fileTypeChecker"),
            GoogleLibrary::OAuth2 => ("google.credentialsFile", "credentialsFile"),
        };
        if !matches!(file, Value::Object(_) | Value::Null) {
            let kind = json_kind(&file);
            return Some(format!("json: cannot unmarshal {kind} into Go value of type {whole}"));
        }
        let kind = match &file["type"] {
            Value::String(kind) => kind.as_str(),
            Value::Null => "",
            other => {
                let kind = json_kind(other);
                return Some(format!(
                    "json: cannot unmarshal {kind} into Go struct field {field}.type of type string"
                ));
            }
        };
        let lacks = |field: &str| file[field].as_str().is_none_or(str::is_empty);
        let first_lacking = |fields: &[(&str, &str)]| {
            let found = fields.iter().find(|(field, _)| lacks(field));
            found.map(|(_, why)| (*why).to_owned())
        };
        match (library, kind) {
            (GoogleLibrary::OAuth2, "") => Some("missing 'type' field in credentials".to_owned()),
            (GoogleLibrary::Auth, "") => {
                Some("credentials: unsupported unidentified file type".to_owned())
            }
            (_, "gdch_service_account" | "external_account_authorized_user") => None,
            (_, "impersonated_service_account") => {
                let why = "missing 'source_credentials' field or \
                           'service_account_impersonation_url' in credentials";
                let given = file["source_credentials"].is_object();
                (!given || lacks("service_account_impersonation_url")).then(|| why.to_owned())
            }
            (GoogleLibrary::Auth, "service_account") => first_lacking(&[
                ("client_email", "auth: email must be provided"),
                ("private_key", "auth: private key must be provided"),
            ]),
            (GoogleLibrary::Auth, "authorized_user") => first_lacking(&[
                ("client_id", "auth: client ID must be provided"),
                ("client_secret", "auth: client secret must be provided"),
                ("refresh_token", "auth: refresh token must be provided"),
            ]),
            (GoogleLibrary::Auth, "external_account") => first_lacking(&[
                ("audience", "externalaccount: Audience must be set"),
                ("subject_token_type", "externalaccount: Subject token type must be set"),
            ]),
            (_, "service_account" | "authorized_user" | "external_account") => None,
            (GoogleLibrary::Auth, other) => {
                Some(format!("credentials: unsupported filetype {}", quoted(other)))
            }
            (GoogleLibrary::OAuth2, other) => {
                Some(format!("unknown credential type: {}", quoted(other)))
            }
        }
    }

    /// Why the key of a service account is none, which the library finds when it needs it.
    pub fn key_refusal(&self, library: GoogleLibrary) -> Option<String> {
        let file: Value = serde_json::from_slice(self.0.expose()).ok()?;
        if file["type"] != "service_account" {
            return None;
        }
        let text = file["private_key"].as_str().unwrap_or_default();
        let der = pem_body(text).unwrap_or_else(|| text.as_bytes().to_vec());
        let refused = |what: &str| not_a_sequence(&der, what);
        match library {
            GoogleLibrary::Auth => Some(format!(
                "failed to parse private key. Tried PKCS8, PKCS1, and EC formats. Errors: [PKCS8: \
                 {}], [PKCS1: {}], [EC: x509: failed to parse EC private key: {}]",
                refused("pkcs8")?,
                refused("pkcs1PrivateKey")?,
                refused("ecPrivateKey")?
            )),
            GoogleLibrary::OAuth2 => Some(format!(
                "private key should be a PEM or plain PKCS1 or PKCS8; parse error: {}",
                refused("pkcs1PrivateKey")?
            )),
        }
    }

    /// Whether this is the key of a service account, which can sign for itself.
    pub fn is_service_account(&self) -> bool {
        let file = serde_json::from_slice::<Value>(self.0.expose());
        file.is_ok_and(|file| file["type"] == "service_account")
    }

    /// A token for whom the file names.
    ///
    /// # Errors
    /// When the file cannot be used, or Google refuses.
    pub async fn token(&self, context: &CloudContext) -> Result<Token, AuthError> {
        from_file(context, &self.0).await
    }

    /// What makes its token another: the file.
    pub fn cache_key(&self) -> CacheKey {
        CacheKey::new("gcp-key-file").with("file", hex::encode(digest(&SHA256, self.0.expose())))
    }
}

/// What stands in the first block of PEM.
fn pem_body(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> GoogleKeyFile {
        GoogleKeyFile::new(json.to_owned().into())
    }

    #[test]
    fn files_that_are_none() {
        for (json, why) in [
            ("", "credentials: could not find default credentials. See https://cloud.google.com"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            (r#"{"type":"service_account""#, "unexpected end of JSON input"),
            ("[]", "json: cannot unmarshal array into Go value of type credsfile.fileTypeChecker"),
            ("{}", "credentials: unsupported unidentified file type"),
            (r#"{"type":"foo"}"#, "credentials: unsupported filetype \"foo\""),
            (r#"{"type":5}"#, "json: cannot unmarshal number into Go struct field fileTypeChecker"),
            (r#"{"type":"service_account"}"#, "auth: email must be provided"),
            (
                r#"{"type":"service_account","client_email":"a@b"}"#,
                "auth: private key must be provided",
            ),
            (r#"{"type":"external_account"}"#, "externalaccount: Audience must be set"),
        ] {
            let told = file(json).refusal(GoogleLibrary::Auth).unwrap();
            assert!(told.starts_with(why), "{json}: {told}");
        }
        for (json, why) in [
            ("", Some("unexpected end of JSON input")),
            ("{}", Some("missing 'type' field in credentials")),
            (r#"{"type":"foo"}"#, Some("unknown credential type: \"foo\"")),
            (r#"{"type":"service_account"}"#, None),
        ] {
            assert_eq!(file(json).refusal(GoogleLibrary::OAuth2).as_deref(), why, "{json}");
        }
    }

    #[test]
    fn keys_that_are_none() {
        let of = |key: &str| {
            let json = serde_json::json!({"type": "service_account", "private_key": key});
            file(&json.to_string()).key_refusal(GoogleLibrary::Auth)
        };
        let told = of("hello").unwrap();
        assert!(told.contains("(16 vs {class:1 tag:8 length:101 isCompound:true})"), "{told}");
        assert!(told.ends_with("ecPrivateKey @2]"), "{told}");
        let told = of("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        assert!(told.unwrap().contains("{class:0 tag:0 length:0 isCompound:false}"));
        assert_eq!(of("-----BEGIN PRIVATE KEY-----\nMAEA\n-----END PRIVATE KEY-----\n"), None);
    }
}
