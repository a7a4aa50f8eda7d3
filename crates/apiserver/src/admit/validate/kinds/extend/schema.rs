//! Schemas of custom resource definitions: structural, or refused.
//!
//! Follows apiextensions' `apiserver/schema`; differs in: the cost of rules is not estimated, their
//! types are not checked, and defaults are not validated against their schema.

use serde_json::Value;

use crate::{
    admit::validate::{
        checks::{Checks, Read as _},
        place::Place,
    },
    status::Cause,
};

/// Schemas nest no deeper.
const DEPTH_LIMIT: usize = 64;

/// Complains about everything that keeps a schema from being structural.
pub(in crate::admit::validate) fn check(checks: &mut Checks, schema: &Value, place: &Place<'_>) {
    structural(checks, schema, Level::Root, place, 0);
}

/// How a schema stands within another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn structural(checks: &mut Checks, schema: &Value, level: Level, place: &Place<'_>, depth: usize) {
    if depth > DEPTH_LIMIT {
        let text = format!("schema nests deeper than {DEPTH_LIMIT} levels");
        return checks.forbidden(place, &text);
    }
    let kind = schema.text("type");
    let at = place.field("type");
    let preserve = schema.flag("x-kubernetes-preserve-unknown-fields");
    let embedded = schema.flag("x-kubernetes-embedded-resource");
    let int_or_string = schema.flag("x-kubernetes-int-or-string");
    let known = ["array", "boolean", "integer", "number", "object", "string"];
    if !kind.is_empty() && !known.contains(&kind) {
        checks.unsupported(&at, kind, &known);
    }
    forbidden_parts(checks, schema, place);
    if kind == "array" && !schema["items"].is_object() {
        checks.required(&place.field("items"), "must be specified");
    }
    if embedded && kind != "object" {
        let text = "must be object if x-kubernetes-embedded-resource is true";
        if kind.is_empty() {
            checks.required(&at, text);
        } else {
            checks.invalid(&at, kind, text);
        }
    } else if kind.is_empty() && !int_or_string && !preserve {
        checks.required(
            &at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        );
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        checks.invalid(&at, kind, "must be object at the root");
    }
    extensions(checks, schema, place);
    for name in ["anyOf", "allOf", "oneOf"] {
        let list = place.field(name);
        for (index, part) in schema.list(name).iter().enumerate() {
            nested(checks, part, int_or_string, &list.index(index), depth + 1);
        }
    }
    if let Some(not) = schema.get_some("not") {
        nested(checks, not, false, &place.field("not"), depth + 1);
    }
    rules(checks, schema, place);
    if let Some(items) = schema.get_some("items").filter(|items| items.is_object()) {
        structural(checks, items, Level::Item, &place.field("items"), depth + 1);
    }
    let properties = schema.entries("properties");
    let map = place.field("properties");
    for (name, property) in properties.into_iter().flatten() {
        let at = map.key(name);
        if level == Level::Root && name == "metadata" {
            metadata(checks, property, &at);
        } else {
            structural(checks, property, Level::Field, &at, depth + 1);
        }
    }
    let more = place.field("additionalProperties");
    if let Some(values) = schema.get_some("additionalProperties") {
        if level == Level::Root && *values != false {
            checks.forbidden(&more, "must not be used at the root");
        }
        if properties.is_some_and(|properties| !properties.is_empty()) && *values != false {
            checks.forbidden(&more, "additionalProperties and properties are mutual exclusive");
        }
        if values.is_object() {
            structural(checks, values, Level::Field, &more, depth + 1);
        }
    }
    if embedded && !preserve && properties.is_none_or(serde_json::Map::is_empty) {
        checks.required(&map, "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields");
    }
}

fn metadata(checks: &mut Checks, schema: &Value, place: &Place<'_>) {
    if schema.text("type") != "object" {
        checks.invalid(&place.field("type"), schema.text("type"), "must be object");
    }
    let allowed = ["name", "generateName"];
    let extra = schema
        .entries("properties")
        .is_some_and(|properties| properties.keys().any(|name| !allowed.contains(&name.as_str())));
    if extra || !schema.list("required").is_empty() {
        checks.forbidden(
            place,
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        );
    }
}

/// What JSON schema has and definitions have not.
fn forbidden_parts(checks: &mut Checks, schema: &Value, place: &Place<'_>) {
    if schema.flag("uniqueItems") {
        let text =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        checks.forbidden(&place.field("uniqueItems"), text);
    }
    for (name, text) in [
        ("$ref", "$ref is not supported"),
        ("definitions", "definitions is not supported"),
        ("dependencies", "dependencies is not supported"),
        ("patternProperties", "patternProperties is not supported"),
        ("additionalItems", "additionalItems is not supported"),
    ] {
        let set = match schema.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Object(object)) => !object.is_empty(),
            Some(_) => true,
        };
        if set {
            checks.forbidden(&place.field(name), text);
        }
    }
    let pattern = schema.text("pattern");
    if !pattern.is_empty()
        && let Err(error) = regex::RegexBuilder::new(pattern).size_limit(1 << 22).build()
    {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default();
        let text = format!("must be a valid regular expression, but isn't: {last}");
        checks.invalid(&place.field("pattern"), pattern, &text);
    }
}

fn extensions(checks: &mut Checks, schema: &Value, place: &Place<'_>) {
    let kind = schema.text("type");
    if schema.flag("x-kubernetes-int-or-string") {
        for name in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
            if schema.flag(name) {
                let text = "must be false if x-kubernetes-int-or-string is true";
                checks.invalid(&place.field(name), true, text);
            }
        }
    }
    if let Some(Value::Bool(false)) = schema.get("x-kubernetes-preserve-unknown-fields") {
        let at = place.field("x-kubernetes-preserve-unknown-fields");
        checks.invalid(&at, false, "must be true or undefined");
    }
    let list_kind = schema.text("x-kubernetes-list-type");
    let at = place.field("x-kubernetes-list-type");
    if !list_kind.is_empty() {
        if kind != "array" {
            let text = "must be array if x-kubernetes-list-type is specified";
            if kind.is_empty() {
                checks.required(&place.field("type"), text);
            } else {
                checks.invalid(&place.field("type"), kind, text);
            }
        }
        checks.one_of(&at, list_kind, &["atomic", "set", "map"]);
    }
    let keys: Vec<&str> = schema.texts("x-kubernetes-list-map-keys").collect();
    let at = place.field("x-kubernetes-list-map-keys");
    if list_kind == "map" {
        if keys.is_empty() {
            checks.required(&at, "must not be empty if x-kubernetes-list-type is map");
        }
        let items = place.field("items");
        if schema["items"].is_object() && schema["items"].text("type") != "object" {
            let text = "must be object if parent array's x-kubernetes-list-type is map";
            checks.invalid(&items.field("type"), schema["items"].text("type"), text);
        }
        if keys.iter().any(|key| schema["items"]["properties"].get_some(key).is_none()) {
            let text = "entries must all be names of item properties";
            checks.invalid(&at, schema["x-kubernetes-list-map-keys"].clone(), text);
        }
    } else if !keys.is_empty() {
        let text = "must be map if x-kubernetes-list-map-keys is non-empty";
        if list_kind.is_empty() {
            checks.required(&place.field("x-kubernetes-list-type"), text);
        } else {
            checks.invalid(&place.field("x-kubernetes-list-type"), list_kind, text);
        }
    }
    let map_kind = schema.text("x-kubernetes-map-type");
    if !map_kind.is_empty() {
        checks.one_of(&place.field("x-kubernetes-map-type"), map_kind, &["atomic", "granular"]);
        if kind != "object" {
            let text = "must be object if x-kubernetes-map-type is specified";
            checks.invalid(&place.field("type"), kind, text);
        }
    }
}

/// A part that may only judge values, and not say how they look.
fn nested(
    checks: &mut Checks,
    schema: &Value,
    int_or_string: bool,
    place: &Place<'_>,
    depth: usize,
) {
    if depth > DEPTH_LIMIT {
        let text = format!("schema nests deeper than {DEPTH_LIMIT} levels");
        return checks.forbidden(place, &text);
    }
    let text = "must be empty to be structural";
    let undefined = "must be undefined to be structural";
    // The one exception: the alternatives that int-or-string stands for.
    let kind = schema.text("type");
    let stands_for_it = int_or_string && matches!(kind, "integer" | "string");
    if !kind.is_empty() && !stands_for_it {
        checks.forbidden(&place.field("type"), text);
    }
    for name in ["title", "description"] {
        if !schema.text(name).is_empty() {
            checks.forbidden(&place.field(name), text);
        }
    }
    for name in ["additionalProperties", "default"] {
        if schema.get_some(name).is_some() {
            checks.forbidden(&place.field(name), undefined);
        }
    }
    for name in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if schema.flag(name) {
            checks.forbidden(&place.field(name), "must be false to be structural");
        }
    }
    for name in ["x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"] {
        if schema.get_some(name).is_some() {
            checks.forbidden(&place.field(name), undefined);
        }
    }
    for name in ["anyOf", "allOf", "oneOf"] {
        let list = place.field(name);
        for (index, part) in schema.list(name).iter().enumerate() {
            nested(checks, part, int_or_string, &list.index(index), depth + 1);
        }
    }
    if let Some(items) = schema.get_some("items").filter(|items| items.is_object()) {
        nested(checks, items, false, &place.field("items"), depth + 1);
    }
    let map = place.field("properties");
    for (name, property) in schema.entries("properties").into_iter().flatten() {
        nested(checks, property, false, &map.key(name), depth + 1);
    }
}

fn rules(checks: &mut Checks, schema: &Value, place: &Place<'_>) {
    let list = place.field("x-kubernetes-validations");
    for (index, rule) in schema.list("x-kubernetes-validations").iter().enumerate() {
        let at = list.index(index);
        let text = rule.text("rule");
        if text.trim().is_empty() {
            checks.required(&at.field("rule"), "rule is not specified");
        }
        if let Some(Value::String(message)) = rule.get("message") {
            let trimmed = message.trim();
            if trimmed.is_empty() {
                let text = "must be non-empty if specified";
                checks.invalid(&at.field("message"), &**message, text);
            } else if trimmed.contains('\n') {
                let text = "must not contain line breaks";
                checks.invalid(&at.field("message"), &**message, text);
            }
        }
        if text.contains('\n') && rule.text("message").is_empty() {
            let text = "message must be specified if rule contains line breaks";
            checks.required(&at.field("message"), text);
        }
        if let Some(Value::String(reason)) = rule.get("reason") {
            let known = [
                "FieldValueDuplicate",
                "FieldValueForbidden",
                "FieldValueInvalid",
                "FieldValueRequired",
            ];
            if !known.contains(&&**reason) {
                checks.push(Cause::unsupported(at.field("reason").to_string(), &**reason, known));
            }
        }
    }
}
