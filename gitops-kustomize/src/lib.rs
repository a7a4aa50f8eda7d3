//! kustomize build as a library: pure, reentrant, byte for byte.
