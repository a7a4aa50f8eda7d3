//! The gitops command-line tool.
fn main() {}
