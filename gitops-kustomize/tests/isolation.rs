//! Row 115 of the project's table of security cases: a build neither opens a socket nor starts a
//! program. The kernel refuses both to the thread that builds all cases of `tests`, and would be heard
//! of: such a call ends the process.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod sections;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
};

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use sections::sections;

/// `socket`, `connect`, `sendto`, `execve` and `execveat` of the machine.
const CALLS: [i64; 5] =
    if cfg!(target_arch = "x86_64") { [41, 42, 44, 59, 322] } else { [198, 203, 206, 221, 281] };

/// Refuses the calls to this thread, and to those that it starts, from now on.
fn refuse(how: SeccompAction) {
    let arch = if cfg!(target_arch = "x86_64") { TargetArch::x86_64 } else { TargetArch::aarch64 };
    let rules: BTreeMap<_, _> = CALLS.into_iter().map(|call| (call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, how, arch).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// Builds all cases in a folder of the tests, and returns how many there were and how many succeeded.
fn build_all(folder: &str, built: &mut (usize, usize)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|extension| extension != "txtar") {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        let (head, files) = sections(&text);
        let path = head.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
        let options = BuildOptions { trace: true, ..BuildOptions::default() };
        let tree = MemoryTree::from_iter(files);
        built.0 += 1;
        built.1 += usize::from(build(&tree, path.as_ref(), &options, &Scope::background()).is_ok());
    }
}

#[test]
fn builds_use_no_network_and_start_no_program() {
    let built = std::thread::spawn(|| {
        refuse(SeccompAction::KillProcess);
        let mut built = (0, 0);
        for folder in ["cases", "errors", "explain"] {
            build_all(folder, &mut built);
        }
        built
    });
    let (cases, succeeded) = built.join().unwrap();
    println!("{cases} builds, {succeeded} of them with output");
    assert!(cases > 60 && succeeded > 15, "{cases} {succeeded}");
}

/// The filter is one that works: what it is about fails below a gentler form of it.
#[test]
fn the_filter_refuses() {
    let refused = std::thread::spawn(|| {
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).is_ok());
        refuse(SeccompAction::Errno(1));
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        (socket.map(drop), Command::new("/bin/true").status().map(drop))
    });
    let (socket, program) = refused.join().unwrap();
    for refused in [socket, program] {
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    }
}
