//! What takes more than one build.

use std::{
    fmt::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gitops_core::{DiskTree, Entry, MemoryTree, Scope, Tree, TreeError};
use gitops_kustomize::{BuildLimits, BuildOptions, ErrorKind, LoadRestriction, build};

use crate::{config_map, tree};

/// Links of all sorts, also some that change while they are read.
pub(crate) fn links_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("token.yaml"), config_map("secret")).unwrap();
    let inside = tempfile::tempdir().unwrap();
    let at = |name: &str| inside.path().join(name);
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, at(name)).unwrap();
    link(&outside.path().join("token.yaml"), "file.yaml");
    link(outside.path(), "directory");
    link(Path::new("file.yaml"), "chain.yaml");
    link(Path::new("../../../../../../../../etc/passwd"), "up.yaml");
    link(Path::new("circle.yaml"), "circle.yaml");
    let options =
        BuildOptions { load_restriction: LoadRestriction::None, ..BuildOptions::default() };
    let run = || {
        let tree = DiskTree::open(inside.path()).unwrap();
        build(&tree, "".as_ref(), &options, &Scope::background())
    };
    for entry in
        ["file.yaml", "directory/token.yaml", "directory", "chain.yaml", "up.yaml", "circle.yaml"]
    {
        std::fs::write(at("kustomization.yaml"), format!("resources: [{entry}]\n")).unwrap();
        let error = run().unwrap_err();
        assert!(!format!("{error:#?}").contains("secret"), "{entry}: {error:?}");
    }
    std::fs::write(at("kustomization.yaml"), "resources: [swapped.yaml]\n").unwrap();
    std::fs::write(at("own.yaml"), config_map("own")).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let targets = [outside.path().join("token.yaml"), at("own.yaml")];
            let mut turn = 0;
            while !ended.load(Ordering::Relaxed) {
                let _ = std::fs::remove_file(at("next"));
                let target = if turn % 2 == 0 { &targets[0] } else { Path::new("own.yaml") };
                std::os::unix::fs::symlink(target, at("next")).unwrap();
                std::fs::rename(at("next"), at("swapped.yaml")).unwrap();
                turn += 1;
            }
        });
        let mut built = 0;
        for _ in 0..5000 {
            if let Ok(rendered) = run() {
                built += 1;
                let text = rendered.manifests.to_yaml();
                assert!(text.contains("name: own") && !text.contains("secret"), "{text}");
            }
        }
        ended.store(true, Ordering::Relaxed);
        assert!(built > 0, "the link led inside at times");
    });
}

/// Sixteen builds at a time, of which every second one has a schema of its own.
pub(crate) fn schemas_stay_apart() {
    let schema = r#"{"definitions": {"T": {"properties": {"parts": {"type": "array", "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}}, "x-kubernetes-group-version-kind": [{"group": "x.io", "version": "v1", "kind": "T"}]}}}"#;
    let object = "apiVersion: x.io/v1\nkind: T\nmetadata: {name: t}\nparts: [{id: a}]\n";
    let patch = "patches: [{patch: '{apiVersion: x.io/v1, kind: T, metadata: {name: t}, parts: [{id: b}]}'}]\n";
    let files = |field: &str| {
        tree(vec![
            ("kustomization.yaml", format!("resources: [a.yaml]\n{patch}{field}")),
            ("a.yaml", object.to_owned()),
            ("s.json", schema.to_owned()),
        ])
    };
    let (plain, own) = (files(""), files("openapi: {path: s.json}\n"));
    std::thread::scope(|threads| {
        for number in 0..16 {
            let (files, count) = if number % 2 == 0 { (&plain, 1) } else { (&own, 2) };
            threads.spawn(move || {
                for _ in 0..50 {
                    let options = BuildOptions::default();
                    let built = build(files, "".as_ref(), &options, &Scope::background()).unwrap();
                    assert_eq!(built.manifests.to_yaml().matches("- id:").count(), count);
                }
            });
        }
    });
}

/// Row 112: a build of many objects ends soon after it is no longer wanted.
pub(crate) fn a_build_that_is_cancelled_ends() {
    let many: String = (0..20_000).map(|n| config_map(&format!("m{n}")) + "---\n").collect();
    let files = tree(vec![
        ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\n".into()),
        ("a.yaml", many),
    ]);
    let scope = Scope::background();
    std::thread::scope(|threads| {
        let build = threads.spawn(|| build(&files, "".as_ref(), &BuildOptions::default(), &scope));
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(30) {
            std::thread::yield_now();
        }
        scope.cancel();
        let begin = Instant::now();
        let error = build.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    });
}

/// Many files that are small each.
pub(crate) fn all_input_is_capped() {
    let text = config_map("x") + "data: {x: " + &"y".repeat(1 << 16) + "}\n";
    let mut files = MemoryTree::new();
    let mut list = String::from("resources:\n");
    for index in 0..100 {
        let _ = writeln!(list, "- f{index}.yaml");
        let text = text.replace("name: x", &format!("name: x{index}"));
        files.insert(format!("f{index}.yaml"), text).unwrap();
    }
    files.insert("kustomization.yaml", list).unwrap();
    let limits = |input| BuildOptions {
        limits: BuildLimits { input, ..BuildLimits::default() },
        ..BuildOptions::default()
    };
    let run = |input| build(&files, "".as_ref(), &limits(input), &Scope::background());
    assert_eq!(run(8 << 20).unwrap().manifests.len(), 100);
    let error = run(1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
    assert!(gitops_core::one_line(&error).contains("larger than 1048576 bytes"), "{error}");
}

/// Row 111: 64 threads build, and what one caller's tree does harms none of the others.
pub(crate) fn a_panic_stays_where_it_is() {
    #[derive(Debug)]
    struct Broken(Arc<MemoryTree>);
    impl Tree for Broken {
        fn read(&self, _: &Path) -> Result<bytes::Bytes, TreeError> {
            std::panic::resume_unwind(Box::new("injected"))
        }
        fn list(&self, path: &Path) -> Result<Vec<Entry>, TreeError> {
            self.0.list(path)
        }
        fn stat(&self, path: &Path) -> Result<Entry, TreeError> {
            self.0.stat(path)
        }
    }
    let whole = Arc::new(tree(vec![
        ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\n".into()),
        ("a.yaml", config_map("a")),
    ]));
    let outcomes: Vec<Result<String, &str>> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..64)
            .map(|number| {
                let whole = Arc::clone(&whole);
                threads.spawn(move || {
                    let broken = Broken(Arc::clone(&whole));
                    let tree: &dyn Tree = if number % 8 == 0 { &broken } else { &*whole };
                    build(tree, "".as_ref(), &BuildOptions::default(), &Scope::background())
                        .unwrap()
                        .manifests
                        .to_yaml()
                })
            })
            .collect();
        let payload = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<&str>().unwrap();
        started.into_iter().map(|thread| thread.join().map_err(payload)).collect()
    });
    for (number, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(text) => assert!(number % 8 != 0 && text.contains("name: p-a"), "{text}"),
            Err(panic) => assert!(number % 8 == 0 && *panic == "injected", "{panic}"),
        }
    }
}
