//! Volumes and where they come from.

use std::collections::HashMap;

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    names,
    place::Place,
};
use crate::admit::quantity::Quantity;

/// The kind of each sound volume, by its name.
pub(super) type Sources<'v> = HashMap<&'v str, &'v str>;

/// Kinds of volumes and the fields that they need.
const KINDS: [(&str, &[&str]); 30] = [
    ("emptyDir", &[]),
    ("hostPath", &["path"]),
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("secret", &["secretName"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors"]),
    ("quobyte", &["registry", "volume"]),
    ("downwardAPI", &[]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("configMap", &["name"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &["volumeName"]),
    ("projected", &[]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("csi", &["driver"]),
    ("ephemeral", &["volumeClaimTemplate"]),
    ("image", &["reference"]),
];

pub(super) fn check<'v>(
    checks: &mut Checks,
    volumes: &'v [Value],
    place: &Place<'_>,
) -> Sources<'v> {
    let mut sources = Sources::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = place.index(index);
        let before = checks.causes.len();
        let kind = source(checks, volume, &at);
        let name = volume.text("name");
        let name_at = at.field("name");
        if name.is_empty() {
            checks.required(&name_at, "");
        } else {
            checks.invalids(&name_at, name, names::label(name));
        }
        if sources.contains_key(name) {
            checks.duplicate(&name_at, name);
        }
        if checks.causes.len() == before {
            sources.insert(name, kind);
        }
    }
    sources
}

fn source(checks: &mut Checks, volume: &Value, place: &Place<'_>) -> &'static str {
    let mut found = "";
    for (kind, fields) in KINDS {
        let Some(value) = volume.get_some(kind) else { continue };
        let at = place.field(kind);
        if !found.is_empty() {
            checks.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        found = kind;
        for field in fields {
            let empty = match value.get(*field) {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                Some(_) => false,
            };
            if empty {
                checks.required(&at.field(field), "");
            }
        }
        details(checks, kind, value, &at);
    }
    if found.is_empty() {
        checks.required(place, "must specify a volume type");
    }
    found
}

fn details(checks: &mut Checks, kind: &str, value: &Value, place: &Place<'_>) {
    match kind {
        "emptyDir" => {
            let limit = value.get("sizeLimit").and_then(Value::as_str);
            if limit.and_then(|text| Quantity::parse(text).ok()).is_some_and(|q| q.is_negative()) {
                checks.forbidden(
                    &place.field("sizeLimit"),
                    "SizeLimit field must be a valid resource quantity",
                );
            }
        }
        "hostPath" => {
            backsteps(checks, value.text("path"), &place.field("path"));
            let types = [
                "",
                "DirectoryOrCreate",
                "Directory",
                "FileOrCreate",
                "File",
                "Socket",
                "CharDevice",
                "BlockDevice",
            ];
            let kind = value.text("type");
            if !types.contains(&kind) {
                let mut sorted = types;
                sorted.sort_unstable();
                checks.unsupported(&place.field("type"), kind, &sorted);
            }
        }
        "nfs" => {
            let path = value.text("path");
            if !path.is_empty() && !path.starts_with('/') {
                checks.invalid(&place.field("path"), path, "must be an absolute path");
            }
        }
        "secret" | "configMap" | "downwardAPI" => {
            mode(checks, value, "defaultMode", place);
            items(checks, value, kind == "downwardAPI", place);
        }
        "projected" => {
            mode(checks, value, "defaultMode", place);
            projections(checks, value, &place.field("sources"));
        }
        "csi" => {
            let driver = value.text("driver");
            if !driver.is_empty() {
                let lower = driver.to_lowercase();
                checks.invalids(&place.field("driver"), driver, names::subdomain(&lower));
            }
        }
        "image" => {
            let policy = value.text("pullPolicy");
            let known = ["Always", "IfNotPresent", "Never"];
            checks.one_of(&place.field("pullPolicy"), policy, &known);
        }
        _ => {}
    }
}

fn mode(checks: &mut Checks, value: &Value, name: &str, place: &Place<'_>) {
    if let Some(mode) = value.int(name)
        && !(0..=0o777).contains(&mode)
    {
        let text = "must be a number between 0 and 0777 (octal), both inclusive";
        checks.invalid(&place.field(name), mode, text);
    }
}

fn items(checks: &mut Checks, value: &Value, downward: bool, place: &Place<'_>) {
    let list = place.field("items");
    for (index, item) in value.list("items").iter().enumerate() {
        let at = list.index(index);
        if !downward && item.text("key").is_empty() {
            checks.required(&at.field("key"), "");
        }
        let path = item.text("path");
        if path.is_empty() {
            checks.required(&at.field("path"), "");
        } else {
            local_path(checks, path, &at.field("path"));
        }
        if downward
            && item.get_some("fieldRef").is_none()
            && item.get_some("resourceFieldRef").is_none()
        {
            checks.required(&at, "one of fieldRef and resourceFieldRef is required");
        }
        mode(checks, item, "mode", &at);
    }
}

fn projections(checks: &mut Checks, value: &Value, place: &Place<'_>) {
    for (index, source) in value.list("sources").iter().enumerate() {
        let at = place.index(index);
        let mut count = 0;
        for kind in [
            "secret",
            "configMap",
            "downwardAPI",
            "serviceAccountToken",
            "clusterTrustBundle",
            "podCertificate",
        ] {
            let Some(source) = source.get_some(kind) else { continue };
            count += 1;
            let at = at.field(kind);
            if count > 1 {
                checks.forbidden(&at, "may not specify more than 1 volume type");
                continue;
            }
            match kind {
                "secret" | "configMap" => {
                    if source.text("name").is_empty() {
                        checks.required(&at.field("name"), "");
                    }
                    items(checks, source, false, &at);
                }
                "downwardAPI" => items(checks, source, true, &at),
                "serviceAccountToken" => {
                    let seconds = source.int("expirationSeconds").unwrap_or(3600);
                    if seconds < 600 {
                        let text = "may not specify a duration less than 10 minutes";
                        checks.invalid(&at.field("expirationSeconds"), seconds, text);
                    }
                    if seconds > 1 << 32 {
                        let text = "may not specify a duration larger than 2^32 seconds";
                        checks.invalid(&at.field("expirationSeconds"), seconds, text);
                    }
                    if source.text("path").is_empty() {
                        checks.required(&at.field("path"), "");
                    } else {
                        local_path(checks, source.text("path"), &at.field("path"));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A path below a volume.
pub(super) fn local_path(checks: &mut Checks, path: &str, place: &Place<'_>) {
    descending(checks, path, place);
    // `..` alone is told by the rule before.
    if path.starts_with("..") && !path.starts_with("../") && path != ".." {
        checks.invalid(place, path, "must not start with '..'");
    }
}

pub(super) fn descending(checks: &mut Checks, path: &str, place: &Place<'_>) {
    if path.starts_with('/') {
        checks.invalid(place, path, "must be a relative path");
    }
    backsteps(checks, path, place);
}

fn backsteps(checks: &mut Checks, path: &str, place: &Place<'_>) {
    if path.replace('\\', "/").split('/').any(|part| part == "..") {
        checks.invalid(place, path, "must not contain '..'");
    }
}
