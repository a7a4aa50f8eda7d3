//! A clone beside `git clone --depth 1`: time and peak memory, each in a process of its own.
//!
//! The repository has 4000 files of 5 KiB and 1500 commits, and is served by git's own backend.
//! Measured are the fetch with every file read, and the fetch with the artifact made and stored.

#![allow(clippy::print_stdout, reason = "it is a measurement")]

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use gitops_core::{Algorithm, ArtifactKey, EntryKind, Scope, SystemClock, Tree};
use gitops_source::{
    ArtifactStore as _, Content, DiskStore, GitReference, GitSource, IgnoreRules, Source as _,
};
use gitops_testenv::{Access, GitRepo, GitServer};

const FILES: usize = 4000;
const COMMITS: usize = 1500;
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let [_, word, url, place] = arguments.as_slice()
        && (word == "read" || word == "store")
    {
        runtime.block_on(clone(url, (word == "store").then_some(Path::new(place))));
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    make(directory.path());
    let server =
        runtime.block_on(GitServer::start(directory.path(), Access::Open)).expect("a free port");
    let url = server.url("app.git");
    let own = std::env::current_exe().expect("a path");
    for word in ["read", "store", "git"] {
        let (mut times, mut memory) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            let place = directory.path().join(format!("{word}-{round}"));
            let mut command = if word == "git" {
                let mut command = Command::new("git");
                command.args(["clone", "--quiet", "--depth", "1", &url]).arg(&place);
                command
            } else {
                let mut command = Command::new(&own);
                command.args([word, &url]).arg(&place);
                command
            };
            let started = Instant::now();
            let output = command.output().expect("a process");
            times.push(started.elapsed());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let said = String::from_utf8_lossy(&output.stdout);
            memory = memory.max(said.trim().parse::<u64>().unwrap_or(0));
        }
        times.sort();
        let median: Duration = times[ROUNDS / 2];
        println!("{word:6} median {median:?}, best {:?}, peak {memory} KiB", times[0]);
    }
}

/// Clones, and says how much memory it took.
async fn clone(url: &str, store: Option<&Path>) {
    let scope = Scope::background();
    let source = GitSource::new(url, GitReference::Branch("main".into()));
    let resolved = source.resolve(&scope).await.expect("resolves");
    let fetched = source.fetch(&resolved, &scope).await.expect("fetches");
    if let Some(place) = store {
        let tree = Arc::clone(&fetched.tree);
        let rules = IgnoreRules::load(&*tree, None).expect("rules");
        let store = DiskStore::open(place, Algorithm::Sha256, Arc::new(SystemClock));
        let key = ArtifactKey::new("GitRepository", "bench", "app");
        let content = Content::tree(tree, rules);
        let stored = store.expect("a store").put(&key, &fetched.revision, content, &scope).await;
        stored.expect("stores");
    } else {
        let bytes = read(&*fetched.tree, Path::new(""));
        assert!(bytes > FILES * 1000, "{bytes} bytes");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.unwrap_or("0").trim().trim_end_matches(" kB"));
}

fn read(tree: &dyn Tree, dir: &Path) -> usize {
    let entries = tree.list(dir).expect("a directory");
    let sizes = entries.into_iter().map(|entry| {
        let path = dir.join(&entry.name);
        match entry.kind {
            EntryKind::Directory => read(tree, &path),
            _ => tree.read(&path).expect("a file").len(),
        }
    });
    sizes.sum()
}

fn make(directory: &Path) {
    let mut repo = GitRepo::init(directory.join("app.git")).expect("git is installed");
    let files: Vec<(String, String)> =
        (0..FILES).map(|at| (format!("d{}/f{at}.yaml", at % 200), text(at))).collect();
    let files: Vec<_> =
        files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    repo.commit("main", &files, "all").expect("commits");
    for round in 1..COMMITS {
        let change = text(FILES + round);
        let path = format!("d{}/f{}.yaml", round % 200, round % FILES);
        repo.commit("main", &[(&path, Some(&change))], "more").expect("commits");
    }
    let packed = Command::new("git").args(["gc", "--quiet"]).current_dir(repo.path()).status();
    assert!(packed.expect("git").success());
}

fn text(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut out = String::with_capacity(5 << 10);
    while out.len() < 5 << 10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (key, value) = (state >> 50, (state >> 40) & 0xff);
        out.extend([format!("key{key}: "), format!("value{value}\n")]);
    }
    out
}
