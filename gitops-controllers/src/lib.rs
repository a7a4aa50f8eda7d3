//! Reconcilers, and the controllers that run them.
