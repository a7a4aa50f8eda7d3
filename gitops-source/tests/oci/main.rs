//! Registries and the artifacts in them.

mod hostile;
mod registry;
mod source;
