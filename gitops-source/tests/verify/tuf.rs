//! Trusted roots from a repository of The Update Framework: of our own making, good, rotated, old
//! and tampered.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::sigstore::{Installation, Key};
use axum::{Router, extract::State, http::StatusCode, http::Uri};
use gitops_core::{Clock as _, FixedClock, one_line};
use gitops_source::{FirstRoot, TrustedRootRepository};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const NOW: &str = "2026-02-01T00:00:00Z";
const LATER: &str = "2026-03-01T00:00:00Z";
const ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Canonical JSON, in which only quotes and backslashes are escaped.
fn canonical(value: &Value) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let members = sorted.into_iter();
            let members = members.map(|(name, own)| format!("{}:{}", quoted(name), canonical(own)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

fn signed(document: &Value, keys: &[&Key]) -> Vec<u8> {
    let message = canonical(document);
    let by =
        |key: &&Key| json!({"keyid": id(key), "sig": hex::encode(key.sign(message.as_bytes()))});
    let signatures: Vec<Value> = keys.iter().map(by).collect();
    json!({"signed": document, "signatures": signatures}).to_string().into_bytes()
}

fn id(key: &Key) -> String {
    sha256(key.pem().as_bytes())
}

/// A root in which the same keys may sign everything.
fn root(version: u64, keys: &[&Key], threshold: usize) -> Value {
    let ids: Vec<String> = keys.iter().map(|key| id(key)).collect();
    let role = json!({"keyids": ids, "threshold": threshold});
    let all = keys.iter().map(|key| {
        let key_document = json!({
            "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": key.pem()},
            "x-tuf-on-ci-keyowner": "@somebody",
        });
        (id(key), key_document)
    });
    json!({
        "_type": "root", "spec_version": "1.0", "version": version, "expires": "2027-01-01T00:00:00Z",
        "consistent_snapshot": true, "keys": all.collect::<serde_json::Map<_, _>>(),
        "roles": ROLES.iter().map(|name| ((*name).to_owned(), role.clone()))
            .collect::<serde_json::Map<_, _>>(),
    })
}

type Files = Arc<Mutex<(BTreeMap<String, Vec<u8>>, usize)>>;

/// A repository on loopback.
struct Repository {
    base: String,
    files: Files,
    keys: [Key; 2],
    target: Vec<u8>,
    clock: Arc<FixedClock>,
}

async fn answer(State(files): State<Files>, uri: Uri) -> (StatusCode, Vec<u8>) {
    let mut files = files.lock().unwrap();
    files.1 += 1;
    match files.0.get(uri.path().trim_start_matches("/tuf/")) {
        Some(bytes) => (StatusCode::OK, bytes.clone()),
        None => (StatusCode::NOT_FOUND, Vec::new()),
    }
}

impl Repository {
    /// With everything in its first version, signed by two keys.
    async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}/tuf", listener.local_addr().unwrap());
        let files = Files::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&files));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let target = Installation::new().trusted_root().to_string().into_bytes();
        let clock = Arc::new(FixedClock::new(NOW.parse().unwrap()));
        let own = Self { base, files, keys: [Key::new(), Key::new()], target, clock };
        own.put("1.root.json", signed(&root(1, &own.both(), 2), &own.both()));
        own.publish(1, LATER, |_, _| {});
        own
    }

    fn both(&self) -> [&Key; 2] {
        [&self.keys[0], &self.keys[1]]
    }

    fn put(&self, path: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().0.insert(path.to_owned(), bytes);
    }

    fn get(&self, path: &str) -> Vec<u8> {
        self.files.lock().unwrap().0[path].clone()
    }

    fn requests(&self) -> usize {
        self.files.lock().unwrap().1
    }

    /// Publishes a version of all but the root. `change` sees each document before it is signed.
    fn publish(&self, version: u64, expires: &str, change: impl Fn(&str, &mut Value)) {
        let keys = self.both();
        let hash = sha256(&self.target);
        self.put(&format!("targets/{hash}.trusted_root.json"), self.target.clone());
        let document = |kind: &str, name: &str, content: Value| {
            let mut own = json!({
                "_type": kind, "spec_version": "1.0.31", "version": version, "expires": expires,
            });
            own[name] = content;
            change(kind, &mut own);
            signed(&own, &keys)
        };
        let listed = json!({"trusted_root.json": {
            "length": self.target.len(), "hashes": {"sha256": hash}, "custom": {"x": 1},
        }});
        let targets = document("targets", "targets", listed);
        let meta = |name: &str, bytes: &[u8]| {
            let hashes = json!({"sha256": sha256(bytes)});
            json!({name: {"version": version, "length": bytes.len(), "hashes": hashes}})
        };
        let snapshot = document("snapshot", "meta", meta("targets.json", &targets));
        let timestamp = document("timestamp", "meta", meta("snapshot.json", &snapshot));
        self.put(&format!("{version}.targets.json"), targets);
        self.put(&format!("{version}.snapshot.json"), snapshot);
        self.put("timestamp.json", timestamp);
    }

    fn client(&self) -> TrustedRootRepository {
        self.client_of(FirstRoot::Document(self.get("1.root.json")))
    }

    fn client_of(&self, first: FirstRoot) -> TrustedRootRepository {
        TrustedRootRepository::new(self.base.parse().unwrap(), first, Arc::clone(&self.clock) as _)
    }

    fn wait_until(&self, at: &str) {
        let at: jiff::Timestamp = at.parse().unwrap();
        self.clock.advance(at.duration_since(self.clock.now()).unsigned_abs());
    }

    async fn refusal(&self) -> String {
        one_line(&self.client().trusted_root().await.unwrap_err())
    }
}

#[tokio::test]
async fn the_root_is_fetched_once() {
    let repository = Repository::new().await;
    let client = repository.client();
    client.trusted_root().await.unwrap();
    let asked = repository.requests();
    assert_eq!(asked, 5, "next root, timestamp, snapshot, targets, target");
    client.clone().trusted_root().await.unwrap();
    assert_eq!(repository.requests(), asked, "it is fresh");
    repository.clock.advance(Duration::from_hours(25));
    client.trusted_root().await.unwrap();
    assert_eq!(repository.requests(), asked + 3, "nothing new: next root, timestamp, target");

    let root = repository.get("1.root.json");
    let document: Value = serde_json::from_slice(&root).unwrap();
    let sha256_of = sha256(canonical(&document["signed"]).as_bytes());
    let first = |sha256: &str| FirstRoot::Digest { version: 1, sha256: sha256.into() };
    repository.client_of(first(&sha256_of)).trusted_root().await.unwrap();
    let other = repository.client_of(first(&sha256(b"other"))).trusted_root().await;
    assert!(one_line(&other.unwrap_err()).contains("1.root.json: is not the root that is trusted"));
}

#[tokio::test]
async fn roots_are_followed_when_both_sides_sign() {
    let repository = Repository::new().await;
    let [old, other] = repository.both();
    let new = Key::new();
    let next = root(2, &[old, &new], 2);
    for (signers, why) in [
        (vec![&new, old], "1 of 2 signatures as root are good"),
        (vec![old, other], "1 of 2 signatures as root are good"),
        (vec![old, other, &new], ""),
    ] {
        repository.put("2.root.json", signed(&next, &signers));
        // What the old two signed is no longer enough, once the root is taken.
        let why = if why.is_empty() { "timestamp.json: 1 of 2 signatures" } else { why };
        let error = repository.refusal().await;
        assert!(error.contains(why), "{error}");
    }
    let mut next = root(2, &[old, other], 2);
    next["version"] = 3.into();
    repository.put("2.root.json", signed(&next, &[old, other]));
    assert!(repository.refusal().await.contains("2.root.json: has version 3"));
    repository.put("2.root.json", signed(&root(2, &[old, other], 2), &[old, other]));
    repository.put("3.root.json", signed(&root(3, &[other, old], 1), &[other, old]));
    repository.client().trusted_root().await.unwrap();
}

#[tokio::test]
async fn signatures_are_counted_by_key() {
    let repository = Repository::new().await;
    let [one, _] = repository.both();
    let timestamp: Value = serde_json::from_slice(&repository.get("timestamp.json")).unwrap();
    let by = |keys: &[&Key]| repository.put("timestamp.json", signed(&timestamp["signed"], keys));
    by(&[one]);
    assert!(repository.refusal().await.contains("1 of 2 signatures as timestamp"));
    by(&[one, one]);
    assert!(repository.refusal().await.contains("1 of 2 signatures as timestamp"));
    by(&[one, &Key::new()]);
    assert!(repository.refusal().await.contains("1 of 2 signatures as timestamp"));
    // The same key under two ids.
    let mut twice = root(1, &[one], 2);
    twice["keys"]["other"] = twice["keys"][id(one)].clone();
    twice["roles"]["root"]["keyids"] = json!([id(one), "other"]);
    let mut document: Value = serde_json::from_slice(&signed(&twice, &[one, one])).unwrap();
    document["signatures"][1]["keyid"] = "other".into();
    let first = FirstRoot::Document(document.to_string().into_bytes());
    let error = repository.client_of(first).trusted_root().await.unwrap_err();
    assert!(one_line(&error).contains("1 of 2 signatures as root"), "{error}");
}

#[tokio::test]
async fn what_expired_is_not_believed() {
    let repository = Repository::new().await;
    for kind in ["timestamp", "snapshot", "targets"] {
        repository.publish(1, LATER, |own, document| {
            if own == kind {
                document["expires"] = "2026-01-31T00:00:00Z".into();
            }
        });
        let error = repository.refusal().await;
        assert!(error.contains(&format!("{kind}.json: expired at 2026-01-31")), "{error}");
    }
    repository.publish(1, "2027-06-01T00:00:00Z", |_, _| {});
    repository.wait_until("2027-01-02T00:00:00Z");
    assert!(repository.refusal().await.contains("root.json: expired at 2027-01-01"));
}

#[tokio::test]
async fn nothing_older_replaces_what_was_seen() {
    let repository = Repository::new().await;
    repository.publish(1, "2026-06-01T00:00:00Z", |_, _| {});
    let older = repository.get("timestamp.json");
    repository.publish(2, "2026-02-03T00:00:00Z", |_, _| {});
    let client = repository.client();
    client.trusted_root().await.unwrap();
    repository.put("timestamp.json", older);
    repository.clock.advance(Duration::from_hours(25));
    client.trusted_root().await.expect("what is known has not expired");
    repository.clock.advance(Duration::from_hours(48));
    let error = one_line(&client.trusted_root().await.unwrap_err());
    assert!(error.contains("timestamp.json: is older than what was seen before"), "{error}");

    // A newer timestamp that leads to an older snapshot, and a snapshot to older targets.
    let (snapshot, targets) = (repository.get("1.snapshot.json"), repository.get("1.targets.json"));
    let fresh = repository.client();
    repository.publish(5, "2026-06-01T00:00:00Z", |_, _| {});
    fresh.trusted_root().await.unwrap();
    let back = |kind: &'static str, name: &'static str, bytes: &[u8]| {
        let listed = json!({
            "version": 1, "length": bytes.len(), "hashes": {"sha256": sha256(bytes)},
        });
        repository.publish(6, "2026-06-02T00:00:00Z", move |own, document| {
            if own == kind {
                document["meta"][name] = listed.clone();
            }
        });
    };
    // The root that is held is used until it expires, so that the refusal shows only then.
    repository.wait_until("2026-06-01T12:00:00Z");
    back("timestamp", "snapshot.json", &snapshot);
    let error = one_line(&fresh.trusted_root().await.unwrap_err());
    assert!(error.contains("timestamp.json: is older"), "{error}");
    repository.clock.advance(Duration::from_mins(1));
    back("snapshot", "targets.json", &targets);
    let error = one_line(&fresh.trusted_root().await.unwrap_err());
    assert!(error.contains("snapshot.json: targets.json is older"), "{error}");
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let changed = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        bytes
    };
    let repository = Repository::new().await;
    let target = format!("targets/{}.trusted_root.json", sha256(&repository.target));
    for (file, why) in [
        (target.as_str(), "trusted_root.json: is not what targets.json lists"),
        ("1.targets.json", "1.targets.json: is not what was listed"),
        ("1.snapshot.json", "1.snapshot.json: is not what was listed"),
    ] {
        let good = repository.get(file);
        repository.put(file, changed(&good));
        assert!(repository.refusal().await.contains(why), "{file}");
        repository.put(file, [good.as_slice(), b" "].concat());
        let error = repository.refusal().await;
        assert!(error.contains("is larger than"), "{file}: {error}");
        repository.put(file, good);
    }
    repository.client().trusted_root().await.unwrap();
    // A document in the place of another, though signed by the same keys.
    repository.put("timestamp.json", repository.get("1.snapshot.json"));
    let error = repository.refusal().await;
    assert!(error.contains("is a document of the kind \"snapshot\""), "{error}");
    repository.put("timestamp.json", b"{}".to_vec());
    assert!(repository.refusal().await.contains("timestamp.json: malformed"));
    repository.put("timestamp.json", vec![b' '; 17 << 10]);
    assert!(repository.refusal().await.contains("is larger than 16384 bytes"));
}

#[tokio::test]
async fn failures_say_where_and_are_not_repeated_at_once() {
    let repository = Repository::new().await;
    repository.files.lock().unwrap().0.remove("timestamp.json");
    let client = repository.client();
    let error = one_line(&client.trusted_root().await.unwrap_err());
    assert!(error.contains(&format!("{}/timestamp.json is not there", repository.base)), "{error}");
    let asked = repository.requests();
    assert_eq!(one_line(&client.trusted_root().await.unwrap_err()), error);
    assert_eq!(repository.requests(), asked, "the failure stands for a while");
    repository.publish(1, LATER, |_, _| {});
    repository.clock.advance(Duration::from_secs(20));
    client.trusted_root().await.unwrap();

    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let gone = format!("http://{}/tuf/", listener.local_addr().unwrap());
    drop(listener);
    let first = FirstRoot::Document(repository.get("1.root.json"));
    let clock = Arc::clone(&repository.clock) as _;
    let offline = TrustedRootRepository::new(gone.parse().unwrap(), first, clock);
    let error = one_line(&offline.trusted_root().await.unwrap_err());
    assert!(error.contains(&format!("cannot fetch {gone}2.root.json")), "{error}");
}
