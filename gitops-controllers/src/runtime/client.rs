//! The client of a process: limits, retries, fencing and counting around every request.

use std::{
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use kube::{Client, Config, client::Body};
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use super::Metrics;

/// How often a request is tried that the API server turned away for overload.
const TRIES: u32 = 6;
/// The longest pause that a `Retry-After` can ask for.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(30);
/// How long a request that is no watch may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// `--kube-api-qps` and `--kube-api-burst`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    /// Tokens a second.
    pub per_second: f64,
    /// The most tokens.
    pub burst: u32,
}

/// Whether this process may write. Shared by the election and every client.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Gate>>);

#[derive(Clone, Copy, Debug, Default)]
enum Gate {
    #[default]
    Open,
    OpenUntil(Instant),
    Closed,
}

impl Fence {
    /// No write leaves the process from now on.
    pub fn close(&self) {
        *self.0.lock() = Gate::Closed;
    }

    /// Writes pass until then. The time is looked at with every write, so that a process that was
    /// frozen past it does not go on where it was.
    pub fn open_until(&self, deadline: Instant) {
        *self.0.lock() = Gate::OpenUntil(deadline);
    }

    /// Whether writes pass.
    pub fn may_write(&self) -> bool {
        match *self.0.lock() {
            Gate::Open => true,
            Gate::OpenUntil(deadline) => Instant::now() < deadline,
            Gate::Closed => false,
        }
    }
}

/// A write after the lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leader lease is lost: nothing is written any more")]
pub struct Fenced;

/// Connects with the limits of a controller. Where the API server answers with priority and
/// fairness, it shapes the load itself and `limit` does not count: Flux decides the same way.
///
/// # Errors
/// When the configuration cannot make a client.
pub async fn connect(
    mut config: Config,
    limit: RateLimit,
    fence: Fence,
    metrics: Arc<Metrics>,
) -> Result<Client, kube::Error> {
    config.connect_timeout = Some(Duration::from_secs(5));
    let host = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
    let namespace = config.default_namespace.clone();
    let plain = Client::try_from(config)?;
    let limit = (!has_fairness(&plain).await).then_some(limit);
    let layer = Guard {
        shared: Arc::new(Shared {
            bucket: limit.map(|limit| Mutex::new(Bucket::new(limit))),
            fence,
            metrics,
            host,
        }),
    };
    let inner = tower::service_fn(move |request| {
        let plain = plain.clone();
        async move { plain.send(request).await }
    });
    Ok(Client::new(layer.layer(inner), namespace))
}

async fn has_fairness(client: &Client) -> bool {
    let request = Request::get("/livez/ping").body(Body::empty());
    let Ok(request) = request else { return false };
    let answer = tokio::time::timeout(Duration::from_secs(5), client.send(request)).await;
    matches!(answer, Ok(Ok(answer)) if answer.headers().contains_key("x-kubernetes-pf-flowschema-uid"))
}

#[derive(Debug)]
struct Shared {
    bucket: Option<Mutex<Bucket>>,
    fence: Fence,
    metrics: Arc<Metrics>,
    host: String,
}

/// A token bucket that may go into debt: who takes a token waits until it is there.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: RateLimit,
    tokens: f64,
    since: Instant,
}

impl Bucket {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, tokens: f64::from(limit.burst), since: Instant::now() }
    }

    /// Takes a token, and says after which time it is there.
    pub(super) fn take(&mut self) -> Duration {
        if self.limit.per_second <= 0.0 {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let gained = (now - self.since).as_secs_f64() * self.limit.per_second;
        self.tokens = (self.tokens + gained).min(f64::from(self.limit.burst)) - 1.0;
        self.since = now;
        Duration::from_secs_f64((-self.tokens / self.limit.per_second).max(0.0))
    }
}

#[derive(Clone)]
struct Guard {
    shared: Arc<Shared>,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, shared: Arc::clone(&self.shared) }
    }
}

/// The service with everything around a request.
#[derive(Clone)]
struct Guarded<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone is not ready yet; the one that is takes this request.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(send(inner, Arc::clone(&self.shared), request))
    }
}

async fn send<S, B>(
    mut service: S,
    shared: Arc<Shared>,
    request: Request<Body>,
) -> Result<Response<B>, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    let method = request.method().clone();
    let is_write = !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
    // The election writes before there is a leader, and gives the lease back after.
    let is_lease = request.uri().path().starts_with("/apis/coordination.k8s.io/");
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
    let mut request = Some(request);
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        let Some(current) = request.take() else { break };
        request = copy(&current);
        if let Some(bucket) = &shared.bucket {
            let wait = bucket.lock().take();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        if is_write && !is_lease && !shared.fence.may_write() {
            return Err(Box::new(Fenced));
        }
        if attempt > 1 {
            futures::future::poll_fn(|context| service.poll_ready(context))
                .await
                .map_err(Into::into)?;
        }
        let call = service.call(current);
        let answer = if is_watch {
            call.await.map_err(Into::into)
        } else {
            match tokio::time::timeout(REQUEST_TIMEOUT, call).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(late) => Err(late.into()),
            }
        };
        let code = answer
            .as_ref()
            .map_or("<error>".to_owned(), |answer| answer.status().as_u16().to_string());
        shared.metrics.request(&shared.host, method.as_str(), &code);
        let again = match &answer {
            Ok(answer) => overload_pause(answer, pause),
            Err(_) => None,
        };
        match again {
            Some(delay) if attempt < TRIES && request.is_some() => {
                tokio::time::sleep(delay).await;
                pause *= 2;
            }
            _ => return answer,
        }
    }
    Err("a request cannot be sent twice".into())
}

/// How long to wait before the same request is sent again, where the answer asks for that.
fn overload_pause<B>(answer: &Response<B>, pause: Duration) -> Option<Duration> {
    let overloaded =
        matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let asked = answer
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .map(Duration::from_secs);
    match (overloaded, asked) {
        (true, Some(asked)) => Some(asked.min(RETRY_AFTER_LIMIT).max(pause)),
        (true, None) => Some(pause),
        _ => None,
    }
}

fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn buckets_shape_the_load() {
        let mut bucket = Bucket::new(RateLimit { per_second: 10.0, burst: 2 });
        assert_eq!(bucket.take(), Duration::ZERO);
        assert_eq!(bucket.take(), Duration::ZERO);
        assert_eq!(bucket.take(), Duration::from_millis(100));
        assert_eq!(bucket.take(), Duration::from_millis(200));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(bucket.take(), Duration::ZERO);
    }

    #[expect(clippy::type_complexity, reason = "a service and what it saw")]
    fn guarded(
        codes: Vec<u16>,
        fence: Fence,
    ) -> (
        impl Service<Request<Body>, Response = Response<()>, Error = BoxError>,
        Arc<Mutex<Vec<Method>>>,
    ) {
        let seen: Arc<Mutex<Vec<Method>>> = Arc::default();
        let log = Arc::clone(&seen);
        let service = tower::service_fn(move |request: Request<Body>| {
            let mut log = log.lock();
            log.push(request.method().clone());
            let code = codes.get(log.len() - 1).copied().unwrap_or(200);
            async move {
                let answer = Response::builder().status(code).header("retry-after", "1").body(());
                answer.map_err(BoxError::from)
            }
        });
        let shared = Arc::new(Shared {
            bucket: None,
            fence,
            metrics: Arc::new(Metrics::new()),
            host: "h".into(),
        });
        (Guard { shared }.layer(service), seen)
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_waited_for() {
        let (mut service, seen) = guarded(vec![429, 503], Fence::default());
        let start = Instant::now();
        let answer = service.call(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(seen.lock().len(), 3);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_closed_fence_stops_writes_and_not_reads() {
        let fence = Fence::default();
        fence.close();
        let (mut service, seen) = guarded(vec![], fence);
        let write = Request::post("/api/v1/namespaces").body(Body::empty()).unwrap();
        let error = service.call(write).await.unwrap_err();
        assert!(error.downcast_ref::<Fenced>().is_some());
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/b";
        service.call(Request::put(lease).body(Body::empty()).unwrap()).await.unwrap();
        service.call(Request::new(Body::empty())).await.unwrap();
        assert_eq!(*seen.lock(), [Method::PUT, Method::GET]);
    }
}
