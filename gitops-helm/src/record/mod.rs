//! Release records: what Helm keeps of a release in the cluster.
//!
//! Follows helm pkg/storage/driver/util.go and pkg/release/v1: JSON, compressed and in base64.
//! What a record says that is not known here is kept.

mod encode;

use std::fmt;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::{
    chart::{Chart, File, Lock, Metadata},
    manifest::{Hook, HookEvent},
    values::Values,
};

pub use encode::{RecordError, decode_record_text, encode_record_text};

/// A revision of a release.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision, from 1.
    pub version: u64,
    /// When and how it came to be.
    pub info: RecordInfo,
    /// The chart, without the charts below it.
    pub chart: RecordChart,
    /// The values that were given.
    pub config: Values,
    /// The objects as one stream.
    pub manifest: String,
    /// The hooks.
    pub hooks: Vec<RecordHook>,
    /// `ssa` or `csa`; empty means the latter.
    pub apply_method: String,
}

/// When and how a release came to be. Times are RFC 3339, empty where there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordInfo {
    /// When its first revision was made.
    pub first_deployed: String,
    /// When this one was.
    pub last_deployed: String,
    /// When it was deleted.
    pub deleted: String,
    /// What happened, for people.
    pub description: String,
    /// Its state.
    pub status: ReleaseStatus,
    /// The revision that was gone back to, or 0.
    pub rollback_revision: u64,
    /// The text of NOTES.txt.
    pub notes: String,
}

/// The chart of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordChart {
    /// Chart.yaml.
    pub metadata: Metadata,
    /// Chart.lock.
    pub lock: Option<Lock>,
    /// The files below `templates/`.
    pub templates: Vec<File>,
    /// The chart's own values.
    pub values: Option<Values>,
    /// values.schema.json.
    pub schema: Vec<u8>,
    /// All other files.
    pub files: Vec<File>,
}

/// A hook and its last run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHook {
    /// The hook.
    pub hook: Hook,
    /// When it was started, in RFC 3339; empty if never.
    pub started_at: String,
    /// When it ended.
    pub completed_at: String,
    /// `Unknown`, `Running`, `Succeeded`, `Failed` or empty.
    pub phase: String,
}

/// The state of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseStatus {
    /// Nobody knows.
    #[default]
    Unknown,
    /// It is the current one.
    Deployed,
    /// It was uninstalled.
    Uninstalled,
    /// A later one took its place.
    Superseded,
    /// It failed.
    Failed,
    /// It is being uninstalled.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded.
    PendingUpgrade,
    /// It is being rolled back.
    PendingRollback,
    /// A state of a later Helm.
    Other(String),
}

const STATUSES: [(&str, ReleaseStatus); 9] = [
    ("unknown", ReleaseStatus::Unknown),
    ("deployed", ReleaseStatus::Deployed),
    ("uninstalled", ReleaseStatus::Uninstalled),
    ("superseded", ReleaseStatus::Superseded),
    ("failed", ReleaseStatus::Failed),
    ("uninstalling", ReleaseStatus::Uninstalling),
    ("pending-install", ReleaseStatus::PendingInstall),
    ("pending-upgrade", ReleaseStatus::PendingUpgrade),
    ("pending-rollback", ReleaseStatus::PendingRollback),
];

impl ReleaseStatus {
    /// The state of a name.
    pub fn parse(name: &str) -> Self {
        let known = STATUSES.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(_, status)| status.clone())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => STATUSES.iter().find(|(_, s)| s == known).map_or("unknown", |(name, _)| name),
        }
    }
}

impl fmt::Display for ReleaseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&Chart> for RecordChart {
    fn from(chart: &Chart) -> Self {
        Self {
            metadata: chart.metadata.clone(),
            lock: chart.lock.clone(),
            templates: chart.templates.clone(),
            values: chart.values.clone(),
            schema: chart.schema.as_deref().unwrap_or_default().to_vec(),
            files: chart.files.clone(),
        }
    }
}

impl From<Hook> for RecordHook {
    fn from(hook: Hook) -> Self {
        let (started_at, completed_at, phase) = Default::default();
        Self { hook, started_at, completed_at, phase }
    }
}

impl Record {
    /// The name of the Secret or ConfigMap that holds it.
    pub fn object_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.version)
    }

    /// The labels of that object, times left out.
    pub fn labels(&self) -> IndexMap<&'static str, String> {
        IndexMap::from_iter([
            ("name", self.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", self.info.status.to_string()),
            ("version", self.version.to_string()),
        ])
    }
}

/// The events of a record, of which some may be unknown.
fn events(value: &Value) -> Vec<HookEvent> {
    let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.filter_map(HookEvent::parse).collect()
}

/// An object without the fields that are empty, as Go leaves them out.
fn without_empty(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_u64() == Some(0) || number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    };
    let fields = fields.into_iter().filter(|(_, value)| !is_empty(value));
    fields.map(|(key, value)| (key.to_owned(), value)).collect()
}
