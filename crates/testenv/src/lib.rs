//! Peers and fixtures for the tests: git server with faults, sinks, and one handle for an embedded or a real cluster.
