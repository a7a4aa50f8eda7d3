//! Git repositories over real wires: a server that runs git's own backend.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::too_many_lines, reason = "a table of cases is one idea")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use gitops_core::{Class, Classify as _, EntryKind, Scope, Secret, one_line};
use gitops_source::{
    Fetched, GitCredentials, GitLimits, GitReference, GitSource, GitTransport, Resolved, Source,
    SourceError, Subject, Tls,
};
use gitops_testenv::{Access, Fault, GitRepo, GitServer};

struct World {
    server: GitServer,
    repo: GitRepo,
    first: String,
    second: String,
    _directory: tempfile::TempDir,
}

async fn world(access: Access) -> World {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
    let files = [("a/cm.yaml", Some("one")), ("README.md", Some("read"))];
    let first = repo.commit("main", &files, "first\n\nbody").unwrap();
    let second = repo.commit("main", &[("a/cm.yaml", Some("two"))], "second").unwrap();
    GitRepo::init(directory.path().join("empty.git")).unwrap();
    let server = GitServer::start(directory.path(), access).await.unwrap();
    World { server, repo, first, second, _directory: directory }
}

impl World {
    fn source(&self, reference: GitReference) -> GitSource {
        GitSource::new(self.server.url("app.git"), reference).with_timeout(Duration::from_secs(20))
    }
}

async fn both(source: &dyn Source) -> Result<(Resolved, Fetched), SourceError> {
    let scope = Scope::background();
    let resolved = source.resolve(&scope).await?;
    let fetched = source.fetch(&resolved, &scope).await?;
    assert_eq!(fetched.revision, resolved.revision);
    Ok((resolved, fetched))
}

async fn failure(source: &dyn Source) -> String {
    one_line(&both(source).await.unwrap_err())
}

fn read(fetched: &Fetched, path: &str) -> String {
    String::from_utf8(fetched.tree.read(path.as_ref()).unwrap().to_vec()).unwrap()
}

fn branch(name: &str) -> GitReference {
    GitReference::Branch(name.into())
}

fn commit(id: &str, branch: Option<&str>) -> GitReference {
    GitReference::Commit { id: id.into(), branch: branch.map(Into::into), name: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_reference() {
    let mut world = world(Access::Open).await;
    let (first, second) = (world.first.clone(), world.second.clone());
    world.repo.point("refs/tags/v1.0.0", &first).unwrap();
    let tag = world.repo.annotate("v1.1.0", &second, "release").unwrap();
    world.repo.point("refs/tags/v2.0.0-rc.1", &first).unwrap();
    world.repo.point("refs/pull/7/head", &first).unwrap();
    for (reference, revision, content) in [
        (branch("main"), format!("main@sha1:{second}"), "two"),
        (GitReference::Tag("v1.0.0".into()), format!("v1.0.0@sha1:{first}"), "one"),
        (GitReference::Tag("v1.1.0".into()), format!("v1.1.0@sha1:{second}"), "two"),
        (GitReference::Semver(">=1.0.0".into()), format!("v1.1.0@sha1:{second}"), "two"),
        (GitReference::Semver(">1.1.0-0".into()), format!("v2.0.0-rc.1@sha1:{first}"), "one"),
        (
            GitReference::Name("refs/pull/7/head".into()),
            format!("refs/pull/7/head@sha1:{first}"),
            "one",
        ),
        (commit(&first, None), format!("sha1:{first}"), "one"),
        (commit(&first, Some("main")), format!("main@sha1:{first}"), "one"),
        (commit(&second, Some("main")), format!("main@sha1:{second}"), "two"),
    ] {
        let at_server = both(&world.source(reference.clone())).await.unwrap();
        let path = world.repo.path().display().to_string();
        let on_disk = both(&GitSource::new(path, reference.clone())).await.unwrap();
        for (resolved, fetched) in [at_server, on_disk] {
            assert_eq!(resolved.revision.to_string(), revision, "{reference:?}");
            assert_eq!(read(&fetched, "a/cm.yaml"), content, "{reference:?}");
        }
    }
    let (_, fetched) = both(&world.source(GitReference::Tag("v1.1.0".into()))).await.unwrap();
    let Subject::Commit { id, summary, tag: Some(object), .. } = fetched.subject else {
        panic!("a commit with its tag")
    };
    assert_eq!((id, summary.as_str()), (second, "second"));
    assert_eq!((object.id, object.name.as_str()), (tag, "v1.1.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_those_of_flux() {
    let mut world = world(Access::Open).await;
    let other = world.repo.commit("other", &[("x", Some("x"))], "other").unwrap();
    let url = world.server.url("app.git");
    let empty = world.server.url("empty.git");
    let wrong = "0123456789012345678901234567890123456789";
    for (reference, message) in [
        (
            branch("nope"),
            format!("unable to clone '{url}': couldn't find remote ref \"refs/heads/nope\""),
        ),
        (
            GitReference::Tag("nope".into()),
            format!("unable to clone '{url}': couldn't find remote ref \"refs/tags/nope\""),
        ),
        (GitReference::Semver(">=9".into()), "no match found for semver: >=9".into()),
        (
            GitReference::Semver("bad".into()),
            "semver parse error: improper constraint: \"bad\"".into(),
        ),
        (
            GitReference::Name("refs/heads/none".into()),
            "unable to resolve ref 'refs/heads/none' to a specific commit".into(),
        ),
        (
            commit(wrong, Some("main")),
            format!("unable to resolve commit object for '{wrong}': object not found"),
        ),
        (
            commit(wrong, None),
            format!("unable to resolve commit object for '{wrong}': object not found"),
        ),
        (
            commit(&other, Some("main")),
            format!("unable to resolve commit object for '{other}': object not found"),
        ),
        (commit("abc", None), "unable to resolve commit object for 'abc': object not found".into()),
    ] {
        let expected = format!("failed to checkout and determine revision: {message}");
        assert_eq!(failure(&world.source(reference)).await, expected);
    }
    assert_eq!(failure(&GitSource::new(&empty, branch("main"))).await, "git repository is empty");
    assert_eq!(
        failure(&GitSource::new(&empty, GitReference::Tag("x".into()))).await,
        format!(
            "failed to checkout and determine revision: unable to clone: remote repository is \
             empty: git repository: '{empty}'"
        )
    );
    let refused = "http://127.0.0.1:1/x.git";
    let why = format!(
        "Get \"{refused}/info/refs?service=git-upload-pack\": dial tcp 127.0.0.1:1: connect: \
         connection refused"
    );
    assert_eq!(
        failure(&GitSource::new(refused, branch("main"))).await,
        format!("failed to checkout and determine revision: unable to clone '{refused}': {why}")
    );
    let seen = GitSource::new(refused, branch("main"))
        .with_observed(Some(format!("main@sha1:{wrong}").parse().unwrap()));
    assert_eq!(
        failure(&seen).await,
        format!(
            "failed to checkout and determine revision: unable to list remote for '{refused}': {why}"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials() {
    let world = world(Access::Basic { username: "git".into(), password: "s3cret".into() }).await;
    let url: url::Url = world.server.url("app.git").parse().unwrap();
    let transport = GitTransport::new(&url, &Tls::default(), None).unwrap();
    let error = both(&world.source(branch("main"))).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    assert!(one_line(&error).contains("authentication required: "), "{error:?}");
    for (password, works) in [("s3cret", true), ("wrong", false)] {
        let credentials =
            GitCredentials::Basic { username: "git".into(), password: Secret::from(password) };
        assert!(!format!("{credentials:?}").contains("s3cret"));
        let transport = transport.clone().with_credentials(credentials);
        let source = world.source(branch("main")).with_transport(transport);
        assert_eq!(both(&source).await.is_ok(), works);
    }
    let mut inline = url.clone();
    inline.set_username("git").unwrap();
    inline.set_password(Some("s3cret")).unwrap();
    both(&GitSource::new(inline.as_str(), branch("main"))).await.unwrap();
    let text = failure(&GitSource::new(inline.as_str(), branch("nope"))).await;
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bearer_tokens() {
    let world = world(Access::Bearer("tok123".into())).await;
    let url: url::Url = world.server.url("app.git").parse().unwrap();
    let transport = GitTransport::new(&url, &Tls::default(), None)
        .unwrap()
        .with_credentials(GitCredentials::Bearer(Secret::from("tok123")));
    both(&world.source(branch("main")).with_transport(transport)).await.unwrap();
    assert!(both(&world.source(branch("main"))).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_repository_costs_no_fetch() {
    let world = world(Access::Open).await;
    let source = world.source(branch("main"));
    source.resolve(&Scope::background()).await.unwrap();
    let requests = world.server.requests();
    assert!(requests.len() <= 2, "{requests:?}");
}

/// Row 110 of the list of attacks.
#[tokio::test(flavor = "multi_thread")]
async fn faults_end_in_errors_and_in_time() {
    let world = world(Access::Open).await;
    for (fault, text) in [
        (Fault::Status(500), "status code: 500"),
        (Fault::Status(404), "repository not found"),
        (Fault::Status(403), "authorization failed"),
        (Fault::Cut(30), ""),
        (Fault::Late(Duration::from_mins(1)), "context deadline exceeded"),
        (Fault::Redirect("ftp://example.com".into()), "unsupported scheme \"ftp\""),
    ] {
        world.server.set_fault(fault.clone());
        let start = Instant::now();
        let source = world.source(branch("main")).with_timeout(Duration::from_secs(1));
        let error = failure(&source).await;
        assert!(error.contains(text), "{fault:?}: {error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    world.server.set_fault(Fault::None);
    let source = world.source(branch("main"));
    let at = source.resolve(&Scope::background()).await.unwrap();
    world.server.set_fault(Fault::Cut(100));
    assert!(source.fetch(&at, &Scope::background()).await.is_err());
    world.server.set_fault(Fault::Late(Duration::from_mins(1)));
    let scope = Scope::background();
    let stop = scope.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    });
    let error = world.source(branch("main")).resolve(&scope).await.unwrap_err();
    assert_eq!(error.class(), Class::Cancelled);
}

/// Row 64: another host gets no credentials.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_without_credentials() {
    let world = world(Access::Open).await;
    let other =
        GitServer::start(world.server.root(), Access::Bearer("c4nary".into())).await.unwrap();
    other.set_fault(Fault::Redirect(world.server.url("").trim_end_matches('/').to_owned()));
    let url = other.url("app.git").parse().unwrap();
    let transport = GitTransport::new(&url, &Tls::default(), None)
        .unwrap()
        .with_credentials(GitCredentials::Bearer("c4nary".into()));
    let source = GitSource::new(other.url("app.git"), branch("main")).with_transport(transport);
    let (_, fetched) = both(&source).await.unwrap();
    assert_eq!(read(&fetched, "a/cm.yaml"), "two");
    assert_eq!(other.requests().len(), 1);
    assert!(other.requests()[0].ends_with("authorization: Bearer c4nary"));
    assert!(world.server.requests().iter().all(|line| !line.contains("authorization")));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    let mut world = world(Access::Open).await;
    let big = "x".repeat(1 << 20);
    world.repo.commit("main", &[("big", Some(&big))], "big").unwrap();
    let default = GitLimits::default();
    for limits in [
        GitLimits { advertisement_bytes: 10, ..default },
        GitLimits { pack_bytes: 100, ..default },
        GitLimits { object_bytes: 1000, ..default },
        GitLimits { tree_bytes: 1000, ..default },
        GitLimits { entries: 2, ..default },
        GitLimits { depth: 0, ..default },
    ] {
        let error = both(&world.source(branch("main")).with_limits(limits)).await.unwrap_err();
        assert_eq!(error.class(), Class::Invalid, "{limits:?} {error:?}");
    }
}

fn git(directory: &Path, args: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("git")
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn tree_of(directory: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut raw = Vec::new();
    for (mode, name, id) in entries {
        raw.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        let byte = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
        raw.extend((0..40).step_by(2).map(byte));
    }
    git(directory, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &raw)
}

/// Rows 56 to 58 of the list of attacks: names and links that lead elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_trees_are_refused_and_odd_ones_are_read() {
    let world = world(Access::Open).await;
    let at = world.repo.path().to_owned();
    let blob = git(&at, &["hash-object", "-w", "--stdin"], b"x");
    let set = |tree: &str| {
        let raw = format!(
            "tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\n{}\n",
            "long ".repeat(30)
        );
        let arguments = ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"];
        let commit = git(&at, &arguments, raw.as_bytes());
        world.repo.point("refs/heads/main", &commit).unwrap();
    };
    for name in
        [".git", ".GIT", ".g\u{200c}it", "git~1", ".git::$INDEX", "..", ".", "a/../b", "a\\b"]
    {
        set(&tree_of(&at, &[("100644", name, &blob)]));
        let error = both(&world.source(branch("main"))).await.unwrap_err();
        assert!(one_line(&error).contains("refused entry"), "{name}: {error:?}");
        let inner = tree_of(&at, &[("100644", name, &blob)]);
        set(&tree_of(&at, &[("40000", "dir", &inner)]));
        assert!(both(&world.source(branch("main"))).await.is_err(), "{name}");
    }
    set(&tree_of(&at, &[("100644", "a", &blob), ("100755", "a", &blob)]));
    assert!(failure(&world.source(branch("main"))).await.contains("duplicate entry"));

    let inner = tree_of(&at, &[("160000", "app", &world.first)]);
    set(&tree_of(
        &at,
        &[("100755", "run", &blob), ("120000", "link", &blob), ("40000", "vendor", &inner)],
    ));
    let (_, fetched) = both(&world.source(branch("main"))).await.unwrap();
    let kinds: Vec<_> = fetched.tree.list("".as_ref()).unwrap();
    assert_eq!(kinds[0].kind, EntryKind::Link);
    assert_eq!(kinds[1].kind, EntryKind::File { executable: true });
    assert!(fetched.tree.stat("vendor/app".as_ref()).unwrap().is_dir());
    assert!(fetched.tree.list("vendor/app".as_ref()).unwrap().is_empty());
    assert!(fetched.tree.read("link".as_ref()).is_err());
    assert!(fetched.tree.read("none/x".as_ref()).unwrap_err().is_not_found());
    assert!(!fetched.tree.stat("run/x".as_ref()).unwrap_err().is_not_found());
    let Subject::Commit { summary, .. } = fetched.subject else { panic!("a commit") };
    assert_eq!(summary, format!("{}...", "long ".repeat(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sparse_directories() {
    let mut world = world(Access::Open).await;
    world.repo.commit("main", &[("b/c/d", Some("d")), ("b/e", Some("e"))], "more").unwrap();
    let sparse = |dirs: &[&str]| {
        let dirs = dirs.iter().map(|&dir| dir.to_owned()).collect();
        world.source(branch("main")).with_sparse(dirs)
    };
    let (_, fetched) = both(&sparse(&["./b/c", "a"])).await.unwrap();
    let names: Vec<_> =
        fetched.tree.list("".as_ref()).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(fetched.tree.list("b".as_ref()).unwrap().len(), 1);
    let error = failure(&sparse(&["absent"])).await;
    let text =
        "failed to sparse checkout directories : sparse checkout dir 'absent' does not exist";
    assert!(error.starts_with(text), "{error}");
}

/// Row 62: names that are no references, and would be options or paths.
#[tokio::test(flavor = "multi_thread")]
async fn odd_names_of_references_are_not_found() {
    let world = world(Access::Open).await;
    for name in [
        "refs/heads/../../HEAD",
        "refs/heads/main\nrefs/heads/other",
        "refs/heads/main\0",
        "--upload-pack=touch x",
        "--",
        "../HEAD",
    ] {
        for reference in [
            GitReference::Name(name.into()),
            GitReference::Branch(name.into()),
            GitReference::Tag(name.into()),
        ] {
            let failed = both(&world.source(reference.clone())).await;
            assert!(failed.is_err(), "{reference:?} is found");
        }
    }
}

/// Row 63: what Git would run, or put in the place of a file, is a text here.
#[tokio::test(flavor = "multi_thread")]
async fn filters_hooks_and_pointers_are_plain_files() {
    let mut world = world(Access::Open).await;
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let files = [
        (".gitattributes", "* filter=lfs -text\n*.sh filter=evil working-tree-encoding=UTF-16\n"),
        (".gitconfig", "[core]\n\tfsmonitor = touch monitored\n[filter \"evil\"]\n\tsmudge = x\n"),
        ("a.sh", "echo\r\n"),
        ("big.bin", pointer),
        ("hooks/post-checkout", "#!/bin/sh\ntouch checked-out\n"),
    ];
    let own = files.map(|(path, text)| (path, Some(text)));
    world.repo.commit("main", &own, "odd").unwrap();
    let (_, fetched) = both(&world.source(branch("main"))).await.unwrap();
    for (path, text) in files {
        assert_eq!(fetched.tree.read(path.as_ref()).unwrap(), text, "{path}");
    }
}
