//! Secrets do not appear in diffs and errors.

use serde_json::Value;

use super::normalize::is_secret;

/// What stands for a value that is the same on both sides.
const SAME: &str = "*****";
/// What stands for the former value of one that changed.
const BEFORE: &str = "***** (before)";
/// What stands for the new value of one that changed.
const AFTER: &str = "***** (after)";

/// Masks the `data` and `stringData` of a Secret in both of its versions, so that a diff of them
/// still tells which keys changed. Other objects are left as they are.
pub fn mask_secret(live: Option<&mut Value>, desired: Option<&mut Value>) {
    let mut nothing = (Value::Null, Value::Null);
    let live = live.unwrap_or(&mut nothing.0);
    let desired = desired.unwrap_or(&mut nothing.1);
    if !is_secret(live) && !is_secret(desired) {
        return;
    }
    for part in ["data", "stringData"] {
        let before = live.get(part).cloned();
        mask(live, part, desired.get(part), BEFORE);
        mask(desired, part, before.as_ref(), AFTER);
    }
    for object in [live, desired] {
        // kubectl keeps a copy of the whole Secret here.
        let annotation = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        if let Some(copy) = object.pointer_mut(annotation) {
            *copy = Value::from(SAME);
        }
    }
}

fn mask(object: &mut Value, part: &str, other: Option<&Value>, changed: &str) {
    let Some(values) = object.get_mut(part) else {
        return;
    };
    let Value::Object(values) = values else {
        *values = Value::from(SAME);
        return;
    };
    for (key, value) in values.iter_mut() {
        let differs = other.and_then(|other| other.get(key)).is_some_and(|other| other != value);
        *value = Value::from(if differs { changed } else { SAME });
    }
}

/// Removes what the API server quotes of a Secret's values from its message.
pub(crate) fn mask_message(message: &str, secret: &Value) -> String {
    if !is_secret(secret) {
        return message.to_owned();
    }
    let mut text = message.to_owned();
    for part in ["data", "stringData"] {
        let Some(values) = secret.get(part).and_then(Value::as_object) else {
            continue;
        };
        for value in values.values() {
            let quoted = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            text = mask_value(&text, &quoted);
        }
    }
    text
}

fn mask_value(text: &str, value: &str) -> String {
    // The Go syntax in which structured-merge-diff quotes a value that has the wrong type. A short
    // value is masked only there: it may stand anywhere else by chance.
    let quoted = text.replace(&format!("{{Value:{value}}}"), &format!("{{Value:{SAME}}}"));
    if value.len() < 4 { quoted } else { quoted.replace(value, SAME) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sides_are_masked() {
        let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
        let mut live = secret(json!({"a": "1", "b": "2", "gone": "3"}));
        let mut desired = secret(json!({"a": "1", "b": "9", "new": "4"}));
        mask_secret(Some(&mut live), Some(&mut desired));
        assert_eq!(live["data"], json!({"a": "*****", "b": "***** (before)", "gone": "*****"}));
        assert_eq!(desired["data"], json!({"a": "*****", "b": "***** (after)", "new": "*****"}));
    }

    #[test]
    fn messages_do_not_quote_secrets() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"pin": 42, "token": "hunter22"}});
        let message =
            ".data.pin: expected string, got &value.valueUnstructured{Value:42}; hunter22 is bad";
        assert_eq!(
            mask_message(message, &secret),
            ".data.pin: expected string, got &value.valueUnstructured{Value:*****}; ***** is bad"
        );
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"pin": 42}});
        assert_eq!(mask_message(message, &other), message);
    }
}
