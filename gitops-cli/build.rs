//! Links `gitops` at a fixed address on Linux with glibc, and what unwinds its stack into it.
//!
//! A position-independent program of this size has 90 000 addresses to mend at each start, which is
//! more than half of the time of a small build. The controllers, which start once and listen to a
//! network, stay position-independent. A shared library that is found, mapped and bound at each start
//! costs a tenth of a millisecond; without the static one, as in some distributions, it remains.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script what it builds for")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // The compiler of another target would name the wrong library.
        let native = env::var("HOST").is_ok_and(|host| is("TARGET", &host));
        if let Some(directory) = native.then(unwinder).flatten() {
            println!("cargo:rustc-link-search=native={directory}");
            println!("cargo:rustc-link-lib=static=gcc_eh");
        }
    }
}

/// Where the C compiler has the library that unwinds.
fn unwinder() -> Option<String> {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let told = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let file = String::from_utf8(told.stdout).ok()?;
    let file = Path::new(file.trim());
    // What the compiler does not find it names without a directory.
    let directory = file.is_absolute().then(|| file.parent()).flatten()?;
    file.is_file().then(|| directory.display().to_string())
}
