//! Reconcilers, and the controllers that run them.

pub mod args;
pub mod kustomization;
pub mod profiles;
pub mod runtime;
pub mod source;
