//! Who asks, and what they may do: tokens, impersonation, and the part of RBAC that decides.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::{
    object::Meta as _,
    server::State,
    status::{Refusal, Result},
    storage::Key,
};

const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<String>,
}

/// What is asked for, in the terms of RBAC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    /// The plural, with `/subresource` where there is one.
    pub(crate) resource: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

impl User {
    pub(crate) fn admin() -> Self {
        Self {
            name: "system:admin".to_owned(),
            groups: [MASTERS, AUTHENTICATED].into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The user of a request: of its token, or `local` without one; then whom it impersonates.
pub(crate) fn authenticate(
    state: &State,
    headers: &HeaderMap,
    local: Option<User>,
) -> Result<Arc<User>> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let user = match token {
        Some(token) => state.users.get(token.trim()).cloned(),
        None => local.map(Arc::new),
    };
    impersonate(state, headers, user.ok_or_else(Refusal::unauthorized)?)
}

fn impersonate(state: &State, headers: &HeaderMap, user: Arc<User>) -> Result<Arc<User>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(name) = text("impersonate-user") else {
        if headers.contains_key("impersonate-group") || headers.contains_key("impersonate-uid") {
            let why = "requested [] without impersonating a user";
            return Err(Refusal::internal(why));
        }
        return Ok(user);
    };
    let account = name.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| rest.split_once(':'));
    let (resource, namespace, subject) = match account {
        Some((namespace, account)) => ("serviceaccounts", Some(namespace), account),
        None => ("users", None, name),
    };
    let wish = Wish { verb: "impersonate", group: "", resource, namespace, name: subject };
    authorize(state, &user, &wish)?;
    let mut groups: BTreeSet<String> = BTreeSet::new();
    for group in headers.get_all("impersonate-group") {
        let group = group.to_str().unwrap_or_default();
        let wish = Wish {
            verb: "impersonate",
            group: "",
            resource: "groups",
            namespace: None,
            name: group,
        };
        authorize(state, &user, &wish)?;
        groups.insert(group.to_owned());
    }
    if groups.is_empty()
        && let Some((namespace, _)) = account
    {
        groups.insert("system:serviceaccounts".to_owned());
        groups.insert(format!("system:serviceaccounts:{namespace}"));
    }
    groups.insert(AUTHENTICATED.to_owned());
    Ok(Arc::new(User { name: name.to_owned(), groups }))
}

/// # Errors
/// `Forbidden` in the API's words.
pub(crate) fn authorize(state: &State, user: &User, wish: &Wish<'_>) -> Result<()> {
    if user.groups.contains(MASTERS) || allowed(state, user, wish) {
        return Ok(());
    }
    let Wish { verb, group, resource, namespace, name } = *wish;
    let place = match namespace {
        Some(namespace) => format!("in the namespace {namespace:?}"),
        None => "at the cluster scope".to_owned(),
    };
    let why = format!(
        "User {:?} cannot {verb} resource {resource:?} in API group {group:?} {place}",
        user.name
    );
    // A subresource is named in the reason alone.
    let plural = resource.split('/').next().unwrap_or_default();
    Err(Refusal::forbidden(group, plural, name, &why))
}

fn allowed(state: &State, user: &User, wish: &Wish<'_>) -> bool {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let rules_allow = |namespace: &str, role: &Value| {
        let plural = if role["kind"] == "ClusterRole" { "clusterroles" } else { "roles" };
        let namespace = if plural == "roles" { namespace } else { "" };
        let name = role["name"].as_str().unwrap_or_default();
        let role = state.store.table(GROUP, plural).get(&Key::new(namespace, name));
        role.is_some_and(|role| {
            list(&role.value["rules"]).iter().any(|rule| rule_allows(rule, wish))
        })
    };
    let bound = |plural: &str, namespace: Option<&str>| {
        let bindings =
            state.store.table(GROUP, plural).list(namespace, None, None, 0, &|binding| {
                let home = binding.value.namespace();
                list(&binding.value["subjects"])
                    .iter()
                    .any(|subject| is_subject(subject, user, home))
            });
        bindings.is_ok_and(|bindings| {
            let mut objects = bindings.objects.iter();
            objects.any(|binding| rules_allow(binding.value.namespace(), &binding.value["roleRef"]))
        })
    };
    bound("clusterrolebindings", None)
        || wish.namespace.is_some_and(|namespace| bound("rolebindings", Some(namespace)))
}

fn is_subject(subject: &Value, user: &User, home: &str) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str() {
        Some("User") => name == user.name,
        Some("Group") => user.groups.contains(name),
        Some("ServiceAccount") => {
            let namespace = subject["namespace"].as_str().unwrap_or(home);
            let account = user.name.strip_prefix(SERVICE_ACCOUNT);
            account.and_then(|rest| rest.split_once(':')) == Some((namespace, name))
        }
        _ => false,
    }
}

fn rule_allows(rule: &Value, wish: &Wish<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        list(&rule[field]).iter().any(|value| value == "*" || value == wanted)
    };
    let subresource = wish.resource.split_once('/').map(|(_, subresource)| subresource);
    let resource = has("resources", wish.resource)
        || subresource.is_some_and(|sub| {
            list(&rule["resources"])
                .iter()
                .any(|value| value.as_str().and_then(|value| value.strip_prefix("*/")) == Some(sub))
        });
    let names = list(&rule["resourceNames"]);
    resource
        && has("verbs", wish.verb)
        && has("apiGroups", wish.group)
        && (names.is_empty() || names.iter().any(|name| name == wish.name && name != ""))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The roles that every cluster has, as far as people bind them: `cluster-admin` with its binding,
/// and `admin`, `edit` and `view` for a namespace. The rules of these three are put together by a
/// controller; without one they are empty.
pub(crate) fn default_roles(aggregated: bool) -> Vec<Value> {
    let group = "rbac.authorization.k8s.io";
    let read = ["get", "list", "watch"];
    let write = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let workloads = json!([
        "bindings",
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "pods/log",
        "pods/status",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
        "serviceaccounts",
        "services",
        "services/status"
    ]);
    let groups =
        json!(["apps", "autoscaling", "batch", "discovery.k8s.io", "networking.k8s.io", "policy"]);
    let namespaced = |verbs: &[&str]| {
        vec![
            json!({"apiGroups": [""], "resources": workloads, "verbs": verbs}),
            json!({"apiGroups": groups, "resources": ["*"], "verbs": verbs}),
            json!({"apiGroups": [""], "resources": ["namespaces", "namespaces/status"], "verbs": read}),
        ]
    };
    let mut edit = namespaced(&write);
    edit.push(json!({"apiGroups": [""], "resources": ["secrets"], "verbs": write}));
    edit.push(
        json!({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}),
    );
    let mut admin = edit.clone();
    admin.push(
        json!({"apiGroups": [group], "resources": ["roles", "rolebindings"], "verbs": write}),
    );
    let role = |name: &str, rules: Vec<Value>| {
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole",
            "metadata": {
                "name": name,
                "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
                "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
            },
            "rules": rules,
        })
    };
    let everything = vec![
        json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
        json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
    ];
    let mut binding = role("cluster-admin", Vec::new());
    binding["kind"] = "ClusterRoleBinding".into();
    if let Some(binding) = binding.as_object_mut() {
        binding.shift_remove("rules");
    }
    binding["roleRef"] = json!({"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"});
    binding["subjects"] = json!([{"apiGroup": group, "kind": "Group", "name": MASTERS}]);
    let put_together = |rules| if aggregated { rules } else { Vec::new() };
    vec![
        role("cluster-admin", everything),
        role("admin", put_together(admin)),
        role("edit", put_together(edit)),
        role("view", put_together(namespaced(&read))),
        binding,
    ]
}
