//! Alert: which events go to which provider.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EventSource;
use crate::{meta::LocalReference, schema::is_false};

/// Which events to pass on, and to whom.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1beta3",
    kind = "Alert",
    plural = "alerts",
    doc = "Events about some objects that are passed on to a provider.",
    derive = "PartialEq",
    namespaced,
    category = "all",
    category = "fluxcd",
    category = "fluxcd-notifications",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct AlertSpec {
    /// Entries to add to the metadata of every event. Those of the event itself win.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_metadata: BTreeMap<String, String>,
    /// The least severity that is passed on.
    #[serde(default)]
    pub event_severity: EventSeverity,
    /// The objects whose events are passed on.
    pub event_sources: Vec<EventSource>,
    /// Regular expressions; events whose message matches any of them are dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusion_list: Vec<String>,
    /// Regular expressions; without a match the event is dropped. Applied before
    /// `exclusionList`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inclusion_list: Vec<String>,
    /// The Provider, in the same namespace.
    pub provider_ref: LocalReference,
    /// A text that goes along with every event. An annotation on the object is to be preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub summary: Option<String>,
    /// Whether to drop all events.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

/// How severe an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventSeverity {
    /// It is worth knowing.
    #[default]
    Info,
    /// Something failed.
    Error,
}
