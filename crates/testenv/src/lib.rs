//! Peers and fixtures for tests: Git repositories with stable hashes ([`GitRepo`]), a Git server
//! with authentication and faults ([`GitServer`]), a server that records requests ([`Sink`]), one
//! handle for the clusters that tests run in ([`Cluster`]), controllers as processes
//! ([`Controller`]), a proxy that kills them ([`ApiProxy`]), stable snapshots ([`Scrubber`]), and scenarios as texts ([`check_scenario`]).
//!
//! ```no_run
//! use gitops_testenv::{Access, GitRepo, GitServer};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let directory = tempfile::tempdir()?;
//! let mut repo = GitRepo::init(directory.path().join("app.git"))?;
//! repo.commit("main", &[("cm.yaml", Some("kind: ConfigMap\n"))], "first")?;
//! let server = GitServer::start(directory.path(), Access::Open).await?;
//! println!("{}", server.url("app.git"));
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: everything listens on loopback, on a free port, and stops when it is dropped.

mod cluster;
mod controller;
mod git_repo;
mod git_server;
mod proxy;
mod registry;
mod scenario;
mod scrub;
mod sink;
mod ssh_server;

pub use cluster::{Cluster, Namespace};
pub use controller::Controller;
pub use git_repo::{GitRepo, git_is_installed};
pub use git_server::{Access, Fault, GitServer};
pub use proxy::{ApiProxy, Moment};
pub use registry::{Registry, RegistryHabits};
pub use scenario::{Scenario, Step, World, check_scenario, differences};
pub use scrub::Scrubber;
pub use sink::{Recorded, Sink};
pub use ssh_server::{SshServer, make_key as make_ssh_key};
