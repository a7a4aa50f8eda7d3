//! What a program that embeds the build relies on: it can be stopped, runs any number of times at
//! once, and gives the same bytes each time.

#![allow(clippy::unwrap_used, clippy::from_iter_instead_of_collect, reason = "tests")]

use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gitops_core::{Class, Classify as _, Entry, MemoryTree, Scope, Tree, TreeError};
use gitops_kustomize::{BuildOptions, ErrorKind, build, build_text};

/// An overlay that uses most of what can be used, over `count` workloads in two bases.
fn overlay(count: usize) -> Vec<(String, String)> {
    let mut workloads = String::new();
    for number in 0..count {
        write!(
            workloads,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{number}\n  labels: {{app: web}}\nspec:\n  \
             replicas: 1\n  selector: {{matchLabels: {{app: web-{number}}}}}\n  template:\n    metadata: {{labels: {{app: web-{number}}}}}\n    \
             spec:\n      containers:\n      - name: app\n        image: nginx:1\n        args: [--name=$(NAME)]\n        \
             envFrom:\n        - configMapRef: {{name: settings}}\n---\n",
        )
        .unwrap();
    }
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let base = "resources: [all.yaml, service.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [a=1, b=2]\n";
    let prod = "\
resources: [../base]
namespace: prod
namePrefix: p-
labels:
- pairs: {tier: front, team: a, z: z}
  includeSelectors: true
images:
- name: nginx
  newTag: '2'
patches:
- target: {kind: Deployment, name: 'web-.*'}
  patch: '- {op: replace, path: /spec/replicas, value: 3}'
- target: {kind: Deployment}
  path: patch.yaml
replacements:
- source: {kind: Service, name: web, fieldPath: spec.ports.0.port}
  targets:
  - select: {kind: Deployment}
    fieldPaths: [spec.template.spec.containers.0.ports.0.containerPort]
    options: {create: true}
vars:
- name: NAME
  objref: {apiVersion: v1, kind: Service, name: web}
";
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: any}\nspec: {template: {spec: {containers: \
                 [{name: app, resources: {limits: {cpu: 1, memory: 1Gi}}}]}}}\n";
    [
        ("base/kustomization.yaml", base),
        ("base/all.yaml", &workloads),
        ("base/service.yaml", service),
        ("prod/kustomization.yaml", prod),
        ("prod/patch.yaml", patch),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect()
}

fn bytes(tree: &dyn Tree, options: &BuildOptions, scope: &Scope) -> String {
    build(tree, "prod".as_ref(), options, scope).unwrap().manifests.to_yaml()
}

/// A tree that cancels a scope when its nth file is read, and counts what is read afterwards.
#[derive(Debug)]
struct Cancelling {
    tree: MemoryTree,
    scope: Scope,
    at: usize,
    reads: AtomicUsize,
}

impl Tree for Cancelling {
    fn read(&self, path: &Path) -> Result<Bytes, TreeError> {
        let content = self.tree.read(path)?;
        if self.reads.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            self.scope.cancel();
        }
        Ok(content)
    }

    fn list(&self, path: &Path) -> Result<Vec<Entry>, TreeError> {
        self.tree.list(path)
    }

    fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
        self.tree.stat(path)
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        self.tree.resolve(path)
    }
}

#[test]
fn a_cancelled_build_ends_at_once() {
    let files = overlay(200);
    let count = files.len();
    for at in 1..=count {
        let scope = Scope::background();
        let tree = MemoryTree::from_iter(files.iter().cloned());
        let tree = Cancelling { tree, scope: scope.clone(), at, reads: AtomicUsize::new(0) };
        let error =
            build(&tree, "prod".as_ref(), &BuildOptions::default(), &scope).expect_err("cancelled");
        assert_eq!((error.kind(), error.class()), (ErrorKind::Cancelled, Class::Cancelled));
        // The file that was being read, and no other.
        assert_eq!(tree.reads.load(Ordering::Relaxed), at, "reads on after {at}");
    }
    let scope = Scope::background();
    scope.cancel();
    let tree = MemoryTree::from_iter(files);
    let error = build(&tree, "prod".as_ref(), &BuildOptions::default(), &scope).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

/// Also in the middle of the work, between two resources.
#[test]
fn a_running_build_can_be_stopped() {
    let tree = MemoryTree::from_iter(overlay(3000));
    let options = BuildOptions::default();
    let begin = Instant::now();
    bytes(&tree, &options, &Scope::background());
    let whole = begin.elapsed();
    let mut stopped = 0;
    for part in [2, 4, 8, 16, 64, 256] {
        let scope = Scope::background();
        let (error, late) = std::thread::scope(|threads| {
            let canceller = threads.spawn(|| {
                let begin = Instant::now();
                while begin.elapsed() < whole / part {
                    std::thread::yield_now();
                }
                scope.cancel();
                Instant::now()
            });
            let error = build(&tree, "prod".as_ref(), &options, &scope).map(drop);
            (error, Instant::now().saturating_duration_since(canceller.join().unwrap()))
        });
        // On a busy machine the build may be over first.
        let Err(error) = error else { continue };
        stopped += 1;
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        // Reading one file is the longest stretch without a look.
        assert!(late < whole.max(Duration::from_secs(2)), "{late:?} of {whole:?}");
    }
    assert!(stopped > 0, "none of the builds could be stopped");
}

#[test]
fn eight_threads_build_the_same_bytes() {
    let tree = MemoryTree::from_iter(overlay(20));
    let (options, scope) = (BuildOptions::default(), Scope::background());
    let once = bytes(&tree, &options, &scope);
    assert!(once.contains("containerPort: 80") && once.contains("--name=p-web"), "{once}");
    std::thread::scope(|threads| {
        let all: Vec<_> = (0..8)
            .map(|_| threads.spawn(|| (0..4).map(|_| bytes(&tree, &options, &scope)).collect()))
            .collect();
        for thread in all {
            let texts: Vec<String> = thread.join().unwrap();
            assert!(texts.iter().all(|text| *text == once));
        }
    });
}

/// Every map of the program has a seed of its own, in each run.
#[test]
fn a_thousand_runs_give_the_same_bytes() {
    const RUNS: usize = 1000;
    let files = overlay(4);
    let tree = MemoryTree::from_iter(files.iter().cloned());
    let (options, scope) = (BuildOptions::default(), Scope::background());
    let traced = BuildOptions { trace: true, ..options.clone() };
    let once = bytes(&tree, &options, &scope);
    let mut left = RUNS;
    while left > 0 {
        let random = RandomState::new().hash_one(left);
        let count = usize::try_from(random % 16 + 1).unwrap().min(left);
        left -= count;
        std::thread::scope(|threads| {
            for number in 0..count {
                let options = if number % 5 == 4 { &traced } else { &options };
                let (tree, scope, once) = (&tree, &scope, &once);
                threads.spawn(move || assert!(bytes(tree, options, scope) == *once));
            }
        });
    }
}

/// What people should know is told by values, with its place; nothing is printed.
#[test]
fn warnings_are_values() {
    let files = [
        (
            "kustomization.yaml",
            "\
resources: [web.yaml, base]
patches:
- target: {kind: Deployment, name: wbe}
  patch: '- {op: remove, path: /spec}'
- target: {kind: Deployment, name: web}
  patch: '- {op: replace, path: /spec/replicas, value: 2}'
- target: {kind: Ingress}
  patch: '{kind: Ingress, metadata: {name: x, labels: {a: b}}}'
images:
- {name: ngnix, newTag: '2'}
- {name: nginx, newTag: '2'}
replacements:
- sourceValue: a
  targets:
  - select: {kind: Service}
    fieldPaths: [metadata.name]
",
        ),
        (
            "web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, template: {spec: {containers: \
             [{name: a, image: 'nginx:1'}]}}}\n",
        ),
        ("base/kustomization.yaml", "commonLabels: {a: b}\n"),
    ];
    let tree = MemoryTree::from_iter(files);
    let rendered =
        build(&tree, "".as_ref(), &BuildOptions::default(), &Scope::background()).unwrap();
    let told: Vec<String> = rendered
        .warnings
        .iter()
        .map(|warning| {
            let place = warning.place.as_ref().unwrap();
            format!(
                "{:?} {place} {}",
                warning.kind,
                &warning.message[..36.min(warning.message.len())]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "Deprecated base/kustomization.yaml:1:15 'commonLabels' is deprecated. Please",
            "Idle kustomization.yaml:3:3 patch target matches nothing; did yo",
            "Idle kustomization.yaml:7:3 patch target matches nothing; there ",
            "Idle kustomization.yaml:10:3 image \"ngnix\" matches nothing; did y",
            "Idle kustomization.yaml:13:1 a target of replacement 1 selects no",
        ]
    );
    assert!(rendered.warnings[1].message.ends_with("did you mean the name \"web\"?"));
    assert!(rendered.warnings[3].message.ends_with("did you mean \"nginx\"?"));
}

/// The text alone is the text of the objects, also where it is longer than one of its parts.
#[test]
fn the_text_alone_is_the_same() {
    let scope = Scope::background();
    for count in [1, 2000] {
        let tree = MemoryTree::from_iter(overlay(count));
        let options = BuildOptions::default();
        let objects = build(&tree, "prod".as_ref(), &options, &scope).unwrap();
        let alone = build_text(&tree, "prod".as_ref(), &options, &scope).unwrap();
        assert_eq!(alone.warnings, objects.warnings);
        let mut written = Vec::new();
        alone.text.write(&mut written).unwrap();
        assert!(count == 1 || written.len() > 1 << 20);
        assert_eq!(String::from_utf8(written).unwrap(), objects.manifests.to_yaml());
    }
    let tree = MemoryTree::from_iter([
        ("kustomization.yaml", "resources: [a.yaml]\n"),
        ("a.yaml", "kind: A\nmetadata: {name: a}\nspec: .nan\n"),
    ]);
    let error = build_text(&tree, "".as_ref(), &BuildOptions::default(), &scope).unwrap_err();
    let other = build(&tree, "".as_ref(), &BuildOptions::default(), &scope).unwrap_err();
    assert_eq!(format!("{error:#}"), format!("{other:#}"));
}

#[test]
fn a_failure_brings_the_warnings_before_it() {
    let tree = MemoryTree::from_iter([
        ("kustomization.yaml", "resources: [base, missing.yaml]\n"),
        ("base/kustomization.yaml", "commonLabels: {a: b}\n"),
    ]);
    let error =
        build(&tree, "".as_ref(), &BuildOptions::default(), &Scope::background()).unwrap_err();
    let [warning] = error.warnings() else { panic!("{:?}", error.warnings()) };
    assert_eq!(warning.place.as_ref().unwrap().to_string(), "base/kustomization.yaml:1:15");
    let json = error.to_json();
    assert_eq!(json["warnings"][0]["place"]["file"], "base/kustomization.yaml");
    assert_eq!(json["file"], "kustomization.yaml");
    let moved = error.map_files(|file| format!("x/{file}"));
    assert_eq!(&*moved.warnings()[0].place.as_ref().unwrap().file, "x/base/kustomization.yaml");
}
