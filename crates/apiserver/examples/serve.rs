//! A Kubernetes API on a socket: `cargo run -p gitops-apiserver --example serve -- 127.0.0.1:8080 TOKEN`.
//!
//! With `--bare` nothing but the API runs, as with a kube-apiserver without a controller manager.

use gitops_apiserver::Server;
use tokio::net::TcpListener;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program prints")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let [address, token] = &words[..] else {
        return Err("usage: serve ADDRESS TOKEN [--bare]".into());
    };
    let bare = flags.iter().any(|flag| flag == "--bare");
    let server = Server::builder().admin_token(token).built_in_controllers(!bare).build();
    let listener = TcpListener::bind(address).await?;
    println!("serving http://{}", listener.local_addr()?);
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Ok(server.serve(listener, stop).await?)
}
