//! The definitions against those that Flux publishes: the same in everything but descriptions.
//!
//! The published ones are not part of this repository. The test looks for them in `crds/` below
//! `$GITOPS_SHARED`, or below `shared` beside the workspace, and says so when there are none.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

#[test]
fn definitions_equal_the_published_ones() {
    let Some(published) = published() else {
        eprintln!("skipped: no published definitions in $GITOPS_SHARED/crds or ../shared/crds");
        return;
    };
    let ours = gitops_api::crds();
    let mut report = Vec::new();
    let names = |all: &[Value]| -> BTreeSet<String> {
        all.iter().map(|crd| name(crd).to_owned()).collect()
    };
    assert_eq!(names(&ours), names(&published), "the kinds themselves differ");
    for theirs in &published {
        let own = ours.iter().find(|own| name(own) == name(theirs)).unwrap();
        let mut differences = Vec::new();
        compare("", own, theirs, &mut differences);
        report.extend(differences.iter().map(|line| format!("{}{line}", name(theirs))));
    }
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

#[test]
fn comparison_sees_each_kind_of_difference() {
    let base = serde_json::json!({
        "description": "a", "required": ["a", "b"], "properties": { "description": { "type": "string" } },
    });
    let differences = |change: fn(&mut Value)| {
        let (mut other, mut found) = (base.clone(), Vec::new());
        change(&mut other);
        compare("", &base, &other, &mut found);
        found
    };
    assert!(differences(|v| v["description"] = "b".into()).is_empty());
    assert!(differences(|v| v["required"] = serde_json::json!(["b", "a"])).is_empty());
    assert_eq!(differences(|v| v["required"] = serde_json::json!(["a"])).len(), 1);
    assert_eq!(
        differences(|v| v["properties"]["description"]["type"] = "integer".into()),
        ["/properties/description/type: ours \"string\", theirs \"integer\""],
    );
    assert_eq!(
        differences(|v| v["properties"]["x"] = true.into()),
        ["/properties/x: ours absent, theirs true"]
    );
}

fn published() -> Option<Vec<Value>> {
    #[allow(clippy::disallowed_methods, reason = "tests find their data through the environment")]
    let shared = std::env::var("GITOPS_SHARED").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let mut files: Vec<_> =
        fs::read_dir(shared.join("crds")).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let crds: Vec<Value> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            gitops_yaml::read(&text).unwrap().to_json().unwrap()
        })
        .collect();
    (!crds.is_empty()).then_some(crds)
}

fn name(crd: &Value) -> &str {
    crd["metadata"]["name"].as_str().unwrap()
}

/// Collects what differs, each with its path. Descriptions do not count; where the order has no
/// meaning (`required`, `enum`, names and categories) it does not count either.
fn compare(path: &str, ours: &Value, theirs: &Value, differences: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                // A property may be called `description`; below `properties` every key is one.
                if key == "description" && !path.ends_with("/properties") {
                    continue;
                }
                let path = format!("{path}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&path, a, b, differences),
                    (Some(a), None) => differences.push(format!("{path}: ours {a}, theirs absent")),
                    (None, Some(b)) => differences.push(format!("{path}: ours absent, theirs {b}")),
                    (None, None) => unreachable!("the key is of one of the two"),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            if matches!(last, "required" | "enum" | "categories" | "shortNames") {
                let set =
                    |list: &[Value]| list.iter().map(Value::to_string).collect::<BTreeSet<_>>();
                if set(a) != set(b) {
                    differences.push(format!("{path}: ours {ours}, theirs {theirs}"));
                }
            } else if a.len() == b.len() {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    compare(&format!("{path}/{index}"), a, b, differences);
                }
            } else {
                differences.push(format!("{path}: ours {ours}, theirs {theirs}"));
            }
        }
        _ if ours == theirs => {}
        _ => differences.push(format!("{path}: ours {ours}, theirs {theirs}")),
    }
}
