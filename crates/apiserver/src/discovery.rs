//! What is served, told to clients: versions, groups, resources.

use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    registry::{Registry, Resource, Version},
    schema::Text,
    service::Answer,
    status::{Refusal, Result},
};

/// Which release the built-in kinds are of.
const RELEASE: (&str, &str) = ("1", "36");

/// Answers paths that name no resource.
pub(crate) fn answer(registry: &Registry, path: &str, headers: &HeaderMap) -> Result<Answer> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let aggregated = wants_aggregated(headers);
    let value = match parts[..] {
        [] => paths(registry),
        ["version"] => version(),
        ["api"] if aggregated => return Ok(aggregate(registry, true)),
        ["apis"] if aggregated => return Ok(aggregate(registry, false)),
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
        }),
        ["apis"] => json!({
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": named_groups(registry).map(|name| group(registry, name)).collect::<Vec<_>>(),
        }),
        ["apis", name] if !name.is_empty() && registry.groups.contains_key(name) => {
            let mut group = group(registry, name);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }
        ["api", version] => resources(registry, "", version)?,
        ["apis", group, version] => resources(registry, group, version)?,
        _ => return Err(Refusal::no_such_path()),
    };
    Ok(Answer::value(StatusCode::OK, &value))
}

fn paths(registry: &Registry) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for name in named_groups(registry) {
        paths.push(format!("/apis/{name}"));
        let versions = &registry.groups[name].versions;
        paths.extend(versions.iter().map(|version| format!("/apis/{name}/{}", version.name)));
    }
    let own = ["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"];
    paths.extend(own.map(str::to_owned));
    json!({"paths": paths})
}

fn version() -> Value {
    let (major, minor) = RELEASE;
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{major}.{minor}.0+gitops"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn named_groups(registry: &Registry) -> impl Iterator<Item = &Text> {
    registry.groups.keys().filter(|name| !name.is_empty())
}

fn group(registry: &Registry, name: &str) -> Value {
    let versions: Vec<Value> = registry.groups[name]
        .versions
        .iter()
        .map(|version| {
            json!({"groupVersion": format!("{name}/{}", version.name), "version": version.name})
        })
        .collect();
    json!({"name": name, "preferredVersion": versions.first(), "versions": versions})
}

fn resources(registry: &Registry, group: &str, version: &str) -> Result<Value> {
    let served = registry.version(group, version).ok_or_else(Refusal::no_such_path)?;
    let group_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    let mut list = Vec::new();
    for resource in served.resources.values() {
        list.push(entry(resource));
        for sub in &resource.subresources {
            let (group, version, kind) = &sub.speaks;
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name), "singularName": "",
                "namespaced": resource.namespaced,
            });
            if (group, version) != (&resource.group, &resource.version) {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            entry["kind"] = json!(kind);
            entry["verbs"] = json!(sub.verbs);
            list.push(entry);
        }
    }
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": list,
    }))
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural, "singularName": resource.singular,
        "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    entry
}

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn wants_aggregated(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().any(|value| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|range| {
                let has = |wanted| range.split(';').any(|part| part.trim() == wanted);
                has("as=APIGroupDiscoveryList") && has("v=v2")
            })
        })
    })
}

fn aggregate(registry: &Registry, core: bool) -> Answer {
    let groups = registry.groups.iter().filter(|(name, _)| name.is_empty() == core);
    let items: Vec<Value> = groups
        .map(|(name, group)| {
            let metadata = if name.is_empty() { json!({}) } else { json!({"name": name}) };
            let versions: Vec<Value> = group.versions.iter().map(aggregate_version).collect();
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    });
    let mut answer = Answer::value(StatusCode::OK, &list);
    answer.content_type = AGGREGATED;
    answer
}

fn aggregate_version(version: &Version) -> Value {
    let kind = |(group, version, kind): (&Text, &Text, &Text)| json!({"group": group, "version": version, "kind": kind});
    let resources: Vec<Value> = version
        .resources
        .values()
        .map(|resource| {
            let mut entry = json!({
                "resource": resource.plural,
                "responseKind": kind((&resource.group, &resource.version, &resource.kind)),
                "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": resource.singular,
                "verbs": resource.verbs,
            });
            if !resource.short_names.is_empty() {
                entry["shortNames"] = json!(resource.short_names);
            }
            if !resource.categories.is_empty() {
                entry["categories"] = json!(resource.categories);
            }
            if !resource.subresources.is_empty() {
                let subresources = resource.subresources.iter().map(|sub| {
                    let (group, version, name) = &sub.speaks;
                    json!({
                        "subresource": sub.name, "responseKind": kind((group, version, name)),
                        "verbs": sub.verbs,
                    })
                });
                entry["subresources"] = subresources.collect();
            }
            entry
        })
        .collect();
    json!({"version": version.name, "resources": resources, "freshness": "Current"})
}
