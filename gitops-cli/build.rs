//! Links `gitops` at a fixed address on Linux with glibc.
//!
//! A position-independent program of this size has 90 000 addresses to mend at each start, which is
//! more than half of the time of a small build. The controllers, which start once and listen to a
//! network, stay position-independent.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script what it builds for")]

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
