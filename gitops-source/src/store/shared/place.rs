//! Which bucket, and how it is reached.

use std::{fmt, str::FromStr, sync::Arc};

use object_store::{
    ClientOptions, ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
};
use url::Url;

use crate::{Ambient, StoreError};

/// A place in a bucket, as `s3://<bucket>[/<prefix>][?endpoint=<url>][&region=<region>]`.
///
/// Credentials are those that [`Ambient`] holds by the names of AWS's tools; without static ones,
/// those of a web identity, of a container or of the machine.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedStorePlace {
    bucket: String,
    prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    virtual_hosted: bool,
    settings: Vec<(String, String)>,
}

impl fmt::Debug for SharedStorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedStorePlace({self})")
    }
}

impl fmt::Display for SharedStorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for SharedStorePlace {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        // The text might hold a secret where none belongs.
        let invalid = |why: &str| StoreError::Name(format!("s3://…: {why}").into());
        let url: Url = text.parse().map_err(|_| invalid("malformed URL"))?;
        if url.scheme() != "s3" || !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must be s3://<bucket>/<prefix>, without credentials"));
        }
        let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
        let mut place = Self {
            bucket: bucket.ok_or_else(|| invalid("names no bucket"))?.to_owned(),
            prefix: url.path().trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
            virtual_hosted: false,
            settings: Vec::new(),
        };
        for (key, value) in url.query_pairs() {
            match &*key {
                "endpoint" => {
                    let endpoint: Url = value.parse().map_err(|_| invalid("malformed endpoint"))?;
                    if !matches!(endpoint.scheme(), "http" | "https") {
                        return Err(invalid("endpoint must be http or https"));
                    }
                    place.endpoint = Some(value.trim_end_matches('/').to_owned());
                }
                "region" => place.region = Some(value.into_owned()),
                "virtual-hosted" => place.virtual_hosted = value == "true",
                _ => {
                    return Err(invalid(
                        "unknown parameter; there are endpoint, region, virtual-hosted",
                    ));
                }
            }
        }
        place.prefix()?;
        Ok(place)
    }
}

impl SharedStorePlace {
    /// With what the process was given by the cloud that it runs in, or by hand in the same names.
    #[must_use]
    pub fn with_ambient(mut self, ambient: &Ambient) -> Self {
        let own = ambient.variables().filter(|(name, _)| name.starts_with("aws_"));
        self.settings = own.map(|(name, value)| (name, value.to_owned())).collect();
        self
    }

    pub(super) fn prefix(&self) -> Result<Path, StoreError> {
        Path::parse(&self.prefix).map_err(|_| StoreError::Name("malformed prefix".into()))
    }

    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_client_options(ClientOptions::new().with_user_agent(
                http::HeaderValue::from_static(concat!("gitops/", env!("CARGO_PKG_VERSION"))),
            ));
        for (name, value) in &self.settings {
            if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            let plain = endpoint.starts_with("http://");
            builder = builder.with_endpoint(endpoint).with_allow_http(plain);
        }
        let built = builder.build().map_err(super::failed("set up the bucket's client"))?;
        Ok(Arc::new(built))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let place: SharedStorePlace =
            "s3://b/a/c/?endpoint=http://127.0.0.1:1/&region=r".parse().unwrap();
        assert_eq!(place.to_string(), "s3://b/a/c");
        assert_eq!(place.endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(place.region.as_deref(), Some("r"));
        let ambient =
            [("AWS_SECRET_ACCESS_KEY", "c4nary"), ("AZURE_CLIENT_ID", "x"), ("HOME", "/")];
        let ambient = ambient.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let place = place.with_ambient(&ambient.into_iter().collect());
        assert_eq!(place.settings.len(), 1);
        assert!(!format!("{place:?} {place}").contains("c4nary"));
        for bad in [
            "s3://",
            "http://b/p",
            "s3://u:c4nary@b/p",
            "s3://b?endpoint=x",
            "s3://b?endpoint=file:///x",
            "s3://b?secret=c4nary",
            "s3://b/a//b",
        ] {
            let error = bad.parse::<SharedStorePlace>().unwrap_err().to_string();
            assert!(!error.contains("c4nary"), "{error}");
        }
    }
}
