//! A proxy before an API server that kills the controller behind it at a chosen write.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, header};
use kube::Client;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::Controller;

/// The largest request that is forwarded, in bytes.
const REQUEST_LIMIT: usize = 8 << 20;

/// When, seen from a write, the controller dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The API server never sees the write.
    BeforeForwarding,
    /// The API server has done the write; the controller never hears of it.
    BeforeAnswering,
}

/// Stands on loopback between one controller and an API server, with the rights of the client that
/// it was made with. It stops, and the controller with it, when it is dropped.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    state: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    client: Client,
    /// Since the last [`ApiProxy::kill_at`].
    writes: AtomicU64,
    doom: Mutex<Option<(u64, Moment)>>,
    controller: Mutex<Option<Controller>>,
    alive: watch::Sender<bool>,
    requests: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("doom", &self.doom).finish_non_exhaustive()
    }
}

impl ApiProxy {
    /// Listens on a free port; what comes in goes out by the client.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(client: Client) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Shared {
            client,
            writes: AtomicU64::new(0),
            doom: Mutex::default(),
            controller: Mutex::default(),
            alive: watch::Sender::new(false),
            requests: Mutex::default(),
        });
        let app = Router::new().fallback(forward).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, state, task })
    }

    /// Writes a kubeconfig file that leads here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn kubeconfig(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        let path = directory.join("kubeconfig");
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// The controller that is killed; one that was here before is killed now.
    pub fn set_controller(&self, controller: Controller) {
        *self.state.doom.lock() = None;
        *self.state.controller.lock() = Some(controller);
        self.state.alive.send_replace(true);
    }

    /// Kills the controller at the given write from now on, counted from one. Every request that is
    /// not a read counts, dry runs and events too.
    pub fn kill_at(&self, write: u64, moment: Moment) {
        self.state.writes.store(0, Ordering::SeqCst);
        *self.state.doom.lock() = Some((write, moment));
    }

    /// Kills the controller now.
    pub fn kill(&self) {
        self.state.kill();
    }

    /// The writes since the last [`ApiProxy::kill_at`].
    pub fn writes(&self) -> u64 {
        self.state.writes.load(Ordering::SeqCst)
    }

    /// Every request so far with the status that it got, if it got one; what a controller's death
    /// left in the air stands there without.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().clone()
    }

    /// Waits until the controller is dead; false when it is not in time.
    pub async fn killed(&self, limit: Duration) -> bool {
        let mut alive = self.state.alive.subscribe();
        let dead = alive.wait_for(|alive| !alive);
        tokio::time::timeout(limit, dead).await.is_ok()
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.task.abort();
        self.state.kill();
    }
}

impl Shared {
    fn kill(&self) {
        *self.doom.lock() = None;
        drop(self.controller.lock().take());
        self.alive.send_replace(false);
    }

    fn note(&self, request: String) -> usize {
        let mut requests = self.requests.lock();
        requests.push(request);
        requests.len() - 1
    }

    fn note_answer(&self, number: usize, answer: &str) {
        if let Some(request) = self.requests.lock().get_mut(number) {
            *request = format!("{request}: {answer}");
        }
    }

    /// Counts a write; what it says is to happen around it.
    fn count(&self) -> Option<Moment> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let doom = *self.doom.lock();
        doom.and_then(|(write, moment)| (write == number).then_some(moment))
    }
}

async fn forward(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let moment = if is_write { state.count() } else { None };
    if moment == Some(Moment::BeforeForwarding) {
        state.kill();
        return unavailable();
    }
    let number = state.note(format!("{} {}", request.method(), request.uri()));
    let answer = send(&state.client, request).await;
    let told = answer
        .as_ref()
        .map_or_else(|error| format!("{error:#}"), |answer| answer.status().to_string());
    state.note_answer(number, &told);
    if moment == Some(Moment::BeforeAnswering) {
        state.kill();
    }
    answer.unwrap_or_else(|_| unavailable())
}

async fn send(client: &Client, request: Request) -> anyhow::Result<Response> {
    let (mut parts, body) = request.into_parts();
    for name in [header::HOST, header::CONTENT_LENGTH, header::AUTHORIZATION] {
        parts.headers.remove(name);
    }
    strip(&mut parts.headers);
    let body = axum::body::to_bytes(body, REQUEST_LIMIT).await?;
    let body = kube::client::Body::from(body.to_vec());
    let (mut parts, body) = client.send(Request::from_parts(parts, body)).await?.into_parts();
    strip(&mut parts.headers);
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// Headers that concern one connection only.
fn strip(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
        headers.remove(name);
    }
}

fn unavailable() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
