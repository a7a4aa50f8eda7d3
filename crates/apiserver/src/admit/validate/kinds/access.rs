//! Roles and their bindings.

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

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(checks: &mut Checks, subject: &Subject<'_>, namespaced: bool) {
    let list = Place::ROOT.field("rules");
    for (index, rule) in subject.new.list("rules").iter().enumerate() {
        let at = list.index(index);
        if rule.list("verbs").is_empty() {
            checks.required(&at.field("verbs"), "verbs must contain at least one value");
        }
        let urls = at.field("nonResourceURLs");
        if !rule.list("nonResourceURLs").is_empty() {
            let shown = || rule["nonResourceURLs"].clone();
            if namespaced {
                let text = "namespaced rules cannot apply to non-resource URLs";
                checks.invalid(&urls, shown(), text);
            }
            let resources = ["apiGroups", "resources", "resourceNames"];
            if resources.iter().any(|name| !rule.list(name).is_empty()) {
                let text = "rules cannot apply to both regular resources and non-resource URLs";
                checks.invalid(&urls, shown(), text);
            }
            continue;
        }
        if rule.list("apiGroups").is_empty() {
            let text = "resource rules must supply at least one api group";
            checks.required(&at.field("apiGroups"), text);
        }
        if rule.list("resources").is_empty() {
            let text = "resource rules must supply at least one resource";
            checks.required(&at.field("resources"), text);
        }
    }
    if let Some(aggregation) = subject.new.get_some("aggregationRule") {
        let list = Place::ROOT.field("aggregationRule.clusterRoleSelectors");
        let selectors = aggregation.list("clusterRoleSelectors");
        if selectors.is_empty() {
            let text = "at least one clusterRoleSelector required if aggregationRule is non-nil";
            checks.required(&list, text);
        }
        for (index, selector) in selectors.iter().enumerate() {
            pod::label_selector(checks, selector, &list.index(index));
        }
    }
}

pub(super) fn binding(checks: &mut Checks, subject: &Subject<'_>, namespaced: bool) {
    let reference = &subject.new["roleRef"];
    let place = Place::ROOT.field("roleRef");
    checks.one_of(&place.field("apiGroup"), reference.text("apiGroup"), &[GROUP]);
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    checks.one_of(&place.field("kind"), reference.text("kind"), kinds);
    let name = reference.text("name");
    if name.is_empty() {
        checks.required(&place.field("name"), "");
    } else {
        let rule = names::name_is_path_segment;
        checks.invalids(&place.field("name"), name, rule(name, false));
    }
    let list = Place::ROOT.field("subjects");
    for (index, subject) in subject.new.list("subjects").iter().enumerate() {
        grantee(checks, subject, namespaced, &list.index(index));
    }
    if let Some(old) = subject.old
        && !same(reference, &old["roleRef"])
    {
        checks.invalid(&place, reference.clone(), "cannot change roleRef");
    }
}

fn grantee(checks: &mut Checks, subject: &Value, namespaced: bool, place: &Place<'_>) {
    let (name, group) = (subject.text("name"), subject.text("apiGroup"));
    if name.is_empty() {
        checks.required(&place.field("name"), "");
    }
    match subject.text("kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                checks.invalids(&place.field("name"), name, names::subdomain(name));
            }
            checks.one_of(&place.field("apiGroup"), group, &[""]);
            if !namespaced && subject.text("namespace").is_empty() {
                checks.required(&place.field("namespace"), "");
            }
        }
        "User" | "Group" => checks.one_of(&place.field("apiGroup"), group, &[GROUP]),
        kind => {
            checks.unsupported(&place.field("kind"), kind, &["ServiceAccount", "User", "Group"]);
        }
    }
}
