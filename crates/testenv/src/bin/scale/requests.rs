//! What the API server has done, by its own count.

use kube::Client;

/// The API server's work so far.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// All requests but watches and the server's own.
    pub(crate) requests: u64,
    /// What the process used, which tells more than time where other programs run beside it.
    pub(crate) cpu_seconds: f64,
}

pub(crate) async fn work(client: &Client) -> anyhow::Result<Work> {
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
    let used = text.lines().find(|line| line.starts_with("process_cpu_seconds_total "));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let requests = total as u64;
    Ok(Work { requests, cpu_seconds: used.and_then(value).unwrap_or_default() })
}
