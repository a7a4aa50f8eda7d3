//! Admission as the verbs call it, without the verbs.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};

use super::{Case, scrub};
use crate::{
    admit::{check_identity, decode, default, default_builtin, prepare, validate},
    object::Meta as _,
    registry::{Registry, Resource},
    request::FieldValidation,
    schema::{Node, Schema, structural},
    status::Result,
    storage::Store,
};

/// The kinds that cases speak of.
pub(super) struct World {
    registry: Registry,
    custom: HashMap<(String, String), Arc<Resource>>,
}

impl World {
    /// The built-in kinds, those of the project, and those of some definitions.
    pub(super) fn new(definitions: &[Value]) -> Self {
        let mut all = definitions.to_vec();
        all.extend(gitops_api::crds());
        Self::of(&all)
    }

    /// The built-in kinds and those of some definitions.
    pub(super) fn of(definitions: &[Value]) -> Self {
        let store = Store::new();
        let registry = Registry::builtin(&store);
        let mut custom = HashMap::new();
        for definition in definitions {
            for resource in resources(definition, &store) {
                let key = (resource.api_version.clone(), resource.kind.to_string());
                custom.insert(key, Arc::new(resource));
            }
        }
        Self { registry, custom }
    }

    pub(super) fn resource(&self, object: &Value) -> Option<Arc<Resource>> {
        let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        let key = (version.to_owned(), kind.to_owned());
        self.registry.of_kind(version, kind).or_else(|| self.custom.get(&key)).cloned()
    }

    /// Every kind, in an order that does not change.
    pub(super) fn all(&self) -> Vec<Arc<Resource>> {
        let mut custom: Vec<_> = self.custom.iter().collect();
        custom.sort_by_key(|(key, _)| (*key).clone());
        let custom = custom.into_iter().map(|(_, resource)| Arc::clone(resource));
        self.registry.preferred().into_iter().chain(custom).collect()
    }

    /// What the server answers, in the form in which answers are recorded.
    pub(super) fn answer(&self, case: &Case) -> Value {
        let resource = self.resource(case.target()).expect("the kind is served");
        if let Err(refusal) = check_identity(&self.registry, &resource, &case.send) {
            return refused(&refusal.to_value());
        }
        let old = case.given.as_ref().map(|given| {
            let (old, _) = admit(&resource, given.clone(), None, "", FieldValidation::Warn)
                .expect("what is given is accepted");
            old
        });
        let validation = if case.strict { FieldValidation::Strict } else { FieldValidation::Warn };
        let result =
            admit(&resource, case.send.clone(), old.as_ref(), &case.subresource, validation);
        match result {
            Ok((mut object, warnings)) => {
                scrub(&mut object);
                accepted(object, warnings)
            }
            Err(refusal) => refused(&refusal.to_value()),
        }
    }
}

pub(super) fn accepted(object: Value, warnings: Vec<String>) -> Value {
    let mut answer = json!({"object": object});
    if !warnings.is_empty() {
        answer["warnings"] = warnings.into();
    }
    answer
}

/// Complaints have no fixed order: Go walks maps in any.
pub(super) fn refused(status: &Value) -> Value {
    let mut answer = json!({
        "code": status["code"],
        "reason": status["reason"],
        "message": status["message"],
        "details": status["details"],
    });
    // Structs are shown with the server's internal names, and differences by a library of Go's.
    static STRUCT: std::sync::LazyLock<regex::Regex> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"value: (\{.*\}|\[.*\])(:|$)").unwrap());
    for pointer in ["/message"]
        .map(str::to_owned)
        .into_iter()
        .chain((0..1000).map(|index| format!("/details/causes/{index}/message")))
    {
        let Some(Value::String(text)) = answer.pointer_mut(&pointer) else {
            if pointer == "/message" {
                continue;
            }
            break;
        };
        let short = text.split('\n').next().unwrap_or_default();
        *text = STRUCT.replace(short, "value: {}$2").into_owned();
    }
    if let Some(Value::Array(causes)) = answer.pointer_mut("/details/causes")
        && causes.len() > 1
    {
        causes.sort_by_key(Value::to_string);
        // Some rules are looked at twice; how often is not what clients see.
        causes.dedup();
        if let Some((head, _)) = status["message"].as_str().and_then(|m| m.split_once(": [")) {
            answer["message"] = head.split('\n').next().unwrap_or_default().into();
        }
    }
    answer
}

/// Create, or update of `old`.
pub(super) fn admit(
    resource: &Resource,
    value: Value,
    old: Option<&Value>,
    subresource: &str,
    validation: FieldValidation,
) -> Result<(Value, Vec<String>)> {
    let (mut value, warnings) = decode(resource, resource.node, value, None, validation)?;
    value["apiVersion"] = resource.api_version.clone().into();
    value["kind"] = resource.kind.to_string().into();
    if resource.namespaced && value.namespace().is_empty() {
        value.set_meta("namespace", "cases");
    }
    if resource.schema.node(resource.node).rules.is_some() {
        default(&resource.schema, resource.node, &mut value);
    } else {
        default_builtin(resource, &mut value);
    }
    if value.name().is_empty() && !value.meta("generateName").is_empty() {
        let name = format!("{}abcde", value.meta("generateName"));
        value.set_meta("name", name);
    }
    match old {
        None => value.set_meta("uid", "7c1a3f0e-0000-4000-8000-000000000000"),
        Some(old) => value.set_meta("uid", old.uid()),
    }
    prepare(resource, &mut value, old, subresource);
    validate(resource, &value, old, subresource)?;
    Ok((value, warnings))
}

/// The resources of a definition.
fn resources(definition: &Value, store: &Store) -> Vec<Resource> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = &spec["names"];
    let mut found = Vec::new();
    for version in spec["versions"].as_array().into_iter().flatten() {
        let mut schema = Schema::default();
        let metadata = schema.add(Node::new(crate::schema::Kind::Any));
        let Ok(node) = structural(&mut schema, &version["schema"]["openAPIV3Schema"], metadata)
        else {
            continue;
        };
        let subresources = version["subresources"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| crate::registry::Subresource {
                name: name.clone().into(),
                speaks: (
                    text(&spec["group"]).into(),
                    text(&version["name"]).into(),
                    text(&names["kind"]).into(),
                ),
                verbs: Vec::new(),
                node: None,
            })
            .collect();
        found.push(Resource {
            group: text(&spec["group"]).into(),
            version: text(&version["name"]).into(),
            api_version: format!("{}/{}", text(&spec["group"]), text(&version["name"])),
            kind: text(&names["kind"]).into(),
            list_kind: format!("{}List", text(&names["kind"])).into(),
            plural: text(&names["plural"]).into(),
            singular: text(&names["kind"]).to_lowercase().into(),
            namespaced: spec["scope"] == "Namespaced",
            verbs: Vec::new(),
            short_names: Vec::new(),
            categories: Vec::new(),
            subresources,
            schema: Arc::new(schema),
            node,
            columns: None,
            selectable: None,
            scale: None,
            table: store.table(&text(&spec["group"]), &text(&names["plural"])),
        });
    }
    found
}

/// Lines that show where two values differ.
pub(super) fn difference(path: &str, theirs: &Value, ours: &Value, lines: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Array(a), Value::Array(b)) if path == ".details.causes" => {
            let cause = |cause: &Value| {
                format!(
                    "{}: {}",
                    cause["field"].as_str().unwrap_or_default(),
                    cause["message"].as_str().unwrap_or_default()
                )
            };
            for item in a.iter().filter(|item| !b.contains(item)) {
                lines.push(format!("  only real: {}", cause(item)));
            }
            for item in b.iter().filter(|item| !a.contains(item)) {
                lines.push(format!("  only ours: {}", cause(item)));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in a {
                difference(
                    &format!("{path}.{name}"),
                    value,
                    &b.get(name).cloned().unwrap_or(json!("<absent>")),
                    lines,
                );
            }
            for (name, value) in b {
                if !a.contains_key(name) {
                    lines.push(format!("  {path}.{name}: real <absent>, ours {value}"));
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                difference(&format!("{path}[{index}]"), a, b, lines);
            }
        }
        (a, b) if a == b => {}
        (Value::String(_) | Value::Null, Value::Object(_)) => {
            lines.push(format!("  {path}: real refused, ours accepted"));
        }
        (Value::String(a), Value::String(b)) => {
            lines.push(format!("  {path}:\n    real {a}\n    ours {b}"));
        }
        (a, b) => lines.push(format!("  {path}: real {a}, ours {b}")),
    }
}
