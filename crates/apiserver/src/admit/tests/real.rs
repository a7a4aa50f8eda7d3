//! The real kube-apiserver, asked with `dryRun=All`.

use http::{Method, Request};
use kube::client::Body;
use serde_json::{Map, Value, json};

use super::{
    Case, scrub,
    world::{World, accepted, refused},
};

pub(super) struct Server {
    client: kube::Client,
}

impl Server {
    pub(super) async fn connect() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = kube::Client::try_default().await.expect("a kubeconfig");
        let server = Self { client };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cases"}});
        server.call(Method::POST, "/api/v1/namespaces", &namespace).await;
        server
    }

    /// The answers to all cases of a file.
    pub(super) async fn answers(
        &self,
        definitions: &[Value],
        cases: &[Case],
    ) -> Map<String, Value> {
        const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        for definition in definitions {
            let name = definition["metadata"]["name"].as_str().unwrap();
            self.call(Method::DELETE, &format!("{DEFINITIONS}/{name}"), &json!({})).await;
            loop {
                let (code, answer, _) = self.call(Method::POST, DEFINITIONS, definition).await;
                match code {
                    201 => break,
                    409 => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
                    _ => panic!("{answer}"),
                }
            }
        }
        let world = World::new(definitions);
        for definition in definitions {
            self.wait_for(&world, definition).await;
        }
        let mut answers = Map::new();
        for case in cases {
            let answer = self.answer(&world, case).await;
            assert!(answers.insert(case.name.clone(), answer).is_none(), "{} twice", case.name);
        }
        answers
    }

    async fn wait_for(&self, world: &World, definition: &Value) {
        let spec = &definition["spec"];
        for version in spec["versions"].as_array().unwrap() {
            let object = json!({
                "apiVersion": format!("{}/{}", spec["group"].as_str().unwrap(), version["name"].as_str().unwrap()),
                "kind": spec["names"]["kind"],
            });
            let path = path(world, &object, "cases");
            loop {
                let (code, ..) = self.call(Method::GET, &path, &Value::Null).await;
                if code == 200 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
        // The handler that lists is there before the one that validates is the newest.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }

    pub(super) async fn answer(&self, world: &World, case: &Case) -> Value {
        let validation = if case.strict { "Strict" } else { "Warn" };
        let query = format!("?dryRun=All&fieldValidation={validation}");
        let namespace = case.send["metadata"]["namespace"].as_str().unwrap_or("cases");
        let collection = path(world, case.target(), namespace);
        let (code, mut answer, warnings) = match &case.given {
            None => self.call(Method::POST, &format!("{collection}{query}"), &case.send).await,
            Some(given) => {
                let name = given["metadata"]["name"].as_str().unwrap();
                let object = format!("{collection}/{name}");
                self.remove(&object).await;
                let (code, answer, _) = self.call(Method::POST, &collection, given).await;
                assert_eq!(code, 201, "{}: {answer}", case.name);
                let place = match &*case.subresource {
                    "" => format!("{object}{query}"),
                    subresource => format!("{object}/{subresource}{query}"),
                };
                if given["kind"] == "CustomResourceDefinition" {
                    // The server goes on writing what became of it.
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                let (_, live, _) = self.call(Method::GET, &object, &Value::Null).await;
                let mut send = case.send.clone();
                send["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
                let answer = self.call(Method::PUT, &place, &send).await;
                self.remove(&object).await;
                answer
            }
        };
        if code < 300 {
            scrub(&mut answer);
            accepted(answer, warnings)
        } else {
            refused(&answer)
        }
    }

    /// Deletes an object, whoever would keep it.
    async fn remove(&self, path: &str) {
        let options = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        self.call(Method::DELETE, path, &options).await;
        self.call(Method::PATCH, path, &json!({"metadata": {"finalizers": null}})).await;
        if let Some(name) = path.strip_prefix("/api/v1/namespaces/").filter(|n| !n.contains('/')) {
            let emptied = json!({"metadata": {"name": name}, "spec": {"finalizers": []}});
            self.call(Method::PUT, &format!("{path}/finalize"), &emptied).await;
        }
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (u16, Value, Vec<String>) {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
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
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let warnings = response
            .headers()
            .get_all("warning")
            .iter()
            .filter_map(|header| {
                let text = header.to_str().ok()?.strip_prefix("299 - ")?;
                serde_json::from_str::<String>(text).ok()
            })
            .filter(|text| text.starts_with("unknown field"))
            .collect();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null), warnings)
    }
}

pub(super) fn path(world: &World, object: &Value, namespace: &str) -> String {
    let resource = world.resource(object).expect("the kind is served");
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let namespace =
        if resource.namespaced { format!("/namespaces/{namespace}") } else { String::new() };
    format!("{root}/{}{namespace}/{}", resource.api_version, resource.plural)
}
