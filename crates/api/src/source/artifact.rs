//! The artifact of a source, as its status tells it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::Time;

/// A stored archive of what a source holds, and where to get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The digest of the file, `<algorithm>:<hex>`. What was downloaded must have it.
    #[schemars(regex(pattern = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"))]
    pub digest: String,
    /// When the file was stored.
    pub last_update_time: Time,
    /// What the origin says about the artifact, for example the annotations of an OCI manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The file's path below the root of the store, `<kind>/<namespace>/<name>/<file>`.
    pub path: String,
    /// What was fetched, for example `main@sha1:<commit>` or `1.4.0@sha256:<digest>`.
    pub revision: String,
    /// The size of the file in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// The HTTP address of the file within the cluster.
    pub url: String,
}
