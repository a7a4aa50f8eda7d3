//! Server-side apply in stages, drift detection, inventory, prune and health.
