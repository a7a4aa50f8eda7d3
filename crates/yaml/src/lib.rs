//! YAML as the Kubernetes tools read and write it: a node tree with positions, go-yaml's typing and go-yaml's bytes.
