//! Server-side apply in stages, drift detection, inventory, prune and health.
//!
//! The crate does to a cluster what Flux's kustomize-controller does: it compares objects with what
//! the API server would make of them, applies those that differ, says what it did, deletes what is
//! no longer wanted, and waits until what was applied is ready.
//!
//! ```no_run
//! use gitops_apply::{Applier, ApplyOptions, Cluster, Inventory, NoJournal, Owner};
//! use gitops_core::Scope;
//!
//! # async fn example(client: kube::Client, objects: Vec<serde_json::Value>, old: Inventory)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let applier = Applier::new(Cluster::new(client));
//! let options = ApplyOptions::new(Owner::kustomization("apps", "web"), "kustomize-controller");
//! let scope = Scope::background();
//!
//! let changes = applier.apply(objects, &options, &NoJournal, &scope).await?;
//! let gone = old.missing_in(&Inventory::of(&changes));
//! let pruned = applier.delete(&gone, &options.owner, &scope).await;
//! tracing::info!(%changes, ?pruned);
//! # Ok(())
//! # }
//! ```
//!
//! # Tour
//! * [`Cluster`]: a `kube::Client` with the kinds that the cluster serves ([`Discovery`]);
//!   [`Cluster::impersonate`] and [`Cluster::from_kubeconfig`] act as somebody else.
//! * [`Applier`]: [`plan`](Applier::plan), [`apply`](Applier::apply), [`delete`](Applier::delete),
//!   [`wait`](Applier::wait). [`ApplyOptions`] say how; a [`ChangeSet`] tells what was done.
//! * [`Inventory`]: what an owner owns, and what of it went; [`Applier::find_owned`] makes one from
//!   the labels of what is there.
//! * [`health`]: when an object counts as ready; [`HealthChecks`] adds CEL expressions.
//! * [`Record`]: remembers what was applied, so that a turn in which nothing changed costs no
//!   request.
//! * Errors: [`ApplyError`], [`WaitError`], [`ClientError`], each a
//!   [`Classify`](gitops_core::Classify); [`ApiError`] is the API server's answer.
//!
//! Invariant: knows nothing of custom resource types, of sources or of rendering; objects are JSON
//! values. Deletes nothing that does not carry the owner's labels.

mod applier;
mod cel;
mod change;
mod check;
mod cluster;
mod delete;
mod error;
pub mod health;
mod inventory;
mod object;
mod options;
mod owned;
mod plan;
mod record;
mod wait;

pub use applier::Applier;
pub use cel::{CelError, Expression, HealthCheckExpression, HealthChecks};
pub use change::{Action, Change, ChangeSet};
pub use check::{IgnoreRule, IgnoreTarget};
pub use cluster::{ApiError, ClientError, Cluster, Discovery, KubeconfigOptions, Resource};
pub use delete::Deletion;
pub use error::{ApplyError, ApplyFailure, WaitError};
pub use inventory::Inventory;
pub use object::{ApplyStage, compare, mask_secret, normalize, object_id, set_metadata};
pub use options::{ApplyOptions, Journal, NoJournal, Owner};
pub use plan::{Plan, Planned};
pub use record::{Record, RecordOptions};
pub use wait::{WaitOptions, jobs_with_ttl};
