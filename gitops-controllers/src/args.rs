//! The flags of the controllers: Flux's names, defaults and forms.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, ValueEnum};

/// A duration in Go's form, e.g. `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: gitops_api::meta::Duration =
        text.parse().map_err(|error: gitops_api::meta::DurationError| error.to_string())?;
    Ok(parsed.get())
}

/// Go's words for a boolean.
fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("invalid boolean {text:?}: use true or false")),
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// Steps of turns too.
    Debug,
    /// What happened.
    Info,
    /// Failures only.
    Error,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogEncoding {
    /// One JSON object.
    Json,
    /// Columns for people.
    Console,
}

/// Flags of every controller.
#[derive(Args, Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "they are flags")]
pub struct CommonArgs {
    /// Where metrics are served, at /metrics.
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_addr: String,
    /// Where /healthz and /readyz answer.
    #[arg(long, default_value = ":9440", value_name = "ADDRESS")]
    pub health_addr: String,
    /// Where events are posted, e.g. `http://notification-controller.flux-system.svc/`; empty for
    /// nowhere.
    #[arg(long, default_value = "", value_name = "URL")]
    pub events_addr: String,
    /// How much is logged.
    #[arg(long, default_value = "info", value_enum)]
    pub log_level: LogLevel,
    /// How a line of the log is written.
    #[arg(long, default_value = "json", value_enum)]
    pub log_encoding: LogEncoding,
    /// Watch all namespaces; otherwise only $`RUNTIME_NAMESPACE`.
    #[arg(long, default_value = "true", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub watch_all_namespaces: bool,
    /// Reconcile only objects with these labels (sharding), e.g. sharding.fluxcd.io/key=shard1.
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    pub watch_label_selector: String,
    /// Watch `ConfigMaps` and Secrets with these labels.
    #[arg(long, default_value = "reconcile.fluxcd.io/watch=Enabled", value_name = "SELECTOR")]
    pub watch_configs_label_selector: String,
    /// Let one of several replicas work at a time.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub enable_leader_election: bool,
    /// Give the lease back when the process ends.
    #[arg(long, default_value = "true", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub leader_election_release_on_cancel: bool,
    /// How long others wait before they take the lease over.
    #[arg(long, default_value = "35s", value_parser = duration)]
    pub leader_election_lease_duration: Duration,
    /// How long the leader tries to renew before it gives up.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub leader_election_renew_deadline: Duration,
    /// How often the lease is tried or renewed.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub leader_election_retry_period: Duration,
    /// Requests a second to the API server. Counts only where the API server has no priority and
    /// fairness of its own, as in Flux.
    #[arg(long, default_value = "50", value_name = "N")]
    pub kube_api_qps: f64,
    /// Requests that may be sent at once before --kube-api-qps counts.
    #[arg(long, default_value = "300", value_name = "N")]
    pub kube_api_burst: u32,
    /// The delay after the first failure.
    #[arg(long, default_value = "750ms", value_parser = duration)]
    pub min_retry_delay: Duration,
    /// The longest delay after failures.
    #[arg(long, default_value = "15m", value_parser = duration)]
    pub max_retry_delay: Duration,
    /// When objects are looked at again that wait for others.
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub requeue_dependency: Duration,
    /// How much intervals vary, in per cent (0 to 99).
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u8).range(0..=99))]
    pub interval_jitter_percentage: u8,
    /// Switches: Name=true,Other=false.
    #[arg(long, default_value = "", value_name = "GATES")]
    pub feature_gates: String,
    /// How many cloud tokens are remembered; 0 for none.
    #[arg(long, default_value = "100", value_name = "N")]
    pub token_cache_max_size: u32,
    /// How long cloud tokens are remembered.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub token_cache_max_duration: Duration,
    /// The namespace of this process.
    #[arg(long, env = "RUNTIME_NAMESPACE", default_value = "", hide_env_values = true)]
    pub runtime_namespace: String,
}

/// Fetches sources, and stores and serves their artifacts.
///
/// Connects to the cluster of $KUBECONFIG or ~/.kube/config, or to the one that it runs in.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "source-controller",
    version,
    after_help = "Flags may be written --flag=value or \
--flag value; durations as in 1h30m, 750ms."
)]
pub struct SourceArgs {
    /// Shared flags.
    #[command(flatten)]
    pub common: CommonArgs,
    /// How many objects of a kind are reconciled at a time.
    #[arg(long, default_value = "2", value_name = "N")]
    pub concurrent: usize,
    /// Where artifacts are stored: a directory, or a bucket that all replicas share, as
    /// `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`.
    #[arg(long, env = "STORAGE_PATH", default_value = "/data", value_name = "DIR|URL")]
    pub storage_path: PathBuf,
    /// Where artifacts are served.
    #[arg(long, env = "STORAGE_ADDRESS", default_value = ":9090", value_name = "ADDRESS")]
    pub storage_addr: String,
    /// Under which address others reach the artifacts; without it,
    /// source-controller.$RUNTIME_NAMESPACE.svc.cluster.local.
    #[arg(long, env = "STORAGE_ADV_ADDR", default_value = "", value_name = "ADDRESS")]
    pub storage_adv_addr: String,
    /// How long artifacts that were replaced are kept.
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub artifact_retention_ttl: Duration,
    /// How many artifacts of an object are kept.
    #[arg(long, default_value = "2", value_name = "N")]
    pub artifact_retention_records: usize,
    /// The digest of artifacts: sha256, sha384, sha512 or blake3.
    #[arg(long, default_value = "sha256", value_name = "NAME")]
    pub artifact_digest_algo: String,
    /// The largest Helm repository index, in bytes.
    #[arg(long, default_value = "52428800", value_name = "BYTES")]
    pub helm_index_max_size: u64,
    /// The largest Helm chart, in bytes.
    #[arg(long, default_value = "10485760", value_name = "BYTES")]
    pub helm_chart_max_size: u64,
    /// The largest file in a Helm chart, in bytes.
    #[arg(long, default_value = "5242880", value_name = "BYTES")]
    pub helm_chart_file_max_size: u64,
    /// How many Helm indexes are remembered; 0 for none.
    #[arg(long, default_value = "0", value_name = "N")]
    pub helm_cache_max_size: u32,
    /// How long a Helm index is remembered.
    #[arg(long, default_value = "15m", value_parser = duration)]
    pub helm_cache_ttl: Duration,
    /// How often remembered Helm indexes are looked through.
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub helm_cache_purge_interval: Duration,
    /// Whose identity towards clouds counts where an object names no service account.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_service_account: String,
    /// Key exchange algorithms for SSH.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub ssh_kex_algos: Vec<String>,
    /// Host key algorithms for SSH.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub ssh_hostkey_algos: Vec<String>,
}

/// Builds and applies Kustomizations.
///
/// Connects to the cluster of $KUBECONFIG or ~/.kube/config, or to the one that it runs in.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "kustomize-controller",
    version,
    after_help = "Flags may be written --flag=value \
or --flag value; durations as in 1h30m, 750ms."
)]
#[allow(clippy::struct_excessive_bools, reason = "they are flags")]
pub struct KustomizeArgs {
    /// Shared flags.
    #[command(flatten)]
    pub common: CommonArgs,
    /// How many objects are reconciled at a time.
    #[arg(long, default_value = "4", value_name = "N")]
    pub concurrent: usize,
    /// How many objects of a Kustomization are compared with the cluster at a time.
    #[arg(long, default_value = "4", value_name = "N")]
    pub concurrent_ssa: usize,
    /// Forbid references to objects of other namespaces.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub no_cross_namespace_refs: bool,
    /// Forbid bases that are not part of the source.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub no_remote_bases: bool,
    /// The service account for Kustomizations that name none.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_service_account: String,
    /// The service account for decryption, where none is named.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_decryption_service_account: String,
    /// The service account for kubeconfigs of cloud providers, where none is named.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_kubeconfig_service_account: String,
    /// How often the download of an artifact is tried.
    #[arg(long, default_value = "9", value_name = "N")]
    pub http_retry: u32,
    /// The Secret with age keys for every decryption.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub sops_age_secret: String,
    /// The `ConfigMap` that names the Vault instances to log in to.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub sops_vault_configmap: String,
    /// Field managers whose fields are taken over; may be repeated.
    #[arg(long, value_delimiter = ',', action = ArgAction::Append, value_name = "NAME")]
    pub override_manager: Vec<String>,
    /// Kinds that are applied in a stage of their own: group/Kind,…
    #[arg(long, value_delimiter = ',', action = ArgAction::Append, value_name = "KINDS")]
    pub custom_apply_stage_kinds: Vec<String>,
    /// Run programs that a kubeconfig names for credentials.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub insecure_kubeconfig_exec: bool,
    /// Allow kubeconfigs that do not check certificates.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub insecure_kubeconfig_tls: bool,
}

/// The variables of this process, where clouds put what proves its identity.
#[expect(clippy::disallowed_methods, reason = "here, and only here, the environment is read")]
pub fn environment() -> gitops_auth::Environment {
    gitops_auth::Environment::new(|name| std::env::var(name).ok())
}

/// Composes artifacts of the artifacts of other sources, and stores and serves them.
///
/// Connects to the cluster of $KUBECONFIG or ~/.kube/config, or to the one that it runs in.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "source-watcher",
    version,
    // Sources appear soon after their generators.
    mut_arg("requeue_dependency", |arg| arg.default_value("5s")),
    after_help = "Flags may be written --flag=value or \
--flag value; durations as in 1h30m, 750ms."
)]
pub struct WatcherArgs {
    /// Shared flags.
    #[command(flatten)]
    pub common: CommonArgs,
    /// How many objects are reconciled at a time.
    #[arg(long, default_value = "10", value_name = "N")]
    pub concurrent: usize,
    /// Where artifacts are stored.
    #[arg(long, env = "STORAGE_PATH", default_value = "/data", value_name = "DIR")]
    pub storage_path: PathBuf,
    /// Where artifacts are served.
    #[arg(long, env = "STORAGE_ADDRESS", default_value = ":9090", value_name = "ADDRESS")]
    pub storage_addr: String,
    /// Under which address others reach the artifacts; without it,
    /// source-watcher.$RUNTIME_NAMESPACE.svc.cluster.local.
    #[arg(long, env = "STORAGE_ADV_ADDR", default_value = "", value_name = "ADDRESS")]
    pub storage_adv_addr: String,
    /// How long artifacts that were replaced are kept.
    #[arg(long, default_value = "1m", value_parser = duration)]
    pub artifact_retention_ttl: Duration,
    /// How many artifacts of an object are kept.
    #[arg(long, default_value = "2", value_name = "N")]
    pub artifact_retention_records: usize,
    /// The digest of artifacts: sha256, sha384, sha512 or blake3.
    #[arg(long, default_value = "sha256", value_name = "NAME")]
    pub artifact_digest_algo: String,
    /// How often the download of an artifact is tried.
    #[arg(long, default_value = "9", value_name = "N")]
    pub http_retry: u32,
    /// How long the reconciliation of an object may take.
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub reconciliation_timeout: Duration,
    /// Forbid references to objects of other namespaces.
    #[arg(long, default_value = "false", value_parser = boolean, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub no_cross_namespace_refs: bool,
}

/// The gates of source-watcher.
pub const WATCHER_GATES: &[Gate] =
    &[("CacheSecretsAndConfigMaps", false), ("DirectSourceFetch", false)];

/// A feature gate and its default.
pub type Gate = (&'static str, bool);

/// The gates of source-controller.
pub const SOURCE_GATES: &[Gate] =
    &[("CacheSecretsAndConfigMaps", false), ("ObjectLevelWorkloadIdentity", false)];

/// The gates of kustomize-controller.
pub const KUSTOMIZE_GATES: &[Gate] = &[
    ("CacheSecretsAndConfigMaps", false),
    ("ObjectLevelWorkloadIdentity", false),
    ("DisableStatusPollerCache", true),
    ("DisableFailFastBehavior", false),
    ("StrictPostBuildSubstitutions", true),
    ("GroupChangeLog", false),
    ("AdditiveCELDependencyCheck", false),
    ("ExternalArtifact", false),
    ("CancelHealthCheckOnNewRevision", false),
    ("DisableConfigWatchers", false),
    ("DirectSourceFetch", false),
    ("MigrateAPIVersion", false),
];

/// The gates of a process with their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureGates(BTreeMap<&'static str, bool>);

/// A `--feature-gates` value that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// No such gate.
    #[error("feature-gates: unknown feature gate {name:?}; known: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// Not `Name=true` or `Name=false`.
    #[error("feature-gates: {0:?} is not of the form Name=true or Name=false")]
    Form(String),
}

impl FeatureGates {
    /// The defaults with the changes of a flag.
    ///
    /// # Errors
    /// On unknown gates and on values that are no booleans.
    pub fn parse(known: &[Gate], text: &str) -> Result<Self, GateError> {
        let mut gates: BTreeMap<&'static str, bool> = known.iter().copied().collect();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let form = || GateError::Form(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(form)?;
            let value = boolean(value.trim()).map_err(|_| form())?;
            let name = name.trim();
            match gates.iter_mut().find(|(known, _)| **known == name) {
                Some((_, gate)) => *gate = value,
                None => {
                    let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                    return Err(GateError::Unknown {
                        name: name.to_owned(),
                        known: known.join(", "),
                    });
                }
            }
        }
        Ok(Self(gates))
    }

    /// Whether a gate is open; unknown ones are not.
    pub fn is_open(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }
}

/// A listen address in Go's form: `:8080` is every interface; empty or `0` is nowhere.
///
/// # Errors
/// When it is no address.
pub fn listen_address(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    match full.rsplit_once(':').map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(_)) => Ok(Some(full)),
        _ => Err(format!("invalid address {text:?}: expected host:port or :port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_take_gos_forms() {
        let args = SourceArgs::try_parse_from([
            "source-controller",
            "--enable-leader-election=false",
            "--watch-all-namespaces",
            "--requeue-dependency=5s",
            "--max-retry-delay",
            "1h30m",
            "--storage-path=/tmp/x",
        ])
        .unwrap();
        assert!(!args.common.enable_leader_election && args.common.watch_all_namespaces);
        assert_eq!(args.common.requeue_dependency, Duration::from_secs(5));
        assert_eq!(args.common.max_retry_delay, Duration::from_secs(5400));
        for bad in ["--requeue-dependency=5", "--interval-jitter-percentage=100", "--nope=1"] {
            assert!(SourceArgs::try_parse_from(["x", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn gates_are_checked() {
        let gates = FeatureGates::parse(KUSTOMIZE_GATES, "GroupChangeLog=true").unwrap();
        assert!(gates.is_open("GroupChangeLog") && gates.is_open("StrictPostBuildSubstitutions"));
        for bad in ["Nope=true", "GroupChangeLog", "GroupChangeLog=maybe"] {
            assert!(FeatureGates::parse(KUSTOMIZE_GATES, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(listen_address(":8080").unwrap().as_deref(), Some("[::]:8080"));
        assert_eq!(listen_address("127.0.0.1:1").unwrap().as_deref(), Some("127.0.0.1:1"));
        assert_eq!(listen_address("0").unwrap(), None);
        assert!(listen_address("host").is_err());
    }
}
