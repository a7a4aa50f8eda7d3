//! What the server tells of the shape of its objects.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use gitops_apiserver::Server;
use http::Request;
use kube::{Client, client::Body};
use serde_json::{Value, json};

async fn get(client: &Client, path: &str) -> (u16, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap())
}

/// Follows references and fields from a schema; `[]` leads into a list.
fn walk<'v>(document: &'v Value, schema: &'v Value, path: &[&str]) -> &'v Value {
    let mut schema = schema;
    for step in path {
        schema = resolved(document, schema);
        schema = if *step == "[]" { &schema["items"] } else { &schema["properties"][step] };
    }
    resolved(document, schema)
}

fn resolved<'v>(document: &'v Value, schema: &'v Value) -> &'v Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn of_kind<'v>(document: &'v Value, kind: &str) -> &'v Value {
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let is_it = |schema: &&Value| schema["x-kubernetes-group-version-kind"][0]["kind"] == kind;
    schemas.values().find(is_it).unwrap_or_else(|| panic!("no {kind}"))
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let server = Server::new();
    let client = Client::new(server.service(), "default");
    let (code, index) = get(&client, "/openapi/v3").await;
    assert_eq!(code, 200);
    let paths = index["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{}", paths.len());
    for (name, entry) in paths {
        let (code, document) = get(&client, entry["serverRelativeURL"].as_str().unwrap()).await;
        assert_eq!(code, 200, "{name}");
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in found {
            let schema = document.pointer(reference.trim_start_matches('#'));
            assert!(schema.is_some_and(Value::is_object), "{name}: {reference}");
        }
    }
    assert_eq!(get(&client, "/openapi/v3/apis/absent.example.com/v1").await.0, 404);
}

#[tokio::test]
async fn built_in_kinds_have_their_fields() {
    let server = Server::new();
    let client = Client::new(server.service(), "default");
    let (_, apps) = get(&client, "/openapi/v3/apis/apps/v1").await;
    let path = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]["get"];
    assert_eq!(path["x-kubernetes-group-version-kind"]["kind"], "Deployment");
    let deployment = of_kind(&apps, "Deployment");
    let containers = ["spec", "template", "spec", "containers"];
    let list = walk(&apps, deployment, &containers);
    assert_eq!(
        (&list["type"], &list["x-kubernetes-patch-merge-key"]),
        (&json!("array"), &json!("name"))
    );
    let image = walk(&apps, deployment, &[&containers[..], &["[]", "image"]].concat());
    assert_eq!(*image, json!({"type": "string"}));
    let name = walk(&apps, deployment, &["metadata", "name"]);
    assert_eq!(name["type"], "string");
}

#[tokio::test]
async fn custom_kinds_are_described_by_their_definition() {
    let server = Server::new();
    let client = Client::new(server.service(), "default");
    let schema = json!({
        "type": "object", "description": "A thing that turns.",
        "properties": {"spec": {"type": "object", "properties": {"speed": {"type": "integer"}}}},
    });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "wheels.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Wheel", "plural": "wheels"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    });
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(definition.to_string().into_bytes()))
        .unwrap();
    assert_eq!(client.send(request).await.unwrap().status(), 201);

    let (_, document) = get(&client, "/openapi/v3/apis/example.com/v1").await;
    let wheel = of_kind(&document, "Wheel");
    assert_eq!(wheel["description"], "A thing that turns.");
    assert_eq!(walk(&document, wheel, &["spec", "speed"])["type"], "integer");
    assert_eq!(walk(&document, wheel, &["metadata", "labels"])["type"], "object");
}
