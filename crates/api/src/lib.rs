//! The custom resources of the toolkit as Rust types, and their CRDs.
