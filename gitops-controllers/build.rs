//! Packs the addresses that are mended at the start of the controllers, on Linux with glibc.
//!
//! A position-independent program of this size has 40 000 of them. As a table of 24 bytes each they
//! are read once and stay in memory, a megabyte of it; in the packed form (`DT_RELR`, glibc 2.36 or
//! newer) they take a thirtieth. The programs listen to a network and so stay position-independent.
//! Where the machine's own glibc is older, or another one is built for, they are not packed.
//!
//! What unwinds the stack is linked into every program of this crate: a shared library that is found,
//! mapped and bound at each start costs a tenth of a millisecond, and a tenth of a megabyte while it is
//! there. Without the static one, as in some distributions, it remains.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script what it builds for")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    let is_native = env::var("HOST").is_ok_and(|host| is("TARGET", &host));
    if is_glibc && is_native && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // The compiler of another target would name the wrong library.
    if let Some(directory) = (is_glibc && is_native).then(unwinder).flatten() {
        println!("cargo:rustc-link-search=native={directory}");
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
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

/// The version of the machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
