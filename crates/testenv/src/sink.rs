//! A server that records what is sent to it: events and webhooks.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
};
use http::{HeaderMap, Method, StatusCode};
use tokio::{net::TcpListener, task::JoinHandle};

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// A recording server on loopback; it stops when it is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<Mutex<Log>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Log {
    requests: Vec<Recorded>,
    status: StatusCode,
}

impl Sink {
    /// Starts on a free port; every request is answered with 200 until [`Sink::answer_with`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<Log>>::default();
        let app = Router::new().fallback(record).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, state, task })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// From now on every request gets this status.
    pub fn answer_with(&self, status: StatusCode) {
        lock(&self.state).status = status;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state).requests.clone()
    }

    /// Waits until there are so many requests; returns what is there when the time is over.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Vec<Recorded> {
        let enough = async {
            while lock(&self.state).requests.len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        drop(tokio::time::timeout(limit, enough).await);
        self.requests()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn record(State(state): State<Arc<Mutex<Log>>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 4 << 20).await.map(Into::into).unwrap_or_default();
    let mut log = lock(&state);
    log.requests.push(Recorded {
        method: parts.method,
        path: parts.uri.to_string(),
        headers: parts.headers,
        body,
    });
    log.status
}

fn lock(mutex: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
