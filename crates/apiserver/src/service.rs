//! The server as a tower service: one request in, one answer out.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};

use crate::{
    auth::{self, User},
    discovery, openapi,
    request::{Options, Path, View, accepted},
    server::{BODY_LIMIT, State},
    status::{Refusal, Result},
    verbs,
};

/// The body of an answer: a whole object, or the stream of a watch.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A [`Server`](crate::Server) as a [`tower::Service`], for clients in the same process.
#[derive(Clone, Debug)]
pub struct ServerService {
    state: Arc<State>,
    /// Whether a request without a token comes from the process itself.
    trusted: bool,
}

/// What a request is answered with.
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: Body,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    pub(crate) fn json(code: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            code,
            content_type: "application/json",
            body: UnsyncBoxBody::new(Full::new(body.into())),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn value(code: StatusCode, value: &serde_json::Value) -> Self {
        Self::json(code, serde_json::to_vec(value).unwrap_or_default())
    }

    pub(crate) fn text(body: &'static str) -> Self {
        let mut answer = Self::json(StatusCode::OK, Bytes::from_static(body.as_bytes()));
        answer.content_type = "text/plain; charset=utf-8";
        answer
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::value(refusal.code, &refusal.to_value())
    }
}

impl ServerService {
    pub(crate) fn trusted(state: Arc<State>) -> Self {
        Self { state, trusted: true }
    }

    pub(crate) fn guarded(state: Arc<State>) -> Self {
        Self { state, trusted: false }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let answer = match self.read(body).await {
            Ok(body) => self.route(&head, &body),
            Err(refusal) => Err(refusal),
        };
        respond(answer.unwrap_or_else(Answer::from))
    }

    async fn read<B>(&self, body: B) -> Result<Bytes>
    where
        B: hyper::body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large(BODY_LIMIT)),
            Err(error) => Err(Refusal::bad_request(format!("unable to read the body: {error}"))),
        }
    }

    fn route(&self, head: &http::request::Parts, body: &Bytes) -> Result<Answer> {
        let path = head.uri.path();
        if matches!(path, "/healthz" | "/livez" | "/readyz") {
            return Ok(Answer::text("ok"));
        }
        let local = self.trusted.then(User::admin);
        let user = auth::authenticate(&self.state, &head.headers, local)?;
        let options = Options::parse(head.uri.query().unwrap_or_default())?;
        let registry = self.state.registry();
        let resource_path = match Path::parse(path) {
            Path::Resource(resource_path) => resource_path,
            Path::Other => {
                if let Some(rest) = path.strip_prefix("/openapi/v3") {
                    let parts: Vec<&str> =
                        rest.split('/').filter(|part| !part.is_empty()).collect();
                    return openapi::answer(&self.state, &registry, &parts);
                }
                return discovery::answer(&registry, path, &head.headers);
            }
        };
        let view = match accepted(&head.headers) {
            Err(_) if head.headers.get(header::ACCEPT).is_some_and(takes_yaml) => View::Whole,
            view => view?,
        };
        verbs::answer(
            &verbs::Request {
                state: &self.state,
                registry: &registry,
                method: &head.method,
                headers: &head.headers,
                path: &resource_path,
                user: &user,
                view,
            },
            options,
            body,
        )
    }
}

/// `kubectl` may ask for YAML; it reads JSON as well.
fn takes_yaml(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| text.contains("yaml"))
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    for warning in answer.warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            headers.append(header::WARNING, value);
        }
    }
    response
}

impl<B> tower::Service<Request<B>> for ServerService
where
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
