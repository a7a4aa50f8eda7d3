//! Links `gitops` at a fixed address on Linux with glibc.
//!
//! A position-independent program of this size has 90 000 addresses to mend at each start, which is
//! more than half of the time of a small build. The controllers, which start once and listen to a
//! network, stay position-independent.
//!
//! The loader writes the addresses of what the C library has into a table of 8000 places, most of which
//! are ours and known already, and each page that it writes to is copied. Names that the linker hears of
//! first stand first, so those of `libc.txt` share one page. Which of them are in use does not matter, nor
//! that all are listed.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script what it builds for")]

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=libc.txt");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        for name in include_str!("libc.txt").lines() {
            println!("cargo:rustc-link-arg-bins=-Wl,-u,{name}");
        }
    }
}
