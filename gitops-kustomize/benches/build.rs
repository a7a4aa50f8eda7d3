//! Time and allocations of builds: `cargo bench -p gitops-kustomize`.
//!
//! `four_objects` is also measured on four threads at once: the time of one build stays the same where
//! builds share nothing but cores.

use std::{fmt::Write as _, sync::Arc};

use divan::{Bencher, counter::ItemsCount};
use gitops_core::{MemoryTree, Scope};
use gitops_kustomize::{BuildOptions, build, flux};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// A base of so many applications, each a Deployment, a Service and a generated ConfigMap, under an
/// overlay that uses every common field.
fn overlay(applications: usize) -> MemoryTree {
    let mut tree = MemoryTree::new();
    let mut base = String::from("resources:\n");
    let mut generators = String::from("configMapGenerator:\n");
    for index in 0..applications {
        let _ = writeln!(base, "- app-{index}.yaml");
        let _ = writeln!(
            generators,
            "- name: app-{index}-config\n  literals: [level=info, shard={index}]"
        );
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index}\nspec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: app-{index}}}\n  template:\n    metadata:\n      labels: {{app: app-{index}}}\n    spec:\n      containers:\n      - name: main\n        image: registry.example.com/app:1.0.{index}\n        envFrom:\n        - configMapRef: {{name: app-{index}-config}}\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app-{index}\nspec:\n  selector: {{app: app-{index}}}\n  ports:\n  - name: http\n    port: 80\n"
        );
        tree.insert(format!("base/app-{index}.yaml"), text).expect("stays in the tree");
    }
    tree.insert("base/kustomization.yaml", base + &generators).expect("stays in the tree");
    let overlay = "resources: [../base]\nnamespace: prod\nnamePrefix: prod-\nlabels:\n- pairs: {env: prod}\n  includeSelectors: true\ncommonAnnotations: {owner: sre}\nimages:\n- name: registry.example.com/app\n  newTag: 2.0.0\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: any}\n    spec: {template: {spec: {containers: [{name: main, env: [{name: REGION, value: eu}]}]}}}\n";
    tree.insert("overlay/kustomization.yaml", overlay).expect("stays in the tree");
    tree
}

/// The number of applications; three objects each.
#[divan::bench(args = [1, 10, 100, 333, 3333])]
fn full_overlay(bencher: Bencher<'_, '_>, applications: usize) {
    let tree = overlay(applications);
    let options = BuildOptions::default();
    bencher.bench_local(|| {
        build(&tree, "overlay".as_ref(), &options, &Scope::background())
            .expect("builds")
            .manifests
            .len()
    });
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

#[divan::bench(threads = [1, 4], sample_size = 100)]
fn four_objects(bencher: Bencher<'_, '_>) {
    let tree = small_overlay();
    let options = BuildOptions::default();
    bencher.counter(ItemsCount::new(1_usize)).bench(|| {
        build(&tree, "overlay".as_ref(), &options, &Scope::background())
            .expect("builds")
            .manifests
            .to_yaml()
    });
}

#[divan::bench]
fn four_objects_as_flux(bencher: Bencher<'_, '_>) {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: '${env}'}\n";
    let files =
        ["a", "b", "c", "d"].map(|name| (format!("{name}.yaml"), text.replace("NAME", name)));
    let tree = Arc::new(MemoryTree::from_iter(files));
    let options = flux::FluxOptions { target_namespace: "prod".into(), ..Default::default() };
    let substitution = flux::Substitution {
        vars: [("env".to_owned(), "prod".to_owned())].into(),
        ..Default::default()
    };
    let build = BuildOptions::default();
    bencher.bench_local(|| {
        let tree = Arc::clone(&tree) as Arc<dyn gitops_core::Tree>;
        let mut rendered =
            flux::render(tree, "", &options, &build, &Scope::background()).expect("builds");
        flux::substitute(&mut rendered.manifests, &substitution).expect("substitutes");
        rendered.manifests.len()
    });
}
