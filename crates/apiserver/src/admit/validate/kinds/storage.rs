//! Volumes, claims and classes.

use serde_json::Value;

use super::{
    super::{
        checks::{Checks, Read as _, same},
        names,
        place::Place,
        pod,
    },
    Subject,
};
use crate::admit::quantity::Quantity;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn claim(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    claim_spec(checks, spec, &place);
    let Some(old) = subject.old else { return };
    let former = &old["spec"];
    let mut clone = spec.clone();
    let bound = subject.new["status"].text("phase") == "Bound";
    if former.text("volumeName").is_empty() {
        clone["volumeName"] = former.get("volumeName").cloned().unwrap_or_default();
    }
    if former.get_some("storageClassName").is_none() {
        clone["storageClassName"] = Value::Null;
    }
    if bound {
        clone["resources"]["requests"]["storage"] =
            former["resources"]["requests"]["storage"].clone();
        clone["volumeAttributesClassName"] =
            former.get("volumeAttributesClassName").cloned().unwrap_or_default();
    }
    if !same(&clone, former) {
        checks.forbidden(
            &place,
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    }
    let size = |spec: &Value| {
        let text = spec["resources"]["requests"].text("storage").to_owned();
        Quantity::parse(&text).ok().map_or(0, |quantity| quantity.nanos())
    };
    let granted = Quantity::parse(old["status"]["capacity"].text("storage"));
    if size(spec) < size(former) && size(spec) <= granted.map_or(0, |granted| granted.nanos()) {
        let at = place.field("resources.requests.storage");
        checks.forbidden(&at, "field can not be less than status.capacity");
    }
    let at = Place::ROOT.field("volumeMode");
    checks.immutable(&at, &spec["volumeMode"], &former["volumeMode"]);
}

pub(super) fn claim_spec(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    access_modes(checks, spec, place, "at least 1 access mode is required");
    if spec.get_some("selector").is_some() {
        pod::label_selector(checks, &spec["selector"], &place.field("selector"));
    }
    let map = place.field("resources");
    let at = map.key("storage");
    match spec["resources"]["requests"].get_some("storage") {
        None => checks.required(&at, ""),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            let positive = Quantity::parse(text).is_ok_and(|q| !q.is_negative() && !q.is_zero());
            if !positive {
                checks.invalid(&at, text, "must be greater than zero");
            }
        }
    }
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        checks.invalids(&place.field("storageClassName"), class, names::subdomain(class));
    }
    if let Some(Value::String(mode)) = spec.get("volumeMode") {
        checks.one_of(&place.field("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    for name in ["dataSource", "dataSourceRef"] {
        let Some(source) = spec.get_some(name) else { continue };
        let at = place.field(name);
        for field in ["name", "kind"] {
            if source.text(field).is_empty() {
                checks.required(&at.field(field), "");
            }
        }
        let group = source.text("apiGroup");
        if group.is_empty() && !matches!(source.text("kind"), "" | "PersistentVolumeClaim") {
            let text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            checks.invalid(&at, source.text("kind"), text);
        }
    }
}

fn access_modes(checks: &mut Checks, spec: &Value, place: &Place<'_>, missing: &str) {
    let at = place.field("accessModes");
    if spec.list("accessModes").is_empty() {
        checks.required(&at, missing);
    }
    for mode in spec.texts("accessModes") {
        checks.one_of(&at, mode, &MODES);
    }
    let single = spec.texts("accessModes").any(|mode| mode == "ReadWriteOncePod");
    let others = spec.texts("accessModes").any(|mode| MODES[..3].contains(&mode));
    if single && others {
        checks.forbidden(&at, "may not use ReadWriteOncePod with other access modes");
    }
}

const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

pub(super) fn volume(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    access_modes(checks, spec, &place, "");
    capacity(checks, spec, &place.field("capacity"));
    let policy = spec.text("persistentVolumeReclaimPolicy");
    if !policy.is_empty() {
        let known = ["Delete", "Recycle", "Retain"];
        checks.one_of(&place.field("persistentVolumeReclaimPolicy"), policy, &known);
    }
    if let Some(required) = spec["nodeAffinity"].get_some("required") {
        let at = place.field("nodeAffinity.required");
        pod::node_selector(checks, required, &at);
    }
    source(checks, spec, &place);
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        checks.invalids(&place.field("storageClassName"), class, names::subdomain(class));
    }
    if let Some(Value::String(mode)) = spec.get("volumeMode") {
        checks.one_of(&place.field("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    let Some(old) = subject.old else { return };
    for name in SOURCES {
        if spec.get_some(name) != old["spec"].get_some(name) {
            let at = place.field("persistentvolumesource");
            checks.forbidden(&at, "spec.persistentvolumesource is immutable after creation");
            break;
        }
    }
    checks.immutable(
        &Place::ROOT.field("volumeMode"),
        &spec["volumeMode"],
        &old["spec"]["volumeMode"],
    );
}

fn capacity(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    match spec.entries("capacity") {
        Some(map) if !map.is_empty() => {
            if map.len() > 1 || !map.contains_key("storage") {
                let cause = crate::status::Cause::unsupported(
                    place.to_string(),
                    spec["capacity"].clone(),
                    ["storage"],
                );
                checks.push(cause);
            }
            for (name, value) in map {
                let text = value.as_str().unwrap_or_default();
                let positive =
                    Quantity::parse(text).is_ok_and(|q| !q.is_negative() && !q.is_zero());
                if !positive {
                    checks.invalid(&place.key(name), text, "must be greater than zero");
                }
                if let Ok(quantity) = Quantity::parse(text)
                    && quantity.is_negative()
                {
                    let whole = i64::try_from(quantity.nanos() / 1_000_000_000).unwrap_or(i64::MIN);
                    let text = "must be a valid resource quantity";
                    checks.invalid(&place.key(name), whole, text);
                }
            }
        }
        _ => {
            checks.required(place, "");
            let cause =
                crate::status::Cause::unsupported(place.to_string(), Value::Null, ["storage"]);
            checks.push(cause);
        }
    }
}

fn source(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let given: Vec<&str> =
        SOURCES.iter().copied().filter(|name| spec.get_some(name).is_some()).collect();
    if given.is_empty() {
        checks.required(place, "must specify a volume type");
    }
    for name in given.iter().skip(1) {
        checks.forbidden(&place.field(name), "may not specify more than 1 volume type");
    }
    if let Some(path) = spec.get_some("hostPath")
        && path.text("path").is_empty()
    {
        checks.required(&place.field("hostPath.path"), "");
    }
    if let Some(csi) = spec.get_some("csi") {
        for name in ["driver", "volumeHandle"] {
            if csi.text(name).is_empty() {
                let at = place.field("csi");
                checks.required(&at.field(name), "");
            }
        }
    }
    if let Some(local) = spec.get_some("local") {
        let at = place.field("local");
        if local.text("path").is_empty() {
            checks.required(&at.field("path"), "");
        }
        if spec.get_some("nodeAffinity").is_none() {
            let text = "Local volume requires node affinity";
            checks.required(&Place::ROOT.field("spec.nodeAffinity"), text);
        }
    }
}

pub(super) fn class(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    let provisioner = new.text("provisioner");
    let at = Place::ROOT.field("provisioner");
    if provisioner.is_empty() {
        checks.required(&at, "");
    } else {
        checks.invalids(&at, provisioner, names::qualified_name(&provisioner.to_lowercase()));
    }
    let at = Place::ROOT.field("parameters");
    if let Some(parameters) = new.entries("parameters") {
        if parameters.len() > 512 {
            checks.push(crate::status::Cause::too_long(at.to_string(), 512));
        }
        if parameters.contains_key("") {
            checks.invalid(&at, "", "field can not be empty.");
        }
    }
    if let Some(Value::String(policy)) = new.get("reclaimPolicy") {
        checks.one_of(&Place::ROOT.field("reclaimPolicy"), policy, &["Delete", "Retain"]);
    }
    if let Some(Value::String(mode)) = new.get("volumeBindingMode") {
        let known = ["Immediate", "WaitForFirstConsumer"];
        checks.one_of(&Place::ROOT.field("volumeBindingMode"), mode, &known);
    }
    let Some(old) = subject.old else { return };
    for name in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        checks.immutable(&Place::ROOT.field(name), &new[name], &old[name]);
    }
}
