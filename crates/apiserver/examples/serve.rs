//! A Kubernetes API on a socket: `cargo run -p gitops-apiserver --example serve -- 127.0.0.1:8080 TOKEN`.
//!
//! With `--bare` nothing but the API runs, as with a kube-apiserver without a controller manager; with
//! `--tls` it is served with a certificate that is made on the spot.

use std::sync::Arc;

use gitops_apiserver::Server;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program prints")]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let [address, token] = &words[..] else {
        return Err("usage: serve ADDRESS TOKEN [--bare] [--tls]".into());
    };
    let has = |wanted: &str| flags.iter().any(|flag| flag == wanted);
    let server = Server::builder().admin_token(token).built_in_controllers(!has("--bare")).build();
    let listener = TcpListener::bind(address).await?;
    let scheme = if has("--tls") { "https" } else { "http" };
    println!("serving {scheme}://{}", listener.local_addr()?);
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    if has("--tls") {
        server.serve_tls(listener, certificate()?, stop).await?;
    } else {
        server.serve(listener, stop).await?;
    }
    Ok(())
}

fn certificate() -> Result<Arc<ServerConfig>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(Arc::new(config.with_single_cert(vec![own.cert.der().clone()], key)?))
}
