//! Commits and tags signed by gpg and ssh-keygen, good and tampered.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use gitops_core::Scope;
use gitops_source::{
    Fetched, GitKeys, GitReference, GitSource, SignatureError, Source as _, Subject, TagObject,
};
use jiff::Timestamp;

const NO_MATCH: &str = "unable to verify payload with any of the given key rings: no matching key";

/// A repository and a keyring of its own.
struct World {
    directory: tempfile::TempDir,
}

/// Whether a program is installed; says so if it is not.
fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}

impl World {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("sig").tempdir().unwrap();
        let world = Self { directory };
        std::fs::create_dir(world.path("gnupg")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(world.path("gnupg"), private).unwrap();
        std::fs::create_dir(world.path("repo")).unwrap();
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        std::fs::write(world.path("repo/a.yaml"), "a").unwrap();
        world.git(&["add", "."]);
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(self.path("repo"))
            .env("GNUPGHOME", self.path("gnupg"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        output.stdout
    }

    fn git(&self, arguments: &[&str]) -> String {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
        let all: Vec<&str> = who.iter().chain(arguments).copied().collect();
        String::from_utf8(self.run("git", &all, b"")).unwrap().trim().to_owned()
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let batch =
            ["--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"];
        let all: Vec<&str> = batch.iter().chain(arguments).copied().collect();
        self.run("gpg", &all, b"")
    }

    /// A new key of gpg's; returns its fingerprint.
    fn make_key(&self, name: &str, kind: &str, usage: &str) -> String {
        self.gpg(&["--quick-generate-key", name, kind, usage, "1y"]);
        let listed = self.gpg(&["--list-keys", "--with-colons", name]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn public_key(&self, fingerprint: &str) -> Vec<u8> {
        self.gpg(&["--armor", "--export", fingerprint])
    }

    /// Commits and tags with a key of gpg's (`openpgp`) or a file of an SSH key (`ssh`).
    fn sign(&self, format: &str, key: &str, branch: &str) {
        let (format, key) = (format!("gpg.format={format}"), format!("user.signingkey={key}"));
        let signing = ["-c", format.as_str(), "-c", key.as_str()];
        let with = |more: &[&str]| {
            let all: Vec<&str> = signing.iter().chain(more).copied().collect();
            self.git(&all)
        };
        with(&["commit", "--quiet", "--allow-empty", "-S", "-m", "a subject\n\nand a body\n"]);
        with(&["branch", "--force", branch]);
        with(&["tag", "-s", "-m", "a release", &format!("{branch}-tag")]);
    }

    async fn fetch(&self, reference: GitReference) -> Fetched {
        let url = self.path("repo").display().to_string();
        let source = GitSource::new(url, reference);
        let scope = Scope::background();
        let resolved = source.resolve(&scope).await.unwrap();
        source.fetch(&resolved, &scope).await.unwrap()
    }

    async fn commit(&self, branch: &str) -> Subject {
        self.fetch(GitReference::Branch(branch.into())).await.subject
    }

    async fn tag(&self, tag: &str) -> TagObject {
        match self.fetch(GitReference::Tag(tag.into())).await.subject {
            Subject::Commit { tag: Some(tag), .. } => tag,
            other => panic!("{other:?} is no tag"),
        }
    }

    /// Stores a changed copy of a commit under a new branch.
    fn tamper(&self, branch: &str, change: impl Fn(&str) -> String, into: &str) {
        let raw = self.run("git", &["cat-file", "commit", branch], b"");
        let changed = change(&String::from_utf8(raw).unwrap());
        let arguments = ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"];
        let id = self.run("git", &arguments, changed.as_bytes());
        let id = String::from_utf8(id).unwrap();
        self.git(&["update-ref", &format!("refs/heads/{into}"), id.trim()]);
    }
}

fn keys(entries: &[(&str, &[u8])]) -> GitKeys {
    GitKeys::from_entries(entries.iter().copied())
}

fn later(days: u64) -> Timestamp {
    Timestamp::now() + Duration::from_secs(days * 24 * 3600)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_gpg() {
    if !installed("gpg") || !installed("git") {
        return;
    }
    let world = World::new();
    let stranger = world.make_key("stranger <s@example.com>", "ed25519", "sign");
    let stranger = world.public_key(&stranger);
    for (kind, usage) in
        [("ed25519", "sign"), ("rsa2048", "sign"), ("nistp256", "sign"), ("rsa3072", "cert")]
    {
        let fingerprint = world.make_key(&format!("{kind} <{kind}@example.com>"), kind, usage);
        if usage == "cert" {
            // Then a subkey signs, as careful people have it.
            world.gpg(&["--quick-add-key", &fingerprint, "ed25519", "sign", "1y"]);
        }
        world.sign("openpgp", &fingerprint, kind);
        let own = world.public_key(&fingerprint);
        let trusted = keys(&[("stranger.asc", &stranger), ("own.asc", &own)]);
        let commit = world.commit(kind).await;
        let tag = world.tag(&format!("{kind}-tag")).await;
        assert!(tag.is_signed());
        let id = &fingerprint[fingerprint.len() - 16..];
        assert_eq!(trusted.verify_commit(&commit, later(0)).unwrap(), id, "{kind}");
        assert_eq!(trusted.verify_tag(&tag, later(0)).unwrap(), id, "{kind}");
        let error = keys(&[("a", &stranger)]).verify_commit(&commit, later(0)).unwrap_err();
        assert_eq!(error.to_string(), format!("unable to verify Git commit: {NO_MATCH}"));
        let error = keys(&[("a", &stranger)]).verify_tag(&tag, later(0)).unwrap_err();
        assert_eq!(error.to_string(), format!("unable to verify Git tag: {NO_MATCH}"));
        assert!(trusted.verify_commit(&commit, later(800)).is_err(), "the key's time is over");
        let past = Timestamp::from_second(1_000_000).unwrap();
        assert!(trusted.verify_commit(&commit, past).is_err(), "not signed yet");
    }
}

/// Row 66.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_none() {
    if !installed("gpg") || !installed("git") {
        return;
    }
    let world = World::new();
    let fingerprint = world.make_key("r <r@example.com>", "ed25519", "cert");
    world.gpg(&["--quick-add-key", &fingerprint, "ed25519", "sign", "1y"]);
    world.sign("openpgp", &fingerprint, "r");
    let commit = world.commit("r").await;
    let good = world.public_key(&fingerprint);
    assert!(keys(&[("k.asc", &good)]).verify_commit(&commit, later(0)).is_ok());
    // gpg keeps a certificate at hand, with a colon against accidents.
    let name = format!("gnupg/openpgp-revocs.d/{fingerprint}.rev");
    let certificate = std::fs::read_to_string(world.path(&name)).unwrap();
    let certificate = certificate.replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(world.path("revoke"), certificate).unwrap();
    world.gpg(&["--import", world.path("revoke").to_str().unwrap()]);
    let revoked = world.public_key(&fingerprint);
    assert_ne!(good, revoked);
    assert!(keys(&[("k.asc", &revoked)]).verify_commit(&commit, later(0)).is_err());
}

/// Rows 60 and 66 of the list of attacks.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_does_not_verify() {
    if !installed("gpg") || !installed("git") {
        return;
    }
    let world = World::new();
    let fingerprint = world.make_key("t <t@example.com>", "ed25519", "sign");
    world.sign("openpgp", &fingerprint, "good");
    let own = world.public_key(&fingerprint);
    let trusted = keys(&[("own.asc", &own)]);
    let empty = world.run("git", &["hash-object", "-t", "tree", "-w", "--stdin"], b"");
    let empty = String::from_utf8(empty).unwrap().trim().to_owned();
    type Change<'c> = Box<dyn Fn(&str) -> String + 'c>;
    let changes: Vec<(&str, Change<'_>)> = vec![
        ("subject", Box::new(|raw| raw.replace("a subject", "b subject"))),
        ("author", Box::new(|raw| raw.replacen("author T", "author U", 1))),
        (
            "tree",
            Box::new(|raw| {
                let (_, rest) = raw.split_once('\n').unwrap();
                format!("tree {empty}\n{rest}")
            }),
        ),
        (
            "parent",
            Box::new(|raw| {
                raw.replacen("author ", &format!("parent {}\nauthor ", "1".repeat(40)), 1)
            }),
        ),
        (
            "second-tree",
            Box::new(|raw| raw.replacen("gpgsig ", &format!("tree {empty}\ngpgsig "), 1)),
        ),
    ];
    for (name, change) in &changes {
        world.tamper("good", change, name);
        // Only objects that can be read at all come as far as this.
        let source = GitSource::new(
            world.path("repo").display().to_string(),
            GitReference::Branch((*name).into()),
        );
        let scope = Scope::background();
        let Ok(resolved) = source.resolve(&scope).await else { continue };
        let Ok(fetched) = source.fetch(&resolved, &scope).await else { continue };
        let verified = trusted.verify_commit(&fetched.subject, later(0));
        assert!(verified.is_err(), "{name}");
    }
    world.tamper("good", str::to_owned, "same");
    assert!(trusted.verify_commit(&world.commit("same").await, later(0)).is_ok());
    // The signature of one commit on another.
    world.git(&["commit", "--quiet", "--allow-empty", "-m", "plain"]);
    let plain = world.commit("main").await;
    assert!(matches!(trusted.verify_commit(&plain, later(0)), Err(SignatureError::Unsigned)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_ssh() {
    if !installed("git") || Command::new("ssh-keygen").arg("-?").output().is_err() {
        println!("SKIPPED: ssh-keygen is not installed");
        return;
    }
    let world = World::new();
    let directory = world.directory.path();
    let make = |kind: &str| gitops_testenv::make_ssh_key(directory, kind, kind, "").unwrap().1;
    let stranger = gitops_testenv::make_ssh_key(directory, "stranger", "ed25519", "").unwrap().1;
    for kind in ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048"] {
        let public = make(kind);
        world.sign("ssh", world.path(kind).to_str().unwrap(), kind);
        let commit = world.commit(kind).await;
        let tag = world.tag(&format!("{kind}-tag")).await;
        let file = format!("# people\n\n{stranger}{public}");
        let trusted = keys(&[("people.sshpub", file.as_bytes())]);
        let listed =
            world.run("ssh-keygen", &["-l", "-f", world.path(kind).to_str().unwrap()], b"");
        let listed = String::from_utf8(listed).unwrap();
        let fingerprint = listed.split(' ').nth(1).unwrap();
        assert_eq!(trusted.verify_commit(&commit, later(0)).unwrap(), fingerprint, "{kind}");
        assert_eq!(trusted.verify_tag(&tag, later(0)).unwrap(), fingerprint, "{kind}");
        let strange = keys(&[("s.sshpub", stranger.as_bytes())]);
        let error = strange.verify_commit(&commit, later(0)).unwrap_err().to_string();
        assert!(error.starts_with(
            "unable to verify Git commit SSH signature: unable to verify payload with any of the \
             given authorized keys: no matching key"
        ));
        world.tamper(kind, |raw| raw.replace("a subject", "b subject"), "bad");
        assert!(trusted.verify_commit(&world.commit("bad").await, later(0)).is_err(), "{kind}");
    }
    let commit = world.commit("ed25519").await;
    for (entries, says) in [
        (
            &[("k.asc", &b"x"[..])][..],
            "SSH signature detected but no SSH public keys found in secret (keys with .sshpub suffix)",
        ),
        (&[("k.sshpub", b"garbage")], "unable to parse authorized keys"),
    ] {
        let error = keys(entries).verify_commit(&commit, later(0)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    // A good signature for something else than Git is none for Git.
    let raw = world.run("git", &["cat-file", "commit", "ed25519"], b"");
    let (head, rest) = std::str::from_utf8(&raw).unwrap().split_once("gpgsig ").unwrap();
    let (_, rest) = rest.split_once("-----END SSH SIGNATURE-----\n").unwrap();
    let payload = format!("{head}{rest}");
    let key = world.path("ed25519");
    let arguments = ["-Y", "sign", "-n", "file", "-f", key.to_str().unwrap()];
    let other = world.run("ssh-keygen", &arguments, payload.as_bytes());
    let other = String::from_utf8(other).unwrap().trim_end().replace('\n', "\n ");
    world.tamper("ed25519", |_| format!("{head}gpgsig {other}\n{rest}"), "namespace");
    let public = std::fs::read(world.path("ed25519.pub")).unwrap();
    let trusted = keys(&[("k.sshpub", &public)]);
    let error = trusted.verify_commit(&world.commit("namespace").await, later(0)).unwrap_err();
    assert!(error.to_string().contains("namespace does not match"), "{error}");
}

#[test]
fn garbage_is_no_signature_and_no_key() {
    let tag = |signature: &str| TagObject::new("1", "t", format!("object 1\n\nm\n{signature}"));
    let trusted = keys(&[("a.asc", b"garbage"), ("b.sshpub", b"# nobody\n")]);
    for (signature, says) in [
        (
            "-----BEGIN PGP SIGNATURE-----\n\ngarbage\n-----END PGP SIGNATURE-----\n",
            "unable to read armored key ring",
        ),
        (
            "-----BEGIN SSH SIGNATURE-----\ngarbage\n-----END SSH SIGNATURE-----\n",
            "unable to unarmor SSH signature",
        ),
        ("-----BEGIN SIGNED MESSAGE-----\n", "unsupported signature type: x509"),
        ("-----BEGIN PGP MESSAGE-----\n", "unsupported signature type: unknown"),
        ("", "unsupported signature type: empty"),
    ] {
        let error = trusted.verify_tag(&tag(signature), later(0)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let none = keys(&[]);
    let pgp = tag("-----BEGIN PGP SIGNATURE-----\n");
    let error = none.verify_tag(&pgp, later(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PGP signature detected but no PGP public keys found in secret (keys with .asc suffix)"
    );
}
