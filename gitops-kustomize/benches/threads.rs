//! Builds of a small overlay on one thread and on four, with the allocator of kustomize-controller:
//! `cargo bench -p gitops-kustomize --bench threads`.
//!
//! Time is that of the clock, in which threads that wait for each other show: it takes a machine with
//! four cores that do nothing else.
#![expect(clippy::print_stdout, reason = "a bench talks")]

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build_text};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often each thread builds in a round.
const BUILDS: u32 = 5_000;
const ROUNDS: usize = 5;

fn main() {
    let tree = small_overlay();
    let one = best(&tree, 1);
    let four = best(&tree, 4);
    let each = |used: Duration| used.as_secs_f64() / f64::from(BUILDS);
    println!(
        "one thread:   {:.1} us for a build, {:.0} builds/s/core",
        each(one) * 1e6,
        1.0 / each(one)
    );
    println!(
        "four threads: {:.1} us for a build, {:.0} builds/s/core",
        each(four) * 1e6,
        1.0 / each(four)
    );
    println!(
        "four threads do {:.2} times the work of one",
        4.0 * one.as_secs_f64() / four.as_secs_f64()
    );
}

/// The least time that a thread took for its builds, on average of all threads.
fn best(tree: &MemoryTree, threads: u32) -> Duration {
    let rounds = (0..ROUNDS).map(|_| round(tree, threads));
    rounds.min().unwrap_or_default()
}

fn round(tree: &MemoryTree, threads: u32) -> Duration {
    let (barrier, options) = (Barrier::new(threads as usize), BuildOptions::default());
    let work = || {
        barrier.wait();
        let start = Instant::now();
        for _ in 0..BUILDS {
            let built = build_text(tree, "overlay".as_ref(), &options, &Scope::background());
            let text = built.expect("builds").text;
            text.write(std::hint::black_box(std::io::sink())).expect("takes all");
        }
        start.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let count = u32::try_from(threads.len()).unwrap_or(1);
        let times = threads.into_iter().map(|thread| thread.join().expect("no build panics"));
        times.sum::<Duration>() / count
    })
}

/// A Deployment, a Service, a ConfigMap and a ServiceAccount under an overlay with namespace, prefix,
/// labels, an image and a patch.
fn small_overlay() -> MemoryTree {
    let base = "resources: [app.yaml]\n";
    let app = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  selector:\n    matchLabels: {app: app}\n  template:\n    metadata:\n      labels: {app: app}\n    spec:\n      serviceAccountName: app\n      containers:\n      - name: main\n        image: registry.example.com/app:1.0.0\n        envFrom:\n        - configMapRef: {name: app}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app\nspec:\n  selector: {app: app}\n  ports:\n  - name: http\n    port: 80\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\ndata:\n  level: info\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app\n";
    let overlay = "resources: [../base]\nnamespace: prod\nnamePrefix: prod-\nlabels:\n- pairs: {env: prod}\n  includeSelectors: true\nimages:\n- name: registry.example.com/app\n  newTag: 2.0.0\npatches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: app}\n    spec: {replicas: 2}\n";
    MemoryTree::from_iter([
        ("base/app.yaml", app),
        ("base/kustomization.yaml", base),
        ("overlay/kustomization.yaml", overlay),
    ])
}
