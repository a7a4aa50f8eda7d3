//! What Flux adds to kustomize.
