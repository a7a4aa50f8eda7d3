//! Security contexts.

use serde_json::Value;

use super::super::{
    checks::{Checks, Read as _},
    names,
    place::Place,
};

pub(super) fn container(checks: &mut Checks, context: &Value, place: &Place<'_>) {
    identities(checks, context, &["runAsUser", "runAsGroup"], place);
    if let Some(Value::String(mount)) = context.get("procMount") {
        checks.one_of(&place.field("procMount"), mount, &["Default", "Unmasked"]);
    }
    seccomp(checks, &context["seccompProfile"], &place.field("seccompProfile"));
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        if context.flag("privileged") {
            checks.invalid(
                place,
                context.clone(),
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            );
        }
        if context["capabilities"].texts("add").any(|name| name == "CAP_SYS_ADMIN") {
            checks.invalid(
                place,
                context.clone(),
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
            );
        }
    }
    app_armor(checks, &context["appArmorProfile"], &place.field("appArmorProfile"));
}

pub(super) fn pod(checks: &mut Checks, context: &Value, place: &Place<'_>) {
    identities(checks, context, &["fsGroup", "runAsUser", "runAsGroup"], place);
    for (index, group) in context.list("supplementalGroups").iter().enumerate() {
        if let Some(group) = group.as_i64() {
            let list = place.field("supplementalGroups");
            identity(checks, group, &list.index(index));
        }
    }
    let mut seen = std::collections::HashSet::new();
    for (index, control) in context.list("sysctls").iter().enumerate() {
        let list = place.field("sysctls");
        let at = list.index(index);
        let name = control.text("name");
        if name.is_empty() {
            checks.required(&at.field("name"), "");
        } else if !seen.insert(name) {
            checks.duplicate(&at.field("name"), name);
        }
    }
    if let Some(Value::String(policy)) = context.get("fsGroupChangePolicy") {
        let known = ["Always", "OnRootMismatch"];
        checks.one_of(&place.field("fsGroupChangePolicy"), policy, &known);
    }
    if let Some(Value::String(policy)) = context.get("supplementalGroupsPolicy") {
        checks.one_of(&place.field("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    }
    seccomp(checks, &context["seccompProfile"], &place.field("seccompProfile"));
    app_armor(checks, &context["appArmorProfile"], &place.field("appArmorProfile"));
}

fn identities(checks: &mut Checks, context: &Value, fields: &[&str], place: &Place<'_>) {
    for name in fields {
        if let Some(number) = context.int(name) {
            identity(checks, number, &place.field(name));
        }
    }
}

fn identity(checks: &mut Checks, number: i64, place: &Place<'_>) {
    let most = i64::from(i32::MAX);
    if !(0..=most).contains(&number) {
        checks.invalid(place, number, &names::between(0, most));
    }
}

fn seccomp(checks: &mut Checks, profile: &Value, place: &Place<'_>) {
    profile_kind(checks, profile, "seccomp", place);
}

fn app_armor(checks: &mut Checks, profile: &Value, place: &Place<'_>) {
    profile_kind(checks, profile, "AppArmor", place);
}

fn profile_kind(checks: &mut Checks, profile: &Value, system: &str, place: &Place<'_>) {
    if !profile.is_object() {
        return;
    }
    let kind = profile.text("type");
    let local = profile.get_some("localhostProfile");
    match kind {
        "" => checks.required(&place.field("type"), "type is required when profile is set"),
        "Localhost" if local.is_none() => {
            let text = format!("must be set when {system} type is Localhost");
            checks.required(&place.field("localhostProfile"), &text);
        }
        "Localhost" => {}
        "RuntimeDefault" | "Unconfined" => {
            if let Some(local) = local {
                let text = format!("can only be set when {system} type is Localhost");
                checks.invalid(&place.field("localhostProfile"), local.clone(), &text);
            }
        }
        _ => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            checks.unsupported(&place.field("type"), kind, &known);
        }
    }
}
