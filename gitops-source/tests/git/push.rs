//! Commits that are made here and pushed to git's own servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use gitops_core::{Class, Classify as _, Scope, Secret, one_line};
use gitops_source::{
    CommitOptions, GitBase, GitChange, GitCommit, GitCredentials, GitKeys, GitPerson, GitReference,
    GitSigner, GitSource, GitTransport, Push, PushTarget, Source as _, SourceError, SshIdentity,
    SshTransport, Tls,
};
use gitops_testenv::{Access, GitRepo, GitServer, SshServer};
use jiff::Timestamp;

struct World {
    server: GitServer,
    repo: GitRepo,
    directory: tempfile::TempDir,
}

async fn world() -> World {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
    let files = [("a/one.yaml", Some("1")), ("a/b/two.yaml", Some("2")), ("three", Some("3"))];
    repo.commit("main", &files, "first").unwrap();
    repo.commit("main", &[("three", Some("3.1"))], "second").unwrap();
    let server = GitServer::start(directory.path(), Access::Open).await.unwrap();
    World { server, repo, directory }
}

impl World {
    fn push(&self) -> Push {
        Push::new(self.server.url("app.git"))
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.repo.path(), arguments)
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    format!("{}{errors}", String::from_utf8(output.stdout).unwrap()).trim().to_owned()
}

fn write(content: &str) -> GitChange {
    GitChange::Write(content.to_owned().into())
}

fn changes(all: &[(&str, GitChange)]) -> BTreeMap<PathBuf, GitChange> {
    all.iter().map(|(path, change)| (PathBuf::from(path), change.clone())).collect()
}

fn options<'c>(message: &'c str, signer: Option<&'c GitSigner>) -> CommitOptions<'c> {
    let author = GitPerson { name: "Flux <bot>\n".into(), email: "bot@example.com".into() };
    CommitOptions { author, at: Timestamp::now(), message, signer }
}

fn commit(base: &GitBase, all: &[(&str, GitChange)]) -> GitCommit {
    base.commit(&changes(all), &options("change\n\nwhy", None)).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_sent_and_git_finds_it_sound() {
    let world = world().await;
    let scope = Scope::background();
    let base = world.push().checkout("main", &scope).await.unwrap();
    assert_eq!(base.id().unwrap(), world.repo.resolve("refs/heads/main").unwrap());
    assert_eq!(&base.files().read("a/one.yaml".as_ref()).unwrap()[..], b"1");
    let made = commit(
        &base,
        &[
            ("a/one.yaml", write("one")),
            ("a/b/two.yaml", GitChange::Remove),
            ("new/x/y.yaml", write("new")),
            ("none", GitChange::Remove),
        ],
    );
    world.push().push(&made, &[PushTarget::branch("main")], &[], &scope).await.unwrap();
    assert_eq!(world.repo.resolve("refs/heads/main").unwrap(), made.id());
    assert_eq!(world.git(&["fsck", "--strict", "--no-dangling"]), "");
    let listed = world.git(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(listed, "a/one.yaml\nnew/x/y.yaml\nthree");
    assert_eq!(
        world.git(&["log", "-1", "--format=%an|%ae|%s|%b|%P", "main"]),
        format!("Flux bot|bot@example.com|change|why\n|{}", base.id().unwrap())
    );
    assert_eq!(world.git(&["show", "main:a/one.yaml"]), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_change_is_no_commit() {
    let world = world().await;
    let base = world.push().checkout("main", &Scope::background()).await.unwrap();
    for same in [vec![], vec![("three", write("3.1"))], vec![("nowhere/at/all", GitChange::Remove)]]
    {
        let made = base.commit(&changes(&same), &options("m", None)).unwrap();
        assert!(made.is_none(), "{same:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_changes_are_refused() {
    let world = world().await;
    let base = world.push().checkout("main", &Scope::background()).await.unwrap();
    for path in [
        "../x",
        "/x",
        "a/../../x",
        ".git/config",
        "a/.GIT/hooks/x",
        "git~1/x",
        "",
        "a",
        "three/x",
        "a\\b",
    ] {
        let error = base.commit(&changes(&[(path, write("x"))]), &options("m", None)).unwrap_err();
        assert_eq!(error.class(), Class::Invalid, "{path}");
    }
    let both = changes(&[("n", write("x")), ("n/m", write("x"))]);
    assert!(base.commit(&both, &options("m", None)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_moved_is_left_alone() {
    let mut world = world().await;
    let scope = Scope::background();
    let base = world.push().checkout("main", &scope).await.unwrap();
    let made = commit(&base, &[("three", write("mine"))]);
    let theirs = world.repo.commit("main", &[("four", Some("theirs"))], "theirs").unwrap();
    let target = [PushTarget::branch("main")];
    let error = world.push().push(&made, &target, &[], &scope).await.unwrap_err();
    assert!(one_line(&error).ends_with(": non-fast-forward update: refs/heads/main"));
    assert_eq!(error.class(), Class::Transient);
    assert_eq!(world.repo.resolve("refs/heads/main").unwrap(), theirs);
    // Another branch is free; then it is there, and is not overwritten either.
    let auto = [PushTarget::branch("auto")];
    world.push().push(&made, &auto, &[], &scope).await.unwrap();
    let other = commit(&base, &[("three", write("again"))]);
    assert!(world.push().push(&other, &auto, &[], &scope).await.is_err());
    assert_eq!(world.repo.resolve("refs/heads/auto").unwrap(), made.id());
    let forced = [PushTarget::branch("auto").forced()];
    world.push().push(&other, &forced, &[], &scope).await.unwrap();
    assert_eq!(world.repo.resolve("refs/heads/auto").unwrap(), other.id());
    // The same once more is no push at all.
    world.push().push(&other, &forced, &[], &scope).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_move_together_or_not_at_all() {
    let mut world = world().await;
    let scope = Scope::background();
    let base = world.push().checkout("main", &scope).await.unwrap();
    let made = commit(&base, &[("three", write("mine"))]);
    world.repo.commit("taken", &[("four", Some("theirs"))], "theirs").unwrap();
    let both = [PushTarget::branch("free"), PushTarget::branch("taken")];
    assert!(world.push().push(&made, &both, &[], &scope).await.is_err());
    assert!(world.repo.resolve("refs/heads/free").is_err());
    let refspec = PushTarget::from_refspec("HEAD:refs/for/main", "main").unwrap();
    let both = [PushTarget::branch("free"), refspec];
    world.push().push(&made, &both, &[], &scope).await.unwrap();
    for reference in ["refs/heads/free", "refs/for/main"] {
        assert_eq!(world.repo.resolve(reference).unwrap(), made.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_told_options_and_heard() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world().await;
    let scope = Scope::background();
    let base = world.push().checkout("main", &scope).await.unwrap();
    let made = commit(&base, &[("three", write("mine"))]);
    let target = [PushTarget::branch("main")];
    let told = [("merge_request.create".to_owned(), String::new()), ("ci.skip".into(), "1".into())];
    let error = world.push().push(&made, &target, &told, &scope).await.unwrap_err();
    assert!(one_line(&error).ends_with("server does not support push options"), "{error}");
    world.git(&["config", "receive.advertisePushOptions", "true"]);
    let hook = world.repo.path().join("hooks/pre-receive");
    let script = "#!/bin/sh\necho \"$GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1\" > told\n\
                  echo 'not on a Friday' >&2\nexit $(cat refuse)\n";
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(world.repo.path().join("refuse"), "1").unwrap();
    let error = world.push().push(&made, &target, &told, &scope).await.unwrap_err();
    let text = one_line(&error);
    assert!(
        text.contains(
            "command error on refs/heads/main: pre-receive hook declined: not on a Friday"
        ),
        "{text}"
    );
    assert_eq!(error.class(), Class::Denied);
    std::fs::write(world.repo.path().join("refuse"), "0").unwrap();
    world.push().push(&made, &target, &told, &scope).await.unwrap();
    let heard = std::fs::read_to_string(world.repo.path().join("told")).unwrap();
    assert_eq!(heard, "merge_request.create ci.skip=1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_commit_of_a_repository_in_both_formats() {
    let world = world().await;
    let scope = Scope::background();
    for format in ["sha1", "sha256"] {
        let path = world.directory.path().join(format!("{format}.git"));
        let made = Command::new("git")
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(format!("--object-format={format}"))
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        git(&path, &["config", "http.receivepack", "true"]);
        let url = world.server.url(&format!("{format}.git"));
        let push = Push::new(&url);
        let base = push.checkout("main", &scope).await.unwrap();
        assert_eq!(base.id(), None);
        let first = commit(&base, &[("a/b", write("1"))]);
        push.push(&first, &[PushTarget::branch("main")], &[], &scope).await.unwrap();
        let base = push.checkout("main", &scope).await.unwrap();
        assert_eq!(base.id().unwrap(), first.id());
        let second = commit(&base, &[("a/c", write("2"))]);
        push.push(&second, &[PushTarget::branch("main")], &[], &scope).await.unwrap();
        assert_eq!(git(&path, &["fsck", "--strict"]), "");
        // And it can be fetched as any other.
        let source = GitSource::new(&url, GitReference::Branch("main".into()));
        let resolved = source.resolve(&scope).await.unwrap();
        assert_eq!(resolved.revision.to_string(), format!("main@{format}:{}", second.id()));
        let fetched = source.fetch(&resolved, &scope).await.unwrap();
        assert_eq!(&fetched.tree.read("a/b".as_ref()).unwrap()[..], b"1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_signed_so_that_git_believes_them() {
    if Command::new("gpg").arg("--version").output().is_err() || !SshServer::is_installed() {
        println!("SKIPPED: gpg or ssh-keygen is not installed");
        return;
    }
    let world = world().await;
    let scope = Scope::background();
    let home = tempfile::Builder::new().prefix("sig").tempdir().unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        let output = Command::new("gpg")
            .args(["--batch", "--quiet", "--yes", "--pinentry-mode", "loopback"])
            .args(arguments)
            .env("GNUPGHOME", home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for (kind, passphrase) in [("ed25519", ""), ("rsa2048", "s3cret")] {
        let name = format!("{kind} <{kind}@example.com>");
        gpg(&["--passphrase", passphrase, "--quick-generate-key", &name, kind, "sign"]);
        let secret = gpg(&["--passphrase", passphrase, "--armor", "--export-secret-keys", &name]);
        let secret = Secret::new(secret);
        let passphrase = Secret::from(passphrase);
        let signer = GitSigner::open_pgp(&secret, Some(&passphrase)).unwrap();
        let base = world.push().checkout("main", &scope).await.unwrap();
        let all = changes(&[("signed", write(kind))]);
        let made = base.commit(&all, &options("signed", Some(&signer))).unwrap().unwrap();
        world.push().push(&made, &[PushTarget::branch("main")], &[], &scope).await.unwrap();
        let verified = Command::new("git")
            .args(["verify-commit", &made.id()])
            .current_dir(world.repo.path())
            .env("GNUPGHOME", home.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && said.contains("Good signature"), "{kind}: {said}");
    }
    assert!(GitSigner::open_pgp(&Secret::from("c4nary"), None).is_err());

    let ssh = home.path();
    for (kind, passphrase) in [("ed25519", "s3cret"), ("ecdsa-256", ""), ("rsa-2048", "")] {
        let (private, public) = gitops_testenv::make_ssh_key(ssh, kind, kind, passphrase).unwrap();
        let passphrase = Secret::from(passphrase);
        let signer = GitSigner::ssh(&Secret::from(private.as_str()), Some(&passphrase)).unwrap();
        let base = world.push().checkout("main", &scope).await.unwrap();
        let all = changes(&[("signed", write(kind))]);
        let made = base.commit(&all, &options("signed", Some(&signer))).unwrap().unwrap();
        world.push().push(&made, &[PushTarget::branch("main")], &[], &scope).await.unwrap();
        let allowed = ssh.join("allowed");
        std::fs::write(&allowed, format!("bot@example.com {public}")).unwrap();
        let config = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        let said = world.git(&["-c", "gpg.format=ssh", "-c", &config, "verify-commit", &made.id()]);
        assert!(said.contains("Good \"git\" signature"), "{kind}: {said}");
        let source =
            GitSource::new(world.server.url("app.git"), GitReference::Branch("main".into()));
        let resolved = source.resolve(&scope).await.unwrap();
        let subject = source.fetch(&resolved, &scope).await.unwrap().subject;
        let keys = GitKeys::from_entries([("k.sshpub", public.as_bytes())]);
        assert!(keys.verify_commit(&subject, Timestamp::now()).is_ok(), "{kind}");
        if !passphrase.is_empty() {
            let none = GitSigner::ssh(&Secret::from(private.as_str()), None);
            assert!(matches!(none, Err(SourceError::Encrypted)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_and_with_credentials() {
    let world = world().await;
    let scope = Scope::background();
    let access = Access::Basic { username: "git".into(), password: "c4nary".into() };
    let server = GitServer::start(world.directory.path(), access).await.unwrap();
    let url = server.url("app.git");
    let basic = GitCredentials::Basic { username: "git".into(), password: "c4nary".into() };
    let transport = GitTransport::new(&url.parse().unwrap(), &Tls::default(), None).unwrap();
    let push = Push::new(&url).with_transport(transport.clone().with_credentials(basic));
    let base = push.checkout("main", &scope).await.unwrap();
    let made = commit(&base, &[("three", write("by password"))]);
    let target = [PushTarget::branch("main")];
    let wrong = GitCredentials::Basic { username: "git".into(), password: "c4nary-not".into() };
    let denied = Push::new(&url).with_transport(transport.with_credentials(wrong));
    let error = denied.push(&made, &target, &[], &scope).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    assert!(!one_line(&error).contains("c4nary"), "{error}");
    push.push(&made, &target, &[], &scope).await.unwrap();

    if !SshServer::is_installed() {
        println!("SKIPPED: sshd or ssh-keygen is not installed");
        return;
    }
    let server =
        SshServer::start(world.directory.path().join("ssh"), &["ed25519"], "").await.unwrap();
    let key = server.make_key("key", "ed25519", "").unwrap();
    let identity = SshIdentity::Key { pem: Secret::from(key), passphrase: None };
    let known = server.known_hosts().unwrap();
    let transport = SshTransport::new(&identity, known.as_bytes()).unwrap();
    let push = Push::new(server.url(world.repo.path())).with_transport(transport);
    let base = push.checkout("main", &scope).await.unwrap();
    // More than a window of SSH takes at once.
    let numbers = (0..400_000_u64).map(|n| (n * 2_654_435_761).to_string());
    let big = numbers.collect::<Vec<_>>().concat();
    let made = commit(&base, &[("three", write("by key")), ("big", write(&big))]);
    push.push(&made, &target, &[], &scope).await.unwrap();
    assert_eq!(world.repo.resolve("refs/heads/main").unwrap(), made.id());
    assert_eq!(world.git(&["fsck", "--strict", "--no-dangling"]), "");
}
