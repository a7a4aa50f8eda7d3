//! Arguments of the commands for artifacts: Flux's flags.
//!
//! What Flux requires is not required here, but checked where Flux checks it, for the same message
//! and the same exit code.
#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    reason = "the comments are the texts of --help"
)]

use std::{path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, Subcommand};
use gitops_api::meta::Duration;

/// The commands below `gitops push`.
#[derive(Debug, Subcommand)]
pub(crate) enum PushCommand {
    /// Push a directory or a file to a registry, as `flux push artifact` does
    #[command(after_help = PUSH_EXAMPLES)]
    Artifact(Push),
}

const PUSH_EXAMPLES: &str = "Examples:
  gitops push artifact oci://ghcr.io/org/config/app:$(git rev-parse --short HEAD) \\
    --path=./manifests --source=$(git config --get remote.origin.url) \\
    --revision=$(git branch --show-current)@sha1:$(git rev-parse HEAD)
  kustomize build . | gitops push artifact oci://ghcr.io/org/config/app:v1 -f - ...";

/// The commands below `gitops pull`.
#[derive(Debug, Subcommand)]
pub(crate) enum PullCommand {
    /// Pull an artifact into a directory, as `flux pull artifact` does
    Artifact(Pull),
}

/// The commands below `gitops tag`.
#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// Give an artifact more tags, as `flux tag artifact` does
    Artifact(Tag),
}

/// The commands below `gitops list`.
#[derive(Debug, Subcommand)]
pub(crate) enum ListCommand {
    /// List the artifacts of a repository, as `flux list artifacts` does
    #[command(alias = "artifact")]
    Artifacts(List),
}

/// The commands below `gitops diff`.
#[derive(Debug, Subcommand)]
pub(crate) enum DiffCommand {
    /// Compare an artifact with a directory or a file, as `flux diff artifact` does
    ///
    /// Exits with 1 when they differ.
    Artifact(Diff),
}

/// How a registry is reached, and how long it may take.
#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Credentials as USERNAME[:PASSWORD]; without them, those of Docker's configuration file
    #[arg(long, value_name = "CREDENTIALS")]
    pub(crate) creds: Option<String>,

    /// Who issues the credentials
    #[arg(long, value_name = "generic|aws|azure|gcp", default_value = "generic")]
    pub(crate) provider: Provider,

    /// How long it may take
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(crate) timeout: std::time::Duration,

    /// The directory of Docker's configuration file
    #[arg(long, env = "DOCKER_CONFIG", hide = true, hide_env = true)]
    pub(crate) docker_config: Option<PathBuf>,

    #[arg(long, env = "HOME", hide = true, hide_env = true)]
    pub(crate) home: Option<PathBuf>,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<Duration>().map(|own| own.get()).map_err(|error| error.to_string())
}

/// `--provider`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Generic,
    Aws,
    Azure,
    Gcp,
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "generic" => Ok(Self::Generic),
            "aws" => Ok(Self::Aws),
            "azure" => Ok(Self::Azure),
            "gcp" => Ok(Self::Gcp),
            text if text.trim().is_empty() => {
                Err("no source OCI provider given, please specify the OCI provider name".to_owned())
            }
            text => Err(format!(
                "source OCI provider '{text}' is not supported, must be one of: generic, aws, \
                 azure, gcp"
            )),
        }
    }
}

/// Arguments beyond those that mean something: ignored, as Flux does.
#[derive(Debug, Args)]
pub(crate) struct Surplus {
    #[arg(hide = true, value_name = "MORE")]
    pub(crate) surplus: Vec<String>,
}

/// A flag that may say `=false`.
fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        text => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// What stays out of an artifact.
#[derive(Debug, Args)]
pub(crate) struct Ignore {
    /// Patterns of files to leave out, in the format of .gitignore
    #[arg(
        long,
        value_name = "PATTERNS",
        value_delimiter = ',',
        default_value = ".git/,.gitignore,.gitmodules,.gitattributes,*.jpg,*.jpeg,*.gif,*.png,*.wmv,*.flv,*.tar.gz,*.zip"
    )]
    pub(crate) ignore_paths: Vec<String>,

    /// More of them
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub(crate) add_ignore_paths: Vec<String>,
}

/// Arguments of `gitops push artifact`.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The artifact, as oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The directory or file to push; - is stdin
    #[arg(short = 'f', long, value_name = "PATH", default_value = "")]
    pub(crate) path: String,

    /// Where the files come from, for example a Git URL
    #[arg(long, value_name = "URL", default_value = "")]
    pub(crate) source: String,

    /// Their revision, as BRANCH|TAG@sha1:COMMIT
    #[arg(long, value_name = "REVISION", default_value = "")]
    pub(crate) revision: String,

    /// A note on the artifact; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<String>,

    /// For machines: print what was pushed as `json` or `yaml`
    // Anything else is quiet until the end, as in Flux.
    #[arg(short, long, value_name = "FORMAT", default_value = "")]
    pub(crate) output: String,

    /// Equal files give equal digests: the time of creation is 1970-01-01
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) reproducible: bool,

    /// Push without TLS, or whatever the certificate
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) insecure_registry: bool,

    /// Put what links lead to in their places
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) resolve_symlinks: bool,

    /// Accepted for Flux's sake
    #[arg(long, hide = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch)]
    pub(crate) debug: bool,

    #[command(flatten)]
    pub(crate) ignore: Ignore,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) surplus: Surplus,
}

/// Arguments of `gitops pull artifact`.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The artifact, as oci://REGISTRY/REPOSITORY:TAG or …@DIGEST
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The directory that its files go to; it must be there
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    /// Pull without TLS, or whatever the certificate
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) insecure_registry: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) surplus: Surplus,
}

/// Arguments of `gitops tag artifact`.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// The artifact, as oci://REGISTRY/REPOSITORY:TAG or …@DIGEST
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// A tag to give it; may be repeated
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tag: Vec<String>,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) surplus: Surplus,
}

/// Arguments of `gitops list artifacts`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The repository, as oci://REGISTRY/REPOSITORY
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Only tags in a range of versions
    #[arg(long, value_name = "RANGE")]
    pub(crate) filter_semver: Option<String>,

    /// Only tags that a regular expression matches
    #[arg(long, value_name = "REGEX")]
    pub(crate) filter_regex: Option<String>,

    /// List without TLS, or whatever the certificate
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) insecure_registry: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) surplus: Surplus,
}

/// Arguments of `gitops diff artifact`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The artifact, as oci://REGISTRY/REPOSITORY:TAG or …@DIGEST
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The directory or file to compare with
    #[arg(long, value_name = "PATH", default_value = "")]
    pub(crate) path: String,

    /// Pull without TLS, or whatever the certificate
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch, hide_default_value = true)]
    pub(crate) insecure_registry: bool,

    #[command(flatten)]
    pub(crate) ignore: Ignore,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) surplus: Surplus,
}
