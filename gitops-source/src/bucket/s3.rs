//! Amazon S3, and what speaks its language.

use std::{
    fmt,
    str::FromStr as _,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use gitops_core::{Secret, masked_url, quoted};
use object_store::{
    StaticCredentialProvider,
    aws::{
        AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, AwsCredentialProvider,
    },
    client::HttpRequest,
};
use reqwest::{Response, header::ETAG};
use serde::Deserialize;
use std::fs::File;
use tokio::sync::OnceCell;
use url::Url;

use super::client::{
    Ambient, BucketEndpoint, BucketPage, BucketStore, LOCATION, StoredObject, document, encoded,
    refused, request, save, unauthorized,
};
use crate::{SourceError, Tls};

/// Who reads a bucket.
#[derive(Clone)]
#[non_exhaustive]
pub enum S3Credentials {
    /// Anybody.
    Anonymous,
    /// The owner of a key.
    Static {
        /// The id of the key.
        access_key: String,
        /// The key.
        secret_key: Secret,
    },
    /// Somebody with keys that were lent for a while.
    Session {
        /// The id of the key.
        access_key: String,
        /// The key.
        secret_key: Secret,
        /// What goes with them.
        session_token: Secret,
    },
    /// The process, or what it runs on: web identity, pod identity, instance metadata.
    Ambient {
        /// What the process was given.
        ambient: Ambient,
        /// Another token service than the region's.
        sts_endpoint: Option<String>,
    },
    /// Whom the credential chain of Amazon's SDK finds.
    #[cfg(feature = "aws-sdk")]
    Sdk(super::SdkCredentials),
    /// Somebody whom a directory knows, by MinIO's token service.
    Ldap {
        /// The token service.
        endpoint: Url,
        /// The certificates by which it is known.
        tls: Tls,
        /// The user's name.
        username: String,
        /// The user's password.
        password: Secret,
    },
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Static { .. } => "Static",
            Self::Session { .. } => "Session",
            Self::Ambient { .. } => "Ambient",
            #[cfg(feature = "aws-sdk")]
            Self::Sdk(_) => "Sdk",
            Self::Ldap { .. } => "Ldap",
        })
    }
}

/// A bucket of S3.
#[derive(Debug)]
pub struct S3Bucket {
    endpoint: BucketEndpoint,
    name: String,
    /// The configured one, or the one that the endpoint names.
    region: Option<String>,
    /// The one that the store told.
    told: OnceLock<String>,
    credentials: S3Credentials,
    provider: OnceCell<Option<AwsCredentialProvider>>,
}

impl S3Bucket {
    /// A bucket by its name. Without a region it is the one that the endpoint names, or the one that
    /// the store tells when it is asked whether the bucket exists; until then `us-east-1`.
    pub fn new(
        endpoint: BucketEndpoint,
        name: &str,
        region: Option<&str>,
        credentials: S3Credentials,
    ) -> Self {
        let region = region.filter(|region| !region.is_empty());
        let named = region_of(endpoint.base.host_str().unwrap_or_default());
        let region = region.or(named).map(str::to_owned);
        let (name, told, provider) = (name.to_owned(), OnceLock::new(), OnceCell::new());
        Self { endpoint, name, region, told, credentials, provider }
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        self.region.as_ref().or(self.told.get()).map_or("us-east-1", String::as_str)
    }

    /// The same bucket, read by somebody else.
    #[must_use]
    pub fn with_credentials(mut self, credentials: S3Credentials) -> Self {
        (self.credentials, self.provider) = (credentials, OnceCell::new());
        self
    }

    /// The URL of the bucket, without a slash at its end.
    fn url(&self) -> String {
        let base = self.endpoint.base.as_str().trim_end_matches('/');
        let host = self.endpoint.base.host_str().unwrap_or_default();
        let name = encoded(&self.name, false);
        if host.ends_with(".aliyuncs.com") {
            // They know no other form.
            return base.replacen("://", &format!("://{name}."), 1);
        }
        // The endpoint of no region knows the buckets of one region only.
        if host == "s3.amazonaws.com" && self.region() != "us-east-1" {
            return format!("https://s3.{}.amazonaws.com/{name}", self.region());
        }
        format!("{base}/{name}")
    }

    async fn credential(&self) -> Result<Option<Arc<AwsCredential>>, SourceError> {
        let provider = self.provider.get_or_try_init(|| self.provider()).await?;
        match provider {
            None => Ok(None),
            Some(provider) => {
                let credential = provider.get_credential().await;
                credential.map(Some).map_err(|error| unauthorized(&error))
            }
        }
    }

    async fn provider(&self) -> Result<Option<AwsCredentialProvider>, SourceError> {
        let fixed = |credential| -> Option<AwsCredentialProvider> {
            Some(Arc::new(StaticCredentialProvider::new(credential)))
        };
        match &self.credentials {
            S3Credentials::Anonymous => Ok(None),
            S3Credentials::Static { access_key, secret_key } => Ok(fixed(AwsCredential {
                key_id: access_key.clone(),
                secret_key: secret_key.expose_str().unwrap_or_default().to_owned(),
                token: None,
            })),
            S3Credentials::Session { access_key, secret_key, session_token } => {
                Ok(fixed(AwsCredential {
                    key_id: access_key.clone(),
                    secret_key: secret_key.expose_str().unwrap_or_default().to_owned(),
                    token: session_token.expose_str().map(str::to_owned),
                }))
            }
            S3Credentials::Ambient { ambient, sts_endpoint } => {
                let mut builder =
                    AmazonS3Builder::new().with_bucket_name(&self.name).with_region(self.region());
                for (name, value) in ambient.variables() {
                    if let Ok(key) = AmazonS3ConfigKey::from_str(&name) {
                        builder = builder.with_config(key, value);
                    }
                }
                builder = builder.with_region(self.region());
                if let Some(sts) = sts_endpoint
                    && let Ok(key) = AmazonS3ConfigKey::from_str("aws_endpoint_url_sts")
                {
                    builder = builder.with_config(key, sts);
                }
                let built = builder.build().map_err(|error| unauthorized(&error))?;
                Ok(Some(Arc::clone(built.credentials())))
            }
            #[cfg(feature = "aws-sdk")]
            S3Credentials::Sdk(chain) => Ok(Some(Arc::new(chain.clone()))),
            S3Credentials::Ldap { endpoint, tls, username, password } => {
                ldap(&self.endpoint, endpoint, tls, username, password).await.map(fixed)
            }
        }
    }

    /// Asks where the bucket is: whether the store tells, and the region, where it names one. Not
    /// everybody who may read a bucket may ask that.
    async fn location(&self) -> Result<(bool, Option<String>), SourceError> {
        let response = self.send(request("GET", &format!("{}/?{LOCATION}", self.url()))?).await?;
        let tells = response.status().is_success();
        let body = document(response).await?;
        Ok((tells, if tells { location(&body) } else { told_region(&body) }))
    }

    async fn send(&self, mut request: HttpRequest) -> Result<Response, SourceError> {
        if let Some(credential) = self.credential().await? {
            AwsAuthorizer::new(&credential, "s3", self.region())
                .try_authorize(&mut request, None)
                .map_err(|error| unauthorized(&error))?;
        }
        self.endpoint.send(request).await
    }
}

/// The region that the name of an endpoint of Amazon's holds.
fn region_of(host: &str) -> Option<&str> {
    let name = host.strip_suffix(".amazonaws.com").or(host.strip_suffix(".amazonaws.com.cn"))?;
    let rest = name.strip_prefix("s3.dualstack.").or(name.strip_prefix("s3."));
    let region = rest.or(name.strip_prefix("s3-"))?;
    (!region.is_empty() && !region.contains('.')).then_some(region)
}

#[derive(Deserialize)]
struct Location {
    #[serde(rename = "$text", default)]
    name: String,
}

/// The region in the answer to who asks where a bucket is.
fn location(body: &[u8]) -> Option<String> {
    let answer: Location = quick_xml::de::from_reader(body).ok()?;
    Some(match answer.name.as_str() {
        "" => "us-east-1".to_owned(),
        // The oldest region has an old name.
        "EU" => "eu-west-1".to_owned(),
        name => name.to_owned(),
    })
}

/// The region that a refusal names: where the request should have gone.
fn told_region(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refusal {
        region: String,
    }
    let refusal: Refusal = quick_xml::de::from_reader(body).ok()?;
    (!refusal.region.is_empty()).then_some(refusal.region)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(default)]
    contents: Vec<Object>,
    #[serde(default)]
    is_truncated: bool,
    next_continuation_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Object {
    key: String,
    #[serde(rename = "ETag", default)]
    etag: String,
}

fn plain_etag(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

#[async_trait]
impl BucketStore for S3Bucket {
    async fn exists(&self) -> Result<bool, SourceError> {
        if self.region.is_none() && self.told.get().is_none() {
            let (tells, region) = self.location().await?;
            if let Some(region) = region {
                // Two who ask at once are told the same.
                let _ = self.told.set(region);
            }
            if tells {
                return Ok(true);
            }
        }
        let response = self.send(request("HEAD", &format!("{}/", self.url()))?).await?;
        match response.status().as_u16() {
            200..=299 => Ok(true),
            404 => Ok(false),
            301 | 307 | 308 | 400 => {
                let region = response.headers().get("x-amz-bucket-region");
                let region = region.and_then(|region| region.to_str().ok());
                Err(SourceError::Invalid(match region {
                    Some(region) => format!("the bucket is in the region '{region}'").into(),
                    None => response.status().to_string().into(),
                }))
            }
            _ => Err(refused(response).await),
        }
    }

    async fn list(&self, prefix: &str, token: Option<&str>) -> Result<BucketPage, SourceError> {
        // In the order of the alphabet, as signatures want it.
        let token = token.map(|token| format!("continuation-token={}&", encoded(token, false)));
        let url = format!(
            "{}/?{}encoding-type=url&list-type=2&max-keys=1000&prefix={}",
            self.url(),
            token.unwrap_or_default(),
            encoded(prefix, false)
        );
        let response = self.send(request("GET", &url)?).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let body = document(response).await?;
        let listing: Listing = quick_xml::de::from_reader(&body[..])
            .map_err(|error| SourceError::content(format!("malformed list of objects: {error}")))?;
        let url_encoded = find(&body, b"<EncodingType>url</EncodingType>");
        let objects = listing.contents.into_iter().map(|object| StoredObject {
            key: if url_encoded { decoded(&object.key) } else { object.key },
            etag: plain_etag(&object.etag),
        });
        let next = listing.next_continuation_token.filter(|_| listing.is_truncated);
        Ok(BucketPage { objects: objects.collect(), next })
    }

    async fn get(
        &self,
        key: &str,
        file: &mut File,
        max: u64,
    ) -> Result<Option<(String, u64)>, SourceError> {
        let url = format!("{}/{}", self.url(), encoded(key, true));
        let response = self.send(request("GET", &url)?).await?;
        match response.status().as_u16() {
            404 => return Ok(None),
            200..=299 => {}
            _ => return Err(refused(response).await),
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        let etag = plain_etag(etag.unwrap_or_default());
        let size = save(response, file, max).await?;
        Ok(Some((etag, size)))
    }
}

fn find(text: &[u8], mark: &[u8]) -> bool {
    memchr::memmem::find(text, mark).is_some()
}

/// A key as the store encodes it in lists, where not every character can stand in XML.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2).and_then(|hex| hex::decode(hex).ok()));
        match hex {
            Some(Some(byte)) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Deserialize)]
struct LdapAnswer {
    #[serde(rename = "AssumeRoleWithLDAPIdentityResult")]
    result: LdapResult,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LdapResult {
    credentials: LdapCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LdapCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Asks MinIO's token service.
async fn ldap(
    way: &BucketEndpoint,
    endpoint: &Url,
    tls: &Tls,
    username: &str,
    password: &Secret,
) -> Result<AwsCredential, SourceError> {
    let mut way = way.clone().with_tls(tls.clone());
    way.base = endpoint.clone();
    let form = format!(
        "Action=AssumeRoleWithLDAPIdentity&LDAPUsername={}&LDAPPassword={}&Version=2011-06-15",
        encoded(username, false),
        encoded(password.expose_str().unwrap_or_default(), false)
    );
    let sent = way
        .client()?
        .post(endpoint.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .timeout(way.timeout)
        .body(form)
        .send()
        .await;
    let response = sent.map_err(|error| {
        let why = crate::go::request_failure(&error, None);
        let shown = masked_url(endpoint.as_str());
        let shown = quoted(shown.trim_end_matches('/'));
        SourceError::network(format!("Post {shown}: {why}"))
    })?;
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let body = document(response).await?;
    let answer: LdapAnswer = quick_xml::de::from_reader(&body[..]).map_err(|error| {
        // MinIO's client says no more; what there was of an answer may hold keys.
        tracing::debug!("malformed answer of the token service: {error}");
        SourceError::content("EOF")
    })?;
    let credentials = answer.result.credentials;
    Ok(AwsCredential {
        key_id: credentials.access_key_id,
        secret_key: credentials.secret_access_key,
        token: credentials.session_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_endpoints() {
        for (host, region) in [
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-us-west-2.amazonaws.com", Some("us-west-2")),
            ("s3.dualstack.eu-north-1.amazonaws.com", Some("eu-north-1")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("minio.example.com", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

    #[test]
    fn regions_that_stores_tell() {
        let xml = "<?xml version=\"1.0\"?><LocationConstraint xmlns=\"http://s3/\">";
        for (inner, region) in [("", "us-east-1"), ("EU", "eu-west-1"), ("x-1", "x-1")] {
            let body = format!("{xml}{inner}</LocationConstraint>");
            assert_eq!(location(body.as_bytes()).as_deref(), Some(region));
        }
        assert_eq!(location(b"<LocationConstraint/>").as_deref(), Some("us-east-1"));
        assert_eq!(location(b"{}"), None);
        let refusal = b"<Error><Code>AccessDenied</Code><Region>x-1</Region></Error>";
        assert_eq!(told_region(refusal).as_deref(), Some("x-1"));
        assert_eq!(told_region(b"<Error><Code>AccessDenied</Code></Error>"), None);
    }

    #[test]
    fn keys_of_lists() {
        assert_eq!(decoded("a%2Fb+c%2B%C3%A9"), "a/b c+é");
    }

    #[test]
    fn answers_of_token_services() {
        let text = "<AssumeRoleWithLDAPIdentityResponse><AssumeRoleWithLDAPIdentityResult>\
            <Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>\
            <SessionToken>c</SessionToken></Credentials></AssumeRoleWithLDAPIdentityResult>\
            </AssumeRoleWithLDAPIdentityResponse>";
        let answer: LdapAnswer = quick_xml::de::from_str(text).unwrap();
        let credentials = answer.result.credentials;
        assert_eq!(credentials.access_key_id, "a");
        assert_eq!(credentials.session_token.unwrap(), "c");
    }
}
