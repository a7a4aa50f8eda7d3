//! Services and their endpoints.

use std::{collections::HashSet, net::IpAddr};

use serde_json::{Value, json};

use super::{
    super::{
        checks::{Checks, Read as _},
        metadata, names,
        place::Place,
        pod,
    },
    Cause, Subject, required_choice,
};

pub(super) fn service(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let kind = spec.text("type");
    if let Some(old) = subject.old {
        fixed(checks, spec, &old["spec"], &place);
    }
    if kind != "ExternalName" {
        // Addresses are settled first, and nothing else is looked at where that fails.
        let before = checks.causes.len();
        cluster_addresses(checks, spec, &place);
        if checks.causes.len() > before && subject.old.is_none() {
            return;
        }
    }
    let ports = spec.list("ports");
    let addresses = spec.list("clusterIPs");
    let headless = addresses.first().is_some_and(|address| address == "None");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        checks.required(&place.field("ports"), "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let text = format!("may not be set to 'None' for {kind} services");
            checks.invalid(&place.field("clusterIPs").index(0), "None", &text);
        }
        "ExternalName" => external_name(checks, spec, &place),
        _ => {}
    }
    service_ports(checks, spec, &place.field("ports"));
    metadata::label_map(checks, &spec["selector"], &place.field("selector"));
    let affinity = spec.text("sessionAffinity");
    required_choice(checks, &place.field("sessionAffinity"), affinity, &["ClientIP", "None"]);
    if affinity == "ClientIP" {
        let seconds = spec["sessionAffinityConfig"]["clientIP"].int("timeoutSeconds").unwrap_or(0);
        if !(1..=86400).contains(&seconds) {
            let at = place.field("sessionAffinityConfig.clientIP.timeoutSeconds");
            checks.invalid(&at, seconds, "must be greater than 0 and less than 86400");
        }
    }
    let list = place.field("externalIPs");
    for (index, address) in spec.texts("externalIPs").enumerate() {
        endpoint_address(checks, address, &list.index(index));
    }
    let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    required_choice(checks, &place.field("type"), kind, &known);
    node_ports(checks, spec, &place.field("ports"));
    load_balancer(checks, spec, kind, &place);
    traffic(checks, spec, kind, &place);
}

fn external_name(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    for name in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if spec.get_some(name).is_some() {
            checks.forbidden(&place.field(name), "may not be set for ExternalName services");
        }
    }
    let name = spec.text("externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        checks.required(&place.field("externalName"), "");
    } else {
        checks.invalids(&place.field("externalName"), name, names::subdomain(name));
    }
}

fn service_ports(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let ports = spec.list("ports");
    let mut seen = HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = place.index(index);
        let name = port.text("name");
        if name.is_empty() {
            if ports.len() > 1 {
                checks.required(&at.field("name"), "");
            }
        } else {
            checks.invalids(&at.field("name"), name, names::label(name));
            if !seen.insert(name) {
                checks.duplicate(&at.field("name"), name);
            }
        }
        let number = port.int("port").unwrap_or(0);
        for text in names::port_number(number) {
            checks.invalid(&at.field("port"), number, &text);
        }
        let known = ["SCTP", "TCP", "UDP"];
        required_choice(checks, &at.field("protocol"), port.text("protocol"), &known);
        pod::port(checks, &port["targetPort"], &at.field("targetPort"));
        if let Some(Value::String(protocol)) = port.get("appProtocol") {
            checks.invalids(&at.field("appProtocol"), protocol, names::qualified_name(protocol));
        }
    }
}

fn node_ports(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let (mut nodes, mut numbers) = (HashSet::new(), HashSet::new());
    let cluster = spec.text("type") == "ClusterIP";
    for (index, port) in spec.list("ports").iter().enumerate() {
        if cluster && port.int("nodePort").is_some_and(|number| number != 0) {
            let at = place.index(index);
            checks.forbidden(&at.field("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    for (index, port) in spec.list("ports").iter().enumerate() {
        if let Some(number) = port.int("nodePort").filter(|number| *number != 0)
            && !nodes.insert((port.text("protocol"), number))
        {
            let at = place.index(index);
            checks.duplicate(&at.field("nodePort"), number);
        }
    }
    for (index, port) in spec.list("ports").iter().enumerate() {
        let (protocol, number) = (port.text("protocol"), port.int("port").unwrap_or(0));
        if !numbers.insert((protocol, number)) {
            let key = json!({"protocol": protocol, "port": number, "targetPort": 0});
            checks.duplicate(&place.index(index), key);
        }
    }
}

fn cluster_addresses(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    let list = place.field("clusterIPs");
    let address = spec.text("clusterIP");
    let addresses: Vec<&str> = spec.texts("clusterIPs").collect();
    let shown = || spec["clusterIPs"].clone();
    match (address, &addresses[..]) {
        ("", []) => {}
        ("", _) => {
            checks.invalid(&list, shown(), "must be empty when `clusterIP` is not specified");
        }
        (_, []) => checks.required(&list, ""),
        (address, [first, ..]) if *first != address => {
            checks.invalid(&list, shown(), "first value must match `clusterIP`");
        }
        _ => {}
    }
    let families = place.field("ipFamilies");
    let mut seen = HashSet::new();
    for (index, family) in spec.texts("ipFamilies").enumerate() {
        checks.one_of(&families.index(index), family, &["IPv4", "IPv6"]);
        if !seen.insert(family) {
            checks.duplicate(&families.index(index), family);
        }
    }
    if let Some(Value::String(policy)) = spec.get("ipFamilyPolicy") {
        let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        checks.one_of(&place.field("ipFamilyPolicy"), policy, &known);
    }
    for (index, address) in addresses.iter().enumerate() {
        if index == 0 && *address == "None" {
            if addresses.len() > 1 {
                checks.invalid(&list, shown(), "'None' must be the first and only value");
            }
        } else {
            pod::ip(checks, &list.index(index), address);
        }
    }
    if addresses.len() > 2 {
        checks.invalid(&list, shown(), "may only hold up to 2 values");
    }
}

fn load_balancer(checks: &mut Checks, spec: &Value, kind: &str, place: &Place<'_>) {
    let only = "may only be used when `type` is 'LoadBalancer'";
    let ranges = spec.list("loadBalancerSourceRanges");
    if !ranges.is_empty() {
        let at = place.field("LoadBalancerSourceRanges");
        if kind != "LoadBalancer" {
            checks.forbidden(&at, only);
        }
        for (index, range) in spec.texts("loadBalancerSourceRanges").enumerate() {
            cidr(checks, range.trim(), &at.index(index));
        }
    }
    if spec.get_some("allocateLoadBalancerNodePorts").is_some() && kind != "LoadBalancer" {
        checks.forbidden(&place.field("allocateLoadBalancerNodePorts"), only);
    }
    if let Some(Value::String(class)) = spec.get("loadBalancerClass") {
        if kind != "LoadBalancer" {
            checks.forbidden(&place.field("loadBalancerClass"), only);
        }
        let at = place.field("loadBalancerClass");
        checks.invalids(&at, class, names::qualified_name(class));
    }
}

fn traffic(checks: &mut Checks, spec: &Value, kind: &str, place: &Place<'_>) {
    let reachable = matches!(kind, "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !spec.list("externalIPs").is_empty());
    let external = spec.text("externalTrafficPolicy");
    let at = place.field("externalTrafficPolicy");
    if reachable {
        required_choice(checks, &at, external, &["Cluster", "Local"]);
    } else if !external.is_empty() {
        checks.invalid(&at, external, "may only be set for externally-accessible services");
    }
    let health = spec.int("healthCheckNodePort").unwrap_or(0);
    let at = place.field("healthCheckNodePort");
    if kind == "LoadBalancer" && external == "Local" {
        if health == 0 {
            checks.required(&at, "");
        }
    } else if health != 0 {
        let text =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        checks.invalid(&at, health, text);
    }
    if let Some(Value::String(policy)) = spec.get("internalTrafficPolicy") {
        checks.one_of(&place.field("internalTrafficPolicy"), policy, &["Cluster", "Local"]);
    }
    if let Some(Value::String(way)) = spec.get("trafficDistribution") {
        let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        checks.one_of(&place.field("trafficDistribution"), way, &known);
    }
}

/// What an update may not change.
fn fixed(checks: &mut Checks, new: &Value, old: &Value, place: &Place<'_>) {
    if new.text("type") == "ExternalName" || old.text("type") == "ExternalName" {
        return;
    }
    let (addresses, former) = (new.list("clusterIPs"), old.list("clusterIPs"));
    if let (Some(former), Some(address)) = (former.first(), addresses.first())
        && former != address
    {
        let list = place.field("clusterIPs");
        checks.invalid(&list.index(0), new["clusterIPs"].clone(), "may not change once set");
    }
    let families = (new.list("ipFamilies").first(), old.list("ipFamilies").first());
    if let (Some(family), Some(former)) = families
        && family != former
    {
        let list = place.field("ipFamilies");
        checks.invalid(&list.index(0), new["ipFamilies"].clone(), "may not change once set");
    }
    if new.text("type") == "LoadBalancer"
        && old.text("type") == "LoadBalancer"
        && new.get_some("loadBalancerClass") != old.get_some("loadBalancerClass")
    {
        let value = new.get("loadBalancerClass").cloned().unwrap_or_default();
        checks.invalid(&place.field("loadBalancerClass"), value, "may not change once set");
    }
}

/// An address range.
pub(super) fn cidr(checks: &mut Checks, text: &str, place: &Place<'_>) {
    let parsed = text.split_once('/').and_then(|(address, bits)| {
        let most = if address.parse::<IpAddr>().ok()?.is_ipv4() { 32 } else { 128 };
        bits.parse::<u8>().ok().filter(|bits| *bits <= most)
    });
    if parsed.is_none() {
        let hint = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        checks.invalid(place, text, hint);
    }
}

/// An address that other nodes can reach.
fn endpoint_address(checks: &mut Checks, text: &str, place: &Place<'_>) {
    let Ok(address) = text.parse::<IpAddr>() else { return pod::ip(checks, place, text) };
    let mut wrong = |why: &str| checks.invalid(place, text, why);
    if address.is_unspecified() {
        wrong(&format!("may not be unspecified ({text})"));
    }
    if address.is_loopback() {
        wrong("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    match address {
        IpAddr::V4(address) if address.is_link_local() => {
            wrong("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
        }
        IpAddr::V4(address) if address.octets()[..3] == [224, 0, 0] => {
            wrong("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
        }
        _ => {}
    }
}

pub(super) fn endpoints(checks: &mut Checks, subject: &Subject<'_>) {
    let list = Place::ROOT.field("subsets");
    for (index, subset) in subject.new.list("subsets").iter().enumerate() {
        let at = list.index(index);
        let (ready, waiting) = (subset.list("addresses"), subset.list("notReadyAddresses"));
        if ready.is_empty() && waiting.is_empty() {
            checks.required(&at, "must specify `addresses` or `notReadyAddresses`");
        }
        for (name, addresses) in [("addresses", ready), ("notReadyAddresses", waiting)] {
            let list = at.field(name);
            for (index, address) in addresses.iter().enumerate() {
                let at = list.index(index);
                let ip = address.text("ip");
                endpoint_address(checks, ip, &at.field("ip"));
                if ip.parse::<IpAddr>().is_err() {
                    checks.invalid(&at.field("ip"), ip, "must be a valid IP address");
                }
            }
        }
        let ports = subset.list("ports");
        let list = at.field("ports");
        for (index, port) in ports.iter().enumerate() {
            let at = list.index(index);
            let name = port.text("name");
            if ports.len() > 1 && name.is_empty() {
                checks.required(&at.field("name"), "");
            } else if !name.is_empty() {
                checks.invalids(&at.field("name"), name, names::label(name));
            }
            let number = port.int("port").unwrap_or(0);
            for text in names::port_number(number) {
                checks.invalid(&at.field("port"), number, &text);
            }
            let known = ["SCTP", "TCP", "UDP"];
            required_choice(checks, &at.field("protocol"), port.text("protocol"), &known);
        }
    }
}

pub(super) fn slice(checks: &mut Checks, subject: &Subject<'_>) {
    let new = subject.new;
    let kind = new.text("addressType");
    let at = Place::ROOT.field("addressType");
    required_choice(checks, &at, kind, &["FQDN", "IPv4", "IPv6"]);
    let list = Place::ROOT.field("endpoints");
    let endpoints = new.list("endpoints");
    if endpoints.len() > 1000 {
        checks.push(Cause::too_many(list.to_string(), endpoints.len(), 1000));
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let at = list.index(index);
        let addresses = at.field("addresses");
        if endpoint.list("addresses").is_empty() {
            checks.required(&addresses, "must contain at least 1 address");
        }
        for (index, address) in endpoint.texts("addresses").enumerate() {
            let at = addresses.index(index);
            match kind {
                "IPv4" | "IPv6" if address.parse::<IpAddr>().is_err() => {
                    pod::ip(checks, &at, address);
                }
                "IPv4" if address.parse::<std::net::Ipv4Addr>().is_err() => {
                    checks.invalid(&at, address, "must be an IPv4 address");
                }
                "IPv6" if address.parse::<std::net::Ipv6Addr>().is_err() => {
                    checks.invalid(&at, address, "must be an IPv6 address");
                }
                "IPv4" | "IPv6" => endpoint_address(checks, address, &at),
                _ => {}
            }
        }
    }
    if let Some(old) = subject.old {
        checks.immutable(&at, &new["addressType"], &old["addressType"]);
    }
}
