//! `gitops fetch bucket`

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use gitops_core::{Scope, Secret, Stage};
use gitops_source::{
    Ambient, AzureBucket, AzureCredentials, BucketEndpoint, BucketSource, BucketStore, Fetched,
    GcsBucket, GcsCredentials, S3Bucket, S3Credentials,
};

use super::{args::Bucket, output};
use crate::artifact::{args::Provider, say};

pub(super) async fn run(args: Bucket, scope: &Scope) -> anyhow::Result<()> {
    output::check(&args.common)?;
    if !args.common.verify_key.is_empty() {
        bail!("nobody signs buckets: --verify-key is of no use here");
    }
    let (name, prefix) = args.bucket.split_once('/').unwrap_or((&args.bucket, ""));
    let source = BucketSource::new(store(&args, name)?, name)
        .with_prefix(prefix)
        .with_ignore(args.common.ignore.clone())
        .with_timeout(Duration::from_secs(args.timeout));
    say('►', &format!("fetching bucket {name}"));
    scope.enter(Stage::Fetch, format_args!("{name}"));
    let index = source.index(scope).await?;
    let (tree, index) = source.download(&index, scope).await?;
    output::finish(&args.common, &Fetched::unsigned(index.revision(), tree), scope)
}

fn store(args: &Bucket, name: &str) -> anyhow::Result<Arc<dyn BucketStore>> {
    let endpoint = match (&args.endpoint, args.provider) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, Provider::Aws) => "s3.amazonaws.com".into(),
        (None, Provider::Gcp) => "storage.googleapis.com".into(),
        (None, _) => bail!("--endpoint is required"),
    };
    let endpoint = BucketEndpoint::new(&endpoint, args.insecure)?;
    // What clouds tell a process, or people by the same names.
    let ambient: Ambient = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(match args.provider {
        Provider::Gcp => Arc::new(GcsBucket::new(endpoint, name, GcsCredentials::Ambient(ambient))),
        Provider::Azure => {
            let credentials = AzureCredentials::Ambient { ambient, client_id: None };
            Arc::new(AzureBucket::new(endpoint, name, credentials))
        }
        Provider::Generic | Provider::Aws => {
            let credentials = match (&args.access_key, &args.secret_key) {
                (Some(key), secret) => S3Credentials::Static {
                    access_key: key.clone(),
                    secret_key: Secret::from(
                        secret.as_deref().context("--secret-key is required")?,
                    ),
                },
                (None, _) if args.provider == Provider::Aws => {
                    S3Credentials::Ambient { ambient, sts_endpoint: None }
                }
                (None, _) => S3Credentials::Anonymous,
            };
            Arc::new(S3Bucket::new(endpoint, name, args.region.as_deref(), credentials))
        }
    })
}
