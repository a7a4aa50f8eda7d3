//! A Git server over smart HTTP, with authentication and faults.
//!
//! Serves the bare repositories below a directory through git's own `http-backend`, so that the
//! wire is the real one.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, task::JoinHandle};

/// Who may read.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everybody.
    #[default]
    Open,
    /// Basic authentication.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer(String),
}

/// What goes wrong with each request until it is set again.
#[derive(Clone, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// This status instead of an answer.
    Status(u16),
    /// The answer, cut after so many bytes of its body.
    Cut(usize),
    /// The answer, so much later.
    Late(Duration),
    /// A redirect to this URL and the request's own path.
    Redirect(String),
}

/// A server on loopback; it stops when it is dropped.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    access: Access,
    fault: Mutex<Fault>,
    requests: Mutex<Vec<String>>,
}

impl GitServer {
    /// Serves the repositories below `root` on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(root: impl Into<PathBuf>, access: Access) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Shared {
            root: root.into(),
            access,
            fault: Mutex::default(),
            requests: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, state, task })
    }

    /// The URL of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// The directory with the repositories.
    pub fn root(&self) -> &Path {
        &self.state.root
    }

    /// From now on each request meets this fault.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.state.fault) = fault;
    }

    /// Method and path of every request so far.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state.requests).clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let line = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => {
            format!("{line} authorization: {}", String::from_utf8_lossy(value.as_bytes()))
        }
        None => line,
    };
    lock(&state.requests).push(line);
    if !state.access.admits(request.headers()) {
        let challenge = match state.access {
            Access::Bearer(_) => "Bearer",
            _ => "Basic realm=\"git\"",
        };
        let mut response = status(StatusCode::UNAUTHORIZED);
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static(challenge));
        return response;
    }
    let fault = lock(&state.fault).clone();
    match fault {
        Fault::None => backend(&state.root, request, usize::MAX).await,
        Fault::Status(code) => {
            status(StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY))
        }
        Fault::Cut(bytes) => backend(&state.root, request, bytes).await,
        Fault::Late(delay) => {
            tokio::time::sleep(delay).await;
            backend(&state.root, request, usize::MAX).await
        }
        Fault::Redirect(target) => {
            let mut response = status(StatusCode::FOUND);
            let location = format!("{target}{}", request.uri());
            if let Ok(location) = location.parse() {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
    }
}

impl Access {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let wanted = match self {
            Self::Open => return true,
            Self::Basic { username, password } => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        sent == Some(wanted.as_str())
    }
}

async fn backend(root: &Path, request: Request, cut: usize) -> Response {
    run_backend(root, request, cut).await.unwrap_or_else(|error| {
        let mut response = status(StatusCode::INTERNAL_SERVER_ERROR);
        *response.body_mut() = Body::from(format!("{error:#}"));
        response
    })
}

async fn run_backend(root: &Path, request: Request, cut: usize) -> anyhow::Result<Response> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let body = axum::body::to_bytes(body, 64 << 20).await?;
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("git http-backend")?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    // Written beside the reading: the backend may answer before it has read all.
    let writer = tokio::spawn(async move { stdin.write_all(&body).await });
    let output = child.wait_with_output().await?;
    drop(writer.await);
    response_of(&output.stdout, cut)
}

/// A CGI answer: headers, a blank line, the body.
fn response_of(output: &[u8], cut: usize) -> anyhow::Result<Response> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").context("no headers")?;
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end])?.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            let code = value.trim().split(' ').next().unwrap_or_default();
            response = response.status(code.parse::<u16>()?);
        } else {
            response = response.header(name, value.trim());
        }
    }
    let body = &output[end + 4..];
    if body.len() > cut {
        response = response.header(header::CONTENT_LENGTH, body.len());
        let piece = Bytes::copy_from_slice(&body[..cut]);
        let broken = std::io::Error::other("cut");
        let pieces = futures::stream::iter([Ok(piece), Err(broken)]);
        return Ok(response.body(Body::from_stream(pieces))?);
    }
    Ok(response.body(Body::from(body.to_vec()))?)
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::from(code.to_string()));
    *response.status_mut() = code;
    response
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GitRepo, git_is_installed};

    async fn ls_remote(url: &str) -> (bool, String) {
        let output = Command::new("git")
            .args(["ls-remote", url])
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .await
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[tokio::test]
    async fn serves_authenticates_and_fails_on_demand() {
        if !git_is_installed() {
            println!("SKIPPED: git is not installed");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let mut repo = GitRepo::init(directory.path().join("app.git")).unwrap();
        let commit = repo.commit("main", &[("a", Some("a"))], "one").unwrap();
        let access = Access::Basic { username: "git".into(), password: "s3cret".into() };
        let server = GitServer::start(directory.path(), access).await.unwrap();
        let url = server.url("app.git");
        assert!(!ls_remote(&url).await.0, "no credentials");
        let with_password = url.replace("http://", "http://git:s3cret@");
        let (ok, refs) = ls_remote(&with_password).await;
        assert!(ok && refs.contains(&commit), "{refs}");
        for fault in [Fault::Status(500), Fault::Cut(20)] {
            server.set_fault(fault);
            assert!(!ls_remote(&with_password).await.0);
        }
        server.set_fault(Fault::None);
        assert!(ls_remote(&with_password).await.0);
        assert!(server.requests().iter().any(|line| line.starts_with("GET /app.git/info/refs")));
    }
}
