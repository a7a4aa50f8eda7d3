//! Reconciles Kustomizations.
fn main() {}
