//! The definitions as files, and the types against their own definitions.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{fs, path::PathBuf};

use gitops_api::{helm, image, kustomize, notification, source};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// `crds/*.yaml` is what the types give. `UPDATE_CRDS=1` writes the files anew.
#[test]
fn committed_files_are_up_to_date() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crds");
    #[allow(clippy::disallowed_methods, reason = "a switch for the person who runs the test")]
    let update = std::env::var_os("UPDATE_CRDS").is_some();
    let mut expected = Vec::new();
    for crd in gitops_api::crds() {
        let names = &crd["spec"]["names"];
        let group = crd["spec"]["group"].as_str().unwrap();
        let file = format!("{group}_{}.yaml", names["plural"].as_str().unwrap());
        let text = gitops_api::crd_yaml(names["kind"].as_str().unwrap()).unwrap();
        if update {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(&file), &text).unwrap();
        }
        let committed = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        assert!(committed == text, "crds/{file} is out of date; run with UPDATE_CRDS=1");
        expected.push(file);
    }
    let mut found: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(gitops_api::crd_yaml("Deployment"), None);
}

/// An object with every field of its schema survives reading and writing, so no type lacks a field
/// or spells it differently. One with the required fields only gains nothing but the defaults.
#[test]
fn types_agree_with_their_schemas() {
    check::<helm::HelmRelease>("HelmRelease");
    check::<image::ImagePolicy>("ImagePolicy");
    check::<image::ImageRepository>("ImageRepository");
    check::<image::ImageUpdateAutomation>("ImageUpdateAutomation");
    check::<kustomize::Kustomization>("Kustomization");
    check::<notification::Alert>("Alert");
    check::<notification::Provider>("Provider");
    check::<notification::Receiver>("Receiver");
    check::<source::ArtifactGenerator>("ArtifactGenerator");
    check::<source::Bucket>("Bucket");
    check::<source::ExternalArtifact>("ExternalArtifact");
    check::<source::GitRepository>("GitRepository");
    check::<source::HelmChart>("HelmChart");
    check::<source::HelmRepository>("HelmRepository");
    check::<source::OciRepository>("OCIRepository");
}

fn check<K: DeserializeOwned + Serialize>(kind: &str) {
    let crd = gitops_api::crds()
        .into_iter()
        .find(|crd| crd["spec"]["names"]["kind"] == kind)
        .unwrap_or_else(|| panic!("{kind} has no definition"));
    let version = &crd["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"]["properties"];
    let api_version =
        format!("{}/{}", crd["spec"]["group"].as_str().unwrap(), version["name"].as_str().unwrap());
    let object = |fill: Fill| {
        let mut object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": { "name": "a", "namespace": "b" },
            "spec": example(&schema["spec"], fill),
        });
        if !schema["status"].is_null() && fill == Fill::Everything {
            object["status"] = example(&schema["status"], fill);
        }
        object
    };
    let round_trip = |object: &Value| {
        let typed: K = serde_json::from_value(object.clone())
            .unwrap_or_else(|error| panic!("{kind}: {error} in {object:#}"));
        serde_json::to_value(typed).unwrap()
    };

    let full = object(Fill::Everything);
    assert_eq!(round_trip(&full), full, "{kind}");
    let mut unknown = full.clone();
    unknown["spec"]["fieldOfTheFuture"] = json!({ "a": [1] });
    assert_eq!(round_trip(&unknown), full, "{kind}: unknown fields are skipped");

    let minimal = object(Fill::Required);
    let mut with_defaults = minimal.clone();
    apply_defaults(&mut with_defaults["spec"], &schema["spec"]);
    let read = round_trip(&minimal);
    assert_eq!(without_false(read.clone()), without_false(with_defaults), "{kind}");
    assert_eq!(round_trip(&read), read, "{kind}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Everything,
    Required,
}

/// A value of the schema's type. Texts are durations, which suit every text field.
fn example(schema: &Value, fill: Fill) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        return choices.last().unwrap().clone();
    }
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "date-time" => "2026-01-31T09:30:00Z".into(),
        Some("string") => "5m".into(),
        Some("boolean") => true.into(),
        Some("integer") => 3.into(),
        Some("array") => vec![example(&schema["items"], fill)].into(),
        Some("object") => {
            if let Some(values) = schema.get("additionalProperties") {
                return json!({ "key": example(values, fill) });
            }
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let wanted = required.contains(&Value::from(name.as_str()));
                if wanted || fill == Fill::Everything {
                    object.insert(name.clone(), example(property, fill));
                }
            }
            object.into()
        }
        _ if schema["x-kubernetes-preserve-unknown-fields"] == true => json!({ "a": [1, "b"] }),
        other => panic!("no example for the type {other:?}"),
    }
}

fn apply_defaults(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(object) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = property.get("default") {
                    object.entry(name).or_insert_with(|| default.clone());
                }
                if let Some(value) = object.get_mut(name) {
                    apply_defaults(value, property);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|i| apply_defaults(i, &schema["items"])),
        _ => {}
    }
}

/// Flags that are off are not written, also where the schema has the default `false`.
fn without_false(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, value)| value != &Value::Bool(false))
            .map(|(key, value)| (key, without_false(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_false).collect(),
        other => other,
    }
}

/// What is wrong in one object is an error of that object, never a panic.
#[test]
fn wrong_types_are_errors() {
    for spec in [
        json!(null),
        json!([]),
        json!({ "interval": 5, "url": "https://example.com" }),
        json!({ "interval": "1h30", "url": "https://example.com" }),
        json!({ "interval": "-1s", "url": "https://example.com" }),
        json!({ "interval": "9999999h", "url": "https://example.com" }),
        json!({ "interval": "", "url": "https://example.com" }),
        json!({ "interval": "1m", "url": "https://example.com", "provider": "unheard-of" }),
        json!({ "interval": "1m", "url": null }),
    ] {
        let object = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": { "name": "a" }, "spec": spec,
        });
        assert!(serde_json::from_value::<source::GitRepository>(object).is_err(), "{spec}");
    }
}
