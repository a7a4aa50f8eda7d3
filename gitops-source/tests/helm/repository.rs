//! Chart repositories over loopback HTTP: what is asked, what is believed, and what is stored.

#![allow(clippy::unwrap_used, reason = "a failed assertion is the purpose")]

use std::{
    fmt::Write as _,
    net::SocketAddr,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gitops_core::{Digest, Scope};
use gitops_source::{
    BasicCredentials, ChartVersion, FoundIndex, HelmRepositories, HelmRepository, StoredIndex, Tls,
    choose_version, find_chart,
};
use parking_lot::Mutex;

/// Paths that were asked for, and with which credentials.
type Requests = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A server with files, which remembers what it was asked.
#[derive(Clone, Default)]
struct Files {
    files: Arc<Mutex<std::collections::BTreeMap<String, Bytes>>>,
    requests: Requests,
    bodies: Arc<AtomicUsize>,
    password: Option<&'static str>,
    redirect: Option<String>,
}

impl Files {
    fn with(self, path: &str, content: impl Into<Bytes>) -> Self {
        self.files.lock().insert(path.to_owned(), content.into());
        self
    }

    async fn serve(self) -> SocketAddr {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self);
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn answer(State(files): State<Files>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok()).map(str::to_owned);
    files.requests.lock().push((path.clone(), given.clone()));
    if files.password.is_some() && given.as_deref() != files.password {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(target) = &files.redirect {
        return (StatusCode::FOUND, [(header::LOCATION, format!("{target}{path}"))])
            .into_response();
    }
    if path.starts_with("/endless") {
        let zeros = futures::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 65536]))
        });
        return Body::from_stream(zeros).into_response();
    }
    if path.starts_with("/slow") {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"a")), ()))
        });
        return Body::from_stream(drops).into_response();
    }
    let Some(content) = files.files.lock().get(&path).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{}\"", Digest::sha256(&content).hex());
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| *known == etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    files.bodies.fetch_add(1, Ordering::Relaxed);
    ([(header::ETAG, etag)], content).into_response()
}

fn repository(address: SocketAddr, path: &str) -> HelmRepository {
    let url = format!("http://{address}{path}").parse().unwrap();
    HelmRepository::new(url, Tls::default()).with_timeout(Duration::from_secs(5))
}

async fn index(files: Files) -> Result<Arc<StoredIndex>, String> {
    let address = files.serve().await;
    let repositories = HelmRepositories::default();
    let (repository, scope) = (repository(address, "/charts"), Scope::background());
    match repositories
        .index(&repository, None, &scope)
        .await
        .map_err(|error| gitops_core::one_line(&error))?
    {
        FoundIndex::New(index) => Ok(index),
        other => panic!("{other:?}"),
    }
}

fn text(index: &StoredIndex) -> String {
    let mut text = vec![0; usize::try_from(index.size).unwrap()];
    index.file.read_exact_at(&mut text, 0).unwrap();
    String::from_utf8(text).unwrap()
}

const INDEX: &str = "apiVersion: v1
entries:
  web:
  - apiVersion: v2
    name: web
    version: 1.0.0
    appVersion: 1.10
    created: \"2026-01-01T00:00:00.500Z\"
    description: <a> & b
    urls: [web-1.0.0.tgz]
  - apiVersion: v2
    name: web
    version: 1.10.0
    urls:
    - web-1.10.0.tgz
  - null
  - name: web
    version: not-a-version
    urls: [x]
  - name: ../evil
    version: 1.0.0
    urls: [x]
  \"api\":
    - name: api
      version: 0.1.0
      urls: [\"https://h/api.tgz\"]
generated: \"2026-01-02T00:00:00Z\"
";

/// Rows 38 and 39 of the list of attacks: bad entries are left out.
#[tokio::test]
async fn an_index_is_checked_and_stored_in_one_form() {
    let stored = index(Files::default().with("/charts/index.yaml", INDEX)).await.unwrap();
    assert_eq!(stored.revision, Digest::sha256(INDEX.as_bytes()));
    let expected = r#"{
  "apiVersion": "v1",
  "generated": "2026-01-02T00:00:00Z",
  "entries": {
    "api": [
      {
        "name": "api",
        "version": "0.1.0",
        "apiVersion": "v1",
        "urls": [
          "https://h/api.tgz"
        ],
        "created": "0001-01-01T00:00:00Z"
      }
    ],
    "web": [
      {
        "name": "web",
        "version": "1.10.0",
        "apiVersion": "v2",
        "urls": [
          "web-1.10.0.tgz"
        ],
        "created": "0001-01-01T00:00:00Z"
      },
      {
        "name": "web",
        "version": "1.0.0",
        "description": "\u003ca\u003e \u0026 b",
        "apiVersion": "v2",
        "appVersion": "1.1",
        "urls": [
          "web-1.0.0.tgz"
        ],
        "created": "2026-01-01T00:00:00.5Z"
      }
    ]
  }
}"#;
    assert_eq!(text(&stored), expected);
    let found = find_chart(expected.as_bytes(), "web").unwrap().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(choose_version(found.clone(), "web", "").unwrap().version, "1.10.0");
    assert_eq!(choose_version(found.clone(), "web", "~1.0").unwrap().version, "1.0.0");
    let error = choose_version(found, "web", ">2").unwrap_err().to_string();
    assert_eq!(error, "no 'web' chart with version matching '>2' found");
    assert!(find_chart(expected.as_bytes(), "none").unwrap().is_none());
    // A name cannot be mistaken for something else of the file.
    assert!(find_chart(expected.as_bytes(), "urls").unwrap().is_none());
}

#[tokio::test]
async fn the_same_index_in_json_gives_the_same_bytes() {
    let yaml = index(Files::default().with("/charts/index.yaml", INDEX)).await.unwrap();
    let again = index(Files::default().with("/charts/index.yaml", text(&yaml))).await.unwrap();
    assert_eq!(text(&again), text(&yaml));
    let flow = format!("# a comment\n{}", text(&yaml).replace('\n', " "));
    let flow = index(Files::default().with("/charts/index.yaml", flow)).await.unwrap();
    assert_eq!(text(&flow), text(&yaml));
}

#[tokio::test]
async fn what_is_no_index_says_so() {
    let mut bomb = String::from("apiVersion: v1\nentries:\n  a: &a [x, x]\n");
    for number in 1..30 {
        let _ = writeln!(bomb, "  b{number}: &b{number} [*a, *a, *a, *a, *a, *a, *a, *a]");
    }
    for (content, expected) in [
        ("", "empty index.yaml file"),
        ("entries: {}\n", "no API version specified"),
        ("apiVersion: [v1\nentries: }\n", "did not find expected ',' or ']'"),
        (
            "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, what: 1}\n",
            "json: unknown field \"what\"",
        ),
        ("apiVersion: v1\nmore: 1\n", "json: unknown field \"more\""),
        ("apiVersion: v1\nentries:\n  a: []\n  a: []\n", "already set in map"),
        (
            "apiVersion: v1\nentries: [a]\n",
            "json: cannot unmarshal array into Go struct field IndexFile.entries of type \
             map[string]repo.ChartVersions",
        ),
        (
            "apiVersion: v1\nentries:\n  a: hello\n",
            "json: cannot unmarshal string into Go struct field IndexFile.entries of type \
             repo.ChartVersions",
        ),
        ("apiVersion: v1\nentries: {}\nentries: {}\n", "key \"entries\" already set in map"),
        ("[]", "json: cannot unmarshal array into Go value of type repo.IndexFile"),
        (
            "apiVersion: v1\nentries:\n  a:\n  - &x {name: a, version: 1.0.0}\n  - *y\n",
            "unknown anchor",
        ),
        (bomb.as_str(), ""),
    ] {
        let error = index(Files::default().with("/charts/index.yaml", content.to_owned())).await;
        let error = error.unwrap_err();
        assert!(error.contains(expected), "{content}: {error}");
    }
}

#[tokio::test]
async fn an_unchanged_index_costs_no_body_and_many_cost_one() {
    let files = Files::default().with("/charts/index.yaml", INDEX);
    let (bodies, requests) = (Arc::clone(&files.bodies), Arc::clone(&files.requests));
    let address = files.serve().await;
    let repositories = HelmRepositories::default();
    let (repository, scope) = (repository(address, "/charts"), Scope::background());
    let all = (0..50).map(|_| repositories.index(&repository, None, &scope));
    for found in futures::future::join_all(all).await {
        assert!(matches!(found.unwrap(), FoundIndex::New(_)));
    }
    assert_eq!(bodies.load(Ordering::Relaxed), 1);
    let have = Digest::sha256(INDEX.as_bytes());
    for _ in 0..3 {
        let found = repositories.index(&repository, Some(&have), &scope).await.unwrap();
        assert!(matches!(found, FoundIndex::Same));
    }
    assert_eq!(bodies.load(Ordering::Relaxed), 1, "only asked whether it changed");
    assert!(requests.lock().len() <= 5, "{:?}", requests.lock());
    // Others do not see it with other credentials.
    let other = repository
        .clone()
        .with_credentials(Some(BasicCredentials { username: "u".into(), password: "p".into() }));
    repositories.index(&other, None, &scope).await.unwrap();
    assert_eq!(bodies.load(Ordering::Relaxed), 2);
}

/// Rows 40 and 110.
#[tokio::test]
async fn bodies_without_end_and_drop_by_drop_are_given_up() {
    let address = Files::default().serve().await;
    let repositories = HelmRepositories::new(1 << 20, 1 << 20);
    let scope = Scope::background();
    let error = repositories.index(&repository(address, "/endless"), None, &scope).await;
    let error = gitops_core::one_line(&error.unwrap_err());
    assert!(
        error.ends_with("index exceeds the maximum index file size of 1048576 bytes"),
        "{error}"
    );
    let slow = repository(address, "/slow").with_timeout(Duration::from_millis(300));
    let started = std::time::Instant::now();
    let error = repositories.index(&slow, None, &scope).await.unwrap_err();
    assert!(gitops_core::one_line(&error).contains("context deadline exceeded"));
    assert!(started.elapsed() < Duration::from_secs(5));
    let version = ChartVersion::new("c", "1.0.0", &["/endless/c.tgz"], "");
    let error = repositories.download(&repository(address, "/"), &version, &scope).await;
    assert!(error.unwrap_err().to_string().contains("exceeds '1048576' bytes limit"));
}

const BASIC: &str = "Basic aGVsbTpjYW5hcnktcGFzc3dvcmQ=";

fn credentials() -> BasicCredentials {
    BasicCredentials { username: "helm".into(), password: "canary-password".into() }
}

/// Row 50: other hosts and redirects.
#[tokio::test]
async fn credentials_stay_with_their_server() {
    let other = Files::default().with("/c.tgz", "chart").with("/charts/index.yaml", INDEX);
    let asked = Arc::clone(&other.requests);
    let other = other.serve().await;
    let own = Files { password: Some(BASIC), ..Files::default() }
        .with("/charts/index.yaml", INDEX)
        .with("/charts/own.tgz", "chart");
    let own = own.serve().await;
    let (repositories, scope) = (HelmRepositories::default(), Scope::background());
    let repository = repository(own, "/charts").with_credentials(Some(credentials()));
    assert!(repositories.index(&repository, None, &scope).await.is_ok());
    let version = |url: &str| ChartVersion::new("c", "1.0.0", &[url], "");
    assert!(repositories.download(&repository, &version("own.tgz"), &scope).await.is_ok());
    let far = format!("http://{other}/c.tgz");
    assert!(repositories.download(&repository, &version(&far), &scope).await.is_ok());
    assert_eq!(asked.lock().pop().unwrap().1, None, "not to another host");
    let passing = repository.clone().with_pass_credentials(true);
    assert!(repositories.download(&passing, &version(&far), &scope).await.is_ok());
    assert_eq!(asked.lock().pop().unwrap().1.as_deref(), Some(BASIC), "unless told so");

    let elsewhere =
        Files { redirect: Some(format!("http://{other}")), ..Files::default() }.serve().await;
    let redirected = self::repository(elsewhere, "/charts").with_credentials(Some(credentials()));
    assert!(repositories.index(&redirected, None, &scope).await.is_ok());
    assert_eq!(asked.lock().pop().unwrap().1, None, "not where a redirect leads");

    for bad in ["file:///etc/passwd", "ftp://h/c.tgz", "oci://h/c"] {
        let error = repositories.download(&repository, &version(bad), &scope).await.unwrap_err();
        assert!(error.to_string().contains("unsupported protocol scheme"), "{error}");
    }
    let round = Files::default();
    let round = Files { redirect: Some(String::new()), ..round }.serve().await;
    let error = repositories.index(&self::repository(round, "/charts"), None, &scope).await;
    let error = gitops_core::one_line(&error.unwrap_err());
    assert!(error.contains("redirects"), "{error}");
    let shown = format!("{repository:?} {error}");
    assert!(!shown.contains("canary"), "{shown}");
}

/// Row 51: a package whose digest is another.
#[tokio::test]
async fn packages_are_those_of_the_index() {
    let files = Files::default().with("/charts/c.tgz", "chart");
    let address = files.serve().await;
    let (repositories, scope) = (HelmRepositories::default(), Scope::background());
    let repository = repository(address, "/charts/");
    let good = Digest::sha256(b"chart");
    for digest in [good.hex().to_owned(), good.to_string(), String::new()] {
        let version = ChartVersion::new("c", "1.0.0", &["c.tgz"], &digest);
        assert_eq!(repositories.download(&repository, &version, &scope).await.unwrap(), "chart");
    }
    let swapped = ChartVersion::new("c", "1.0.0", &["c.tgz"], Digest::sha256(b"x").hex());
    let error = repositories.download(&repository, &swapped, &scope).await.unwrap_err();
    assert!(error.to_string().contains("does not have the digest"));
    let none = ChartVersion::new("c", "1.0.0", &[], "");
    let error = repositories.download(&repository, &none, &scope).await.unwrap_err();
    assert_eq!(error.to_string(), "chart 'c' has no downloadable URLs");
}

#[test]
fn exact_versions_first_and_the_youngest_of_equals() {
    let entry = |version: &str, created: &str| {
        let mut entry = ChartVersion::new("c", version, &[], "");
        created.clone_into(&mut entry.created);
        entry
    };
    let all = vec![
        entry("1.0.0+a", "2026-01-01T00:00:00Z"),
        entry("1.0.0+b", "2026-01-03T00:00:00Z"),
        entry("1.0.0+c", "2026-01-02T00:00:00Z"),
        entry("2.0.0-rc.1", ""),
        entry("1.5", ""),
    ];
    let choose = |range: &str| choose_version(all.clone(), "c", range).map(|chosen| chosen.version);
    assert_eq!(choose("*").unwrap(), "1.0.0+b");
    assert_eq!(choose("1.0.0+c").unwrap(), "1.0.0+c");
    assert_eq!(choose("1.5").unwrap(), "1.5", "the very text, which is no version else");
    assert_eq!(choose(">=1.0.0-0").unwrap(), "2.0.0-rc.1");
    assert_eq!(choose("~^1").unwrap_err().to_string(), "improper constraint: \"~^1\"");
}

/// Many charts: a lookup reads over all but one of them.
#[test]
fn lookups_hold_one_chart() {
    struct Endless {
        chart: usize,
        buffer: Vec<u8>,
    }
    impl std::io::Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.buffer.is_empty() {
                if self.chart > 20_000 {
                    return Ok(0);
                }
                let i = self.chart;
                self.chart += 1;
                self.buffer = if i == 0 {
                    b"{\n  \"apiVersion\": \"v1\",\n  \"entries\": {".to_vec()
                } else {
                    format!(
                        "\n    \"c{i}\": [\n      {{\n        \"name\": \"c{i}\",\n        \
                         \"version\": \"1.0.0\"\n      }}\n    ],"
                    )
                    .into_bytes()
                };
            }
            let amount = self.buffer.as_slice().read(out)?;
            self.buffer.drain(..amount);
            Ok(amount)
        }
    }
    let found = find_chart(Endless { chart: 0, buffer: Vec::new() }, "c19999").unwrap().unwrap();
    assert_eq!(found[0].name, "c19999");
    assert!(find_chart(Endless { chart: 0, buffer: Vec::new() }, "c99999").unwrap().is_none());
}

/// Prints how long a lookup in 100 MB takes, and how much memory it and the reading of the same
/// index in YAML add.
#[tokio::test]
#[ignore = "prints figures: run it alone, in release"]
async fn figures_of_a_large_index() {
    use std::io::{BufWriter, Write as _};
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut yaml = tempfile::NamedTempFile::new().unwrap();
    {
        let mut out = BufWriter::new(&mut yaml);
        out.write_all(b"apiVersion: v1\nentries:\n").unwrap();
        for chart in 0..5000 {
            writeln!(out, "  chart-{chart:05}:").unwrap();
            for version in 0..60 {
                writeln!(
                    out,
                    "  - apiVersion: v2\n    created: \"2026-01-01T00:00:00Z\"\n    description: {}\n    \
                     digest: {}\n    name: chart-{chart:05}\n    urls:\n    - chart-{version}.tgz\n    \
                     version: 1.{version}.0",
                    "words ".repeat(20),
                    "0".repeat(64)
                )
                .unwrap();
            }
        }
    }
    let size = yaml.as_file().metadata().unwrap().len();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let path = yaml.path().to_owned();
    let router = Router::new().fallback(move || {
        let path = path.clone();
        async move {
            let file = tokio::fs::File::open(path).await.unwrap();
            Body::from_stream(tokio_util::io::ReaderStream::new(file))
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let repositories = HelmRepositories::new(1 << 30, 1 << 20);
    let (before, started) = (peak(), std::time::Instant::now());
    let (patient, scope) =
        (repository(address, "").with_timeout(Duration::from_secs(600)), Scope::background());
    let found = repositories.index(&patient, None, &scope).await.unwrap();
    let FoundIndex::New(index) = found else { panic!("nothing is known yet") };
    let (read, fetched) = (peak(), started.elapsed());
    let started = std::time::Instant::now();
    let stored = index.file.try_clone().unwrap();
    let found = find_chart(std::io::BufReader::new(stored), "chart-04999").unwrap().unwrap();
    println!(
        "index of {} MB: fetched, checked and stored as {} MB in {fetched:?} with {} MiB; looked up in \
         {:?} with {} MiB ({} versions)",
        size / 1_000_000,
        index.size / 1_000_000,
        read - before,
        started.elapsed(),
        peak() - read,
        found.len()
    );
}
