//! Health checks of the user's own, by kind.

use std::{collections::BTreeMap, sync::Arc};

use gitops_core::ObjectId;
use serde_json::Value;

use super::{CelError, Expression};
use crate::health::{Health, Status};

/// How the health of a kind is judged by expressions; the text form of `healthCheckExprs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckExpression {
    /// The API version; only its group counts.
    pub api_version: String,
    /// The kind; empty for all kinds of the group.
    pub kind: String,
    /// True when the object is ready.
    pub current: String,
    /// True when it is on its way.
    pub in_progress: String,
    /// True when it failed.
    pub failed: String,
}

/// Custom health checks by kind. Without any, kstatus' rules hold.
#[derive(Clone, Debug, Default)]
pub struct HealthChecks(Arc<BTreeMap<(String, String), Check>>);

#[derive(Debug)]
struct Check {
    /// In the order of evaluation.
    steps: Vec<(Status, Expression)>,
}

impl HealthChecks {
    /// Parses the expressions.
    ///
    /// # Errors
    /// A [`CelError`] whose class is `Invalid`, for the first check that is malformed.
    pub fn compile(checks: &[HealthCheckExpression]) -> Result<Self, CelError> {
        let mut compiled = BTreeMap::new();
        for (index, check) in checks.iter().enumerate() {
            if check.current.is_empty() {
                return Err(CelError::NoCurrent { index });
            }
            let mut steps = Vec::new();
            for (status, field, text) in [
                (Status::InProgress, "InProgress", &check.in_progress),
                (Status::Failed, "Failed", &check.failed),
                (Status::Current, "Current", &check.current),
            ] {
                if !text.is_empty() {
                    let expression = Expression::parse(text).map_err(|error| {
                        CelError::HealthCheck { index, field, message: error.to_string() }
                    })?;
                    steps.push((status, expression));
                }
            }
            let group = check.api_version.split_once('/').map_or("", |(group, _)| group);
            let key = (group.to_owned(), check.kind.clone());
            let kind = format!("{}.{group}", check.kind).trim_end_matches('.').to_owned();
            if compiled.insert(key, Check { steps }).is_some() {
                return Err(CelError::Duplicate { index, kind });
            }
        }
        Ok(Self(Arc::new(compiled)))
    }

    /// The judgement of the check for an object's kind; nothing where there is none.
    pub(crate) async fn assess(&self, object: &Value, id: &ObjectId) -> Option<Health> {
        let find = |kind: &str| self.0.get(&(id.group.clone(), kind.to_owned()));
        let check = find(&id.kind).or_else(|| find(""))?;
        let generation = object["metadata"]["generation"].as_i64();
        let observed = object["status"]["observedGeneration"].as_i64();
        if observed.is_some() && generation.is_some() && observed != generation {
            return Some(Health::new(Status::InProgress, ""));
        }
        for (status, expression) in &check.steps {
            let fields = object.as_object().cloned().unwrap_or_default();
            match expression.evaluate(fields).await {
                Ok(true) => return Some(Health::new(*status, "")),
                Ok(false) => {}
                Err(error) => return Some(Health::new(Status::Unknown, error.to_string())),
            }
        }
        Some(Health::new(Status::InProgress, ""))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn health_checks_come_in_order() {
        let checks = HealthChecks::compile(&[HealthCheckExpression {
            api_version: "a.b/v1".into(),
            kind: "C".into(),
            current: "status.x > 1".into(),
            failed: "status.x < 0".into(),
            in_progress: "status.x == 5".into(),
        }])
        .unwrap();
        let id = ObjectId::new("a.b/v9", "C", "", "c");
        for (x, expected) in [
            (json!(2), Status::Current),
            (json!(-1), Status::Failed),
            (json!(5), Status::InProgress),
            (json!(0), Status::InProgress),
            (Value::Null, Status::Unknown),
        ] {
            let object = if x.is_null() { json!({}) } else { json!({"status": {"x": x}}) };
            assert_eq!(checks.assess(&object, &id).await.unwrap().status, expected, "{x}");
        }
        assert!(checks.assess(&json!({}), &ObjectId::new("x/v1", "C", "", "c")).await.is_none());
    }
}
