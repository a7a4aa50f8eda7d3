//! A value that is in every credential field of every kind of source, and nowhere else: not in a
//! status, an event, a log line or a metric, whatever goes wrong.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{collections::BTreeMap, io::Write, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_apiserver::Server;
use gitops_controllers::{
    runtime::{Caches, Context, EventTargets, Events, Metrics, NoObserver, Timing, ZapLayer},
    wire::{SourceSettings, source_controllers},
};
use gitops_core::{Clock, Scope, SystemClock};
use gitops_source::MemoryStore;
use gitops_testenv::{Access, GitRepo, GitServer, Sink, SshServer, make_ssh_key};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

/// How long all turns may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What must not be told. Long enough that all but its ends is in any base64 of a text with it.
const CANARY: &str = "c4naryKeptToItself";

/// The key of no app.
const TEST_KEY: &str = include_str!("../../crates/auth/tests/data/app-pkcs1.pem");

/// One object, and the Secrets that its spec names: `s` and `p`.
struct Case {
    kind: &'static str,
    spec: Value,
    secrets: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

fn case(kind: &'static str, spec: Value, secret: &[(&'static str, &str)]) -> Case {
    let own = |(key, value): &(&'static str, &str)| (*key, (*value).to_owned());
    Case { kind, spec, secrets: vec![("s", secret.iter().map(own).collect())] }
}

/// What runs on loopback.
struct Peers {
    /// A Git server that wants a token that nobody has.
    git: String,
    /// A Git server that takes the canary.
    open: String,
    /// An HTTP server that has an index of charts, and refuses all else.
    http: String,
    /// An SSH key that the canary opens.
    locked: String,
}

impl Peers {
    fn host(&self) -> &str {
        self.http.trim_start_matches("http://").trim_end_matches('/')
    }
}

fn pem(what: &str) -> String {
    format!("-----BEGIN {what}-----\n{CANARY}\n-----END {what}-----\n")
}

/// A proxy in each of the forms that a Secret may have it in.
fn proxies() -> Vec<Vec<(&'static str, String)>> {
    let text = str::to_owned;
    vec![
        vec![("address", format!("http://{CANARY}:{CANARY}@127.0.0.1:1"))],
        vec![
            ("address", text("http://127.0.0.1:1")),
            ("username", text(CANARY)),
            ("password", text(CANARY)),
        ],
        vec![("address", format!("{CANARY}://:{CANARY}@"))],
        vec![("address", format!("socks5://{CANARY}:{CANARY}@127.0.0.1:1"))],
    ]
}

/// Certificates and keys that are none.
fn certificates() -> Vec<Vec<(&'static str, String)>> {
    let whole = chain();
    vec![
        vec![("ca.crt", pem("CERTIFICATE"))],
        vec![("ca.crt", CANARY.to_owned())],
        vec![("tls.crt", pem("CERTIFICATE")), ("tls.key", pem("PRIVATE KEY"))],
        vec![("tls.crt", whole), ("tls.key", CANARY.to_owned())],
        vec![("tls.key", pem("PRIVATE KEY"))],
    ]
}

/// A chain that reads as a certificate, so that the key is looked at.
fn chain() -> String {
    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_owned()
}

/// A case whose spec names a Secret in one field.
fn with(
    kind: &'static str,
    spec: &Value,
    field: &str,
    values: Vec<(&'static str, String)>,
) -> Case {
    let mut spec = spec.clone();
    spec[field] = json!({"name": "s"});
    Case { kind, spec, secrets: vec![("s", values)] }
}

fn git(peers: &Peers) -> Vec<Case> {
    let kind = "GitRepository";
    let spec = |url: &str| json!({"url": url, "ref": {"branch": "main"}});
    let own = |url: &str| {
        let mut spec = spec(url);
        spec["secretRef"] = json!({"name": "s"});
        spec
    };
    let user = |url: &str, user: &str| url.replace("http://", &format!("http://{user}@"));
    let ssh = "ssh://git@127.0.0.1:1/r";
    let mut app = own(&peers.git);
    app["provider"] = "github".into();
    let ids = [("githubAppID", "1"), ("githubAppInstallationID", "1")];
    let app_with =
        |more: &[(&'static str, &str)]| case(kind, app.clone(), &[&ids[..], more].concat());
    let openssh = pem("OPENSSH PRIVATE KEY");
    let proxy_url = format!("http://{CANARY}:{CANARY}@127.0.0.1:1");
    let known = "127.0.0.1 ssh-ed25519 \
                 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let mut signed = own(&peers.open);
    signed["verify"] = json!({"mode": "HEAD", "secretRef": {"name": "p"}});
    let mut signed = case(kind, signed, &[("username", "me"), ("password", CANARY)]);
    signed.secrets.push(("p", vec![("a.asc", CANARY.to_owned()), ("b.sshpub", CANARY.to_owned())]));
    let mut cases = vec![
        case(kind, own(&peers.git), &[("username", CANARY), ("password", CANARY)]),
        case(kind, own(&peers.git), &[("password", CANARY)]),
        case(kind, own(&peers.git), &[("bearerToken", CANARY)]),
        case(kind, own(&peers.git), &[("bearerToken", CANARY), ("username", CANARY)]),
        case(kind, own(&peers.git), &[("bearerToken", &format!("{CANARY}\n"))]),
        case(kind, own(&peers.open), &[("username", "me"), ("password", CANARY)]),
        case(kind, own("http://127.0.0.1:1/r"), &[("username", CANARY), ("password", CANARY)]),
        case(kind, own(ssh), &[("identity", &openssh), ("known_hosts", known)]),
        case(kind, own(ssh), &[("identity", CANARY), ("known_hosts", CANARY)]),
        case(
            kind,
            own(ssh),
            &[("identity", &peers.locked), ("known_hosts", known), ("password", CANARY)],
        ),
        case(
            kind,
            own(ssh),
            &[
                ("identity", &peers.locked),
                ("known_hosts", known),
                ("password", &format!("not {CANARY}")),
            ],
        ),
        app_with(&[("githubAppPrivateKey", CANARY)]),
        app_with(&[("githubAppPrivateKey", &pem("RSA PRIVATE KEY"))]),
        app_with(&[("githubAppPrivateKey", TEST_KEY), ("githubAppBaseURL", &proxy_url)]),
        case(kind, spec(&user(&peers.git, &format!("me:{CANARY}"))), &[]),
        case(kind, spec(&user(&peers.git, CANARY)), &[]),
        case(kind, spec(&user(&peers.open, &format!("me:{CANARY}"))), &[]),
        case(kind, spec(&format!("http://me:{CANARY}@[")), &[]),
        signed,
    ];
    for values in certificates() {
        cases.push(with(kind, &spec("https://127.0.0.1:1/r"), "secretRef", values));
    }
    for values in proxies() {
        cases.push(with(kind, &spec(&peers.git), "proxySecretRef", values));
    }
    cases
}

/// Logins for a registry, in the forms that files of Docker have.
fn docker(host: &str) -> Vec<String> {
    let auth = STANDARD.encode(format!("{CANARY}:{CANARY}"));
    vec![
        json!({"auths": {host: {"username": CANARY, "password": CANARY}}}).to_string(),
        json!({"auths": {host: {"auth": auth}}}).to_string(),
        json!({"auths": {host: {"auth": CANARY}}}).to_string(),
        json!({"auths": {host: {"identitytoken": CANARY}}}).to_string(),
        json!({"auths": {host: {"registrytoken": CANARY}}}).to_string(),
        format!("{{\"auths\": {CANARY}"),
        format!("{{\"auths\": {{\"{host}\": \"{CANARY}\"}}}}"),
    ]
}

fn oci(peers: &Peers) -> Vec<Case> {
    let kind = "OCIRepository";
    let plain = json!({"url": format!("oci://{}/app", peers.host()), "insecure": true});
    let secure = json!({"url": "oci://127.0.0.1:1/app"});
    let mut cases = Vec::new();
    for file in docker(peers.host()) {
        cases.push(with(kind, &plain, "secretRef", vec![(".dockerconfigjson", file)]));
    }
    for values in certificates() {
        cases.push(with(kind, &secure, "certSecretRef", values));
    }
    for values in proxies() {
        cases.push(with(kind, &plain, "proxySecretRef", values));
    }
    for (provider, values) in [
        ("cosign", vec![("a.pub", CANARY.to_owned()), ("b.pub", pem("PUBLIC KEY"))]),
        ("notation", vec![("a.pem", pem("CERTIFICATE")), ("trustpolicy.json", CANARY.to_owned())]),
    ] {
        let mut spec = plain.clone();
        spec["verify"] = json!({"provider": provider, "secretRef": {"name": "s"}});
        cases.push(Case { kind, spec, secrets: vec![("s", values)] });
    }
    cases
}

fn bucket(peers: &Peers) -> Vec<Case> {
    let kind = "Bucket";
    let spec = |provider: &str| json!({"bucketName": "bkt", "endpoint": peers.host(), "insecure": true, "provider": provider});
    let own = |provider: &str, values: &[(&'static str, &str)]| {
        let mut spec = spec(provider);
        spec["secretRef"] = json!({"name": "s"});
        if provider == "azure" {
            spec["endpoint"] = peers.http.clone().into();
        }
        case(kind, spec, values)
    };
    let account = |key: &str| {
        json!({"type": "service_account", "client_email": "me@example.com", "private_key": key,
            "private_key_id": CANARY, "token_uri": peers.http})
        .to_string()
    };
    let azure = [("tenantId", "t"), ("clientId", "c"), ("authorityHost", peers.http.as_str())];
    let azure_with = |more: &[(&'static str, &str)]| own("azure", &[&azure[..], more].concat());
    let mut cases = vec![
        own("generic", &[("accesskey", CANARY), ("secretkey", CANARY)]),
        own("aws", &[("accesskey", CANARY), ("secretkey", CANARY)]),
        own("generic", &[("accesskey", CANARY)]),
        own("gcp", &[("serviceaccount", CANARY)]),
        own("gcp", &[("serviceaccount", &account(CANARY))]),
        own("gcp", &[("serviceaccount", &account(TEST_KEY))]),
        own("azure", &[("accountKey", CANARY)]),
        own("azure", &[("accountKey", &STANDARD.encode(CANARY))]),
        own("azure", &[("sasKey", &format!("?sv=1&sig={CANARY}"))]),
        azure_with(&[("clientSecret", CANARY)]),
        azure_with(&[("clientCertificate", CANARY), ("clientCertificatePassword", CANARY)]),
    ];
    let mut ldap = spec("generic");
    ldap["sts"] = json!({"provider": "ldap", "endpoint": peers.http, "secretRef": {"name": "s"}});
    cases.push(case(kind, ldap.clone(), &[("username", CANARY), ("password", CANARY)]));
    ldap["sts"]["certSecretRef"] = json!({"name": "p"});
    for values in certificates() {
        let mut case = case(kind, ldap.clone(), &[("username", CANARY), ("password", CANARY)]);
        case.secrets.push(("p", values));
        cases.push(case);
    }
    let mut secure = spec("generic");
    secure["insecure"] = false.into();
    for values in certificates() {
        cases.push(with(kind, &secure, "certSecretRef", values));
    }
    for values in proxies() {
        cases.push(with(kind, &spec("generic"), "proxySecretRef", values));
    }
    cases
}

fn helm(peers: &Peers) -> Vec<Case> {
    let kind = "HelmRepository";
    let refused = json!({"url": format!("{}refused", peers.http)});
    let basic = || vec![("username", CANARY.to_owned()), ("password", CANARY.to_owned())];
    let user = |path: &str| {
        let url = peers.http.replace("http://", &format!("http://me:{CANARY}@"));
        json!({"url": format!("{url}{path}")})
    };
    let mut cases = vec![
        with(kind, &refused, "secretRef", basic()),
        with(kind, &refused, "secretRef", basic().split_off(1)),
        with(kind, &json!({"url": peers.http}), "secretRef", basic()),
        case(kind, user("refused"), &[]),
        case(kind, user(""), &[]),
        case(kind, json!({"url": format!("http://me:{CANARY}@[")}), &[]),
    ];
    let secure = json!({"url": "https://127.0.0.1:1/"});
    for values in certificates() {
        cases.push(with(kind, &secure, "certSecretRef", values.clone()));
        cases.push(with(kind, &secure, "secretRef", values));
    }
    cases
}

/// Charts, each of a repository of its own: the object has the repository's spec as `repository`.
fn charts(peers: &Peers) -> Vec<Case> {
    let kind = "HelmChart";
    let oci = json!({"type": "oci", "url": format!("oci://{}/charts", peers.host()),
        "insecure": true});
    let index = json!({"url": peers.http});
    let basic = || vec![("username", CANARY.to_owned()), ("password", CANARY.to_owned())];
    let chart = |repository: &Value, field: &str, values: Vec<(&'static str, String)>| {
        let mut repository = repository.clone();
        repository[field] = json!({"name": "s"});
        let spec = json!({"chart": "web", "repository": repository});
        Case { kind, spec, secrets: vec![("s", values)] }
    };
    let mut cases = vec![chart(&oci, "secretRef", basic()), chart(&index, "secretRef", basic())];
    for file in docker(peers.host()) {
        cases.push(chart(&oci, "secretRef", vec![(".dockerconfigjson", file)]));
    }
    let secure = json!({"type": "oci", "url": "oci://127.0.0.1:1/charts"});
    for values in certificates() {
        cases.push(chart(&secure, "certSecretRef", values));
    }
    let mut signed = chart(&oci, "secretRef", basic());
    signed.spec["verify"] = json!({"provider": "cosign", "secretRef": {"name": "p"}});
    signed.secrets.push(("p", vec![("a.pub", CANARY.to_owned())]));
    cases.push(signed);
    cases
}

/// The log as it is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The canary and what is left of it in base64, at each of the three places that it may have there.
fn needles() -> Vec<String> {
    let shifted = |before: usize| {
        let text = STANDARD.encode(format!("{}{CANARY}", "x".repeat(before)));
        // The ends also hold bits of what stands beside it.
        let (start, end) = ((before * 8).div_ceil(6), (before + CANARY.len()) * 8 / 6);
        text[start..end].to_owned()
    };
    std::iter::once(CANARY.to_owned()).chain((0..3).map(shifted)).collect()
}

/// Where a text tells the canary: what stands around it.
fn told(text: &str) -> Option<String> {
    let found = |needle: &String| text.find(needle.as_str()).map(|at| (at, needle.len()));
    let (at, length) = needles().iter().find_map(found)?;
    let bytes = &text.as_bytes()[at.saturating_sub(300)..(at + length + 100).min(text.len())];
    Some(String::from_utf8_lossy(bytes).into_owned())
}

struct World {
    client: Client,
    _server: Server,
}

impl World {
    async fn new() -> Self {
        let server = Server::new();
        let client = Client::new(server.service(), "default");
        let world = Self { client, _server: server };
        for definition in gitops_api::crds() {
            world.apply("", "apiextensions.k8s.io/v1", &definition).await;
        }
        world
    }

    fn api(&self, namespace: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let plural = match kind {
            "GitRepository" | "OCIRepository" | "HelmRepository" => {
                format!("{}ies", kind.to_lowercase().trim_end_matches('y'))
            }
            kind => format!("{}s", kind.to_lowercase()),
        };
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &plural);
        match namespace {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    async fn apply(&self, namespace: &str, version: &str, object: &Value) {
        let api = self.api(namespace, version, object["kind"].as_str().unwrap());
        let name = object["metadata"]["name"].as_str().unwrap();
        let mut object = object.clone();
        object["apiVersion"] = version.into();
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    }

    /// Makes the objects of a case in a namespace of its own.
    async fn make(&self, namespace: &str, case: &Case) {
        let space = json!({"kind": "Namespace", "metadata": {"name": namespace}});
        self.apply("", "v1", &space).await;
        for (name, values) in &case.secrets {
            let values: BTreeMap<_, _> = values.iter().cloned().collect();
            let docker = values.contains_key(".dockerconfigjson") && json_of(&values).is_some();
            let kind = if docker { "kubernetes.io/dockerconfigjson" } else { "Opaque" };
            let secret = json!({"kind": "Secret", "type": kind, "metadata": {"name": name},
                "stringData": values});
            self.apply(namespace, "v1", &secret).await;
        }
        let mut spec = case.spec.clone();
        if let Some(mut repository) = spec.as_object_mut().unwrap().remove("repository") {
            repository["interval"] = "1h".into();
            repository["timeout"] = "30s".into();
            self.source(namespace, "HelmRepository", &repository).await;
            spec["sourceRef"] = json!({"kind": "HelmRepository", "name": "src"});
        } else {
            spec["timeout"] = "30s".into();
        }
        spec["interval"] = "1h".into();
        self.source(namespace, case.kind, &spec).await;
    }

    async fn source(&self, namespace: &str, kind: &str, spec: &Value) {
        let object = json!({"kind": kind, "metadata": {"name": "src"}, "spec": spec});
        self.apply(namespace, "source.toolkit.fluxcd.io/v1", &object).await;
    }

    /// Waits until a turn of an object is over, and gives the object's status.
    async fn status(&self, namespace: &str, kind: &str) -> Value {
        let api = self.api(namespace, "source.toolkit.fluxcd.io/v1", kind);
        let over = async {
            loop {
                let found = api.get("src").await.unwrap();
                let conditions = found.data["status"]["conditions"].as_array();
                let ready = |one: &&Value| one["type"] == "Ready" && one["status"] != "Unknown";
                if conditions.is_some_and(|all| all.iter().any(|one| ready(&one))) {
                    return found.data["status"].clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, over).await;
        waited.unwrap_or_else(|_| panic!("{kind} in {namespace} is never done"))
    }
}

/// What a file of Docker's says, if it is one: the API server takes no other in such a Secret.
fn json_of(values: &BTreeMap<&str, String>) -> Option<Value> {
    serde_json::from_str(values.get(".dockerconfigjson")?).ok()
}

/// An index with one chart at the root; all else is refused.
async fn http() -> String {
    let digest = "0".repeat(64);
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{apiVersion: v2, name: web, version: 1.0.0, urls: \
         [web-1.0.0.tgz], digest: {digest}}}\n"
    );
    let refuse = || async {
        let challenge = [("www-authenticate", "Basic realm=\"all\"")];
        (http::StatusCode::UNAUTHORIZED, challenge, "no")
    };
    let router = axum::Router::new()
        .route("/index.yaml", axum::routing::get(|| async { index }))
        .fallback(refuse);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

/// Starts source-controller, and gives its metrics.
fn begin(world: &World, scope: &Scope, sink: &Sink) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new());
    let targets = EventTargets {
        controller: "source-controller".into(),
        instance: "here".into(),
        address: Some(sink.url()),
        in_cluster: true,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = world.client.clone();
    let events =
        Events::start(client.clone(), targets, Arc::clone(&clock), Arc::clone(&metrics), scope);
    let context = Context {
        client: client.clone(),
        clock: Arc::clone(&clock),
        events,
        metrics: Arc::clone(&metrics),
        observer: Arc::new(NoObserver),
        caches: Caches::new(client, None, scope.clone()),
        timing: Timing::default(),
        manager: "source-controller",
        scope: scope.clone(),
    };
    let settings = SourceSettings { workers: 16, ..SourceSettings::default() };
    let store = Arc::new(MemoryStore::new(clock));
    let controllers = source_controllers(&context, &settings, store, "source.example".into());
    tokio::spawn(controllers.run());
    metrics
}

/// Row 71 of the list of attacks.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_sources_are_told_nowhere() {
    let log = Log::default();
    let layer = ZapLayer::new(log.clone(), Arc::new(SystemClock), true);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
    repo.commit("main", &[("a.yaml", Some("a"))], "first").unwrap();
    let closed = GitServer::start(directory.path(), Access::Bearer("other".into())).await.unwrap();
    let access = Access::Basic { username: "me".into(), password: CANARY.into() };
    let open = GitServer::start(directory.path(), access).await.unwrap();
    let locked = if SshServer::is_installed() {
        make_ssh_key(directory.path(), "key", "ed25519", CANARY).unwrap().0
    } else {
        pem("OPENSSH PRIVATE KEY")
    };
    let peers =
        Peers { git: closed.url("app.git"), open: open.url("app.git"), http: http().await, locked };
    let cases: Vec<Case> = [git(&peers), oci(&peers), bucket(&peers), helm(&peers), charts(&peers)]
        .into_iter()
        .flatten()
        .collect();
    let (world, scope, sink) =
        (World::new().await, Scope::background(), Sink::start().await.unwrap());
    let spaces: Vec<String> = (0..cases.len()).map(|at| format!("case-{at}")).collect();
    for (case, space) in cases.iter().zip(&spaces) {
        world.make(space, case).await;
    }
    let metrics = begin(&world, &scope, &sink);

    let mut outcomes = BTreeMap::new();
    for (case, space) in cases.iter().zip(&spaces) {
        let status = world.status(space, case.kind).await;
        let conditions = status["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|one| one["type"] == "Ready").unwrap();
        *outcomes.entry((case.kind, ready["status"].to_string())).or_insert(0) += 1;
        let leak = told(&status.to_string());
        assert_eq!(leak, None, "status of {} {} {:?}", case.kind, case.spec, case.secrets);
    }
    // Failures first of all, but what works must not tell either.
    for kind in ["GitRepository", "HelmRepository"] {
        assert!(outcomes.contains_key(&(kind, "\"True\"".to_owned())), "{outcomes:?}");
    }
    let failed: i32 =
        outcomes.iter().filter(|((_, ready), _)| ready != "\"True\"").map(|(_, n)| n).sum();
    assert!(failed > 80, "{outcomes:?}");

    let posted = sink.wait_for(cases.len(), PATIENCE).await;
    assert!(posted.len() >= cases.len(), "{} events", posted.len());
    for event in posted {
        let text = format!("{:?} {}", event.headers, String::from_utf8_lossy(&event.body));
        assert_eq!(told(&text), None, "an event that is posted");
    }
    let written = world.api("", "v1", "Event").list(&ListParams::default()).await.unwrap();
    assert!(!written.items.is_empty());
    for event in written.items {
        assert_eq!(told(&serde_json::to_string(&event).unwrap()), None, "an event of the cluster");
    }
    let counted = metrics.render();
    assert!(counted.contains("case-1"), "{counted}");
    assert_eq!(told(&counted), None, "a metric");
    scope.cancel();
    let lines = String::from_utf8(std::mem::take(&mut *log.0.lock())).unwrap();
    assert!(
        lines.contains("\"reason\":\"AuthenticationFailed\""),
        "{} lines",
        lines.lines().count()
    );
    for line in lines.lines() {
        assert_eq!(told(line), None, "a line of the log");
    }
}

#[test]
fn a_canary_is_seen_wherever_it_stands() {
    for text in [
        format!("error: {CANARY}"),
        format!("http://{CANARY}@host/"),
        format!("authorization: Basic {}", STANDARD.encode(format!("{CANARY}:{CANARY}"))),
        format!("authorization: Basic {}", STANDARD.encode(format!("me:{CANARY}"))),
        format!("authorization: Basic {}", STANDARD.encode(format!("user:{CANARY}"))),
        format!("authorization: Basic {}", STANDARD.encode(format!("other:{CANARY}\n"))),
    ] {
        assert!(told(&text).is_some(), "{text}");
    }
    assert_eq!(told("http://***@host/"), None);
}
