//! The repository on disk: what it says of its cluster, and what is served of it.

mod field;
mod places;
mod remote;
mod remote_url;
mod ssh;
mod sync;
mod working_tree;

pub(crate) use places::Places;
pub(crate) use remote::{Remote, shown, take_credentials};
pub(crate) use remote_url::RemoteUrl;
pub(crate) use ssh::SshPlaces;
pub(crate) use sync::{Sync, find};
pub(crate) use working_tree::WorkingTree;
