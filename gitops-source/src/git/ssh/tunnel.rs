//! A connection to a host, where need be through a proxy: SOCKS 5 (RFC 1928, 1929) or HTTP CONNECT.

use gitops_core::SafeUrl;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use crate::{SourceError, go};

/// What a proxy may say before the tunnel stands.
const MAX_ANSWER: usize = 8 << 10;

/// Opens a connection to `host:port`.
pub(super) async fn connect(
    host: &str,
    port: u16,
    proxy: Option<&SafeUrl>,
) -> Result<TcpStream, SourceError> {
    let stream = match proxy.map(SafeUrl::expose) {
        None => dial(host, port).await?,
        Some(proxy) => {
            let address = proxy.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let fallback = if proxy.scheme() == "http" { 80 } else { 1080 };
            let port_of_proxy = proxy.port_or_known_default().unwrap_or(fallback);
            let mut stream = dial(address, port_of_proxy).await?;
            match proxy.scheme() {
                "socks5" | "socks5h" => socks(&mut stream, proxy, host, port).await?,
                "http" => http(&mut stream, proxy, host, port).await?,
                scheme => {
                    let why = format!("proxy: unknown scheme: {scheme}");
                    return Err(SourceError::Invalid(why.into()));
                }
            }
            stream
        }
    };
    // Fails on no platform that matters, and costs only time if it does.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn dial(host: &str, port: u16) -> Result<TcpStream, SourceError> {
    let addresses: Vec<_> = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    if addresses.is_empty() {
        return Err(SourceError::network(format!("dial tcp: lookup {host}: no such host")));
    }
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                let what =
                    go::dial_failure(error.kind()).map_or_else(|| error.to_string(), str::to_owned);
                last = Some(SourceError::network(format!("dial tcp {address}: connect: {what}")));
            }
        }
    }
    Err(last.expect("there was an address"))
}

async fn socks(
    stream: &mut TcpStream,
    proxy: &Url,
    host: &str,
    port: u16,
) -> Result<(), SourceError> {
    let broken =
        |error: std::io::Error| SourceError::network(format!("socks connect: {}", error.kind()));
    let fail = |why: &str| Err(SourceError::network(format!("socks connect: {why}")));
    let user = go::percent_decoded(proxy.username());
    let password = go::percent_decoded(proxy.password().unwrap_or_default());
    let (Ok(user_length), Ok(password_length), Ok(host_length)) =
        (u8::try_from(user.len()), u8::try_from(password.len()), u8::try_from(host.len()))
    else {
        return fail("name or password is too long");
    };
    let hello: &[u8] = if user.is_empty() { &[5, 1, 0] } else { &[5, 2, 0, 2] };
    stream.write_all(hello).await.map_err(broken)?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    match answer {
        [5, 0] => {}
        [5, 2] if !user.is_empty() => {
            let mut login = vec![1, user_length];
            login.extend_from_slice(user.as_bytes());
            login.push(password_length);
            login.extend_from_slice(password.as_bytes());
            stream.write_all(&login).await.map_err(broken)?;
            stream.read_exact(&mut answer).await.map_err(broken)?;
            if answer[1] != 0 {
                let why = "socks connect: username/password authentication failed";
                return Err(SourceError::Denied(why.into()));
            }
        }
        [5, _] => return fail("no acceptable authentication methods"),
        _ => return fail("not a SOCKS 5 proxy"),
    }
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(std::net::IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            request.extend_from_slice(&[3, host_length]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await.map_err(broken)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(broken)?;
    if head[1] != 0 {
        return fail(socks_failure(head[1]));
    }
    let rest = match head[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await.map_err(broken)?),
        _ => return fail("malformed answer"),
    };
    let mut bound = vec![0; rest + 2];
    stream.read_exact(&mut bound).await.map_err(broken)?;
    Ok(())
}

fn socks_failure(code: u8) -> &'static str {
    match code {
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "general SOCKS server failure",
    }
}

async fn http(
    stream: &mut TcpStream,
    proxy: &Url,
    host: &str,
    port: u16,
) -> Result<(), SourceError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let broken =
        |error: std::io::Error| SourceError::network(format!("proxy connect: {}", error.kind()));
    let target =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if !proxy.username().is_empty() {
        let user = go::percent_decoded(proxy.username());
        let password = go::percent_decoded(proxy.password().unwrap_or_default());
        let login = STANDARD.encode(format!("{user}:{password}"));
        request.extend(["Proxy-Authorization: Basic ", &login, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    // Byte by byte: what follows the empty line belongs to the tunnel.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_ANSWER {
            return Err(SourceError::network("proxy connect: answer is too long"));
        }
        answer.push(stream.read_u8().await.map_err(broken)?);
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("407") => {
            Err(SourceError::Denied("proxy connect: proxy authentication required".into()))
        }
        _ => Err(SourceError::network(format!("proxy connect: {}", go::quoted(line)))),
    }
}
