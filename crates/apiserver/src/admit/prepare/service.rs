//! Addresses and node ports of services.
//!
//! A cluster's allocators keep maps of what is taken; here the services themselves are asked, and a
//! candidate follows from the service's name, so that the same objects get the same addresses.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, Ipv4Addr},
};

use serde_json::{Map, Value, json};

use crate::{object::Meta as _, registry::Resource};

/// 10.96.0.0/12
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 96, 0, 0]);
const ADDRESSES: u32 = 1 << 20;
const FIRST_NODE_PORT: u32 = 30_000;
const NODE_PORTS: u32 = 2768;

type Object = Map<String, Value>;

pub(super) fn create(resource: &Resource, service: &mut Value) {
    let seed = format!("{}/{}", service.namespace(), service.name());
    if let Some(Value::Object(spec)) = service.get_mut("spec") {
        allocate(resource, spec, &seed);
    }
}

pub(super) fn update(resource: &Resource, service: &mut Value, old: &Value) {
    let seed = format!("{}/{}", service.namespace(), service.name());
    let (Some(Value::Object(spec)), Some(Value::Object(old))) =
        (service.get_mut("spec"), old.get("spec"))
    else {
        return;
    };
    if let (Some(address), None) = (spec.get("clusterIP").cloned(), spec.get("clusterIPs"))
        && old.get("clusterIP") != Some(&address)
    {
        spec.insert("clusterIPs".to_owned(), json!([address]));
    }
    if has_address(spec) && has_address(old) {
        for name in ["clusterIP", "clusterIPs"] {
            if let (None, Some(value)) = (spec.get(name), old.get(name)) {
                spec.insert(name.to_owned(), value.clone());
            }
        }
    } else if !has_address(spec) {
        for name in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if spec.get(name) == old.get(name) {
                spec.shift_remove(name);
            }
        }
    }
    for name in ["ipFamilies", "ipFamilyPolicy"] {
        if let (true, None, Some(value)) = (has_address(spec), spec.get(name), old.get(name)) {
            spec.insert(name.to_owned(), value.clone());
        }
    }
    keep_node_ports(spec, old);
    allocate(resource, spec, &seed);
}

/// Ports that the former state has under the same number and protocol keep their node port.
fn keep_node_ports(spec: &mut Object, old: &Object) {
    if !has_node_ports(spec) {
        if has_node_ports(old) {
            for port in ports(spec) {
                port.shift_remove("nodePort");
            }
        }
        return;
    }
    let former: Vec<&Value> =
        old.get("ports").and_then(Value::as_array).into_iter().flatten().collect();
    for port in ports(spec) {
        let same = former.iter().find(|former| {
            former.get("port") == port.get("port") && former.get("protocol") == port.get("protocol")
        });
        if let Some(number) = same.and_then(|former| former.get("nodePort")) {
            port.entry("nodePort").or_insert_with(|| number.clone());
        }
    }
    if let Some(number) = old.get("healthCheckNodePort")
        && wants_health_check(spec)
    {
        spec.entry("healthCheckNodePort").or_insert_with(|| number.clone());
    }
}

fn allocate(resource: &Resource, spec: &mut Object, seed: &str) {
    if has_address(spec) {
        families(spec);
        if text(spec, "clusterIP").is_empty() {
            let first = spec.get("clusterIPs").and_then(|list| list.get(0)).cloned();
            let address = first.unwrap_or_else(|| {
                let taken =
                    taken(resource, |spec| spec.get("clusterIP").cloned().into_iter().collect());
                let address = probe(seed, ADDRESSES - 2, |offset| {
                    let address = Ipv4Addr::from(FIRST_ADDRESS + 1 + offset).to_string();
                    !taken.contains(&Value::String(address))
                });
                Ipv4Addr::from(FIRST_ADDRESS + 1 + address).to_string().into()
            });
            spec.insert("clusterIP".to_owned(), address);
        }
        if !spec.contains_key("clusterIPs") {
            let addresses = json!([spec["clusterIP"]]);
            spec.insert("clusterIPs".to_owned(), addresses);
        }
    }
    let wanted = has_node_ports(spec)
        && (text(spec, "type") != "LoadBalancer"
            || spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)));
    let health = wants_health_check(spec) && !spec.contains_key("healthCheckNodePort");
    if !wanted && !health {
        return;
    }
    let mut taken = taken(resource, node_ports);
    taken.extend(node_ports(spec));
    let mut next = |salt: usize| -> Value {
        let offset = probe(&format!("{seed}/{salt}"), NODE_PORTS, |offset| {
            !taken.contains(&Value::from(FIRST_NODE_PORT + offset))
        });
        let number = Value::from(FIRST_NODE_PORT + offset);
        taken.insert(number.clone());
        number
    };
    if wanted {
        let mut given: Vec<(Value, Value, Value)> = Vec::new();
        for (salt, port) in ports(spec).enumerate() {
            let number = port.get("port").cloned().unwrap_or_default();
            let protocol = port.get("protocol").cloned().unwrap_or_default();
            if !port.contains_key("nodePort") {
                // The same number under two protocols shares a node port.
                let shared = given.iter().find(|(n, p, _)| *n == number && *p != protocol);
                let node_port = shared.map_or_else(|| next(salt), |(_, _, port)| port.clone());
                port.insert("nodePort".to_owned(), node_port);
            }
            given.push((number, protocol, port["nodePort"].clone()));
        }
    }
    if health {
        let number = next(usize::MAX);
        spec.insert("healthCheckNodePort".to_owned(), number);
    }
}

/// One address family, unless the service asks for more; headless services without a selector may
/// have endpoints of both.
fn families(spec: &mut Object) {
    let headless = text(spec, "clusterIP") == "None";
    let without_selector =
        spec.get("selector").and_then(Value::as_object).is_none_or(Map::is_empty);
    if headless && without_selector {
        spec.entry("ipFamilyPolicy").or_insert_with(|| "RequireDualStack".into());
        if text(spec, "ipFamilyPolicy") == "RequireDualStack" {
            let families = spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4", "IPv6"]));
            if let Value::Array(list) = families
                && list.len() == 1
            {
                let other = if list[0] == "IPv6" { "IPv4" } else { "IPv6" };
                list.push(other.into());
            }
        } else {
            spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
        }
        return;
    }
    spec.entry("ipFamilyPolicy").or_insert_with(|| "SingleStack".into());
    let version_6 =
        text(spec, "clusterIP").parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
    let family = if version_6 { "IPv6" } else { "IPv4" };
    spec.entry("ipFamilies").or_insert_with(|| json!([family]));
}

fn has_address(spec: &Object) -> bool {
    matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn has_node_ports(spec: &Object) -> bool {
    matches!(text(spec, "type"), "NodePort" | "LoadBalancer")
}

fn wants_health_check(spec: &Object) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

fn node_ports(spec: &Object) -> Vec<Value> {
    let ports = spec.get("ports").and_then(Value::as_array).into_iter().flatten();
    ports
        .filter_map(|port| port.get("nodePort"))
        .chain(spec.get("healthCheckNodePort"))
        .cloned()
        .collect()
}

/// What the stored services hold.
fn taken(resource: &Resource, of: impl Fn(&Object) -> Vec<Value>) -> HashSet<Value> {
    let Ok(listing) = resource.table.list(None, None, None, 0, &|_| true) else {
        return HashSet::new();
    };
    let specs = listing.objects.iter().filter_map(|object| object.value.get("spec")?.as_object());
    specs.flat_map(of).collect()
}

/// The first free place at or after one that follows from the seed; the seed's own if none is free.
fn probe(seed: &str, places: u32, is_free: impl Fn(u32) -> bool) -> u32 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let start = u32::try_from(hasher.finish() % u64::from(places)).unwrap_or(0);
    (0..places).map(|step| (start + step) % places).find(|place| is_free(*place)).unwrap_or(start)
}

fn ports(spec: &mut Object) -> impl Iterator<Item = &mut Object> {
    let list = spec.get_mut("ports").and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn text<'o>(object: &'o Object, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
