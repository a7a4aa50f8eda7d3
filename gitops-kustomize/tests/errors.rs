//! Errors as people see them: the cases of `tests/errors`.
//!
//! A case is a text: what it shows, `build: DIRECTORY`, files after `-- path --` lines, and below
//! `-- error --` the page that `{:#}` prints. `UPDATE_ERRORS=1` writes the pages; read the difference
//! before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod sections;

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use bytes::Bytes;
use gitops_core::{Classify as _, MemoryTree, Scope, one_line};
use gitops_kustomize::{
    BuildOptions, Error, ErrorKind, LoadRestriction, Remote, Remotes, RepositoryUrl, build,
};

use sections::sections;

fn failure(files: &[(String, String)], path: &str, options: &BuildOptions) -> Error {
    let tree = MemoryTree::from_iter(files.iter().cloned());
    match build(&tree, path.as_ref(), options, &Scope::background()) {
        Ok(rendered) => panic!("must fail, but gives:\n{}", rendered.manifests.to_yaml()),
        Err(error) => error,
    }
}

#[test]
fn pages() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let update = std::env::var("UPDATE_ERRORS").is_ok();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let names: BTreeSet<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in names {
        count += 1;
        let text = fs::read_to_string(&file).unwrap();
        let (head, mut sections) = sections(&text);
        let (last, expected) = sections.pop().unwrap();
        assert_eq!(last, "error", "{} ends with the error", file.display());
        let path = head.lines().find_map(|line| line.strip_prefix("build: ")).unwrap_or("");
        let mut options = BuildOptions::default();
        if head.contains("\nunrestricted\n") {
            options.load_restriction = LoadRestriction::None;
        }
        let error = failure(&sections, path, &options);
        check(&error, &sections);
        let page = format!("{error:#}\n");
        if page != expected && update {
            let kept = text.strip_suffix(&expected).unwrap();
            fs::write(&file, format!("{kept}{page}")).unwrap();
        } else if page != expected {
            wrong.push(format!("{}\n{page}", file.display()));
        }
    }
    assert!(count > 20, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// What holds for every error: the page begins with the message, places exist, and the JSON form
/// says the same.
fn check(error: &Error, files: &[(String, String)]) {
    let message = one_line(error);
    assert!(format!("{error:#}").starts_with(message.trim_end()));
    let file = error.file().unwrap_or_else(|| panic!("{message} has no file"));
    let content = files.iter().find(|(name, _)| name == file).map(|(_, content)| content);
    if let (Some(content), Some(line)) = (content, error.line()) {
        // The end of a file is below its last line.
        let mut lines = content.split('\n');
        let text = lines.nth(line as usize - 1);
        let text = text.unwrap_or_else(|| panic!("{file} has no line {line}: {message}"));
        let column = error.column().unwrap_or(1) as usize;
        assert!(column <= text.chars().count() + 1, "{file}:{line}:{column}: {message}");
    }
    let chain: Vec<&str> = error.chain().map(|place| &*place.file).collect();
    assert!(chain.iter().collect::<BTreeSet<_>>().len() == chain.len(), "{chain:?}");
    let json = error.to_json();
    let fields: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "chain", "code", "column", "expected", "file", "hint", "line", "message", "object",
        "related", "snippet", "warnings",
    ];
    assert_eq!(fields, wanted.into());
    assert_eq!(json["message"], message);
    assert_eq!(json["file"], file);
    assert_eq!(json["line"].as_u64(), error.line().map(u64::from));
    assert_eq!(json["chain"].as_array().unwrap().len(), chain.len());
    assert_eq!(json["code"], error.kind().code());
}

#[test]
fn an_error_is_small_and_classified() {
    assert!(size_of::<Error>() <= 64);
    let files = [("kustomization.yaml".to_owned(), "resources: [a.yaml]\n".to_owned())];
    let error = failure(&files, "", &BuildOptions::default());
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.class(), gitops_core::Class::NotFound);
    // `{}` is one level; the chain of sources is the rest of the message.
    assert_eq!(error.to_string(), "accumulating resources");
    let renamed = error.map_files(|file| format!("./{file}"));
    assert_eq!(renamed.file(), Some("./kustomization.yaml"));
    assert_eq!(
        renamed.chain().next().map(ToString::to_string).unwrap(),
        "./kustomization.yaml:1:13"
    );
}

/// What stands in a Secret, or makes one, is never shown.
#[test]
fn secrets_are_not_quoted() {
    for files in [
        vec![
            ("kustomization.yaml", "resources: [s.yaml]\n"),
            (
                "s.yaml",
                "kind: Secret\nmetadata: {name: a}\nstringData:\n  password: hunter2\n bad\n",
            ),
        ],
        vec![
            ("kustomization.yaml", "resources: [s.yaml]\n"),
            ("s.yaml", "kind: Secret\nstringData: {password: hunter2}\n"),
        ],
        vec![("kustomization.yaml", "secretGenerator:\n- name: a\n  literals: hunter2\n")],
        vec![("kustomization.yaml", "secretGenerator:\n- name: a\n  literals: [hunter2]\n")],
        vec![("kustomization.yaml", "secretGenerator:\n- name: a\n  literals: [a=hunter2, b]\n")],
        vec![(
            "kustomization.yaml",
            "secretGenerator:\n- name: a\n  literals: [p=hunter2]\npatches:\n- patch: |-\n    apiVersion: v1\n    \
             kind: Secret\n    metadata: {name: a}\n    data: [hunter2]\n",
        )],
        vec![(
            "kustomization.yaml",
            "secretGenerator:\n- name: a\n  literals: [p=hunter2]\npatches:\n- target: {kind: Secret}\n  patch: |-\n    \
             - op: replace\n      pth: /data/p\n      value: hunter2\n    : {\n",
        )],
        vec![
            (
                "kustomization.yaml",
                "resources: [all.yaml]\nreplacements:\n- source: {kind: Secret, name: s, fieldPath: stringData.p}\n  \
                 targets:\n  - select: {kind: Deployment}\n    fieldPaths: [spec.replicas]\n",
            ),
            (
                "all.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2}\n---\n\
                 apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n",
            ),
        ],
    ] {
        let files: Vec<_> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        let error = failure(&files, "", &BuildOptions::default());
        assert!(error.line().is_some(), "{error:?}");
        for shown in [format!("{error:#}"), format!("{error:#?}"), error.to_json().to_string()] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

/// A repository with a broken overlay and a good one.
#[derive(Debug)]
struct Fetched;

impl Remotes for Fetched {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        let tree = MemoryTree::from_iter([
            ("bad/kustomization.yaml", "namePrefix: x-\nresources:\n- ap.yaml\n"),
            ("bad/app.yaml", ""),
            ("good/kustomization.yaml", "resources: [app.yaml]\n"),
            ("good/app.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"),
        ]);
        Ok(Remote { tree: Arc::new(tree), path: repository.path().into() })
    }

    fn file(&self, _: &str) -> Result<Bytes, Error> {
        Err(Error::not_a_file())
    }
}

/// Files of a fetched repository are not taken for those of the tree.
#[test]
fn places_in_fetched_repositories() {
    let run = |directory: &str| {
        let top = format!("resources:\n- https://user:pass@host/org/repo//{directory}?ref=v1\n");
        // A file of the same name, whose text must not be shown.
        let tree = MemoryTree::from_iter([
            ("kustomization.yaml", top),
            ("bad/kustomization.yaml", "wrong\nwrong\nwrong\n".to_owned()),
        ]);
        let options =
            BuildOptions { remotes: Arc::new(Fetched), trace: true, ..BuildOptions::default() };
        build(&tree, "".as_ref(), &options, &Scope::background())
    };
    let error = run("bad").unwrap_err().map_files(|file| format!("./{file}"));
    let address = "https://***@host/org/repo//bad?ref=v1";
    assert_eq!(error.file(), Some(format!("{address}#bad/kustomization.yaml").as_str()));
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    let failing = format!("{address}#bad/kustomization.yaml:3:3");
    assert_eq!(chain, ["./kustomization.yaml:2:3", failing.as_str()]);
    let page = format!("{error:#}");
    assert!(page.contains("\n 3 | - ap.yaml\n") && page.contains("did you mean \"app.yaml\"?"));
    assert!(!page.contains("pass") && !page.contains("wrong"), "{page}");

    let rendered = run("good").unwrap();
    let explanation = rendered.manifests.explain("Namespace/a.metadata.name").unwrap();
    let place = explanation.changes[0].place.as_ref().unwrap().to_string();
    assert_eq!(place, "https://***@host/org/repo//good?ref=v1#good/app.yaml:3:18");
}
