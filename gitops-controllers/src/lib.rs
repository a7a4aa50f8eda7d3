//! Reconcilers, and the controllers that run them.

pub mod profiles;
pub mod runtime;
