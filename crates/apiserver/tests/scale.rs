//! The scale of a workload is read and written as a kind of its own.

use gitops_apiserver::Server;
use http::{Method, Request};
use kube::{Client, client::Body};
use serde_json::{Value, json};

#[expect(clippy::unwrap_used, reason = "a test")]
async fn call(client: &Client, method: Method, path: &str, body: Value) -> (u16, Value) {
    let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(&body).unwrap() };
    let media = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media)
        .body(Body::from(bytes))
        .unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_scale_that_is_no_number_changes_nothing() {
    const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
    const SCALE: &str = "/apis/apps/v1/namespaces/default/deployments/x/scale";
    let client = Client::new(Server::new().service(), "default");
    let deployment = json!({
        "metadata": {"name": "x"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    let (code, answer) = call(&client, Method::POST, DEPLOYMENTS, deployment).await;
    assert_eq!(code, 201, "{answer}");
    let scale = |replicas: Value| json!({"metadata": {"name": "x", "namespace": "default"}, "spec": {"replicas": replicas}});
    let (code, refused) = call(&client, Method::PUT, SCALE, scale("three".into())).await;
    assert_eq!(code, 400);
    assert_eq!(
        refused["message"],
        "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32"
    );
    let (_, live) = call(&client, Method::GET, SCALE, Value::Null).await;
    assert_eq!(live["spec"]["replicas"], 3);
    let (code, answer) = call(&client, Method::PUT, SCALE, scale(5.into())).await;
    assert_eq!((code, &answer["spec"]["replicas"]), (200, &json!(5)));
    let patch = json!({"spec": {"replicas": 2}});
    let (code, answer) = call(&client, Method::PATCH, SCALE, patch).await;
    assert_eq!((code, &answer["spec"]["replicas"]), (200, &json!(2)));
}
