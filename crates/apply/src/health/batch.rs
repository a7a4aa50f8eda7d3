//! Jobs. Flux's own rule: kstatus would call a started Job ready.

use serde_json::Value;

use super::{Health, condition, condition_is};

pub(super) fn job(object: &Value) -> Health {
    if object["spec"]["suspend"] == true {
        return Health::current("Job is suspended");
    }
    if condition_is(object, "Complete", "True") {
        return Health::current("Job Completed");
    }
    if let Some(failed) = condition(object, "Failed")
        && failed["status"] == "True"
    {
        return Health::failed(failed["message"].as_str().unwrap_or("Job Failed"));
    }
    if object["status"]["startTime"].is_null() {
        return Health::in_progress("Job not started");
    }
    Health::in_progress("Job in progress")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::Status::{Current, Failed, InProgress};

    #[test]
    fn jobs() {
        for (spec, status, expected) in [
            (json!({"suspend": true}), json!({}), Current),
            (json!({}), json!({}), InProgress),
            (json!({}), json!({"startTime": "x"}), InProgress),
            (json!({}), json!({"conditions": [{"type": "Complete", "status": "True"}]}), Current),
            (json!({}), json!({"conditions": [{"type": "Failed", "status": "True"}]}), Failed),
            (json!({}), json!({"conditions": [{"type": "Failed", "status": "False"}]}), InProgress),
        ] {
            assert_eq!(job(&json!({"spec": spec, "status": status})).status, expected);
        }
    }
}
