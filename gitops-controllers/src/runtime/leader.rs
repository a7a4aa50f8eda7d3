//! One of several replicas works at a time.
//!
//! Follows client-go `tools/leaderelection` on a `coordination.k8s.io/v1` Lease: the same fields
//! and times, so that replicas of both can stand side by side. A lease of another is judged by how
//! long it did not change on this machine's clock, never by comparing clocks.

use std::{sync::Arc, time::Duration};

use gitops_core::{Clock, Scope};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Fence;

/// Which lease, and how it is held.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// The namespace of the lease.
    pub namespace: String,
    /// Its name: see [`lease_name`].
    pub name: String,
    /// Who we are; unique per process.
    pub identity: String,
    /// How long others wait before they take it over.
    pub duration: Duration,
    /// How long we try to renew before we give up.
    pub renew_deadline: Duration,
    /// How often it is tried or renewed.
    pub retry_period: Duration,
    /// Whether it is given back at the end.
    pub release: bool,
}

/// `<controller>-leader-election`, and for a shard the first eight hex digits of its selector's
/// SHA-256.
pub fn lease_name(controller: &str, selector: &str) -> String {
    if selector.is_empty() {
        return format!("{controller}-leader-election");
    }
    let digest = hex::encode(Sha256::digest(selector.as_bytes()));
    format!("{controller}-leader-election-{}", &digest[..8])
}

/// An election; [`acquire`](Self::acquire), then [`hold`](Self::hold).
pub struct Election {
    api: Api<Lease>,
    options: LeaseOptions,
    clock: Arc<dyn Clock>,
    fence: Fence,
    /// The lease as it was last seen to change, and when.
    seen: Option<(Lease, Instant)>,
}

impl std::fmt::Debug for Election {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Election").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The lease was lost: another replica may work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leader election lost")]
pub struct Lost;

impl Election {
    /// An election. The fence closes until the lease is ours.
    pub fn new(client: Client, options: LeaseOptions, clock: Arc<dyn Clock>, fence: Fence) -> Self {
        fence.close();
        let api = Api::namespaced(client, &options.namespace);
        Self { api, options, clock, fence, seen: None }
    }

    /// Waits until the lease is ours, and opens the fence.
    pub async fn acquire(&mut self) {
        tracing::info!(
            "attempting to acquire leader lease {}/{}...",
            self.options.namespace,
            self.options.name
        );
        let began = loop {
            let began = Instant::now();
            match self.try_once().await {
                Ok(true) => break began,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(error = %gitops_core::one_line(&error), "error retrieving the leader lease");
                }
            }
            // client-go spreads replicas by up to 1.2 periods.
            let spread = 1.0 + 1.2 * rand::random::<f64>();
            tokio::time::sleep(self.options.retry_period.mul_f64(spread)).await;
        };
        self.fence.open_until(began + self.options.renew_deadline);
        tracing::info!(
            "successfully acquired lease {}/{}",
            self.options.namespace,
            self.options.name
        );
    }

    /// Renews until the scope ends or the lease is lost; the fence is closed then, before this
    /// returns.
    ///
    /// # Errors
    /// [`Lost`] when it was not renewed in time, or another one holds it.
    pub async fn hold(&mut self, scope: &Scope) -> Result<(), Lost> {
        let mut deadline = Instant::now() + self.options.renew_deadline;
        loop {
            let pause = tokio::time::sleep(self.options.retry_period);
            if scope.run(pause).await.is_err() {
                return Ok(());
            }
            let began = Instant::now();
            let renewed = tokio::time::timeout_at(deadline, self.try_once()).await;
            match renewed {
                Ok(Ok(true)) => {
                    deadline = began + self.options.renew_deadline;
                    self.fence.open_until(deadline);
                }
                Ok(Ok(false)) => {
                    self.fence.close();
                    return Err(Lost);
                }
                Ok(Err(error)) => {
                    tracing::error!(error = %gitops_core::one_line(&error), "failed to renew lease");
                }
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                self.fence.close();
                return Err(Lost);
            }
        }
    }

    /// Gives the lease back, if it is ours and that is wanted. Call it when nothing is written any
    /// more.
    pub async fn release(mut self) {
        self.fence.close();
        let Some((mut lease, _)) = self.seen.take().filter(|_| self.options.release) else {
            return;
        };
        let Some(spec) = lease.spec.as_mut() else {
            return;
        };
        if spec.holder_identity.as_deref() != Some(&self.options.identity) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let params = PostParams::default();
        let replaced = self.api.replace(&self.options.name, &params, &lease);
        match tokio::time::timeout(Duration::from_secs(5), replaced).await {
            Ok(Ok(_)) => {}
            _ => tracing::warn!("the leader lease could not be released"),
        }
    }

    /// Takes or renews the lease; `false` while another one holds it.
    async fn try_once(&mut self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.options.name).await? else {
            let lease = self.new_lease()?;
            match self.api.create(&PostParams::default(), &lease).await {
                Ok(lease) => {
                    self.seen = Some((lease, Instant::now()));
                    return Ok(true);
                }
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
                Err(error) => return Err(error),
            }
        };
        let unchanged = self.seen.as_ref().is_some_and(|(seen, _)| seen.spec == lease.spec);
        if !unchanged {
            self.seen = Some((lease.clone(), Instant::now()));
        }
        let since = self.seen.as_ref().map_or_else(Instant::now, |(_, since)| *since);
        let spec = lease.spec.get_or_insert_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let ours = holder == self.options.identity;
        // The holder's own duration counts, not ours: it may be configured differently.
        let duration = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = duration.map_or(self.options.duration, Duration::from_secs);
        if !ours && !holder.is_empty() && since.elapsed() < duration {
            return Ok(false);
        }
        let now = self.now()?;
        if !ours {
            spec.acquire_time.clone_from(&now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
            spec.holder_identity = Some(self.options.identity.clone());
        }
        spec.renew_time = now;
        spec.lease_duration_seconds = i32::try_from(self.options.duration.as_secs()).ok();
        match self.api.replace(&self.options.name, &PostParams::default(), &lease).await {
            Ok(lease) => {
                self.seen = Some((lease, Instant::now()));
                Ok(true)
            }
            // Somebody was faster; whether we still hold it shows the next look.
            Err(kube::Error::Api(status)) if status.code == 409 && !ours => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn new_lease(&self) -> Result<Lease, kube::Error> {
        let now = self.now()?;
        let mut lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.options.name.clone()),
                namespace: Some(self.options.namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Lease::default()
        };
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(self.options.identity.clone());
        spec.lease_duration_seconds = i32::try_from(self.options.duration.as_secs()).ok();
        spec.acquire_time.clone_from(&now);
        spec.renew_time = now;
        spec.lease_transitions = Some(0);
        Ok(lease)
    }

    fn now<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>, kube::Error> {
        let text = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        serde_json::from_value(json!(text)).map(Some).map_err(kube::Error::SerdeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_leases_of_their_own() {
        assert_eq!(lease_name("source-controller", ""), "source-controller-leader-election");
        let shard = lease_name("source-controller", "sharding.fluxcd.io/key=shard1");
        assert_eq!(shard.len(), "source-controller-leader-election-".len() + 8);
    }
}
