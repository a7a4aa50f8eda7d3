//! Custom resource definitions: names, versions and conversion.
//!
//! Follows apiextensions' `validation`.

use serde_json::Value;

use super::{schema as structure, webhook};
use crate::admit::validate::{
    checks::{Checks, Read as _},
    kinds::{Subject, required_choice},
    names,
    place::Place,
};

pub(in crate::admit::validate) fn definition(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let (group, plural) = (spec.text("group"), spec["names"].text("plural"));
    let name = subject.new["metadata"].text("name");
    if subject.old.is_none() && !name.is_empty() && name != format!("{plural}.{group}") {
        let at = Place::ROOT.field("metadata");
        checks.invalid(&at.field("name"), name, "must be spec.names.plural+\".\"+spec.group");
    }
    let at = place.field("group");
    if group.is_empty() {
        checks.required(&at, "");
    } else if !names::is_subdomain(group) {
        checks.invalid(&at, group, &names::subdomain(group).join(","));
    } else if !group.contains('.') {
        checks.invalid(&at, group, "should be a domain with at least one dot");
    }
    required_choice(checks, &place.field("scope"), spec.text("scope"), &["Cluster", "Namespaced"]);
    versions(checks, spec, &place);
    definition_names(checks, &spec["names"], &place.field("names"));
    conversion(checks, &spec["conversion"], &place.field("conversion"));
    if let Some(old) = subject.old {
        let old = &old["spec"];
        let at = place.field("names");
        if is_established(subject.old) {
            checks.immutable(&place.field("scope"), &spec["scope"], &old["scope"]);
            checks.immutable(&at.field("kind"), &spec["names"]["kind"], &old["names"]["kind"]);
        }
        checks.immutable(&at.field("plural"), &spec["names"]["plural"], &old["names"]["plural"]);
        checks.immutable(&place.field("group"), &spec["group"], &old["group"]);
    }
    stored(checks, subject, spec);
    protected(checks, subject, group);
}

/// Whether objects of the definition may be there.
fn is_established(definition: Option<&Value>) -> bool {
    let conditions = definition.map_or(&[][..], |old| old["status"].list("conditions"));
    conditions.iter().any(|condition| {
        condition.text("type") == "Established" && condition.text("status") == "True"
    })
}

/// A version in which objects are stored cannot go away.
fn stored(checks: &mut Checks, subject: &Subject<'_>, spec: &Value) {
    let at = Place::ROOT.field("status");
    let at = at.field("storedVersions");
    if subject.new["status"].list("storedVersions").is_empty() {
        checks.invalid(&at, Value::Null, "must have at least one stored version");
    }
    for version in spec.list("versions").iter().filter(|version| version.flag("storage")) {
        let name = version.text("name");
        if !subject.new["status"].texts("storedVersions").any(|stored| stored == name) {
            let text = format!("must have the storage version {name}");
            checks.invalid(&at, subject.new["status"]["storedVersions"].clone(), &text);
        }
    }
    for (index, name) in subject.new["status"].texts("storedVersions").enumerate() {
        if !spec.list("versions").iter().any(|version| version.text("name") == name) {
            let text = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            checks.invalid(&at.index(index), name, &text);
        }
    }
}

/// Groups of the project's own need its approval.
fn protected(checks: &mut Checks, subject: &Subject<'_>, group: &str) {
    let ours = ["k8s.io", "kubernetes.io"];
    if !ours.iter().any(|domain| group == *domain || group.ends_with(&format!(".{domain}"))) {
        return;
    }
    let key = "api-approved.kubernetes.io";
    let approval = subject.new["metadata"]["annotations"].text(key);
    let place = Place::ROOT.field("metadata.annotations");
    let approved = approval.starts_with("unapproved") || url::Url::parse(approval).is_ok();
    if approval.is_empty() {
        checks.required(
            &place.key(key),
            "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111",
        );
    } else if !approved {
        let text = "protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111".to_string();
        checks.invalid(&place.key(key), approval, &text);
    }
}

fn versions(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let list = place.field("versions");
    let versions = spec.list("versions");
    let schemas: Vec<Option<&Value>> =
        versions.iter().map(|version| version["schema"].get_some("openAPIV3Schema")).collect();
    // What all versions share is judged once, at the place where it once stood.
    let shared = !schemas.is_empty() && schemas.iter().all(|schema| *schema == schemas[0]);
    let alike = versions.iter().all(|version| {
        version["additionalPrinterColumns"] == versions[0]["additionalPrinterColumns"]
    });
    let mut seen = std::collections::HashSet::new();
    let mut unique = true;
    for (index, version) in versions.iter().enumerate() {
        let at = list.index(index);
        let name = version.text("name");
        unique &= seen.insert(name);
        let complaints = names::old_label(name);
        if !complaints.is_empty() {
            checks.invalid(&at.field("name"), name, &complaints.join(","));
            if index == 0 {
                checks.invalid(&place.field("version"), name, &complaints.join(","));
            }
        }
        let schema = at.field("schema");
        match version["schema"].get_some("openAPIV3Schema") {
            None => checks.required(&schema.field("openAPIV3Schema"), ""),
            Some(found) if !shared => {
                structure::check(checks, found, &schema.field("openAPIV3Schema"));
            }
            Some(_) => {}
        }
        let columns = if alike { place } else { &at }.field("additionalPrinterColumns");
        for (number, column) in version.list("additionalPrinterColumns").iter().enumerate() {
            if index == 0 || !alike {
                printer_column(checks, column, &columns.index(number));
            }
        }
    }
    if shared && let Some(Some(schema)) = schemas.first() {
        let at = place.field("validation");
        structure::check(checks, schema, &at.field("openAPIV3Schema"));
    }
    let shown = || spec["versions"].clone();
    if !unique {
        checks.invalid(&list, shown(), "must contain unique version names");
    }
    if versions.iter().filter(|version| version.flag("storage")).count() != 1 {
        let text = "must have exactly one version marked as storage version";
        checks.invalid(&list, shown(), text);
    }
}

fn printer_column(checks: &mut Checks, column: &Value, place: &Place<'_>) {
    if column.text("name").is_empty() {
        checks.required(&place.field("name"), "");
    }
    let known = ["boolean", "date", "integer", "number", "string"];
    let kind = column.text("type");
    if kind.is_empty() {
        checks.required(&place.field("type"), "");
    } else if !known.contains(&kind) {
        let text = format!("must be one of {}", known.join(","));
        checks.invalid(&place.field("type"), kind, &text);
    }
    if column.text("jsonPath").is_empty() {
        checks.required(&place.field("JSONPath"), "");
    }
}

fn definition_names(checks: &mut Checks, given: &Value, place: &Place<'_>) {
    for name in ["plural", "singular", "kind", "listKind"] {
        if given.text(name).is_empty() {
            checks.required(&place.field(name), "");
        }
    }
    for name in ["plural", "singular"] {
        let value = given.text(name);
        let complaints = names::old_label(value);
        if !value.is_empty() && !complaints.is_empty() {
            checks.invalid(&place.field(name), value, &complaints.join(","));
        }
    }
    for name in ["kind", "listKind"] {
        let value = given.text(name);
        let complaints = names::old_label(&value.to_lowercase());
        if !value.is_empty() && !complaints.is_empty() {
            let text = format!(
                "may have mixed case, but should otherwise match: {}",
                complaints.join(",")
            );
            checks.invalid(&place.field(name), value, &text);
        }
    }
    for name in ["shortNames", "categories"] {
        let list = place.field(name);
        for (index, value) in given.texts(name).enumerate() {
            let complaints = names::old_label(value);
            if !complaints.is_empty() {
                checks.invalid(&list.index(index), value, &complaints.join(","));
            }
        }
    }
    let (kind, list) = (given.text("kind"), given.text("listKind"));
    if !kind.is_empty() && kind == list {
        checks.invalid(&place.field("listKind"), list, "kind and listKind may not be the same");
    }
}

fn conversion(checks: &mut Checks, conversion: &Value, place: &Place<'_>) {
    if !conversion.is_object() {
        return;
    }
    let strategy = conversion.text("strategy");
    required_choice(checks, &place.field("strategy"), strategy, &["None", "Webhook"]);
    let hook = conversion.get_some("webhook");
    if strategy == "Webhook" {
        let at = place.field("webhookClientConfig");
        match hook.and_then(|hook| hook.get_some("clientConfig")) {
            None => checks.required(&at, "required when strategy is set to Webhook"),
            Some(client) => webhook::client(checks, client, &at),
        }
        let reviews = hook.map_or(&[][..], |hook| hook.list("conversionReviewVersions"));
        let at = place.field("conversionReviewVersions");
        if reviews.is_empty() {
            checks.required(&at, "");
        } else if !reviews.iter().any(|version| version == "v1" || version == "v1beta1") {
            let text = "must include at least one of v1, v1beta1";
            checks.invalid(&at, Value::Array(reviews.to_vec()), text);
        }
    } else if hook.is_some_and(|hook| hook.get_some("clientConfig").is_some()) {
        let text = "should not be set when strategy is not set to Webhook";
        checks.forbidden(&place.field("webhookClientConfig"), text);
    }
}
