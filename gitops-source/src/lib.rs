//! Sources become artifacts: resolve, fetch, package, store and serve.
//!
//! A [`Source`] says what there is to get and gets it; [`GitSource`] is the one for Git. What it
//! fetched is a [`gitops_core::Tree`], from which an [`ArtifactStore`] makes an artifact: a
//! reproducible archive under a name that says whose it is. [`artifact_router`] serves a store to
//! consumers, and [`ArtifactFetcher`] is their side of it.
//!
//! [`Registry`] is a client for container registries of its own use, with what [`OciSource`] and the
//! command line need: tokens, tags, pulls, pushes, referrers. A [`Verifier`] says whether somebody
//! trusted signed what was resolved, before any of it is fetched: [`CosignVerifier`] by keys or by
//! identities, [`NotationVerifier`] under a trust policy. [`SharedStore`] keeps artifacts in a bucket
//! that several processes share.
//!
//! Texts of errors follow Flux's, because people and alerts match on them.
//!
//! Invariant: knows nothing of Kubernetes; all configuration comes in as plain values.

mod bucket;
mod compose;
mod error;
mod fetch_artifact;
mod git;
mod go;
mod helm;
mod http_client;
mod http_file;
mod ignore;
mod oci;
mod overload;
mod serve;
mod source;
#[cfg(feature = "testing")]
pub mod store;
#[cfg(not(feature = "testing"))]
mod store;
mod verify;

#[cfg(feature = "aws-sdk")]
pub use bucket::SdkCredentials;
pub use bucket::{
    Ambient, AzureBucket, AzureCredentials, BucketEndpoint, BucketIndex, BucketPage, BucketSource,
    BucketStore, GcsBucket, GcsCredentials, S3Bucket, S3Credentials, StoredObject,
};
pub use compose::{
    ComposeError, Composition, CopyRule, CopyStrategy, ExpandError, Expansion, PathPattern, compose,
};
pub use error::SourceError;
pub use fetch_artifact::{ArtifactFetcher, FetchError, FetchOptions};
pub use git::{
    CommitOptions, GitAccess, GitBase, GitChange, GitCommit, GitCredentials, GitKeys, GitLimits,
    GitPerson, GitReference, GitSigner, GitSource, GitTransport, GitTransports, Push, PushTarget,
    SignatureError, SshAlgorithms, SshIdentity, SshTransport, Tls,
};
pub use gitops_core::{Version, VersionRange, VersionRangeError};
pub use helm::{
    BasicCredentials, BuiltChart, ChartBuildError, ChartBuildOptions, ChartChoiceError,
    ChartRepositories, ChartRepository, ChartVersion, FindChartError, FoundIndex, HelmRepositories,
    HelmRepository, IndexError, IndexedCharts, LocalChart, OciCharts, StoredChart, StoredIndex,
    VerifyImage, build_local, build_remote, choose_version, find_chart, normalize_url,
};
pub use http_file::HttpFiles;
pub use ignore::IgnoreRules;
pub use oci::{
    CONFIG_MEDIA_TYPE, CONTENT_MEDIA_TYPE, DockerConfig, FetchedLayer, OciArtifact, OciDescriptor,
    OciManifest, OciName, OciReference, OciRepositoryName, OciSource, RawManifest, Registries,
    Registry, RegistryCredential, RegistryOptions, STATIC_MEDIA_TYPE,
};
pub use serve::artifact_router;
pub use source::{Fetched, Resolved, Source, Subject, TagObject};
pub use store::{
    ArtifactStore, ArtifactStoreExt, Content, DiskStore, MemoryStore, OpenFile, Retention,
    SharedStore, SharedStorePlace, StoreError, StoredFile,
};
pub use verify::{
    CosignTrust, CosignVerifier, FirstRoot, IdentityMatch, Keyless, NotationVerifier, PublicKey,
    PublicKeyError, TrustPolicy, TrustedRoot, TrustedRootRepository, Verified, Verifier,
    VerifyError,
};
