//! Turns of the GitRepository reconciler, without a cluster: the API is a function.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod tokens;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gitops_api::{
    meta::{Condition, ConditionStatus, condition_type},
    source::GitRepository,
};
use gitops_controllers::{
    profiles::GIT_REPOSITORY,
    runtime::{Attempt, Before, Reconcile as _, Settled, Stop, Turn, settle},
    source::{GitRepositoryReconciler, Storage},
};
use gitops_core::{ArtifactKey, FixedClock, Limits, Scope, Tree as _};
use gitops_source::{ArtifactStore, MemoryStore, Retention};
use gitops_testenv::{Access, Fault, GitRepo, GitServer, SshServer};
use jiff::Timestamp;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

/// The objects that the API knows, by path.
type Objects = BTreeMap<String, Value>;

fn client(objects: Arc<Mutex<Objects>>) -> kube::Client {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let objects = Arc::clone(&objects);
        async move {
            let path = request.uri().path().to_owned();
            let found = objects.lock().get(&path).cloned();
            let (status, body) = match found {
                Some(object) => (200, object),
                None => {
                    let name = path.rsplit('/').next().unwrap_or_default();
                    let plural = path.rsplit('/').nth(1).unwrap_or_default();
                    let message = format!("{plural} \"{name}\" not found");
                    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "status": "Failure", "message": message, "reason": "NotFound", "code": 404});
                    (404, body)
                }
            };
            let body = Body::from(serde_json::to_vec(&body).unwrap());
            let response = http::Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body)
                .unwrap();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    kube::Client::new(service, "default")
}

struct World {
    server: GitServer,
    repo: GitRepo,
    store: Arc<MemoryStore>,
    clock: Arc<FixedClock>,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new(access: Access) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let directory = tempfile::tempdir().unwrap();
        let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
        repo.commit("main", &[("a.yaml", Some("a")), ("b.yaml", Some("b"))], "first").unwrap();
        let server = GitServer::start(directory.path(), access).await.unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp::from_second(1_000_000).unwrap()));
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        Self { server, repo, store, clock, _directory: directory }
    }

    fn reconciler(&self, objects: Objects) -> GitRepositoryReconciler {
        self.reconciler_over(Arc::new(Mutex::new(objects)))
    }

    /// With objects that change.
    fn reconciler_over(&self, objects: Arc<Mutex<Objects>>) -> GitRepositoryReconciler {
        let store = Arc::clone(&self.store) as Arc<dyn ArtifactStore>;
        let storage = Storage::new(store, "source.example".into(), Retention::default());
        GitRepositoryReconciler::new(client(objects), storage)
    }

    fn object(&self, spec: &Value) -> GitRepository {
        let mut all = json!({"url": self.server.url("app.git"), "interval": "1m",
            "ref": {"branch": "main"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "src", "namespace": "ns", "generation": 1}, "spec": all,
        });
        serde_json::from_value(object).unwrap()
    }

    /// One turn; the object gets the status that follows.
    async fn turn(
        &self,
        reconciler: &GitRepositoryReconciler,
        object: &mut GitRepository,
    ) -> (Turn, Settled) {
        let status = object.status.clone().unwrap_or_default();
        let mut attempt =
            Attempt::new(status.clone(), Scope::background(), Arc::clone(&self.clock) as _);
        let turn = reconciler.reconcile(object, &mut attempt).await;
        let before = Before {
            generation: object.metadata.generation.unwrap(),
            conditions: &status.conditions,
            progress: None,
            interval: Duration::from_mins(1),
            retry_interval: Duration::from_mins(1),
            dependency_interval: Duration::from_secs(5),
            now: attempt.now(),
        };
        let settled = settle(&GIT_REPOSITORY, before, attempt.facts(), &turn);
        let mut status = attempt.status;
        status.conditions.clone_from(&settled.conditions);
        object.status = Some(status);
        (turn, settled)
    }

    async fn stored(&self, object: &GitRepository) -> Vec<String> {
        let artifact = object.status.as_ref().unwrap().artifact.as_ref().unwrap();
        let file = artifact.path.rsplit('/').next().unwrap();
        let mut open = self.store.open(&key(), file).await.unwrap();
        let mut bytes = Vec::new();
        open.body.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(gitops_core::Digest::sha256(&bytes).to_string(), artifact.digest);
        let tree = gitops_core::unpack(&bytes[..], &Limits::default()).unwrap();
        assert!(tree.stat("".as_ref()).unwrap().is_dir());
        tree.files().map(|(path, _)| path.display().to_string()).collect()
    }
}

fn key() -> ArtifactKey {
    ArtifactKey::new("GitRepository", "ns", "src")
}

fn condition<'c>(settled: &'c Settled, kind: &str) -> Option<&'c Condition> {
    settled.conditions.iter().find(|condition| condition.type_ == kind)
}

fn ready(settled: &Settled) -> (ConditionStatus, &str, &str) {
    let ready = condition(settled, condition_type::READY).unwrap();
    (ready.status, &ready.reason, &ready.message)
}

fn reasons(settled: &Settled) -> Vec<&str> {
    settled.events.iter().map(|event| event.reason.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_becomes_an_artifact_and_stays_one() {
    let mut world = World::new(Access::Open).await;
    let reconciler = world.reconciler(Objects::new());
    let mut object = world.object(&json!({}));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    let first = world.repo.resolve("refs/heads/main").unwrap();
    let message = format!("stored artifact for revision 'main@sha1:{first}'");
    assert_eq!(ready(&settled), (ConditionStatus::True, "Succeeded", message.as_str()));
    assert_eq!(reasons(&settled), ["NewArtifact"]);
    assert_eq!(settled.events[0].message, "stored artifact for commit 'first'");
    let artifact = object.status.as_ref().unwrap().artifact.clone().unwrap();
    assert_eq!(artifact.url, format!("http://source.example/gitrepository/ns/src/{first}.tar.gz"));
    assert_eq!(world.stored(&object).await, ["a.yaml", "b.yaml"]);

    // Nothing new: no fetch, no other artifact.
    let asked = world.server.requests().len();
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert!(world.server.requests().len() <= asked + 2);
    assert_eq!(reasons(&settled), ["GitOperationSucceeded"]);
    assert_eq!(object.status.as_ref().unwrap().artifact.as_ref(), Some(&artifact));

    // Other rules make another artifact of the same revision.
    object.spec.ignore = Some("b.yaml".into());
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(reasons(&settled), ["NewArtifact"]);
    assert_eq!(world.stored(&object).await, ["a.yaml"]);
    assert_eq!(object.status.as_ref().unwrap().observed_ignore.as_deref(), Some("b.yaml"));

    // A push; what was served before is kept for those who are late, and then goes.
    world.repo.commit("main", &[("c.yaml", Some("c"))], "second").unwrap();
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(reasons(&settled), ["NewArtifact"]);
    assert_eq!(world.store.list(&key()).await.unwrap().len(), 2);
    world.clock.advance(Duration::from_mins(5));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(reasons(&settled), ["GarbageCollectionSucceeded", "GitOperationSucceeded"]);
    assert_eq!(world.store.list(&key()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_server_leaves_the_artifact_and_recovery_is_told() {
    let world = World::new(Access::Open).await;
    let reconciler = world.reconciler(Objects::new());
    let mut object = world.object(&json!({"timeout": "5s"}));
    world.turn(&reconciler, &mut object).await.0.unwrap();
    let artifact = object.status.as_ref().unwrap().artifact.clone();
    world.server.set_fault(Fault::Status(503));
    let (turn, settled) = world.turn(&reconciler, &mut object).await;
    assert!(matches!(turn, Err(Stop::Failed(_))));
    let (status, reason, message) = ready(&settled);
    assert_eq!((status, reason), (ConditionStatus::False, "GitOperationFailed"));
    let start = "failed to checkout and determine revision: unable to list remote for 'http://";
    assert!(message.starts_with(start), "{message}");
    assert!(condition(&settled, condition_type::FETCH_FAILED).is_some());
    assert!(condition(&settled, condition_type::ARTIFACT_IN_STORAGE).is_some());
    assert_eq!(object.status.as_ref().unwrap().artifact, artifact);
    world.server.set_fault(Fault::None);
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True);
    assert!(condition(&settled, condition_type::FETCH_FAILED).is_none());
    assert_eq!(reasons(&settled), ["Succeeded", "GitOperationSucceeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_artifact_is_built_anew() {
    let world = World::new(Access::Open).await;
    let reconciler = world.reconciler(Objects::new());
    let mut object = world.object(&json!({}));
    world.turn(&reconciler, &mut object).await.0.unwrap();
    world.store.remove_all(&key()).await.unwrap();
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True);
    assert_eq!(world.stored(&object).await, ["a.yaml", "b.yaml"]);

    // A record whose digest no longer fits what is stored.
    let artifact = object.status.as_mut().unwrap().artifact.as_mut().unwrap();
    artifact.digest = gitops_core::Digest::sha256(b"other").to_string();
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(reasons(&settled), ["ArtifactVerificationFailed", "NewArtifact"]);
    assert_eq!(world.stored(&object).await.len(), 2);

    let mut attempt = Attempt::new(
        object.status.clone().unwrap(),
        Scope::background(),
        Arc::clone(&world.clock) as _,
    );
    reconciler.finalize(&object, &mut attempt).await.unwrap();
    assert!(world.store.list(&key()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_open_doors() {
    let access = Access::Basic { username: "git".into(), password: "s3cret".into() };
    let world = World::new(access).await;
    // {username: git, password: s3cret}
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "auth"},
        "data": {"username": "Z2l0", "password": "czNjcmV0"}});
    let path = "/api/v1/namespaces/ns/secrets/auth".to_owned();
    let reconciler = world.reconciler(Objects::from([(path, secret)]));
    let mut object = world.object(&json!({"secretRef": {"name": "auth"}}));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True);

    let mut object = world.object(&json!({"secretRef": {"name": "none"}}));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    let message = "failed to get secret 'ns/none': failed to get secret 'ns/none': secrets \"none\" not found";
    assert_eq!(ready(&settled), (ConditionStatus::False, "AuthenticationFailed", message));
    assert!(condition(&settled, condition_type::STALLED).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_is_said() {
    let world = World::new(Access::Open).await;
    let reconciler = world.reconciler(Objects::new());
    for (spec, text, stalls) in [
        (
            json!({"verify": {"secretRef": {"name": "keys"}}}),
            "public keys secret error: secrets \"keys\" not found",
            false,
        ),
        (
            json!({"provider": "github"}),
            "secretRef with github app data must be specified when provider is set to github",
            true,
        ),
        (
            json!({"provider": "aws"}),
            "failed to configure authentication options: AWS CodeCommit authentication requires an \
             HTTPS Git URL",
            false,
        ),
        (
            json!({"provider": "azure", "serviceAccountName": "git"}),
            "please enable the ObjectLevelWorkloadIdentity feature gate",
            true,
        ),
    ] {
        let mut object = world.object(&spec);
        let (_, settled) = world.turn(&reconciler, &mut object).await;
        let (status, _, message) = ready(&settled);
        assert_eq!(status, ConditionStatus::False, "{spec}");
        assert!(message.contains(text), "{message}");
        assert_eq!(condition(&settled, condition_type::STALLED).is_some(), stalls, "{spec}");
        assert!(object.status.unwrap().artifact.is_none(), "{spec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn includes_are_laid_over() {
    let world = World::new(Access::Open).await;
    let mut inner = world.object(&json!({}));
    inner.metadata.name = Some("inner".into());
    world.turn(&world.reconciler(Objects::new()), &mut inner).await.0.unwrap();
    let path = "/apis/source.toolkit.fluxcd.io/v1/namespaces/ns/gitrepositories/inner".to_owned();
    let reconciler =
        world.reconciler(Objects::from([(path, serde_json::to_value(&inner).unwrap())]));
    let include = |from: &str, to: &str| json!({"include": [{"repository": {"name": "inner"}, "fromPath": from, "toPath": to}]});
    let mut object = world.object(&include("", "../../sub/x"));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");
    let files = ["a.yaml", "b.yaml", "sub/x/a.yaml", "sub/x/b.yaml"];
    assert_eq!(world.stored(&object).await, files);

    let mut object = world.object(&include("nodir", "x"));
    let (_, settled) = world.turn(&reconciler, &mut object).await;
    assert_eq!(ready(&settled).1, "CopyFailure");
    // As in Flux, nothing takes the place of a directory, nor a directory that of a file.
    for (from, to, why) in [
        ("", ".", "rename /tmp/include/unpack /tmp/checkout: file exists"),
        ("", "a.yaml", "rename /tmp/include/unpack /tmp/checkout/a.yaml: not a directory"),
        ("a.yaml", "b.yaml/c", "mkdir /tmp/checkout/b.yaml: not a directory"),
    ] {
        let (_, settled) = world.turn(&reconciler, &mut world.object(&include(from, to))).await;
        let (_, reason, message) = ready(&settled);
        assert_eq!(reason, "CopyFailure", "{from} {to}");
        assert!(message.ends_with(why), "{message}");
    }
    let absent = json!({"include": [{"repository": {"name": "absent"}}]});
    let (turn, settled) = world.turn(&reconciler, &mut world.object(&absent)).await;
    assert!(matches!(turn, Err(Stop::Waiting(_))));
    assert_eq!(ready(&settled).1, "NotFound");
    assert!(condition(&settled, condition_type::INCLUDE_UNAVAILABLE).is_some());
}

/// The key of no app.
const TEST_KEY: &str = include_str!("../../../crates/auth/tests/data/app-pkcs1.pem");

/// A value of a Secret that is found nowhere but there.
const CANARY: &str = "c4nary";

fn secret(values: &[(&str, &str)]) -> Objects {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let own =
        |(key, value): &(&str, &str)| ((*key).to_owned(), Value::from(STANDARD.encode(value)));
    let data: serde_json::Map<String, Value> = values.iter().map(own).collect();
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data});
    Objects::from([("/api/v1/namespaces/ns/secrets/s".to_owned(), secret)])
}

/// Every field that may hold something secret, in turns that fail in every way that there is.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_condition_event_or_error() {
    let world = World::new(Access::Bearer("right".into())).await;
    let http = world.server.url("app.git");
    let with_user = http.replace("http://", &format!("http://me:{CANARY}@"));
    let token = http.replace("http://", &format!("http://{CANARY}@"));
    let nowhere = "http://127.0.0.1:1/r".to_owned();
    let ssh = "ssh://git@127.0.0.1:1/r".to_owned();
    let (use_it, proxy) = (json!({"name": "s"}), json!({"name": "s"}));
    let key =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----");
    let proxy_url = format!("http://{CANARY}:{CANARY}@127.0.0.1:1");
    type Case<'c> = (&'c str, Value, Vec<(&'c str, &'c str)>);
    let cases: Vec<Case<'_>> = vec![
        (&http, json!({"secretRef": use_it}), vec![("username", CANARY), ("password", CANARY)]),
        (&http, json!({"secretRef": use_it}), vec![("password", CANARY)]),
        (&http, json!({"secretRef": use_it}), vec![("bearerToken", CANARY)]),
        (
            &http,
            json!({"secretRef": use_it}),
            vec![("bearerToken", "c4nary\n"), ("username", CANARY)],
        ),
        (&with_user, json!({}), vec![]),
        (&token, json!({}), vec![]),
        (&nowhere, json!({"secretRef": use_it}), vec![("username", CANARY), ("password", CANARY)]),
        (&http, json!({"secretRef": use_it}), vec![("ca.crt", &pem)]),
        (&http, json!({"secretRef": use_it}), vec![("tls.crt", &pem), ("tls.key", CANARY)]),
        (&http, json!({"proxySecretRef": proxy}), vec![("address", &proxy_url)]),
        (
            &http,
            json!({"proxySecretRef": proxy}),
            vec![("address", "http://127.0.0.1:1"), ("username", CANARY), ("password", CANARY)],
        ),
        (&http, json!({"proxySecretRef": proxy}), vec![("address", "c4nary://:c4nary@")]),
        (&ssh, json!({"secretRef": use_it}), vec![("identity", &key), ("known_hosts", "h")]),
        (
            &ssh,
            json!({"secretRef": use_it}),
            vec![("identity", CANARY), ("known_hosts", CANARY), ("password", CANARY)],
        ),
        (
            &http,
            json!({"provider": "github", "secretRef": use_it}),
            vec![
                ("githubAppID", "1"),
                ("githubAppInstallationID", "1"),
                ("githubAppPrivateKey", CANARY),
            ],
        ),
        (
            &http,
            json!({"provider": "github", "secretRef": use_it}),
            vec![
                ("githubAppID", "1"),
                ("githubAppInstallationID", "1"),
                ("githubAppPrivateKey", TEST_KEY),
                ("githubAppBaseURL", "http://c4nary:c4nary@127.0.0.1:1"),
            ],
        ),
    ];
    for (url, spec, values) in cases {
        let mut spec = spec;
        spec["url"] = Value::from(url);
        spec["timeout"] = Value::from("5s");
        let mut object = world.object(&spec);
        let (turn, settled) = world.turn(&world.reconciler(secret(&values)), &mut object).await;
        assert!(turn.is_err(), "{values:?} is accepted");
        let told = format!("{turn:?} {settled:?} {:?}", object.status).replace("git@127", "");
        assert!(!told.contains(CANARY), "{url} {values:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_reached_over_ssh() {
    if !SshServer::is_installed() {
        println!("SKIPPED: sshd or ssh-keygen is not installed");
        return;
    }
    let world = World::new(Access::Open).await;
    let place = world.repo.path().join("ssh");
    let server = SshServer::start(&place, &["ed25519", "rsa"], "").await.unwrap();
    let (plain, locked) = (
        server.make_key("a", "ed25519", "").unwrap(),
        server.make_key("b", "rsa-2048", "s3cret").unwrap(),
    );
    let known = server.known_hosts().unwrap();
    let spec = json!({"url": server.url(world.repo.path()), "secretRef": {"name": "s"}});
    for values in [
        vec![("identity", plain.as_str()), ("known_hosts", &known)],
        vec![("identity", &locked), ("known_hosts", &known), ("password", "s3cret")],
    ] {
        let mut object = world.object(&spec);
        let (_, settled) = world.turn(&world.reconciler(secret(&values)), &mut object).await;
        assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");
        assert_eq!(world.stored(&object).await, ["a.yaml", "b.yaml"]);
    }
    for (values, says) in [
        (
            vec![("identity", locked.as_str()), ("known_hosts", &known)],
            "SSH identity key is encrypted but no 'password' field was provided in the secret 'ns/s'",
        ),
        (
            vec![
                ("identity", &plain),
                (
                    "known_hosts",
                    "elsewhere ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
                ),
            ],
            "ssh: handshake failed: knownhosts: key is unknown",
        ),
        (vec![("identity", &plain)], "invalid 'ssh' auth option: 'known_hosts' is required"),
    ] {
        let mut object = world.object(&spec);
        let (_, settled) = world.turn(&world.reconciler(secret(&values)), &mut object).await;
        let (status, _, message) = ready(&settled);
        assert_eq!(status, ConditionStatus::False);
        assert!(message.contains(says), "{message}");
    }
}
