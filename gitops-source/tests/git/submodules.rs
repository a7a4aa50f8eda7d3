//! Repositories within repositories, over git's own server.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use gitops_core::{Scope, one_line};
use gitops_source::{
    Fetched, GitCredentials, GitReference, GitSource, GitTransport, Source as _, SourceError, Tls,
};
use gitops_testenv::{Access, GitRepo, GitServer};

/// Commits a `.gitmodules` and submodules (path and commit) to the branch `main` of a repository.
fn commit_submodules(repo: &Path, modules: &str, submodules: &[(&str, &str)]) -> String {
    let mut stream = format!(
        "commit refs/heads/main\ncommitter T <t@example.com> 1767225600 +0000\ndata 1\nm\n\
         M 100644 inline .gitmodules\ndata {}\n{modules}\n\
         M 100644 inline own.yaml\ndata 3\nown\n",
        modules.len()
    );
    for (path, commit) in submodules {
        stream.extend(["M 160000 ", commit, " ", path, "\n"]);
    }
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(repo)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let head = Command::new("git").args(["rev-parse", "main"]).current_dir(repo).output().unwrap();
    String::from_utf8(head.stdout).unwrap().trim().to_owned()
}

struct World {
    directory: tempfile::TempDir,
    leaf: String,
    middle: String,
}

/// `leaf` in `middle` below `deep/`, by a relative address.
fn world() -> World {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut leaf = GitRepo::init(directory.path().join("leaf.git")).unwrap();
    let pinned = leaf.commit("main", &[("d/leaf.yaml", Some("pinned"))], "one").unwrap();
    leaf.commit("main", &[("d/leaf.yaml", Some("newer"))], "two").unwrap();
    let middle = GitRepo::init(directory.path().join("middle.git")).unwrap();
    let modules = "[submodule \"l\"]\n\tpath = deep/leaf\n\turl = ../leaf.git\n";
    let middle = commit_submodules(middle.path(), modules, &[("deep/leaf", &pinned)]);
    World { directory, leaf: pinned, middle }
}

async fn fetch(source: &GitSource) -> Result<Fetched, SourceError> {
    let scope = Scope::background();
    let resolved = source.resolve(&scope).await?;
    source.fetch(&resolved, &scope).await
}

fn read(fetched: &Fetched, path: &str) -> Option<String> {
    let content = fetched.tree.read(path.as_ref()).ok()?;
    Some(String::from_utf8(content.to_vec()).unwrap())
}

fn source(server: &GitServer) -> GitSource {
    GitSource::new(server.url("top.git"), GitReference::Branch("main".into()))
        .with_timeout(Duration::from_secs(30))
        .with_submodules(true)
}

fn top(world: &World, url: &str, path: &str, commit: &str) {
    let top = GitRepo::init(world.directory.path().join("top.git")).unwrap();
    let modules = format!("[submodule \"x\"]\n\tpath = {path}\n\turl = {url}\n");
    commit_submodules(top.path(), &modules, &[(path, commit), ("unnamed", commit)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_of_submodules_at_their_commits() {
    let world = world();
    top(&world, "../middle.git", "mods/middle", &world.middle);
    let credentials = ("git".to_owned(), "s3cret".to_owned());
    let access = Access::Basic { username: credentials.0, password: credentials.1 };
    let server = GitServer::start(world.directory.path(), access).await.unwrap();
    let url = server.url("top.git").parse().unwrap();
    let basic = GitCredentials::Basic { username: "git".into(), password: "s3cret".into() };
    let transport =
        || GitTransport::new(&url, &Tls::default(), None).unwrap().with_credentials(basic.clone());
    let fetched = fetch(&source(&server).with_transport(transport())).await.unwrap();
    assert_eq!(read(&fetched, "mods/middle/own.yaml").as_deref(), Some("own"));
    let leaf = "mods/middle/deep/leaf/d/leaf.yaml";
    assert_eq!(read(&fetched, leaf).as_deref(), Some("pinned"));
    assert!(fetched.tree.stat("mods/middle/deep/leaf".as_ref()).unwrap().is_dir());
    let names = |dir: &str| {
        let entries = fetched.tree.list(dir.as_ref()).unwrap();
        entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>()
    };
    assert_eq!(names("mods/middle/deep/leaf"), [".git", "d"]);
    // The files that lead from a checkout's submodules to their repositories.
    for (path, to) in [
        ("mods/middle/.git", "../../.git/modules/x"),
        ("mods/middle/deep/leaf/.git", "../../../../.git/modules/x/modules/l"),
    ] {
        assert_eq!(read(&fetched, path), Some(format!("gitdir: {to}\n")));
    }
    assert_eq!(names("unnamed"), [""; 0]);

    let off = source(&server).with_transport(transport()).with_submodules(false);
    assert_eq!(read(&fetch(&off).await.unwrap(), "mods/middle/own.yaml"), None);
    let sparse = source(&server).with_transport(transport()).with_sparse(vec!["own.yaml".into()]);
    assert_eq!(read(&fetch(&sparse).await.unwrap(), "mods/middle/own.yaml"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_with_their_host() {
    let world = world();
    let other = GitServer::start(world.directory.path(), Access::Open).await.unwrap();
    top(&world, &other.url("leaf.git"), "leaf", &world.leaf);
    let access = Access::Bearer("c4nary".into());
    let server = GitServer::start(world.directory.path(), access).await.unwrap();
    let url = server.url("top.git").parse().unwrap();
    let transport = GitTransport::new(&url, &Tls::default(), None)
        .unwrap()
        .with_credentials(GitCredentials::Bearer("c4nary".into()));
    let fetched = fetch(&source(&server).with_transport(transport)).await.unwrap();
    assert_eq!(read(&fetched, "leaf/d/leaf.yaml").as_deref(), Some("pinned"));
    let seen = other.requests().concat();
    assert!(seen.contains("leaf.git") && !seen.contains("authorization"), "{seen}");
    assert!(server.requests().concat().contains("authorization: Bearer c4nary"));
}

/// Row 61 of the list of attacks.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_submodules_are_refused() {
    let world = world();
    let server = GitServer::start(world.directory.path(), Access::Open).await.unwrap();
    let local = world.directory.path().join("leaf.git").display().to_string();
    for (url, says) in [
        (format!("file://{local}"), "unsupported scheme \"file\""),
        (local, "unsupported scheme \"file\""),
        ("ext::sh -c id".into(), "unsupported scheme \"ext\""),
        ("../../../leaf.git".into(), "climbs out of its host"),
        ("git@127.0.0.1:leaf.git".into(), "credentials are not for SSH"),
        ("../none.git".into(), "repository not found"),
    ] {
        top(&world, &url, "leaf", &world.leaf);
        let error = one_line(&fetch(&source(&server)).await.unwrap_err());
        // What a server says of it Flux tells without its name.
        let named = error.contains("unable to fetch submodule 'leaf'");
        assert_eq!(named, says != "repository not found", "{error}");
        assert!(error.contains(says), "{error}");
    }
    let missing = "1".repeat(40);
    top(&world, "../leaf.git", "leaf", &missing);
    let error = one_line(&fetch(&source(&server)).await.unwrap_err());
    assert!(error.ends_with(&format!("upload-pack: not our ref {missing}")), "{error}");
}

/// Row 61: a circle.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_within_itself_has_an_end() {
    let world = world();
    let server = GitServer::start(world.directory.path(), Access::Open).await.unwrap();
    let mut below = world.leaf.clone();
    let path = world.directory.path().join("top.git");
    GitRepo::init(&path).unwrap();
    // Each commit holds the one before as a submodule of itself.
    for _ in 0..12 {
        let modules = "[submodule \"x\"]\n\tpath = x\n\turl = ../top.git\n";
        below = commit_submodules(&path, modules, &[("x", &below)]);
    }
    let error = one_line(&fetch(&source(&server)).await.unwrap_err());
    assert!(error.ends_with("submodules are nested more than 10 deep"), "{error}");
}
