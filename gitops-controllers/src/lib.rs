//! Reconcilers, and the controllers that run them.

pub mod args;
mod cluster_config;
pub mod embed;
pub mod generator;
pub mod http;
pub mod kustomization;
mod overlay;
pub mod process;
pub mod profiles;
pub mod runtime;
pub mod source;
pub mod wire;

pub use overlay::remote_file;
