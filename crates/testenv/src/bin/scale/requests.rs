//! How many requests the API server has answered, by its own count.

use kube::Client;

/// All requests but watches and the server's own.
pub(crate) async fn count(client: &Client) -> anyhow::Result<u64> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let text = client.request_text(request).await?;
    let relevant = |line: &&str| {
        line.starts_with("apiserver_request_total{")
            && !line.contains("verb=\"WATCH\"")
            && ["kustomize.toolkit", "source.toolkit", "group=\"\""]
                .iter()
                .any(|part| line.contains(part))
            && !["leases", "resource=\"endpoints\"", "resource=\"namespaces\""]
                .iter()
                .any(|part| line.contains(part))
    };
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    let total: f64 = text.lines().filter(relevant).filter_map(value).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(total as u64)
}
