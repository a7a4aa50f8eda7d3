//! A Kubernetes API on a socket: `cargo run -p gitops-apiserver --example serve -- 127.0.0.1:8080 TOKEN`.
//!
//! With `--bare` nothing but the API runs, as with a kube-apiserver without a controller manager; with
//! `--tls` it is served with a certificate that is made on the spot, and written with the one that
//! issued it to `apiserver.crt` in `--cert-dir=DIR`, as kube-apiserver does.
//!
//! Without ADDRESS and TOKEN it takes kube-apiserver's place in a script that starts one: it reads
//! `--bind-address`, `--secure-port`, `--cert-dir` and `--token-auth-file`, whose tokens are all
//! administrators', serves bare with TLS, and leaves the other flags alone.

use std::{fs, path::Path, sync::Arc};

use gitops_apiserver::Server;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: serve ADDRESS TOKEN [--bare] [--tls] [--cert-dir=DIR]\n       \
    serve --secure-port=PORT --token-auth-file=FILE [--bind-address=IP] [--cert-dir=DIR] […]";

struct Options {
    address: String,
    tokens: Vec<String>,
    bare: bool,
    tls: bool,
    certificates: Option<String>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program prints")]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = options(std::env::args().skip(1))?;
    let mut server = Server::builder().built_in_controllers(!options.bare);
    for token in &options.tokens {
        server = server.admin_token(token);
    }
    let server = server.build();
    let listener = TcpListener::bind(&options.address).await?;
    let scheme = if options.tls { "https" } else { "http" };
    println!("serving {scheme}://{}", listener.local_addr()?);
    if options.tls {
        let tls = certificate(options.certificates.as_deref().map(Path::new))?;
        server.serve_tls(listener, tls, stopped()).await?;
    } else {
        server.serve(listener, stopped()).await?;
    }
    Ok(())
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let (flags, words): (Vec<String>, Vec<String>) =
        arguments.partition(|word| word.starts_with("--"));
    let has = |wanted: &str| flags.iter().any(|flag| flag == wanted);
    let value = |name: &str| {
        let mut values = flags.iter().filter_map(|flag| flag.strip_prefix(name)?.strip_prefix('='));
        values.next().map(str::to_owned)
    };
    let certificates = value("--cert-dir");
    if let [address, token] = &words[..] {
        let tokens = vec![token.clone()];
        let (bare, tls) = (has("--bare"), has("--tls"));
        return Ok(Options { address: address.clone(), tokens, bare, tls, certificates });
    }
    let (Some(port), Some(file)) = (value("--secure-port"), value("--token-auth-file")) else {
        return Err(USAGE.into());
    };
    // Each line: token, user, uid, groups.
    let lines = fs::read_to_string(file)?;
    let tokens = lines.lines().filter_map(|line| line.split(',').next()).map(str::to_owned);
    let host = value("--bind-address").unwrap_or_else(|| "127.0.0.1".to_owned());
    let address = format!("{host}:{port}");
    Ok(Options { address, tokens: tokens.collect(), bare: true, tls: true, certificates })
}

async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut terminated) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A certificate and an authority that issued it, both made now; their text goes to a directory.
fn certificate(directory: Option<&Path>) -> Result<Arc<ServerConfig>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "gitops-apiserver-ca");
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let names = ["localhost", "127.0.0.1", "::1", "kubernetes.default.svc"].map(str::to_owned);
    let mut own = CertificateParams::new(names)?;
    own.distinguished_name.push(DnType::CommonName, "gitops-apiserver");
    let key = KeyPair::generate()?;
    let leaf = own.signed_by(&key, &issuer)?;
    if let Some(directory) = directory {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("apiserver.crt"), leaf.pem() + &root.pem())?;
    }
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let chain = vec![leaf.der().clone(), root.der().clone()];
    Ok(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?))
}
