//! Access reviews answer what the roles say.

use gitops_apiserver::Server;
use kube::Client;
use serde_json::{Value, json};

#[expect(clippy::unwrap_used, reason = "a test")]
async fn post(client: &Client, path: &str, body: &Value) -> Value {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(body).unwrap())
        .unwrap();
    client.request(request).await.unwrap()
}

#[tokio::test]
async fn reviews_tell_what_roles_allow() {
    const REVIEWS: &str = "/apis/authorization.k8s.io/v1";
    const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let client = Client::new(Server::new().service(), "default");
    let role = json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    });
    post(&client, &format!("{ROLES}/roles"), &role).await;
    let binding = json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}],
    });
    post(&client, &format!("{ROLES}/rolebindings"), &binding).await;
    for (user, verb, namespace, allowed) in [
        ("ann", "get", "default", true),
        ("ann", "delete", "default", false),
        ("ann", "get", "kube-system", false),
        ("bob", "get", "default", false),
    ] {
        let attributes = json!({"verb": verb, "resource": "configmaps", "namespace": namespace});
        let review = json!({"spec": {"user": user, "resourceAttributes": attributes}});
        let answer = post(&client, &format!("{REVIEWS}/subjectaccessreviews"), &review).await;
        assert_eq!(answer["status"]["allowed"], allowed, "{user} {verb} {namespace}");
    }
    let own = json!({"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}});
    let answer = post(&client, &format!("{REVIEWS}/selfsubjectaccessreviews"), &own).await;
    assert_eq!(answer["status"]["allowed"], true, "the process itself may do everything");
}
