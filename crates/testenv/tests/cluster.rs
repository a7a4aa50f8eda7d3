//! The handle on a cluster, in a real one: `GITOPS_CLUSTER=real` and `KUBECONFIG`.

use std::time::Duration;

use gitops_testenv::Cluster;
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn objects_come_change_and_go() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    let namespace = cluster.namespace("handle").await?;
    namespace
        .apply(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {ns: '@NS@'}\n---\n\
             apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: src}\n\
             spec: {interval: 10m, url: 'https://example.com/app.git'}\n",
        )
        .await?;
    let map = namespace.wait_for("ConfigMap/a", SOON, |seen| seen.is_some()).await?.unwrap();
    assert_eq!(map["data"]["ns"], namespace.name());
    let source = namespace.get("GitRepository/src").await?.unwrap();
    assert_eq!(source["spec"]["timeout"], "60s", "the definition's default");
    assert_eq!(source["kind"], "GitRepository");

    namespace.patch("GitRepository/src", &json!({ "spec": { "suspend": true } })).await?;
    assert_eq!(namespace.get("GitRepository/src").await?.unwrap()["metadata"]["generation"], 2);
    let waited = namespace.wait_ready("GitRepository/src", Duration::from_millis(200)).await;
    assert!(waited.unwrap_err().to_string().contains("not as wanted"));

    namespace.delete("ConfigMap/a").await?;
    namespace.wait_for("ConfigMap/a", SOON, |seen| seen.is_none()).await?;
    assert!(namespace.get("Unheard/of").await.is_err());
    assert!(namespace.events().await?.is_empty());
    Ok(())
}

/// What a definition says is what the cluster checks.
#[tokio::test]
async fn bad_objects_are_refused() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    let namespace = cluster.namespace("refused").await?;
    for (what, spec) in [
        ("interval", "{interval: soon, url: 'https://example.com'}"),
        ("spec.url", "{interval: 1m, url: 'file:///etc'}"),
        ("provider", "{interval: 1m, url: 'https://example.com', provider: unheard-of}"),
        (
            "serviceAccountName can only be set",
            "{interval: 1m, url: 'https://example.com', serviceAccountName: a}",
        ),
    ] {
        let refused = namespace
            .apply(&format!(
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: bad}}\nspec: {spec}\n"
            ))
            .await
            .unwrap_err();
        assert!(format!("{refused:#}").contains(what), "{refused:#}");
    }
    Ok(())
}
