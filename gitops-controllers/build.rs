//! Packs the addresses that are mended at the start of the controllers, on Linux with glibc.
//!
//! A position-independent program of this size has 40 000 of them. As a table of 24 bytes each they
//! are read once and stay in memory, a megabyte of it; in the packed form (`DT_RELR`, glibc 2.36 or
//! newer) they take a thirtieth. The programs listen to a network and so stay position-independent.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script what it builds for")]

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
