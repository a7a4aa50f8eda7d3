//! Turns of the Bucket reconciler with keys and tokens that clouds lend, without a cluster or a
//! cloud: both are functions.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_api::{
    meta::{ConditionStatus, condition_type},
    source::Bucket,
};
use gitops_controllers::{
    profiles::BUCKET,
    runtime::{Attempt, Before, Reconcile as _, Settled, settle},
    source::{BucketReconciler, Identities, Storage},
};
use gitops_core::{FixedClock, Scope};
use gitops_source::{Ambient, MemoryStore, Retention};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};

/// In every credential, and nowhere else.
const CANARY: &str = "c4nary";
const KEY: &str = include_str!("../../crates/auth/tests/data/app-pkcs8.pem");

type Objects = BTreeMap<String, Value>;

fn client(objects: Objects) -> kube::Client {
    let objects = Arc::new(objects);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let path = request.uri().path();
        let found = objects.get(path).cloned();
        let missing = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 404,
            "status": "Failure", "message": format!("{path} not found"), "reason": "NotFound"});
        let status = if found.is_some() { 200 } else { 404 };
        let body = Body::from(serde_json::to_vec(&found.unwrap_or(missing)).unwrap());
        let response = http::Response::builder().status(status).body(body).unwrap();
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    kube::Client::new(service, "default")
}

/// A cloud: a token service, an authority, and a store that knows whom they let in.
#[derive(Clone, Default)]
struct Cloud {
    seen: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(cloud): State<Cloud>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = parts.uri.path().to_owned();
    cloud.seen.lock().unwrap().push(format!("{} {path}", parts.method));
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let denied = || (StatusCode::FORBIDDEN, "<Error><Message>go away</Message></Error>".to_owned());
    let ok = |body: String| (StatusCode::OK, body);
    match path.as_str() {
        "/sts" if body.contains("WebIdentityToken=cluster-token-c4nary") => ok(format!(
            "<r><AccessKeyId>LENT</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
             <SessionToken>session-{CANARY}</SessionToken>\
             <Expiration>2030-01-01T00:00:00Z</Expiration></r>"
        )),
        "/tenant/oauth2/v2.0/token" if body.contains("client_assertion=") => {
            ok(json!({"access_token": format!("lent-{CANARY}"), "expires_in": 3600}).to_string())
        }
        "/lake" | "/lake/"
            if parts.uri.query().is_some_and(|query| query.contains("comp=list")) =>
        {
            if header("authorization") != format!("Bearer lent-{CANARY}") {
                return denied();
            }
            ok("<EnumerationResults><Blobs><Blob><Name>a.txt</Name><Properties><Etag>1</Etag>\
                </Properties></Blob></Blobs><NextMarker></NextMarker></EnumerationResults>"
                .to_owned())
        }
        "/lake" | "/lake/" => {
            let own = header("authorization");
            let session = header("x-amz-security-token") == format!("session-{CANARY}");
            if !(own.contains("Credential=LENT/") && own.contains("/eu-west-1/s3/") && session) {
                return denied();
            }
            ok("<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a.txt</Key>\
                <ETag>\"1\"</ETag></Contents></ListBucketResult>"
                .to_owned())
        }
        "/lake/a.txt" => ok("hello".to_owned()),
        "/lake/.sourceignore" => (StatusCode::NOT_FOUND, String::new()),
        _ => denied(),
    }
}

struct World {
    cloud: Cloud,
    base: String,
    clock: Arc<FixedClock>,
}

impl World {
    async fn new() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let cloud = Cloud::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(cloud.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let clock = Arc::new(FixedClock::new("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
        Self { cloud, base, clock }
    }

    fn reconciler(&self, objects: Objects, object_level: bool) -> BucketReconciler {
        let store = Arc::new(MemoryStore::new(Arc::clone(&self.clock) as _));
        let storage = Storage::new(store, "source.example".into(), Retention::default());
        let sts = format!("{}/sts", self.base);
        let environment =
            [("AWS_ENDPOINT_URL_STS", sts), ("AZURE_AUTHORITY_HOST", self.base.clone())];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value));
        let identities = Identities {
            environment: environment.collect(),
            object_level,
            clock: Arc::clone(&self.clock) as _,
            ..Identities::default()
        };
        BucketReconciler::new(client(objects), storage, Ambient::default())
            .with_identities(identities)
    }

    async fn turn(&self, reconciler: &BucketReconciler, spec: &Value) -> Settled {
        let mut all = json!({"bucketName": "lake", "endpoint": self.base, "interval": "1m"});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object: Bucket = serde_json::from_value(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket",
            "metadata": {"name": "src", "namespace": "ns", "generation": 1}, "spec": all,
        }))
        .unwrap();
        let clock = Arc::clone(&self.clock) as _;
        let mut attempt = Attempt::new(Default::default(), Scope::background(), clock);
        let turn = reconciler.reconcile(&object, &mut attempt).await;
        let before = Before {
            generation: 1,
            conditions: &[],
            progress: None,
            interval: Duration::from_mins(1),
            retry_interval: Duration::from_mins(1),
            dependency_interval: Duration::from_secs(5),
            now: attempt.now(),
        };
        let settled = settle(&BUCKET, before, attempt.facts(), &turn);
        let shown = format!("{:?} {:?} {settled:?}", attempt.status, turn);
        assert!(!shown.contains(CANARY), "{shown}");
        settled
    }
}

fn ready(settled: &Settled) -> (ConditionStatus, &str, &str) {
    let ready = settled.conditions.iter().find(|own| own.type_ == condition_type::READY).unwrap();
    (ready.status, &ready.reason, &ready.message)
}

fn account(annotations: &Value) -> Objects {
    let path = "/api/v1/namespaces/ns/serviceaccounts/reader".to_owned();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": "ns", "annotations": annotations}});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "metadata": {}, "spec": {"audiences": []},
        "status": {"token": format!("cluster-token-{CANARY}"), "expirationTimestamp": "2030-01-01T00:00:00Z"}});
    [(format!("{path}/token"), token), (path, account)].into()
}

fn secret(values: &[(&str, &str)]) -> Objects {
    let data: serde_json::Map<String, Value> = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into()))
        .collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "creds", "namespace": "ns"}, "data": data});
    [("/api/v1/namespaces/ns/secrets/creds".to_owned(), secret)].into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_reads_a_bucket_of_amazon() {
    let world = World::new().await;
    let spec = json!({"provider": "aws", "region": "eu-west-1", "serviceAccountName": "reader"});
    let role = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::123:role/reader"});
    let reconciler = world.reconciler(account(&role), true);
    let settled = world.turn(&reconciler, &spec).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");
    world.turn(&reconciler, &spec).await;
    let asked = world.cloud.seen.lock().unwrap().iter().filter(|own| own.contains("/sts")).count();
    assert_eq!(asked, 1, "keys are kept while they are good");

    let settled = world.turn(&world.reconciler(account(&json!({})), true), &spec).await;
    let (status, reason, message) = ready(&settled);
    assert_eq!((status, reason), (ConditionStatus::False, "AuthenticationFailed"));
    assert!(message.contains("invalid eks.amazonaws.com/role-arn annotation"), "{message}");

    let settled = world.turn(&world.reconciler(Objects::new(), true), &spec).await;
    assert!(ready(&settled).2.contains("failed to get service account 'ns/reader'"), "{settled:?}");

    let settled = world.turn(&world.reconciler(account(&role), false), &spec).await;
    assert_eq!(ready(&settled).1, "FeatureGateDisabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_reads_a_container_of_azure() {
    let world = World::new().await;
    let spec = json!({"provider": "azure", "serviceAccountName": "reader"});
    let identity = json!({"azure.workload.identity/tenant-id": "tenant",
        "azure.workload.identity/client-id": "client"});
    let settled = world.turn(&world.reconciler(account(&identity), true), &spec).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");

    let mut other = identity.clone();
    other["azure.workload.identity/tenant-id"] = "other".into();
    let settled = world.turn(&world.reconciler(account(&other), true), &spec).await;
    let (status, reason, message) = ready(&settled);
    assert_eq!((status, reason), (ConditionStatus::False, "AuthenticationFailed"));
    assert!(message.contains("failed to get a token from Microsoft Entra"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_with_a_certificate_reads_a_container() {
    let world = World::new().await;
    let key = rcgen::KeyPair::from_pem(KEY).unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let pem = format!("{}{KEY}", certificate.pem());
    let spec = json!({"provider": "azure", "secretRef": {"name": "creds"}});
    let with = |tenant: &str, certificate: &str| {
        secret(&[
            ("tenantId", tenant),
            ("clientId", "client"),
            ("clientCertificate", certificate),
            ("clientCertificatePassword", CANARY),
            ("clientCertificateSendChain", "1"),
            ("authorityHost", &world.base),
        ])
    };
    let settled = world.turn(&world.reconciler(with("tenant", &pem), false), &spec).await;
    assert_eq!(ready(&settled).0, ConditionStatus::True, "{settled:?}");

    let settled = world.turn(&world.reconciler(with("other", &pem), false), &spec).await;
    assert!(ready(&settled).2.contains("Microsoft Entra"), "{settled:?}");
    let settled = world.turn(&world.reconciler(with("tenant", CANARY), false), &spec).await;
    let (status, reason, message) = ready(&settled);
    assert_eq!((status, reason), (ConditionStatus::False, "AuthenticationFailed"));
    assert!(message.contains("the client certificate cannot be used"), "{message}");
}
