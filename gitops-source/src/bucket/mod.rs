//! Buckets of object stores.
//!
//! Follows Flux's bucket controller: the revision is the digest of all keys with their entity
//! tags, and one that did not change costs only the listing. Three dialects are spoken, S3, Google
//! Cloud Storage and Azure Blob Storage; credentials and signatures are those of `object_store`.
//! Requests are made here, because keys and entity tags must be what the store says, byte for byte.

mod azure;
mod client;
mod gcs;
mod s3;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod sync;

pub use azure::{AzureBucket, AzureCredentials};
pub use client::{Ambient, BucketEndpoint, BucketPage, BucketStore, StoredObject};
pub use gcs::{GcsBucket, GcsCredentials};
pub use s3::{S3Bucket, S3Credentials};
#[cfg(feature = "aws-sdk")]
pub use sdk::SdkCredentials;
pub use sync::{BucketIndex, BucketSource};
