//! Arguments of `gitops fetch`.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the texts of --help"
)]

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::artifact::args::{Access, Provider};

/// The commands below `gitops fetch`.
#[derive(Debug, Subcommand)]
pub(crate) enum FetchCommand {
    /// Fetch a reference of a Git repository
    #[command(after_help = GIT_EXAMPLES)]
    Git(Git),
    /// Fetch an artifact of a registry
    #[command(after_help = OCI_EXAMPLES)]
    Oci(Oci),
    /// Fetch the objects of a bucket
    #[command(after_help = BUCKET_EXAMPLES)]
    Bucket(Bucket),
    /// Fetch a chart of a Helm repository
    #[command(after_help = HELM_EXAMPLES)]
    Helm(Helm),
}

const BUCKET_EXAMPLES: &str = "Examples:
  gitops fetch bucket fleet --endpoint minio.example.com --access-key key --secret-key ... -o fleet
  gitops fetch bucket fleet/prod --provider aws --region eu-west-1 -o fleet.tar.gz";

const HELM_EXAMPLES: &str = "Examples:
  gitops fetch helm https://charts.example.com podinfo --version '6.x' -o podinfo.tgz
  gitops fetch helm oci://ghcr.io/org/charts podinfo -o charts";

pub(super) const ABOUT: &str = "Fetch a source and package it as source-controller does.

Prints the revision and the digest of the artifact to stdout. What has to be verified is verified \
before anything is written.";

const GIT_EXAMPLES: &str = "Examples:
  gitops fetch git https://github.com/org/fleet --branch main -o fleet
  gitops fetch git https://github.com/org/fleet --semver '>=1.0' -o fleet.tar.gz
  gitops fetch git ssh://git@github.com/org/fleet --identity ~/.ssh/id_ed25519 \\
    --known-hosts ~/.ssh/known_hosts -o fleet
  gitops fetch git https://github.com/org/fleet --tag v1 --verify-key release.asc -o fleet";

const OCI_EXAMPLES: &str = "Examples:
  gitops fetch oci oci://ghcr.io/org/app:v1 -o app
  gitops fetch oci oci://ghcr.io/org/app --semver '>=1.0' --verify-key cosign.pub -o app.tar.gz
  gitops fetch oci oci://ghcr.io/org/app:v1 \\
    --identity-issuer '^https://token.actions.githubusercontent.com$' \\
    --identity-subject '^https://github.com/org/' -o app";

/// What every source is asked.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Where the files go: a directory, which is made if need be and must be empty, or a file that
    /// ends with .tar.gz or .tgz; without it, the source is only looked at
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Patterns of files to leave out, in the format of .gitignore; they replace the built-in list
    #[arg(long, value_name = "PATTERNS")]
    pub(crate) ignore: Option<String>,

    /// Keys that must have signed it: OpenPGP (.asc) or SSH (.sshpub) for Git, cosign's (.pub) for
    /// artifacts; may be repeated, and one good signature is enough
    #[arg(long, value_name = "FILE")]
    pub(crate) verify_key: Vec<PathBuf>,
}

/// Arguments of `gitops fetch git`.
#[derive(Debug, Args)]
pub(crate) struct Git {
    /// The repository: an http, https, ssh or file URL
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// A branch; without any reference, the one that HEAD is
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) branch: Option<String>,

    /// A tag
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) tag: Option<String>,

    /// The highest tag in a range of versions
    #[arg(long, value_name = "RANGE", group = "reference")]
    pub(crate) semver: Option<String>,

    /// A full reference, for example refs/pull/1/head
    #[arg(long, value_name = "NAME", group = "reference")]
    pub(crate) ref_name: Option<String>,

    /// A commit
    #[arg(long, value_name = "ID", group = "reference")]
    pub(crate) commit: Option<String>,

    /// Fetch submodules as well
    #[arg(long)]
    pub(crate) recurse_submodules: bool,

    /// Take only this directory; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) sparse: Vec<String>,

    /// A private SSH key
    #[arg(long, value_name = "FILE", requires = "known_hosts")]
    pub(crate) identity: Option<PathBuf>,

    /// The password of the SSH key
    #[arg(long, env = "GITOPS_IDENTITY_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub(crate) identity_password: Option<String>,

    /// The SSH hosts that are trusted
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u64,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `gitops fetch oci`.
#[derive(Debug, Args)]
pub(crate) struct Oci {
    /// The artifact: oci://REGISTRY/REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// The highest tag in a range of versions
    #[arg(long, value_name = "RANGE")]
    pub(crate) semver: Option<String>,

    /// With --semver, only tags that a regular expression matches
    #[arg(long, value_name = "REGEX", requires = "semver")]
    pub(crate) semver_filter: Option<String>,

    /// The first layer of this media type, instead of the first layer
    #[arg(long, value_name = "TYPE")]
    pub(crate) media_type: Option<String>,

    /// Fetch without TLS, or whatever the certificate
    #[arg(long)]
    pub(crate) insecure_registry: bool,

    /// The trusted_root.json of a Sigstore installation: somebody whom it knows must have signed
    #[arg(long, value_name = "FILE", conflicts_with = "verify_key")]
    pub(crate) trusted_root: Option<PathBuf>,

    /// Who must have said who signed: a regular expression. Without --trusted-root they must be known
    /// to Sigstore's public good instance
    #[arg(
        long,
        value_name = "REGEX",
        requires = "identity_subject",
        conflicts_with = "verify_key"
    )]
    pub(crate) identity_issuer: Option<String>,

    /// Who must have signed: a regular expression
    #[arg(long, value_name = "REGEX", requires = "identity_issuer", conflicts_with = "verify_key")]
    pub(crate) identity_subject: Option<String>,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `gitops fetch bucket`.
#[derive(Debug, Args)]
pub(crate) struct Bucket {
    /// The bucket, and the beginning of the keys that are wanted: BUCKET[/PREFIX]
    #[arg(value_name = "BUCKET")]
    pub(crate) bucket: String,

    /// Who runs the bucket: generic is any server of the S3 API
    #[arg(long, value_name = "PROVIDER", default_value = "generic")]
    pub(crate) provider: Provider,

    /// The server: HOST[:PORT] or a URL
    #[arg(long, value_name = "HOST|URL")]
    pub(crate) endpoint: Option<String>,

    /// The region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// The id of a key; without one, aws, gcp and azure say who this machine or person is
    #[arg(long, value_name = "KEY")]
    pub(crate) access_key: Option<String>,

    /// The key
    #[arg(long, env = "GITOPS_SECRET_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) secret_key: Option<String>,

    /// Plain HTTP
    #[arg(long)]
    pub(crate) insecure: bool,

    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u64,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Arguments of `gitops fetch helm`.
#[derive(Debug, Args)]
pub(crate) struct Helm {
    /// The repository: an http, https or oci URL
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// The chart's name
    #[arg(value_name = "CHART")]
    pub(crate) chart: String,

    /// A version, or a range of versions; without it, the latest
    #[arg(long, value_name = "RANGE")]
    pub(crate) version: Option<String>,

    /// Fetch without TLS, or whatever the certificate
    #[arg(long)]
    pub(crate) insecure_registry: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) common: Common,
}
