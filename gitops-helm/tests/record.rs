//! Release records of Helm itself.
//!
//! `data/helm-4.3.0-record.txt` is what `helm install my ./web --set count=3 --set extra.a=x
//! --description 'the first'` and then `helm upgrade` of v4.3.0 left in the Secret of revision 1.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use gitops_helm::{HookEvent, ReleaseStatus, decode_record_text, encode_record_text};
use serde_json::{Value, json};

const HELM: &str = include_str!("data/helm-4.3.0-record.txt");

fn json(text: &str) -> Value {
    let bytes = STANDARD.decode(text.trim()).unwrap();
    let mut json = String::new();
    GzDecoder::new(&bytes[..]).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_record_of_helm_is_read() {
    let record = decode_record_text(HELM).unwrap();
    assert_eq!(record.object_name(), "sh.helm.release.v1.my.v1");
    assert_eq!((&*record.namespace, &*record.apply_method), ("default", "ssa"));
    assert_eq!(record.info.status, ReleaseStatus::Superseded);
    assert_eq!(record.info.description, "the first");
    assert_eq!(record.info.notes, "Installed my, revision 1.\n");
    assert_eq!(record.info.first_deployed, "2026-11-21T12:20:37.563827646Z");
    assert_eq!(Value::Object(record.config), json!({"count": 3, "extra": {"a": "x"}}));
    let chart = &record.chart;
    assert_eq!((&*chart.metadata.name, &*chart.metadata.version), ("web", "1.2.3+build.1"));
    assert_eq!(chart.metadata.maintainers[0].email, "ada@example.com");
    assert_eq!(chart.values.as_ref().unwrap()["big"], 12_345_678_901_u64);
    let names: Vec<_> = chart.templates.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "templates/NOTES.txt",
            "templates/_names.tpl",
            "templates/config.yaml",
            "templates/hook.yaml"
        ]
    );
    assert_eq!(&chart.files[1].data[..], b"content of a file\n");
    assert!(chart.schema.starts_with(b"{\"type\""));
    assert!(record.manifest.contains("\n  text: \"a < b & c\"\n"));
    let hook = &record.hooks[0];
    assert_eq!(hook.hook.events, [HookEvent::PreInstall, HookEvent::PostUpgrade]);
    assert_eq!((hook.hook.weight, hook.phase.as_str()), (-5, "Succeeded"));
    assert_eq!(hook.hook.delete_policies, ["before-hook-creation", "hook-failed"]);
}

#[test]
fn it_is_written_back_as_helm_wrote_it() {
    let mut helm = json(HELM);
    // When a file was made is of no use to anybody, and not kept.
    let chart = helm["chart"].as_object_mut().unwrap();
    assert!(chart.remove("modtime").is_some() && chart.remove("schemamodtime").is_some());
    for list in ["templates", "files"] {
        for file in chart[list].as_array_mut().unwrap() {
            assert!(file.as_object_mut().unwrap().remove("modtime").is_some());
        }
    }
    let ours = json(&encode_record_text(&decode_record_text(HELM).unwrap()).unwrap());
    assert_eq!(ours, helm);
    // The same fields in the same order, which digests of records depend on.
    let order = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for part in ["/info", "/chart", "/chart/metadata", "/hooks/0", "/hooks/0/last_run", ""] {
        assert_eq!(order(ours.pointer(part).unwrap()), order(helm.pointer(part).unwrap()));
    }
}
