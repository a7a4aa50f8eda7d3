//! Ways to a Git server: private authorities, client certificates, proxies.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gitops_core::{Scope, Secret, one_line};
use gitops_source::{
    GitReference, GitSource, GitTransport, GitTransports, Source as _, SourceError, Tls,
};
use gitops_testenv::{Access, GitRepo, GitServer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: rustls::pki_types::CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), pem, der }
    }

    /// A certificate and its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A request or response: head and as much body as `content-length` says, or all.
fn message(from: &mut impl Read, response: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n")
            && !response
        {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |text| text.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return bytes;
            }
        }
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => return bytes,
            Ok(amount) => bytes.extend_from_slice(&buffer[..amount]),
        }
    }
}

/// Asks the backend and closes, so that the end of the answer is the end of the connection.
fn forwarded(request: &[u8], backend: SocketAddr) -> Vec<u8> {
    let text = String::from_utf8_lossy(request);
    let head_end = text.find("\r\n\r\n").unwrap();
    let mut head: Vec<&str> = text[..head_end].split("\r\n").collect();
    head.retain(|line| !line.to_lowercase().starts_with("connection:"));
    head.push("connection: close");
    let mut peer = TcpStream::connect(backend).unwrap();
    let body = &request[request.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4..];
    peer.write_all(head.join("\r\n").as_bytes()).unwrap();
    peer.write_all(b"\r\n\r\n").unwrap();
    peer.write_all(body).unwrap();
    message(&mut peer, true)
}

/// Ends TLS before a plain server; the thread ends with the process.
fn tls_before(backend: SocketAddr, config: rustls::ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            let request = message(&mut tls, false);
            if request.is_empty() {
                continue;
            }
            let response = forwarded(&request, backend);
            let _ = tls.write_all(&response);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    address
}

struct World {
    server: GitServer,
    _directory: tempfile::TempDir,
}

async fn world() -> World {
    rustls::crypto::ring::default_provider().install_default().ok();
    let directory = tempfile::tempdir().unwrap();
    let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
    repo.commit("main", &[("f", Some("x"))], "first").unwrap();
    let server = GitServer::start(directory.path(), Access::Open).await.unwrap();
    World { server, _directory: directory }
}

impl World {
    fn address(&self) -> SocketAddr {
        let url: Url = self.server.url("").parse().unwrap();
        url.socket_addrs(|| None).unwrap()[0]
    }
}

async fn fetch(url: &str, transport: GitTransport) -> Result<(), SourceError> {
    let source = GitSource::new(url, GitReference::Branch("main".into()))
        .with_transport(transport)
        .with_timeout(Duration::from_secs(10));
    let scope = Scope::background();
    let at = source.resolve(&scope).await?;
    source.fetch(&at, &scope).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn private_authorities_and_client_certificates() {
    let world = world().await;
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let key = || rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let chain = vec![certificate.der().clone()];
    let open = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der.clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let strict = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key())
        .unwrap();
    let open = tls_before(world.address(), open);
    let strict = tls_before(world.address(), strict);

    let (client, client_key) = authority.issue("client");
    let trusting = Tls {
        authorities: Some(authority.pem.clone().into_bytes()),
        identity: None,
        ..Tls::default()
    };
    let identity = (client.pem().into_bytes(), Secret::from(client_key.serialize_pem()));
    let known = Tls { identity: Some(identity), ..trusting.clone() };
    let transports = GitTransports::default();
    for (server, tls, works) in [
        (open, &Tls::default(), false),
        (open, &trusting, true),
        (strict, &trusting, false),
        (strict, &known, true),
    ] {
        let url = format!("https://localhost:{}/app.git", server.port());
        let transport = transports.get(&url.parse().unwrap(), tls, None).unwrap();
        let result = fetch(&url, transport).await;
        assert_eq!(result.is_ok(), works, "{url} {result:?}");
        if *tls == Tls::default() {
            let text = one_line(&result.unwrap_err());
            let why =
                "tls: failed to verify certificate: x509: certificate signed by unknown authority";
            assert!(text.contains(why), "{text}");
        }
    }
    assert!(!format!("{known:?}").contains("PRIVATE KEY"));
    let bad = Tls {
        authorities: None,
        identity: Some((b"x".to_vec(), Secret::from("y"))),
        ..Tls::default()
    };
    assert!(GitTransport::new(&"https://localhost/".parse().unwrap(), &bad, None).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_are_used() {
    let world = world().await;
    let backend = world.address();
    let used = Arc::new(AtomicUsize::new(0));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = listener.local_addr().unwrap();
    let count = Arc::clone(&used);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let request = message(&mut stream, false);
            let text = String::from_utf8_lossy(&request).into_owned();
            // The proxy is asked for the whole URL, of a host that only it knows.
            let path = text.replacen("http://git.invalid", "", 1);
            assert_ne!(path, text);
            assert!(
                text.to_lowercase()
                    .contains("proxy-authorization: basic dTpw".to_lowercase().as_str())
            );
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(&forwarded(path.as_bytes(), backend));
        }
    });
    let url = "http://git.invalid/app.git";
    let proxy: Url = format!("http://u:p@{http}").parse().unwrap();
    let transport =
        GitTransport::new(&url.parse().unwrap(), &Tls::default(), Some(&proxy)).unwrap();
    fetch(url, transport).await.unwrap();
    assert!(used.load(Ordering::SeqCst) >= 2);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socks = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // No authentication, then CONNECT to a name.
                let mut greeting = [0; 2];
                stream.read_exact(&mut greeting).await.unwrap();
                let mut methods = vec![0; greeting[1].into()];
                stream.read_exact(&mut methods).await.unwrap();
                stream.write_all(&[5, 0]).await.unwrap();
                let mut head = [0; 5];
                stream.read_exact(&mut head).await.unwrap();
                let mut rest = vec![0; usize::from(head[4]) + 2];
                stream.read_exact(&mut rest).await.unwrap();
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let mut peer = tokio::net::TcpStream::connect(backend).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut peer).await;
            });
        }
    });
    let proxy: Url = format!("socks5h://{socks}").parse().unwrap();
    let transport =
        GitTransport::new(&url.parse().unwrap(), &Tls::default(), Some(&proxy)).unwrap();
    fetch(url, transport).await.unwrap();

    let gone: Url = "http://127.0.0.1:1".parse().unwrap();
    let transport = GitTransport::new(&url.parse().unwrap(), &Tls::default(), Some(&gone)).unwrap();
    assert!(fetch(url, transport).await.is_err());
}
