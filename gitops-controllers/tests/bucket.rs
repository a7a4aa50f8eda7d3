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
    source::{Bucket, BucketStatus},
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
        "/latest/api/token" => ok(CANARY.to_owned()),
        "/latest/meta-data/iam/security-credentials/"
            if header("x-aws-ec2-metadata-token") == CANARY =>
        {
            ok("node".to_owned())
        }
        "/latest/meta-data/iam/security-credentials/node" => ok(keys()),
        "/pod" if header("authorization") == format!("pod-{CANARY}") => ok(keys()),
        "/computeMetadata/v1/instance/service-accounts/default/token"
            if header("metadata-flavor") == "Google" =>
        {
            ok(json!({"access_token": format!("lent-{CANARY}"), "expires_in": 3600}).to_string())
        }
        path if path.starts_with("/storage/v1/b/lake") => {
            if header("authorization") != format!("Bearer lent-{CANARY}") {
                return denied();
            }
            match (path, parts.uri.query().unwrap_or_default()) {
                ("/storage/v1/b/lake", _) => ok(r#"{"name": "lake"}"#.to_owned()),
                ("/storage/v1/b/lake/o", _) => {
                    ok(r#"{"items": [{"name": "a.txt", "etag": "1"}]}"#.to_owned())
                }
                ("/storage/v1/b/lake/o/a.txt", query) if query.contains("alt=media") => {
                    ok("hello".to_owned())
                }
                ("/storage/v1/b/lake/o/a.txt", _) => ok(r#"{"etag": "1"}"#.to_owned()),
                _ => (StatusCode::NOT_FOUND, String::new()),
            }
        }
        "/metadata/identity/oauth2/token" if header("metadata") == "true" => {
            ok(json!({"access_token": format!("lent-{CANARY}"), "expires_in": "3600"}).to_string())
        }
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

/// Keys as the metadata services lend them.
fn keys() -> String {
    json!({"AccessKeyId": "LENT", "SecretAccessKey": CANARY, "Token": format!("session-{CANARY}"),
        "Expiration": "2030-01-01T00:00:00Z"})
    .to_string()
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
        let sts = format!("{}/sts", self.base);
        let environment =
            [("AWS_ENDPOINT_URL_STS", sts), ("AZURE_AUTHORITY_HOST", self.base.clone())];
        self.reconciler_in(&environment, objects, object_level)
    }

    /// With these variables.
    fn reconciler_in(
        &self,
        environment: &[(&str, String)],
        objects: Objects,
        object_level: bool,
    ) -> BucketReconciler {
        let store = Arc::new(MemoryStore::new(Arc::clone(&self.clock) as _));
        let storage = Storage::new(store, "source.example".into(), Retention::default());
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let identities = Identities {
            environment: environment.collect(),
            object_level,
            clock: Arc::clone(&self.clock) as _,
            ..Identities::default()
        };
        BucketReconciler::new(client(objects), storage, Ambient::default())
            .with_identities(identities)
            .with_emulators()
    }

    async fn turn(&self, reconciler: &BucketReconciler, spec: &Value) -> Settled {
        // An endpoint of Azure is a URL, any other a host.
        let host = self.base.trim_start_matches("http://");
        let endpoint = if spec["provider"] == "azure" { self.base.as_str() } else { host };
        let mut all =
            json!({"bucketName": "lake", "endpoint": endpoint, "insecure": true, "interval": "1m"});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object: Bucket = serde_json::from_value(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket",
            "metadata": {"name": "src", "namespace": "ns", "generation": 1}, "spec": all,
        }))
        .unwrap();
        let clock = Arc::clone(&self.clock) as _;
        let mut attempt = Attempt::new(BucketStatus::default(), Scope::background(), clock);
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
    assert_eq!((status, reason), (ConditionStatus::False, "BucketOperationFailed"));
    assert!(message.contains("failed to get a token from Microsoft Entra"), "{message}");
}

/// Recorded of Flux's source-controller 1.9.3.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_clouds_that_cannot_work_are_told_as_flux_tells_them() {
    let world = World::new().await;
    let azure = json!({"provider": "azure", "secretRef": {"name": "creds"}});
    let google = json!({"provider": "gcp", "secretRef": {"name": "creds"}});
    let amazon = json!({"provider": "aws"});
    let told = "AuthenticationFailed";
    let found = "BucketOperationFailed";
    let needs_tls = "failed to confirm existence of 'lake' bucket: authenticated requests are not \
                     permitted for non TLS protected (https) endpoints";
    let no_tenant = "failed to create token credential from 'creds' Secret: invalid tenantID. You";
    let no_key = "failed to confirm existence of 'lake' bucket: Get \
                  \"https://storage.googleapis.com/storage/v1/b/lake?alt=json&prettyPrint=false&\
                  projection=full\": failed to parse private key. Tried PKCS8, PKCS1, and EC";
    let application = |tenant| [("tenantId", tenant), ("clientId", "c"), ("clientSecret", "s")];
    let account = r#"{"type":"service_account","client_email":"a@b","private_key":"hello"}"#;
    for (spec, values, reason, text) in [
        (&azure, &application("t")[..], found, needs_tls),
        (&azure, &[("clientId", "c")], found, needs_tls),
        (&azure, &application("a/b"), told, no_tenant),
        (&azure, &[("accountKey", "!")], told, "decode account key: illegal base64 data"),
        (&azure, &[("sasKey", "a;b")], told, "unable to parse SAS token: invalid semicolon"),
        (&azure, &[("foo", "bar")], told, "invalid 'creds' secret data: requires a 'clientId'"),
        (&google, &[("foo", "bar")], told, "invalid 'creds' secret data: required fields"),
        (&google, &[("serviceaccount", "hello")], told, "dialing: invalid character 'h' looking"),
        (&google, &[("serviceaccount", "{}")], told, "dialing: credentials: unsupported unid"),
        (&google, &[("serviceaccount", account)], found, no_key),
        (&amazon, &[], told, "AWS authentication failed: failed to create provider access token"),
    ] {
        let store = Arc::new(MemoryStore::new(Arc::clone(&world.clock) as _));
        let storage = Storage::new(store, "source.example".into(), Retention::default());
        let reconciler = BucketReconciler::new(client(secret(values)), storage, Ambient::default());
        let settled = world.turn(&reconciler, spec).await;
        let (status, why, message) = ready(&settled);
        assert_eq!((status, why), (ConditionStatus::False, reason), "{message}");
        assert!(message.starts_with(text), "{message}");
    }
    assert!(world.cloud.seen.lock().unwrap().is_empty(), "nobody was asked");
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
    assert!(message.contains("failed to parse client certificates: "), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of all that it may run on")]
async fn the_process_reads_as_what_it_runs_on() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pod = file("pod", format!("pod-{CANARY}"));
    let web = file("web", format!("cluster-token-{CANARY}"));
    let stale = file("stale", "stale".to_owned());
    let base = world.base.clone();
    let host = base.trim_start_matches("http://").to_owned();
    let sts = format!("{base}/sts");
    let role = "arn:aws:iam::123:role/reader".to_owned();
    let amazon = json!({"provider": "aws", "region": "eu-west-1"});
    let google = json!({"provider": "gcp"});
    let azure = json!({"provider": "azure"});
    let gone = "http://127.0.0.1:1".to_owned();
    let cases = [
        ("instance", &amazon, vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", base.clone())], ""),
        (
            "pod",
            &amazon,
            vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{base}/pod")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", pod),
            ],
            "",
        ),
        (
            "pod with another token",
            &amazon,
            vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{base}/pod")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", stale.clone()),
            ],
            "failed to get credentials of the container",
        ),
        (
            "web identity",
            &amazon,
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", web),
                ("AWS_ROLE_ARN", role.clone()),
                ("AWS_ENDPOINT_URL_STS", sts.clone()),
            ],
            "",
        ),
        (
            "web identity that is refused",
            &amazon,
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", stale),
                ("AWS_ROLE_ARN", role),
                ("AWS_ENDPOINT_URL_STS", sts),
            ],
            "failed to assume role with web identity",
        ),
        (
            "nobody",
            &amazon,
            vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", gone.clone())],
            "no AWS credentials found",
        ),
        ("Google's metadata", &google, vec![("GCE_METADATA_HOST", host)], ""),
        (
            "no metadata",
            &google,
            vec![("GCE_METADATA_HOST", "127.0.0.1:1".to_owned())],
            "no Google credentials found",
        ),
        ("managed", &azure, vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", base.clone())], ""),
        // Nobody asks as nobody, and is refused by the store.
        ("unmanaged", &azure, vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", gone)], "go away"),
        (
            "an application of the environment",
            &azure,
            vec![
                ("AZURE_TENANT_ID", "other".to_owned()),
                ("AZURE_CLIENT_ID", "client".to_owned()),
                ("AZURE_CLIENT_SECRET", CANARY.to_owned()),
                ("AZURE_AUTHORITY_HOST", base),
            ],
            "failed to get a token from Microsoft Entra",
        ),
    ];
    for (case, spec, environment, why) in cases {
        let reconciler = world.reconciler_in(&environment, Objects::new(), false);
        let settled = world.turn(&reconciler, spec).await;
        let (status, _, message) = ready(&settled);
        if why.is_empty() {
            assert_eq!(status, ConditionStatus::True, "{case}: {message}");
        } else {
            assert!(status == ConditionStatus::False && message.contains(why), "{case}: {message}");
        }
    }
}
