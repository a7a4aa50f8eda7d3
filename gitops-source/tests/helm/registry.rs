//! Charts of registries: what is said when they cannot be had, in the words of Helm's library.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use axum::{Router, http::StatusCode};
use gitops_core::{Scope, one_line};
use gitops_source::{
    ChartRepository as _, ChartVersion, DockerConfig, OciCharts, Registries, RegistryCredential,
    RegistryOptions,
};

/// A registry that answers everything in one way.
async fn registry(status: u16, body: &'static str) -> String {
    rustls::crypto::ring::default_provider().install_default().ok();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(move |uri: axum::http::Uri| async move {
        if uri.path() == "/v2/" && status != 401 {
            return (StatusCode::OK, [("www-authenticate", "Basic realm=\"r\"")], "");
        }
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("www-authenticate", "Basic realm=\"r\"")], body)
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address.to_string()
}

/// What is said of a chart that is looked up by a range, and of one that is asked for by its version.
async fn failures(host: &str, options: &RegistryOptions) -> [String; 2] {
    let charts = OciCharts::new(&format!("oci://{host}/o"), Registries::new(), options.clone());
    let scope = Scope::background();
    let found = charts.find("c", "*", &scope).await.map(|_| ()).unwrap_err();
    let mut version = ChartVersion::default();
    (version.name, version.version) = ("c".to_owned(), "1.0.0".to_owned());
    let pulled = charts.download(&version, &scope).await.map(|_| ()).unwrap_err();
    [one_line(&found), one_line(&pulled)]
}

#[tokio::test]
async fn failures_are_told_as_helm_tells_them() {
    let insecure = RegistryOptions { insecure: true, ..RegistryOptions::default() };
    let listed = |host: &str| {
        format!("could not get tags for \"c\": could not fetch tags for \"oci://{host}/o/c\": ")
    };
    let pulled = |host: &str| {
        let doing = "failed to perform \"FetchReference\" on source: ";
        format!("failed to get 'oci://{host}/o/c:1.0.0': {doing}")
    };
    let places = |host: &str| {
        [
            format!("\"http://{host}/v2/o/c/tags/list\": "),
            format!("\"http://{host}/v2/o/c/manifests/1.0.0\": "),
        ]
    };

    let host = registry(401, "no").await;
    let [tags, manifest] = places(&host);
    let none = "basic credential not found";
    assert_eq!(
        failures(&host, &insecure).await,
        [
            format!("{}GET {tags}{none}", listed(&host)),
            format!("{}GET {manifest}{none}", pulled(&host))
        ]
    );
    let credential = RegistryCredential::Basic { username: "u".into(), password: "c4nary".into() };
    let known = RegistryOptions {
        credentials: DockerConfig::single(&host, credential),
        ..insecure.clone()
    };
    let refused = "response status code 401: Unauthorized";
    assert_eq!(
        failures(&host, &known).await,
        [
            format!("{}GET {tags}{refused}", listed(&host)),
            format!("{}GET {manifest}{refused}", pulled(&host))
        ]
    );

    // Nobody listens where a listener was closed.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let [tags, manifest] = places(&host);
    let gone = format!("dial tcp {host}: connect: connection refused");
    assert_eq!(
        failures(&host, &insecure).await,
        [
            format!("{}Get {tags}{gone}", listed(&host)),
            format!("{}Get {manifest}{gone}", pulled(&host))
        ]
    );

    let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"Unknown manifest"}]}"#;
    let host = registry(404, unknown).await;
    let [_, pull] = failures(&host, &insecure).await;
    assert_eq!(pull, format!("{}{host}/o/c:1.0.0: not found", pulled(&host)));
}

/// Helm asks a registry on this machine by TLS too, unless it is told not to.
#[tokio::test]
async fn plain_http_is_for_those_who_ask_for_it() {
    let host = registry(200, r#"{"tags":["1.0.0"]}"#).await;
    let strict = RegistryOptions { strict: true, ..RegistryOptions::default() };
    let [tags, _] = failures(&host, &strict).await;
    let why = "http: server gave HTTP response to HTTPS client";
    assert!(tags.ends_with(&format!("Get \"https://{host}/v2/o/c/tags/list\": {why}")), "{tags}");
    let charts = OciCharts::new(
        &format!("oci://{host}/o"),
        Registries::new(),
        RegistryOptions { insecure: true, ..strict },
    );
    let found = charts.find("c", "*", &Scope::background()).await.unwrap();
    assert_eq!(found.version, "1.0.0");
}
