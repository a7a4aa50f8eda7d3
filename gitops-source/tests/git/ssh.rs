//! Git over SSH, against OpenSSH's own server.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::time::Duration;

use gitops_core::{Class, Classify as _, Scope, Secret, one_line};
use gitops_source::{
    Fetched, GitReference, GitSource, Source, SourceError, SshAlgorithms, SshIdentity, SshTransport,
};
use gitops_testenv::{GitRepo, SshServer};

struct World {
    server: SshServer,
    repo: GitRepo,
    first: String,
    directory: tempfile::TempDir,
}

/// `None`, said plainly, where there is no sshd.
async fn world(host_keys: &[&str], configuration: &str) -> Option<World> {
    if !SshServer::is_installed() {
        println!("SKIPPED: sshd or ssh-keygen is not installed");
        return None;
    }
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path().join("app's repo.git")).unwrap();
    let first = repo.commit("main", &[("a/cm.yaml", Some("one"))], "first").unwrap();
    repo.commit("main", &[("a/cm.yaml", Some("two"))], "second").unwrap();
    repo.point("refs/tags/v1.0.0", &first).unwrap();
    let server = SshServer::start(directory.path().join("ssh"), host_keys, configuration);
    Some(World { server: server.await.unwrap(), repo, first, directory })
}

impl World {
    fn transport(&self, key: &str, passphrase: Option<&str>) -> Result<SshTransport, SourceError> {
        let identity =
            SshIdentity::Key { pem: Secret::from(key), passphrase: passphrase.map(Secret::from) };
        SshTransport::new(&identity, self.server.known_hosts().unwrap().as_bytes())
    }

    fn source(&self, reference: GitReference, transport: SshTransport) -> GitSource {
        GitSource::new(self.server.url(self.repo.path()), reference)
            .with_timeout(Duration::from_secs(30))
            .with_transport(transport)
    }
}

async fn both(source: &dyn Source) -> Result<Fetched, SourceError> {
    let scope = Scope::background();
    let resolved = source.resolve(&scope).await?;
    source.fetch(&resolved, &scope).await
}

fn read(fetched: &Fetched) -> String {
    String::from_utf8(fetched.tree.read("a/cm.yaml".as_ref()).unwrap().to_vec()).unwrap()
}

fn main_branch() -> GitReference {
    GitReference::Branch("main".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_all_kinds_log_in() {
    let Some(world) = world(&["ed25519", "ecdsa", "rsa"], "").await else { return };
    for (kind, passphrase) in [
        ("ed25519", ""),
        ("ed25519", "s3cret"),
        ("ecdsa-256", ""),
        ("ecdsa-384", "s3cret"),
        ("ecdsa-521", ""),
        ("rsa-2048", ""),
        ("rsa-3072", "s3cret"),
    ] {
        let key = world.server.make_key(&format!("{kind}{passphrase}"), kind, passphrase).unwrap();
        let transport = world.transport(&key, Some(passphrase)).unwrap();
        let fetched = both(&world.source(main_branch(), transport)).await;
        assert_eq!(read(&fetched.unwrap()), "two", "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_reference_in_both_versions_of_the_protocol() {
    for configuration in ["", "AcceptEnv GIT_PROTOCOL"] {
        let Some(world) = world(&["ed25519"], configuration).await else { return };
        let key = world.server.make_key("key", "ed25519", "").unwrap();
        let id = world.first.clone();
        let branch = Some("main".to_owned());
        for (reference, content) in [
            (main_branch(), "two"),
            (GitReference::Tag("v1.0.0".into()), "one"),
            (GitReference::Semver(">=1".into()), "one"),
            (GitReference::Name("refs/heads/main".into()), "two"),
            (GitReference::Commit { id: id.clone(), branch: None, name: None }, "one"),
            (GitReference::Commit { id, branch, name: None }, "one"),
        ] {
            let source = world.source(reference.clone(), world.transport(&key, None).unwrap());
            let fetched = both(&source).await.map_err(|error| one_line(&error));
            assert_eq!(read(&fetched.unwrap()), content, "{reference:?} {configuration}");
        }
        let empty = GitRepo::init(world.directory.path().join("empty")).unwrap();
        let source = GitSource::new(world.server.url(empty.path()), main_branch())
            .with_transport(world.transport(&key, None).unwrap());
        assert!(one_line(&both(&source).await.unwrap_err()).ends_with("git repository is empty"));
    }
}

/// Row 65 of the list of attacks: nothing is trusted on first use.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_must_be_known() {
    let Some(world) = world(&["ed25519", "rsa"], "").await else { return };
    let key = world.server.make_key("key", "ed25519", "").unwrap();
    let known = world.server.known_hosts().unwrap();
    let rsa: String = known.lines().filter(|line| line.contains("ssh-rsa")).collect();
    let other = gitops_testenv::make_ssh_key(world.directory.path(), "o", "ed25519", "").unwrap().1;
    let port = world.server.address().port();
    for (known_hosts, says) in [
        (rsa.clone(), None),
        (String::new(), Some("ssh: handshake failed: knownhosts: key is unknown")),
        (known.replace("[127.0.0.1]", "[elsewhere]"), Some("knownhosts: key is unknown")),
        (format!("[127.0.0.1]:{port} {other}"), Some("knownhosts: key mismatch")),
        (format!("{known}\n@revoked * {}", rsa.split_once(' ').unwrap().1), None),
        (format!("{rsa}\n@revoked * {}", rsa.split_once(' ').unwrap().1), Some("key is revoked")),
    ] {
        let identity = SshIdentity::Key { pem: Secret::from(key.as_str()), passphrase: None };
        let transport = SshTransport::new(&identity, known_hosts.as_bytes()).unwrap();
        let fetched = both(&world.source(main_branch(), transport)).await;
        match says {
            None => assert_eq!(read(&fetched.unwrap()), "two"),
            Some(says) => {
                let error = fetched.unwrap_err();
                assert!(one_line(&error).contains(says), "{}", one_line(&error));
                assert_eq!(error.class(), Class::Denied);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_is_wrong() {
    let Some(world) = world(&["ed25519"], "").await else { return };
    let key = world.server.make_key("key", "ed25519", "").unwrap();
    let stranger =
        gitops_testenv::make_ssh_key(world.directory.path(), "s", "ed25519", "").unwrap().0;
    let error = both(&world.source(main_branch(), world.transport(&stranger, None).unwrap())).await;
    let error = error.unwrap_err();
    assert!(one_line(&error).ends_with(
        "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], \
         no supported methods remain"
    ));
    assert_eq!(error.class(), Class::Denied);

    let missing = world.server.url(&world.directory.path().join("none.git"));
    let source =
        GitSource::new(missing, main_branch()).with_transport(world.transport(&key, None).unwrap());
    let error = both(&source).await.unwrap_err();
    assert!(one_line(&error).ends_with(": repository not found"), "{}", one_line(&error));

    let algorithms = SshAlgorithms::parse(&["diffie-hellman-group1-sha1"], &[]).unwrap();
    let transport = world.transport(&key, None).unwrap().with_algorithms(algorithms);
    let error = one_line(&both(&world.source(main_branch(), transport)).await.unwrap_err());
    assert!(error.contains("no common algorithm for kex; client offered: [diffie-hellman-group1"));

    let error = SshAlgorithms::parse(&["no-such"], &[]).unwrap_err();
    assert_eq!(error.to_string(), "unknown SSH key exchange algorithm 'no-such'");
    assert!(SshAlgorithms::parse(&[], &["no-such"]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn algorithms_can_be_chosen() {
    let Some(world) = world(&["ed25519", "rsa"], "").await else { return };
    let key = world.server.make_key("key", "ed25519", "").unwrap();
    for (kex, host_key) in [
        ("curve25519-sha256", "rsa-sha2-256"),
        ("diffie-hellman-group16-sha512", "rsa-sha2-512"),
        ("ecdh-sha2-nistp256", "ssh-ed25519"),
    ] {
        let algorithms = SshAlgorithms::parse(&[kex], &[host_key]).unwrap();
        let transport = world.transport(&key, None).unwrap().with_algorithms(algorithms);
        let fetched = both(&world.source(main_branch(), transport)).await;
        assert!(fetched.is_ok(), "{kex} {host_key}: {}", one_line(&fetched.unwrap_err()));
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused_at_once() {
    if !SshServer::is_installed() {
        println!("SKIPPED: sshd or ssh-keygen is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (key, _) =
        gitops_testenv::make_ssh_key(directory.path(), "k", "ed25519", "c4nary").unwrap();
    let of = |pem: &str, passphrase: Option<&str>| {
        let passphrase = passphrase.map(Secret::from);
        let identity = SshIdentity::Key { pem: Secret::from(pem), passphrase };
        SshTransport::new(&identity, b"").map(drop)
    };
    assert!(matches!(of(&key, None), Err(SourceError::Encrypted)));
    assert!(matches!(of(&key, Some("")), Err(SourceError::Encrypted)));
    let error = of(&key, Some("c4nary-wrong")).unwrap_err();
    assert!(!one_line(&error).contains("c4nary"), "{error}");
    for garbage in ["", "garbage", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"] {
        assert!(matches!(of(garbage, None), Err(SourceError::Invalid(_))), "{garbage}");
    }
}

/// A proxy that wants a login and leads to the server; `socks5` or `http`.
async fn proxy(scheme: &'static str, server: std::net::SocketAddr) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = vec![0; 1024];
                if scheme == "socks5" {
                    // Greeting, login, request: each is answered in its turn.
                    for (expected, answer) in [
                        (&[5, 2, 0, 2][..], &[5, 2][..]),
                        (b"\x01\x02me\x07s3 cret", &[1, 0]),
                        (&[5, 1, 0, 1, 127, 0, 0, 1], &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
                    ] {
                        let count = stream.read(&mut heard).await.unwrap();
                        if !heard[..count].starts_with(expected) {
                            return;
                        }
                        stream.write_all(answer).await.unwrap();
                    }
                } else {
                    let count = stream.read(&mut heard).await.unwrap();
                    let text = String::from_utf8_lossy(&heard[..count]).into_owned();
                    let login = "Proxy-Authorization: Basic bWU6czMgY3JldA==";
                    let good = text.starts_with("CONNECT 127.0.0.1:") && text.contains(login);
                    let status = if good { "200 OK" } else { "407 No" };
                    let answer = format!("HTTP/1.1 {status}\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if !good {
                        return;
                    }
                }
                let mut peer = tokio::net::TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut peer).await;
            });
        }
    });
    format!("{scheme}://me:LOGIN@{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_lead_to_the_host() {
    let Some(world) = world(&["ed25519"], "").await else { return };
    let key = world.server.make_key("key", "ed25519", "").unwrap();
    for scheme in ["socks5", "http"] {
        let proxy = proxy(scheme, world.server.address()).await;
        for (login, works) in [("s3%20cret", true), ("c4nary", false)] {
            let proxy = proxy.replace("LOGIN", login).parse().unwrap();
            let transport = world.transport(&key, None).unwrap().with_proxy(Some(proxy));
            let fetched = both(&world.source(main_branch(), transport)).await;
            match fetched {
                Ok(fetched) => assert!(works && read(&fetched) == "two", "{scheme}"),
                Err(error) => {
                    let error = one_line(&error);
                    assert!(!works && !error.contains("c4nary"), "{scheme}: {error}");
                }
            }
        }
    }
    let transport = world.transport(&key, None).unwrap();
    let transport = transport.with_proxy(Some("ftp://127.0.0.1:1".parse().unwrap()));
    let error = one_line(&both(&world.source(main_branch(), transport)).await.unwrap_err());
    assert!(error.contains("connection refused") || error.contains("unknown scheme"), "{error}");
}
