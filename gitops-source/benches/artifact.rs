//! From a repository behind a server to a stored artifact, and back to files.
//!
//! The repository has 1000 files of 5 KiB in 100 directories and 50 commits.

use std::sync::{Arc, OnceLock};

use divan::{Bencher, counter::BytesCount};
use gitops_core::{Algorithm, Artifact, ArtifactKey, Limits, Scope, SystemClock, unpack};
use gitops_source::{
    ArtifactStore, Content, DiskStore, Fetched, GitReference, GitSource, IgnoreRules, Source as _,
};
use gitops_testenv::{Access, GitRepo, GitServer};
use tokio::{io::AsyncReadExt as _, runtime::Runtime};

const FILES: usize = 1000;
const SIZE: usize = 5 << 10;

struct World {
    runtime: Runtime,
    server: GitServer,
    directory: tempfile::TempDir,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut repo = GitRepo::init(directory.path().join("app.git")).expect("git is installed");
        let files: Vec<(String, String)> =
            (0..FILES).map(|at| (format!("d{}/f{at}.yaml", at % 100), text(at))).collect();
        let files: Vec<_> =
            files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        repo.commit("main", &files, "all").expect("commits");
        for round in 0..49 {
            let change = text(FILES + round);
            repo.commit("main", &[("d0/f0.yaml", Some(&change))], "more").expect("commits");
        }
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime
            .block_on(GitServer::start(directory.path(), Access::Open))
            .expect("a free port");
        World { runtime, server, directory }
    })
}

fn text(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut out = String::with_capacity(SIZE);
    while out.len() < SIZE {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (key, value) = (state >> 50, (state >> 40) & 0xff);
        out.extend([format!("key{key}: "), format!("value{value}\n")]);
    }
    out
}

fn source() -> GitSource {
    GitSource::new(world().server.url("app.git"), GitReference::Branch("main".into()))
}

fn fetched() -> Fetched {
    let source = source();
    let scope = Scope::background();
    world().runtime.block_on(async {
        let at = source.resolve(&scope).await.expect("resolves");
        source.fetch(&at, &scope).await.expect("fetches")
    })
}

fn stored(fetched: &Fetched) -> (DiskStore, Artifact) {
    let root = world().directory.path().join("store");
    let store =
        DiskStore::open(root, Algorithm::Sha256, Arc::new(SystemClock)).expect("a directory");
    let rules = IgnoreRules::load(&*fetched.tree, None).expect("rules");
    let content = Content::tree(Arc::clone(&fetched.tree), rules);
    let key = ArtifactKey::new("GitRepository", "ns", "app");
    let scope = Scope::background();
    let put = store.put(&key, &fetched.revision, content, &scope);
    let artifact = world().runtime.block_on(put).expect("puts");
    (store, artifact)
}

#[divan::bench]
fn resolve(bencher: Bencher<'_, '_>) {
    let source = source();
    let scope = Scope::background();
    bencher.bench_local(|| world().runtime.block_on(source.resolve(&scope)).expect("resolves"));
}

#[divan::bench]
fn resolve_and_fetch(bencher: Bencher<'_, '_>) {
    world();
    bencher.counter(BytesCount::new(FILES * SIZE)).bench_local(fetched);
}

#[divan::bench]
fn store(bencher: Bencher<'_, '_>) {
    let fetched = fetched();
    bencher.counter(BytesCount::new(FILES * SIZE)).bench_local(|| stored(&fetched));
}

#[divan::bench]
fn read_back(bencher: Bencher<'_, '_>) {
    let (store, artifact) = stored(&fetched());
    bencher.counter(BytesCount::new(FILES * SIZE)).bench_local(|| {
        let mut bytes = Vec::new();
        world().runtime.block_on(async {
            let mut open = store.open(&artifact.key, &artifact.file).await.expect("opens");
            open.body.read_to_end(&mut bytes).await.expect("reads");
        });
        unpack(&bytes[..], &Limits::default()).expect("unpacks")
    });
}

fn main() {
    divan::main();
}
