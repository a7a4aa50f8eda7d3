//! Conditions: what is known about an object, each with the time it last changed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;

/// One observation about an object, in the form of `metav1.Condition`.
///
/// The order of a status' conditions is kept as it is read; nothing here sorts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When `status` last changed. A new message or reason alone does not move it.
    pub last_transition_time: Time,
    /// What happened, for people; at most 32768 bytes, possibly empty.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// The `metadata.generation` that was looked at. Older than the object's generation means that
    /// the condition is out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub observed_generation: Option<i64>,
    /// Why, for programs: one word in CamelCase, see [`reason`](super::reason).
    #[schemars(
        length(min = 1, max = 1024),
        regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    )]
    pub reason: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// What the condition is about, see [`condition_type`](super::condition_type).
    #[schemars(
        length(max = 316),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        )
    )]
    #[serde(rename = "type")]
    pub type_: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known (yet) whether it holds.
    Unknown,
}

impl ConditionStatus {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for ConditionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        let wire = serde_json::json!({
            "lastTransitionTime": "2026-01-31T09:30:00Z",
            "message": "stored artifact",
            "observedGeneration": 2,
            "reason": "Succeeded",
            "status": "True",
            "type": "Ready",
        });
        let condition: Condition = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(condition.status, ConditionStatus::True);
        assert_eq!(serde_json::to_value(&condition).unwrap(), wire);
    }
}
