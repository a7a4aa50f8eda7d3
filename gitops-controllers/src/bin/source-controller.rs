//! Reconciles sources.
fn main() {}
