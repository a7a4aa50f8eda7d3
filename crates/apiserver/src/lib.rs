//! A Kubernetes API server inside the process.
//!
//! [`Server`] holds a cluster's objects in memory and serves them as kube-apiserver does: built-in
//! kinds from a compact table, custom resources with structural schemas and CEL rules, server-side
//! apply with field managers, watches, dry runs, finalizers, and refusals in the API's own words.
//! Nothing runs in it but the server: no scheduler, no kubelet.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use gitops_apiserver::Server;
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::{Api, Client, api::PostParams};
//!
//! let server = Server::new();
//! let client = Client::new(server.service(), "default");
//! let maps: Api<ConfigMap> = Api::default_namespaced(client);
//! let map = serde_json::from_str(r#"{"metadata": {"name": "a"}, "data": {"key": "value"}}"#)?;
//! maps.create(&PostParams::default(), &map).await?;
//! assert_eq!(maps.get("a").await?.data.unwrap()["key"], "value");
//! # Ok(())
//! # }
//! ```
//!
//! A request becomes an answer in this order: `service` (body, user, path) → `verbs` → `admit`
//! (decode, default, prepare, validate) → `apply` (who owns which field) → `storage`. Requests work
//! on immutable objects and snapshots; a lock is held only while one entry of one table is exchanged.
//!
//! Invariant: knows nothing of any client, and keeps no state outside its own storage.

mod admit;
mod apply;
mod auth;
mod discovery;
mod garbage;
mod listen;
mod object;
mod openapi;
mod registry;
mod request;
mod schema;
mod selector;
mod server;
mod service;
mod status;
mod storage;
mod table;
mod verbs;

pub use server::{Server, ServerBuilder};
pub use service::{Body, ServerService};
