//! Where something is: URLs, paths, names of hosts.

mod go_url;
mod network;
mod paths;
mod url;

pub use go_url::is_request_url;
pub(super) use network::NETWORK;
pub(super) use paths::PATHS;
pub(super) use url::URL;
