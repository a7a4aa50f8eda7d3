//! `CustomResourceDefinitions`.

use serde_json::Value;

use super::{Health, condition};

pub(super) fn definition(object: &Value) -> Health {
    let message = |c: &Value| c["message"].as_str().unwrap_or_default().to_owned();
    if let Some(names) = condition(object, "NamesAccepted")
        && names["status"] == "False"
    {
        return Health::failed(message(names));
    }
    match condition(object, "Established") {
        Some(established) if established["status"] == "True" => {
            Health::current("CRD is established")
        }
        Some(established)
            if established["status"] == "False" && established["reason"] != "Installing" =>
        {
            Health::failed(message(established))
        }
        _ => Health::in_progress("Install in progress"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::Status::{Current, Failed, InProgress};

    #[test]
    fn definitions() {
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason});
        for (conditions, expected) in [
            (json!([]), InProgress),
            (json!([condition("Established", "True", "")]), Current),
            (json!([condition("Established", "False", "Installing")]), InProgress),
            (json!([condition("Established", "False", "Other")]), Failed),
            (
                json!([
                    condition("NamesAccepted", "False", ""),
                    condition("Established", "True", "")
                ]),
                Failed,
            ),
        ] {
            assert_eq!(definition(&json!({"status": {"conditions": conditions}})).status, expected);
        }
    }
}
